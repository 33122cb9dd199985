"""The ten masks of partial colorization: five ways to divide any picture, each with its complement."""

import numpy as np

MASK_NAMES = (
    "left", "right", "top", "bottom",
    "columns", "other-columns", "rows", "other-rows", "checkers", "other-checkers",
)  # fmt: skip
BAND_COUNTS = ((1, 2), (2, 1), (1, 4), (4, 1), (4, 4))  # rows and columns of bands, for each pair of masks


def make_mask(number: int, height: int, width: int) -> np.ndarray:
    """Make the mask `MASK_NAMES[number]`, bool (height, width): True where the picture is to be colored.

    The masks 2n and 2n + 1 are complements. Widths of bands differ by a pixel if they do not divide the side.
    """
    if number not in range(len(MASK_NAMES)):
        raise ValueError(f"number must be an integer from 0 to {len(MASK_NAMES) - 1}, got {number!r}")
    down, across = BAND_COUNTS[number // 2]
    band = band_numbers(height, down)[:, None] + band_numbers(width, across)
    return band % 2 == number % 2


def band_numbers(side: int, count: int) -> np.ndarray:
    """Return the number of the band in which each pixel of a side lies."""
    return np.arange(side) * count // side
