"""Color -> reference: a thin-plate spline bends the picture, a jitter tints it, a flip may mirror it.

The metadata have all random numbers, so that the flow and the reference can be rebuilt from them. Points are
(x, y) in [0, 1] of the picture; the center of pixel i of n is at (i + 0.5) / n.
"""

from functools import lru_cache

import cv2
import numpy as np

from pipeline import chance
from pipeline.images import codec
from pipeline.images.pixels import check_array
from pipeline.images.result import Result
from pipeline.params import Reference

LATTICE_SIDE = 256  # for larger pictures the displacement is computed at this size and enlarged


def draw_displacements(key: str, params: Reference, variant: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Draw the displacements (grid * grid, 2) of the control points and the shift (3) of the channels."""
    random = chance.generator(params.seed, "reference", key, variant)
    points = random.uniform(-params.strength, params.strength, (params.grid**2, 2))
    shift = random.uniform(-params.jitter, params.jitter, 3)
    return np.round(points, 6), np.round(shift, 3)


def is_flipped(key: str, params: Reference, variant: str = "") -> bool:
    """Return whether a reference is mirrored; raising `flip` only adds such references."""
    return chance.fraction(params.seed, "reference", key, variant, "flip") < params.flip


def spline_flow(points: np.ndarray, height: int, width: int, flip: bool = False) -> np.ndarray:
    """Compute where each pixel of the reference comes from: (height, width, 2), x and y in [0, 1].

    `points` are the displacements (grid * grid, 2) of the control points, row by row. A control point takes
    its pixel from itself plus its displacement; between them a thin-plate spline interpolates (Bookstein,
    1989). With `flip` the bent picture is mirrored, left to right.
    """
    points = np.asarray(points, np.float64)
    side = min(max(height, width), LATTICE_SIDE)
    planes = (points.T @ spline_basis(round(len(points) ** 0.5), side)).reshape(2, side, side)
    if (height, width) != (side, side):
        planes = np.stack(
            [cv2.resize(each, (width, height), interpolation=cv2.INTER_CUBIC) for each in planes]
        )
    planes[0] += pixel_centers(width)
    planes[1] += pixel_centers(height)[:, None]
    flow = planes.transpose(1, 2, 0)
    return flow[:, ::-1] if flip else flow


@lru_cache(maxsize=4)
def spline_basis(grid: int, side: int) -> np.ndarray:
    """Compute the matrix (grid * grid, side * side) that takes displacements of points to those of pixels.

    The spline through values v at control points c is f(x) = sum w U(|x - c|) + a . (1, x), with
    U(r) = r^2 log r; w and a solve a linear system whose right side is v. So f at fixed pixels is v
    times a fixed matrix.
    """
    control = lattice_points(np.linspace(0, 1, grid))
    n = len(control)
    system = np.zeros((n + 3, n + 3))
    system[:n] = spline_terms(control, control)
    system[n:, :n] = system[:n, n:].T
    terms = spline_terms(lattice_points(pixel_centers(side)), control)
    return np.ascontiguousarray((terms @ np.linalg.inv(system)[:, :n]).T)


def spline_terms(points: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Evaluate the n + 3 terms of a spline with control points (n, 2) at points (m, 2): (m, n + 3)."""
    squared = ((points[:, None] - control) ** 2).sum(axis=2)
    radial = 0.5 * squared * np.log(np.where(squared > 0, squared, 1))
    return np.hstack([radial, np.ones((len(points), 1)), points])


def lattice_points(coordinates: np.ndarray) -> np.ndarray:
    """Return the points (n * n, 2) of the square lattice with these coordinates, row by row."""
    return np.stack(np.meshgrid(coordinates, coordinates), axis=2).reshape(-1, 2)


def pixel_centers(side: int) -> np.ndarray:
    """Return the centers of `side` pixels in [0, 1]."""
    return (np.arange(side) + 0.5) / side


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Warp a picture (H, W, 3) by a flow (H, W, 2), bilinearly, reflected at the border.

    With a fourth channel, each pixel is one word of memory, which takes OpenCV half the time.
    """
    height, width = image.shape[:2]
    x = (flow[..., 0] * width - 0.5).astype(np.float32)
    y = (flow[..., 1] * height - 0.5).astype(np.float32)
    words = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    bent = cv2.remap(words, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return cv2.cvtColor(bent, cv2.COLOR_RGBA2RGB)


def tint_picture(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Add a shift in levels to each channel, within [0, 255]."""
    levels = np.arange(256)[None, :, None]  # a lookup table is faster than arithmetic on all pixels
    return cv2.LUT(image, np.clip(np.rint(levels + shift), 0, 255).astype(np.uint8))


def draw_reference(key: str, params: Reference, variant: str = "") -> dict:
    """Draw the random numbers of the reference of a sample; return them with the parameters, as metadata."""
    points, shift = draw_displacements(key, params, variant)
    metadata = {name: getattr(params, name) for name in ("grid", "order", "strength", "jitter")}
    metadata |= {"points": points.tolist(), "shift": shift.tolist()}
    return metadata | {"flip": is_flipped(key, params, variant), "subject": "own"}


def bend_picture(image: np.ndarray, metadata: dict) -> np.ndarray:
    """Make the reference of a picture from its metadata.

    With the order before, the reference is exactly the warp of the tinted picture, which some systems take as
    their target. With after, the interpolated colors are clipped instead of the color of each pixel.
    """
    check_array(image, gray=False)
    flow = spline_flow(metadata["points"], image.shape[0], image.shape[1], metadata["flip"])
    shift = np.array(metadata["shift"])
    if metadata["order"] == "before":
        return warp(tint_picture(image, shift), flow)
    return tint_picture(warp(image, flow), shift)


def make_reference(picture: bytes, key: str, params: Reference, relative: bytes | None = None) -> Result:
    """Bend, tint and perhaps mirror an encoded picture, or that of a relative if one is given."""
    metadata = draw_reference(key, params) | {"subject": "family" if relative else "own"}
    return Result(bend_picture(codec.decode(relative or picture), metadata), metadata)
