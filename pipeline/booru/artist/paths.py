"""Paths and shapes: points (N, 2), x to the right and y downward. Degrees turn clockwise."""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

TO_THE_RIGHT = np.array((-1, 1))  # times (y, x) of a direction


def curve(points: ArrayLike, closed: bool = False, steps: int = 9) -> np.ndarray:
    """Sample the Catmull-Rom spline through points."""
    p = np.asarray(points, float)
    before, after = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([before, p, after])
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    t = (np.arange(steps) / steps)[:, None, None]
    sampled = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    sampled = sampled.swapaxes(0, 1).reshape(-1, 2)
    return sampled if closed else np.concatenate([sampled, p[-2:-1]])


def blob(*points: ArrayLike, steps: int = 9) -> np.ndarray:
    """Sample the closed spline through points."""
    return curve(np.array(points), True, steps)


def bezier(start: ArrayLike, control: ArrayLike, end: ArrayLike, steps: int = 9) -> np.ndarray:
    """Sample a quadratic Bezier curve."""
    t = (np.arange(steps) / (steps - 1))[:, None]
    return (1 - t) ** 2 * np.asarray(start) + 2 * t * (1 - t) * np.asarray(control) + t**2 * np.asarray(end)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> np.ndarray:
    """Sample an ellipse, or an arc of it from one angle to another."""
    return unit_circle(start, end) * (rx, ry) + (x, y)


def star(x: float, y: float, radius: float, points: int = 5) -> np.ndarray:
    """Return the contour of a star with a point at the top."""
    corner = np.arange(2 * points)
    angle, reach = corner * np.pi / points - np.pi / 2, radius * np.where(corner % 2, 0.45, 1)
    return np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)


def moved(path: ArrayLike, x: float, y: float) -> np.ndarray:
    return np.asarray(path, float) + np.array((x, y))


def symmetric(half: ArrayLike) -> np.ndarray:
    """Close a path on the right side with its mirror image; points on the axis are not doubled."""
    half = np.asarray(half, float)
    return np.concatenate([half, half[half[:, 0] != 0][::-1] * (-1, 1)])


def normals(path: np.ndarray) -> np.ndarray:
    """Return unit vectors to the right of a path; a closed path is smooth at its start."""
    along = np.empty_like(path)
    along[1:-1] = path[2:] - path[:-2]
    if (path[0] == path[-1]).all():
        along[0] = along[-1] = path[1] - path[-2]
    else:
        along[0] = path[1] - (2 * path[0] - path[1])
        along[-1] = 2 * path[-1] - path[-2] - path[-2]
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    return along[:, ::-1] * TO_THE_RIGHT


def band(path: ArrayLike, widths: ArrayLike) -> np.ndarray:
    """Return the contour of a path with a width at every point: a ribbon, a lock of hair, a pen stroke."""
    path = np.asarray(path, float)
    side = normals(path) * np.reshape(widths, (-1, 1)) / 2
    return np.concatenate([path + side, (path - side)[::-1]])


@cache
def taper(count: int, start: float, end: float) -> np.ndarray:
    """Return widths that rise from `start` to 1 and fall to `end`, as a pen is pressed and lifted."""
    t = np.linspace(0, 1, count)
    rise, fall = (np.sin(np.minimum(1, part / 0.4) * np.pi / 2) for part in (t, 1 - t))
    return np.minimum(start + (1 - start) * rise, end + (1 - end) * fall)


@cache
def unit_circle(start: float, end: float) -> np.ndarray:
    angle = np.radians(np.linspace(start, end, 33, endpoint=abs(end - start) < 360))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
