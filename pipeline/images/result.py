"""The result of an operator, which turns one picture into another."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Result:
    """A picture with its metadata, and the artist's own sketch if it came with one.

    The picture is uint8, gray (H, W), RGB or RGBA (H, W, C); the sketch is uint8 gray (H, W). The metadata
    become the JSON member of the sample.
    """

    picture: np.ndarray
    metadata: dict
    sketch: np.ndarray | None = None
