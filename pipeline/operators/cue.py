"""Color -> color cue: it gives a network the colors of a picture, but not the drawing.

A blur, a palette (blocks of the dominant colors) and an empty cue are RGB. Hints (strokes and points) are
RGBA: alpha is their mask channel, 255 where a color is given and 0 elsewhere; `codec.decode` shows them on
white.
"""

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from pipeline import chance
from pipeline.images import codec
from pipeline.images.pixels import check_array, gaussian_blur, wide_blur
from pipeline.images.result import Result
from pipeline.params import Cue

UNIT_SIDE = 256  # sizes in the parameters are pixels of a picture with this side
WIDE_SIGMA = 8  # sigma in pixels at 256 from which a blur by cosines is faster than one pixel by pixel
MAX_BEND = 0.08  # largest distance of the ends of a stroke from its tangent, as a share of its length
KMEANS_ROUNDS = 50  # maximum number of rounds; pictures take 3 to 20
METHOD_PARAMS = {  # the parameters that each method reads
    "gaussian": ("sigma",),
    "none": ("sigma",),
    "strokes": ("fewest", "most", "thin", "thick", "short", "long", "seed"),
    "points": ("points", "size", "seed"),
    "palette": ("colors",),
}
HINT_METHODS = ("strokes", "points")
MARK_METHODS = (*HINT_METHODS, "palette")

Marks = list[list[float]]  # the strokes, points or colors that a cue consists of, see `draw_marks`
Spot = tuple[slice, slice, np.ndarray]  # rows, columns, and a mask of the pixels in them, bool


def draw_cue(image: np.ndarray, params: Cue, key: str = "") -> np.ndarray:
    """Make the cue of an RGB picture (H, W, 3), whether or not the sample loses its cue.

    It is (H, W, 4) for strokes and points, which depend on the key, and (H, W, 3) otherwise. Raise ValueError
    for any other array.
    """
    check_array(image, gray=False)
    return render_marks(image, draw_marks(image, key, params), params)


def make_cue(picture: bytes, key: str, params: Cue) -> Result:
    """Make the cue of an encoded picture, or an empty one if the sample loses its cue."""
    image = codec.decode(picture)
    if is_dropped(key, params):
        return Result(empty_cue(image, params), cue_metadata(params, [], dropped=True))
    marks = draw_marks(image, key, params)
    return Result(render_marks(image, marks, params), cue_metadata(params, marks, dropped=False))


def cue_metadata(params: Cue, marks: Marks, dropped: bool) -> dict:
    """Collect the metadata of a cue.

    They have only the parameters that its method reads, so that a new method changes no other cue.
    """
    metadata = {name: getattr(params, name) for name in ("method", *METHOD_PARAMS[params.method])}
    if params.method in MARK_METHODS:
        metadata["drawn"] = marks
    if params.drop:
        metadata |= {"drop": params.drop, "seed": params.seed, "dropped": dropped}
    return metadata


def params_from_metadata(metadata: dict) -> Cue:
    """Read the parameters back from the metadata of a cue."""
    names = {field.name for field in fields(Cue)}
    return Cue(**{name: value for name, value in metadata.items() if name in names})


def is_dropped(key: str, params: Cue) -> bool:
    """Return whether a sample loses its cue; raising `drop` only adds such samples."""
    return chance.fraction(params.seed, "cue", key, "drop") < params.drop


def draw_marks(image: np.ndarray, key: str, params: Cue) -> Marks:
    """Draw the random strokes or points of a cue, or find its colors; a blur and an empty cue have no marks.

    A stroke is [x, y, angle, bend, length, thickness], a point [x, y, size], a color [red, green, blue] in
    levels. x and y are shares of the sides, the angle is in radians, the bend a share of the length, and
    sizes are pixels at 256.
    """
    match params.method:
        case "strokes":
            return draw_strokes(chance.generator(params.seed, "cue", key), params)
        case "points":
            return draw_points(chance.generator(params.seed, "cue", key), params)
        case "palette":
            return dominant_colors(image, params.colors).tolist()
    return []


def render_marks(image: np.ndarray, marks: Sequence[Sequence[float]], params: Cue) -> np.ndarray:
    """Render a cue with these marks: (H, W, 4) for strokes and points, (H, W, 3) otherwise."""
    height, width = image.shape[:2]
    match params.method:
        case "gaussian":
            return blur_colors(image, params.sigma)
        case "strokes":
            spots = [stroke_spot(stroke, height, width) for stroke in marks]
            return paint_spots(image, empty_cue(image, params), spots)
        case "points":
            spots = [point_spot(point, height, width) for point in marks]
            return paint_spots(image, empty_cue(image, params), spots)
        case "palette":
            return palette_blocks(marks, height, width)
    return empty_cue(image, params)


def empty_cue(image: np.ndarray, params: Cue) -> np.ndarray:
    """Return a cue without any color: white, and transparent if it has a mask channel."""
    empty = np.full((*image.shape[:2], 4 if params.method in HINT_METHODS else 3), 255, np.uint8)
    empty[..., 3:] = 0
    return empty


def blur_colors(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian of sigma pixels at 256, scaled with the short side; the border is reflected."""
    scaled = sigma * min(image.shape[:2]) / UNIT_SIDE
    if sigma < WIDE_SIGMA or scaled < 1:
        blurred = gaussian_blur(image.astype(np.float32), scaled)
    else:
        blurred = wide_blur(image, scaled)
    return np.rint(blurred, out=blurred).astype(np.uint8)


def draw_strokes(random: np.random.Generator, params: Cue) -> Marks:
    number = random.integers(params.fewest, params.most, endpoint=True)
    place = random.random((number, 2)).round(6)
    angle = random.uniform(0, math.pi, number).round(6)
    bend = random.uniform(-MAX_BEND, MAX_BEND, number).round(6)
    length = random.integers(params.short, params.long, number, endpoint=True)
    thickness = random.integers(params.thin, params.thick, number, endpoint=True)
    return np.column_stack([place, angle, bend, length, thickness]).tolist()


def draw_points(random: np.random.Generator, params: Cue) -> Marks:
    number = random.geometric(1 / params.points)  # at least one
    place = random.random((number, 2)).round(6)
    size = random.integers(1, params.size, number, endpoint=True)
    return np.column_stack([place, size]).tolist()


def paint_spots(image: np.ndarray, canvas: np.ndarray, spots: Sequence[Spot]) -> np.ndarray:
    """Paint each spot of an RGBA canvas with the mean color of the picture there; later spots lie on top."""
    for rows, columns, inside in spots:
        mean = image[rows, columns][inside].mean(axis=0)
        canvas[rows, columns][inside] = (*np.rint(mean).astype(np.uint8), 255)
    return canvas


def stroke_spot(stroke: Sequence[float], height: int, width: int) -> Spot:
    """Find the pixels whose centers a stroke covers: a bar along a parabola, clipped at the border.

    The middle of the stroke is the center of a pixel, so that the spot is never empty.
    """
    x, y, angle, bend, length, thickness = stroke
    scale = min(height, width) / UNIT_SIDE
    length, thickness = length * scale, thickness * scale
    reach = int((length + thickness) / 2 + abs(bend) * length) + 1
    rows, down = pixel_window(y, reach, height)
    columns, right = pixel_window(x, reach, width)
    cos, sin = math.cos(angle), math.sin(angle)
    along = right * cos + down[:, None] * sin
    across = down[:, None] * cos - right * sin
    from_parabola = across - bend * length * (2 * along / length) ** 2
    return rows, columns, within(along, length) & within(from_parabola, thickness)


def point_spot(point: Sequence[float], height: int, width: int) -> Spot:
    """Find the pixels of a square around a point, clipped at the border; at least one."""
    x, y, size = point
    side = max(1, round(size * min(height, width) / UNIT_SIDE))
    rows, down = pixel_window(y, side, height)
    columns, right = pixel_window(x, side, width)
    return rows, columns, within(down, side)[:, None] & within(right, side)


def within(distance: np.ndarray, size: float) -> np.ndarray:
    """Return which signed distances are within half a size; half open, so that a size of n takes n pixels."""
    return (-size <= 2 * distance) & (2 * distance < size)


def pixel_window(share: float, reach: int, side: int) -> tuple[slice, np.ndarray]:
    """Return the pixels within reach of the one at a share of a side, and their distances from it."""
    middle = min(int(share * side), side - 1)
    start, stop = max(0, middle - reach), min(side, middle + reach + 1)
    return slice(start, stop), np.arange(start, stop) - middle


def dominant_colors(image: np.ndarray, colors: int) -> np.ndarray:
    """Find up to `colors` dominant colors (n, 3) of a picture by k-means, the most frequent first.

    Colors are counted in bins of 8 levels. The first center is the fullest bin, each next one the bin that
    adds most to the error, so that nothing is random.
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
    """Return the mean color (n, 3) and the number of pixels of each bin of 8 levels that is not empty."""
    pixels = image.reshape(-1, 3)
    bins = (pixels.astype(np.int32) >> 3) @ np.array([1024, 32, 1])
    counts, shades = group_means(pixels, np.ones(len(pixels)), bins)
    return shades, counts


def group_means(shades: np.ndarray, counts: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the size and the mean color of each group that is not empty."""
    sizes = np.bincount(group, counts)
    sums = np.stack([np.bincount(group, counts * channel) for channel in shades.T], axis=1)
    return sizes[sizes > 0], sums[sizes > 0] / sizes[sizes > 0, None]


def squared_distances(shades: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the squared distances (n, k) of colors from centers."""
    return ((shades[:, None] - centers) ** 2).sum(axis=2)


def palette_blocks(colors: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """Lay out colors from left to right in blocks of equal width; narrow pictures lose some colors."""
    blocks = np.empty((height, width, 3), np.uint8)
    blocks[:] = np.array(colors, np.uint8)[np.arange(width) * len(colors) // width]
    return blocks
