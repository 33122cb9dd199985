"""Color -> reference: a thin-plate spline bends the picture, a jitter tints it, a flip may mirror it.

The facts tell what was drawn, and from them the flow and the reference can be rebuilt.

Points are (x, y) in [0, 1] of the picture; pixel i of n lies at (i + 0.5) / n.
"""

from functools import lru_cache

import cv2
import numpy as np

from pipeline import chance
from pipeline.images import codec
from pipeline.images.result import Result
from pipeline.params import Reference

LATTICE_SIDE = 256  # beyond this side the displacement is computed at fewer points and enlarged


def draw_displacements(key: str, params: Reference, variant: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Draw the displacements (grid * grid, 2) of the points, and the shift of each channel in levels."""
    random = chance.generator(params.seed, "reference", key, variant)
    points = random.uniform(-params.strength, params.strength, (params.grid**2, 2))
    shift = random.uniform(-params.jitter, params.jitter, 3)
    return np.round(points, 6), np.round(shift, 3)


def is_flipped(key: str, params: Reference, variant: str = "") -> bool:
    """Tell whether a reference is mirrored; raising `flip` only adds such references."""
    return chance.fraction(params.seed, "reference", key, variant, "flip") < params.flip


def spline_flow(points: np.ndarray, height: int, width: int, flip: bool = False) -> np.ndarray:
    """Compute where each pixel of the reference comes from: (height, width, 2), x and y in [0, 1].

    `points` are the displacements of the control points, row by row: what lies at a control point plus its
    displacement comes to lie at the control point. Between runs the thin-plate spline (Bookstein, 1989).
    With `flip` the bent picture is mirrored, left to right.
    """
    points = np.asarray(points, np.float64)
    side = min(max(height, width), LATTICE_SIDE)
    moved = (points.T @ spline_basis(round(len(points) ** 0.5), side)).reshape(2, side, side)
    if (height, width) != (side, side):
        moved = np.stack(
            [cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in moved]
        )
    moved[0] += pixel_centers(width)
    moved[1] += pixel_centers(height)[:, None]
    at = moved.transpose(1, 2, 0)
    return at[:, ::-1] if flip else at


@lru_cache(maxsize=4)
def spline_basis(grid: int, side: int) -> np.ndarray:
    """Compute (grid * grid, side * side): the displacement of each pixel is linear in that of the points.

    The spline through values v at control points c is f(x) = sum w U(|x - c|) + a . (1, x), with
    U(r) = r^2 log r; w and a solve a linear system whose right side is v. So f at fixed pixels is v
    times a fixed matrix.
    """
    control = lattice_points(np.linspace(0, 1, grid))
    n = len(control)
    system = np.zeros((n + 3, n + 3))
    system[:n] = spline_terms(control, control)
    system[n:, :n] = system[:n, n:].T
    return np.ascontiguousarray(
        (spline_terms(lattice_points(pixel_centers(side)), control) @ np.linalg.inv(system)[:, :n]).T
    )


def spline_terms(at: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Evaluate the functions of which a spline is the sum, at points (m, 2): (m, n + 3)."""
    squared = ((at[:, None] - control) ** 2).sum(axis=2)
    radial = 0.5 * squared * np.log(np.where(squared > 0, squared, 1))
    return np.hstack([radial, np.ones((len(at), 1)), at])


def lattice_points(along: np.ndarray) -> np.ndarray:
    """List the points (n * n, 2) of a square lattice, row by row."""
    return np.stack(np.meshgrid(along, along), axis=2).reshape(-1, 2)


def pixel_centers(side: int) -> np.ndarray:
    """List the centers of `side` pixels in [0, 1]."""
    return (np.arange(side) + 0.5) / side


def warp(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Take each pixel (H, W, 3) from where a flow says, bilinearly, reflected at the border."""
    height, width = image.shape[:2]
    x, y = ((at[..., axis] * side - 0.5).astype(np.float32) for axis, side in enumerate((width, height)))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def tint_picture(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Add a shift in levels to each channel, within [0, 255]."""
    levels = np.arange(256)[None, :, None]  # all that there are: what becomes of them is a short table
    return cv2.LUT(image, np.clip(np.rint(levels + shift), 0, 255).astype(np.uint8))


def draw_reference(key: str, params: Reference, variant: str = "") -> dict:
    """Draw all that makes the reference of a sample, and tell by which parameters."""
    points, shift = draw_displacements(key, params, variant)
    facts = {name: getattr(params, name) for name in ("grid", "order", "strength", "jitter")}
    facts |= {"points": points.tolist(), "shift": shift.tolist(), "flip": is_flipped(key, params, variant)}
    return facts | {"subject": "own"}


def bend_picture(image: np.ndarray, facts: dict) -> np.ndarray:
    """Make the reference of a picture from what the facts of its column tell.

    Tinted before, it is exactly the warp of the tinted picture, which some systems train to reach. Tinted
    after, what is clipped is the mixture of pixels and not each of them.
    """
    at = spline_flow(facts["points"], image.shape[0], image.shape[1], facts["flip"])
    shift = np.array(facts["shift"])
    if facts["order"] == "before":
        return warp(tint_picture(image, shift), at)
    return tint_picture(warp(image, at), shift)


def make_reference(picture: bytes, key: str, params: Reference, relative: bytes | None = None) -> Result:
    """Bend, tint and perhaps mirror an encoded picture, or that of a relative if one is given."""
    metadata = draw_reference(key, params) | {"subject": "family" if relative else "own"}
    return Result(bend_picture(codec.decode(relative or picture), metadata), metadata)
