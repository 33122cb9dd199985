"""The colors of a small picture, brought to the full size of a drawing under the artist's own lines.

A network colors a drawing at the size that it learned. Its picture is cleared of the lines in it. The colors
become even within the regions between the full lines, and blur to the cue if that is a blur. Then the
drawing itself is multiplied over them. Everything between is computed at a longest side of 2,000 pixels, and
the rest in bands, so that memory is that of the drawing.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.images.pixels import gaussian_blur, resize, wide_blur
from pipeline.operators.cue import UNIT_SIDE
from pipeline.operators.flats import WORK_SIDE, number_regions

LINE_GAIN = 2.0  # thin lines turn gray when they are reduced, and are darkened by at most this factor
CLEAR_POWER, CLEAR_SIGMA = 4, 1.0  # colors of the network count by this power of the light, within this blur
REGION_GAP = 1 / 64  # of the short side: wider gaps join regions
ROUNDS, PROJECTIONS = 2, 2  # of evening, and of back-projection after each
EVEN = 0.5  # how far colors are moved to the mean of their region at last
LEAST_LIGHT = 0.2  # of a blurred drawing, by which missing colors are divided
ROWS_AT_ONCE = 64  # rows that are composed at once: a band of a large picture fits the cache of a processor
GUIDE_RADIUS, GUIDE_NOISE = 2, 100.0  # of the guided filter: pixels, and squared levels of brightness


class CueBlur(NamedTuple):
    """A cue (h, w, 3), and the sigma of its blur in pixels at a short side of 256."""

    cue: np.ndarray
    sigma: float


class Ground(NamedTuple):
    """A drawing where colors settle: the numbers of its regions (h, w), its light (h, w, 1) from 0 to 1, and
    how sure colors are (h, w), from 0 to 1."""

    regions: np.ndarray
    light: np.ndarray
    sure: np.ndarray


class Layer(NamedTuple):
    """Colors (H, W, 3) that are laid as they are where `known` (H, W) is true."""

    colors: np.ndarray
    known: np.ndarray


def scaled_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return height and width scaled so that the short side is `side` pixels."""
    scale = side / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def fit(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize uint8 as `pixels.resize` does; enlarged pixels are alike on all processors."""
    if width <= image.shape[1] and height <= image.shape[0]:
        return resize(image, width, height)
    return np.rint(resize(image.astype(np.float64), width, height)).clip(0, 255).astype(np.uint8)


def reduce_lines(gray: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a gray drawing, and darken lines that became gray as they were thinner than a pixel."""
    gain = np.clip(min(gray.shape) / min(height, width), 1, LINE_GAIN)
    dark = (255.0 - fit(gray, width, height)) * gain
    return (255 - dark.clip(0, 255)).round().astype(np.uint8)


def clear_lines(picture: np.ndarray, sketch: np.ndarray) -> np.ndarray:
    """Replace the colors of lines by those around them: uint8 (h, w, 3) and (h, w) -> float32 (h, w, 3)."""
    light = ((sketch / np.float32(255)) ** CLEAR_POWER + np.float32(1e-3))[..., None]
    blurred = gaussian_blur(np.dstack([picture * light, light]), CLEAR_SIGMA)
    return blurred[..., :3] / blurred[..., 3:]


def lay_under_lines(
    colors: np.ndarray,
    page: np.ndarray,
    gray: np.ndarray,
    blur: CueBlur | None,
    layer: Layer | None,
    strength: float = 1,
) -> np.ndarray:
    """Lay colors (h, w, 3) of any size under a drawing: its page (H, W, 3), and its gray (H, W), uint8.

    With less `strength` than 1, they are paler where no layer is known.
    """
    regions = number_regions(gray, REGION_GAP * min(gray.shape))
    step = -(-max(gray.shape) // WORK_SIDE)
    near = regions[::step, ::step]
    height, width = near.shape
    light = resize(gray, width, height)[..., None] / np.float32(255)
    small = resize(gray, *colors.shape[1::-1]) / np.float32(255)
    sure = cv2.resize(small, (width, height))  # beside a line, colors of a network are not
    ground = Ground(near, light, sure**CLEAR_POWER)
    pinned = layer and Layer(layer.colors[::step, ::step], layer.known[::step, ::step])
    colors = settle(cv2.resize(colors, (width, height)), ground, blur, pinned)
    means = region_means(colors, ground)
    rest = colors - means[near]
    if strength < 1:
        means, rest = 255 + strength * (means - 255), strength * rest
    return compose(means, rest, regions, page, layer)


def settle(colors: np.ndarray, ground: Ground, blur: CueBlur | None, layer: Layer | None) -> np.ndarray:
    """Make colors even within regions, in turn with moving them so that they blur to the cue."""
    if blur:
        height, width = ground.regions.shape
        sigma = max(1.0, blur.sigma * min(height, width) / UNIT_SIDE)
        cue = fit(blur.cue, width, height)
        lit = np.maximum(wide_blur(ground.light, sigma), LEAST_LIGHT)
        for _ in range(ROUNDS):
            even = pin(region_means(colors, ground)[ground.regions], layer)
            colors = pin(project_back(even, ground.light, lit, cue, sigma), layer)
    return clear_edges(colors, ground)


def clear_edges(colors: np.ndarray, ground: Ground) -> np.ndarray:
    """Move colors to the mean of their region: by half, and more where a line made them unsure."""
    means, sure = region_means(colors, ground)[ground.regions], ground.sure[..., None]
    return means + (1 - EVEN) * sure * (colors - means)


def pin(colors: np.ndarray, layer: Layer | None) -> np.ndarray:
    """Put the colors that are known back."""
    return np.where(layer.known[..., None], layer.colors, colors) if layer else colors


def region_means(colors: np.ndarray, ground: Ground) -> np.ndarray:
    """Return the mean color (n, 3) of each region by number."""
    numbers, weight = ground.regions.ravel(), ground.sure.ravel() + 1e-6
    total = np.bincount(numbers, weight) + 1e-9
    sums = [np.bincount(numbers, weight * channel.ravel()) for channel in cv2.split(colors)]
    return (np.stack(sums, axis=1) / total[:, None]).astype(np.float32)


def project_back(
    colors: np.ndarray, light: np.ndarray, lit: np.ndarray, cue: np.ndarray, sigma: float
) -> np.ndarray:
    """Add to colors what their blur, under the lines, lacks of the cue (van Cittert, 1931).

    All are of one size, sigma in its pixels; `lit` is the blur of the light.
    """
    for _ in range(PROJECTIONS):
        lacking = (cue - wide_blur(colors * light, sigma)) / lit
        colors = (colors + lacking).clip(0, 255).astype(np.float32)
    return colors


def multiply(colors: np.ndarray, page: np.ndarray) -> np.ndarray:
    """Multiply a page over colors, both uint8 (H, W, 3)."""
    made = np.empty_like(page)
    for top in range(0, len(page), ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        made[rows] = np.rint(colors[rows] * (page[rows] / np.float32(255)))
    return made


def compose(
    means: np.ndarray, rest: np.ndarray, regions: np.ndarray, page: np.ndarray, layer: Layer | None
) -> np.ndarray:
    """Multiply a page (H, W, 3) over the mean colors of its regions and a small map of the rest."""
    made = np.empty_like(page)
    for rows, extra in enlarged_bands(rest, page.shape[:2]):
        colors = means[regions[rows]] + extra
        if layer:
            known = layer.known[rows]
            colors[known] = layer.colors[rows][known]
        made[rows] = np.rint(colors.clip(0, 255) * (page[rows] / np.float32(255)))
    return made


def enlarged_bands(small: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the bands of rows of a picture of this size, and a small map enlarged to each of them.

    Values between pixels are linear. OpenCV does the same, but not alike on all processors.
    """
    top, bottom, down = neighbors(small.shape[0], size[0], small.dtype)
    left, right, across = neighbors(small.shape[1], size[1], small.dtype)
    for start in range(0, size[0], ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, size[0]))
        first = top[start]
        part = small[first : bottom[rows.stop - 1] + 1]
        wide = interpolate(part, left, right, across[:, None], 1)
        yield rows, interpolate(wide, top[rows] - first, bottom[rows] - first, down[rows, None, None], 0)


def neighbors(few: int, many: int, kind: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two of a few pixels between which each of many lies, and its way from one to the other."""
    place = (np.arange(many) + 0.5) * (few / many) - 0.5
    before = np.floor(place)
    first, second = (np.clip(before + step, 0, few - 1).astype(np.intp) for step in (0, 1))
    return first, second, (place - before).astype(kind)


def interpolate(
    values: np.ndarray, first: np.ndarray, second: np.ndarray, way: np.ndarray, axis: int
) -> np.ndarray:
    made = values.take(first, axis)
    made += (values.take(second, axis) - made) * way
    return made


def color_gray(
    colored: np.ndarray, small: np.ndarray, gray: np.ndarray, area: np.ndarray, strength: float = 1
) -> np.ndarray:
    """Bring the hues of a small picture (h, w, 3) of a small gray (h, w) to the full gray (H, W), in an area.

    The brightness stays that of the full picture; hues follow its edges by a guided filter at the small size
    (He and Sun, Fast Guided Filter, 2015). `area` (H, W) is 255 where to color. With less `strength` than 1,
    hues are paler.
    """
    hue = strength * (colored - small[..., None].astype(np.float32))
    guide = small.astype(np.float32)[..., None]

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * GUIDE_RADIUS + 1,) * 2).reshape(*small.shape, -1)

    middle, average = mean(guide), mean(hue)
    slope = (mean(guide * hue) - middle * average) / (mean(guide**2) - middle**2 + GUIDE_NOISE)
    slopes, offsets = mean(slope), mean(average - slope * middle)
    bands = zip(enlarged_bands(slopes, gray.shape), enlarged_bands(offsets, gray.shape), strict=True)
    made = np.empty((*gray.shape, 3), np.uint8)
    for (rows, slope), (_, offset) in bands:
        level = gray[rows][..., None].astype(np.float32)
        extra = (slope * level + offset) * (area[rows] > 0)[..., None]
        made[rows] = np.rint((level + extra).clip(0, 255))
    return made
