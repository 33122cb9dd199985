"""Color -> color cue: what tells a network which colors go where, and no more.

A blur, blocks of the dominant colors, and none are RGB. Strokes and points lie on nothing: they are RGBA, and
alpha is their mask channel, 255 where a color is given and 0 elsewhere; `codec.decode` shows them on white.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np

from pipeline import chance
from pipeline.images import codec
from pipeline.images.pixels import gaussian_blur, wide_blur
from pipeline.images.result import Result
from pipeline.params import Cue

UNIT_SIDE = 256  # side of the picture in whose pixels sizes are given
WIDE_SIGMA = 8  # sigma in pixels at 256, from which on a blur is faster by cosines than pixel by pixel
MAX_BEND = 0.08  # how far the ends of a stroke may leave its tangent, as a share of its length
BACKGROUND_WEIGHT = 1e-3  # weight of white beside all hints
KMEANS_ROUNDS = 50  # of k-means at most; pictures take 3 to 20
METHOD_PARAMS = {  # the parameters of each method
    "gaussian": ("sigma",),
    "none": ("sigma",),
    "strokes": ("fewest", "most", "thin", "thick", "short", "long", "seed"),
    "points": ("points", "size", "seed"),
    "palette": ("colors",),
}
HINT_METHODS = ("strokes", "points")  # on transparent ground
DRAWN_METHODS = (*HINT_METHODS, "palette")  # made of what `draw_marks` lists

Spot = tuple[slice, slice, np.ndarray]  # rows, columns, and which of their pixels: bool


def draw_cue(image: np.ndarray, params: Cue, key: str = "") -> np.ndarray:
    """Make the cue of an RGB picture (H, W, 3), whether or not it would be dropped.

    Strokes and points are drawn by the key, and come as (H, W, 4).
    """
    return render_marks(image, draw_marks(image, key, params), params)


def make_cue(picture: bytes, key: str, params: Cue) -> Result:
    """Make the cue of an encoded picture, or a blank one if the key is among those dropped."""
    image = codec.decode(picture)
    if is_dropped(key, params):
        return Result(empty_cue(image, params), cue_metadata(params, [], gone=True))
    drawn = draw_marks(image, key, params)
    return Result(render_marks(image, drawn, params), cue_metadata(params, drawn, gone=False))


def cue_metadata(params: Cue, drawn: list[list[float]], gone: bool) -> dict:
    """Collect the facts of a cue: what its method reads alone, so that a new method changes no other's."""
    facts = {name: getattr(params, name) for name in ("method", *METHOD_PARAMS[params.method])}
    if params.method in DRAWN_METHODS:
        facts["drawn"] = drawn
    if params.drop:
        facts |= {"drop": params.drop, "seed": params.seed, "dropped": gone}
    return facts


def params_from_metadata(facts: dict) -> Cue:
    """Read the parameters back from the facts of a cue."""
    names = {field.name for field in fields(Cue)}
    return Cue(**{name: value for name, value in facts.items() if name in names})


def is_dropped(key: str, params: Cue) -> bool:
    """Tell whether a sample goes without its cue; raising `drop` only adds such samples."""
    return chance.fraction(params.seed, "cue", key, "drop") < params.drop


def draw_marks(image: np.ndarray, key: str, params: Cue) -> list[list[float]]:
    """List what a cue consists of.

    That is [x, y, angle, bend, length, thickness] of each stroke, [x, y, size] of each point, or the levels
    [red, green, blue] of each color of a palette, and nothing for a blur or none. x and y are shares of the
    sides, an angle is in radians, a bend a share of the length, and sizes are pixels at 256.
    """
    random = chance.generator(params.seed, "cue", key)
    if params.method == "strokes":
        return draw_strokes(random, params)
    if params.method == "points":
        return draw_points(random, params)
    return dominant_colors(image, params.colors).tolist() if params.method == "palette" else []


def render_marks(image: np.ndarray, drawn: Sequence[Sequence[float]], params: Cue) -> np.ndarray:
    """Lay out what was drawn: (H, W, 4) for strokes and points, or else (H, W, 3)."""
    height, width = image.shape[:2]
    if params.method == "gaussian":
        return blur_colors(image, params.sigma)
    if params.method == "strokes":
        return paint_spots(
            image, empty_cue(image, params), (stroke_spot(row, height, width) for row in drawn)
        )
    if params.method == "points":
        return paint_spots(image, empty_cue(image, params), (point_spot(row, height, width) for row in drawn))
    return palette_blocks(drawn, height, width) if params.method == "palette" else empty_cue(image, params)


def empty_cue(image: np.ndarray, params: Cue) -> np.ndarray:
    """Return the cue that tells nothing: all ones (white), transparent where there is a mask channel."""
    empty = np.full((*image.shape[:2], 4 if params.method in HINT_METHODS else 3), 255, np.uint8)
    empty[..., 3:] = 0
    return empty


def blur_colors(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian of sigma pixels at 256, scaled with the short side.

    The border is reflected, so that it stays as bright as it was.
    """
    scaled = sigma * min(image.shape[:2]) / UNIT_SIDE
    if sigma < WIDE_SIGMA or scaled < 1:
        soft = gaussian_blur(image.astype(np.float32), scaled)
    else:
        soft = wide_blur(image, scaled)
    return np.rint(soft).astype(np.uint8)


def diffuse_hints(image: np.ndarray, alpha: np.ndarray, sigma: float) -> np.ndarray:
    """Guess the blur of a picture from the parts of it that are opaque: hints laid on white, and their alpha.

    Each pixel takes the mean color of the hints (H, W, 3), weighted by alpha (H, W) and by a Gaussian of
    their distance, of sigma pixels at 256; far from all hints it is white. Knutsson and Westin, Normalized
    and Differential Convolution, 1993.
    """
    opaque = alpha[..., None].astype(np.float32) / 255
    hints = image - 255 * (1 - opaque)  # their color times their alpha
    scaled = max(0.1, sigma * min(image.shape[:2]) / UNIT_SIDE)
    weighed = gaussian_blur(np.dstack([hints, opaque]), scaled)
    mean = (weighed[..., :3] + 255 * BACKGROUND_WEIGHT) / (weighed[..., 3:] + BACKGROUND_WEIGHT)
    return np.rint(mean).clip(0, 255).astype(np.uint8)


def draw_strokes(random: np.random.Generator, params: Cue) -> list[list[float]]:
    """Draw places, directions, bends and sizes of strokes."""
    number = random.integers(params.fewest, params.most, endpoint=True)
    place = random.random((number, 2)).round(6)
    angle = random.uniform(0, math.pi, number).round(6)
    bend = random.uniform(-MAX_BEND, MAX_BEND, number).round(6)
    length = random.integers(params.short, params.long, number, endpoint=True)
    thickness = random.integers(params.thin, params.thick, number, endpoint=True)
    return np.column_stack([place, angle, bend, length, thickness]).tolist()


def draw_points(random: np.random.Generator, params: Cue) -> list[list[float]]:
    """Draw places and sizes of points; their number is geometric, at least one."""
    number = random.geometric(1 / params.points)
    place = random.random((number, 2)).round(6)
    size = random.integers(1, params.size, number, endpoint=True)
    return np.column_stack([place, size]).tolist()


def paint_spots(image: np.ndarray, canvas: np.ndarray, spots: Iterable[Spot]) -> np.ndarray:
    """Give each spot of an RGBA canvas the mean color of the picture there; later ones lie on top."""
    for rows, columns, inside in spots:
        mean = image[rows, columns][inside].mean(axis=0)
        canvas[rows, columns][inside] = (*np.rint(mean).astype(np.uint8), 255)
    return canvas


def stroke_spot(row: Sequence[float], height: int, width: int) -> Spot:
    """Find the pixels whose centers a stroke covers: a bar along a parabola, clipped at the border.

    Its middle is the center of a pixel, so that it is never empty.
    """
    x, y, angle, bend, length, thickness = row
    scale = min(height, width) / UNIT_SIDE
    length, thickness = length * scale, thickness * scale
    reach = int((length + thickness) / 2 + abs(bend) * length) + 1
    rows, down = pixel_window(y, reach, height)
    columns, right = pixel_window(x, reach, width)
    cos, sin = math.cos(angle), math.sin(angle)
    along = right * cos + down[:, None] * sin
    across = down[:, None] * cos - right * sin
    off = across - bend * length * (2 * along / length) ** 2
    return rows, columns, within(along, length) & within(off, thickness)


def point_spot(row: Sequence[float], height: int, width: int) -> Spot:
    """Find the pixels of a square patch around a point, clipped at the border; never none."""
    x, y, size = row
    side = max(1, round(size * min(height, width) / UNIT_SIDE))
    rows, down = pixel_window(y, side, height)
    columns, right = pixel_window(x, side, width)
    return rows, columns, within(down, side)[:, None] & within(right, side)


def within(distance: np.ndarray, size: float) -> np.ndarray:
    """Tell which signed distances lie within half a size; half open, so that a size of n takes n pixels."""
    return (-size <= 2 * distance) & (2 * distance < size)


def pixel_window(at: float, reach: int, side: int) -> tuple[slice, np.ndarray]:
    """Take the pixels within reach of the one at a share of the side, and their distances from it."""
    middle = min(int(at * side), side - 1)
    start, stop = max(0, middle - reach), min(side, middle + reach + 1)
    return slice(start, stop), np.arange(start, stop) - middle


def dominant_colors(image: np.ndarray, colors: int) -> np.ndarray:
    """Find the up to `colors` dominant colors (n, 3) of a picture by k-means, the most frequent first.

    Colors are counted in bins of 8 levels. The first center is the fullest bin, each next one the bin that
    adds most to the error: nothing is left to chance.
    """
    shades, counts = color_bins(image)
    centers = shades[[counts.argmax()]]
    while len(centers) < colors and (error := counts * squared_distances(shades, centers).min(axis=1)).any():
        centers = np.vstack([centers, shades[error.argmax()]])
    for _ in range(KMEANS_ROUNDS):
        before = centers
        nearest = squared_distances(shades, centers).argmin(axis=1)
        sizes, centers = group_means(shades, counts, nearest)
        if np.array_equal(before, centers):
            break
    return np.rint(centers[np.argsort(-sizes, kind="stable")]).astype(np.uint8)


def color_bins(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the pixels of each bin of 8 levels that is not empty, and take their mean color (n, 3)."""
    pixels = image.reshape(-1, 3)
    bins = (pixels.astype(np.int32) >> 3) @ np.array([1024, 32, 1])
    counts, shades = group_means(pixels, np.ones(len(pixels)), bins)
    return shades, counts


def group_means(shades: np.ndarray, counts: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return size and mean color of each group that is not empty."""
    sizes = np.bincount(group, counts)
    sums = np.stack([np.bincount(group, counts * channel) for channel in shades.T], axis=1)
    return sizes[sizes > 0], sums[sizes > 0] / sizes[sizes > 0, None]


def squared_distances(shades: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the squared distances (n, k) of colors from centers."""
    return ((shades[:, None] - centers) ** 2).sum(axis=2)


def palette_blocks(colors: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """Lay colors out from left to right in blocks of equal width, as many as there are columns."""
    page = np.empty((height, width, 3), np.uint8)
    page[:] = np.array(colors, np.uint8)[np.arange(width) * len(colors) // width]
    return page
