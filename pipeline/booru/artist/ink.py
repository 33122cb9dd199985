"""Pens and brushes for the artist: splines, tapered strokes, cel shading, soft spots of light.

An Ink draws in coordinates of its own (heads, for a figure) on a page finer than the picture it will become.
Paths and shapes are points (N, 2), x to the right and y downward; degrees turn clockwise; widths are in pens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import cv2
import numpy as np
from numpy.typing import ArrayLike

Color = tuple[int, int, int]
Pair = tuple[float, float]
FINENESS = 2  # pixels of the page to one of the picture
SUBPIXELS = 4  # fractional bits of a coordinate handed to OpenCV
LIGHT = np.array((-0.6, -0.8))  # where the light comes from: up and left


def rgb(code: str) -> Color:
    """Read a color like '#3a7bd5'."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


LINE, WHITE, IVORY = rgb("#2c1e2a"), rgb("#ffffff"), rgb("#f7efdf")
GOLD, WOOD, LIP = rgb("#e9bf4f"), rgb("#8a6242"), rgb("#a8434a")


def mix(first: Color, second: Color, share: float) -> Color:
    """Mix two colors; `share` is that of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(color: Color, depth: float = 1.0) -> Color:
    """Darken a color as a cool shadow does: red and green fall more than blue."""
    red, green, blue = (round(c * (1 - depth * f)) for c, f in zip(color, (0.27, 0.33, 0.22), strict=True))
    return red, green, blue


def tint(color: Color, share: float = 0.35) -> Color:
    """Lighten a color."""
    return mix(color, (255, 250, 240), share)


# ---------------------------------------------------------------- paths


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


def bow(start: ArrayLike, control: ArrayLike, end: ArrayLike, steps: int = 9) -> np.ndarray:
    """Sample a quadratic Bezier curve."""
    t = (np.arange(steps) / (steps - 1))[:, None]
    return (1 - t) ** 2 * np.asarray(start) + 2 * t * (1 - t) * np.asarray(control) + t**2 * np.asarray(end)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> np.ndarray:
    """Sample an ellipse, or an arc of it from one angle to another."""
    return _circle(start, end) * (rx, ry) + (x, y)


def star(x: float, y: float, radius: float, points: int = 5) -> np.ndarray:
    """Return the contour of a star that stands on two of its points."""
    angle, inner = np.arange(2 * points) * np.pi / points - np.pi / 2, np.arange(2 * points) % 2
    reach = radius * np.where(inner, 0.45, 1)
    return np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)


def moved(path: ArrayLike, x: float, y: float) -> np.ndarray:
    """Move a path."""
    return np.asarray(path, float) + np.array((x, y))


def mirrored(path: ArrayLike) -> np.ndarray:
    """Reflect a path in the vertical axis."""
    return np.asarray(path, float) * (-1, 1)


def symmetric(half: ArrayLike) -> np.ndarray:
    """Close a path on the right side with its reflection; points on the axis are not doubled."""
    half = np.asarray(half, float)
    return np.concatenate([half, mirrored(half[half[:, 0] != 0])[::-1]])


def normals(path: np.ndarray) -> np.ndarray:
    """Return unit vectors to the right of a path; one that returns to its start is smooth there."""
    closed = np.array_equal(path[0], path[-1])
    before, after = (path[-2], path[1]) if closed else (2 * path[0] - path[1], 2 * path[-1] - path[-2])
    longer = np.concatenate([[before], path, [after]])
    along = longer[2:] - longer[:-2]
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    return along[:, ::-1] * (-1, 1)


def band(path: ArrayLike, widths: ArrayLike) -> np.ndarray:
    """Return the contour of a path with a width at every point: a ribbon, a lock of hair, a pen stroke."""
    path = np.asarray(path, float)
    side = normals(path) * np.reshape(widths, (-1, 1)) / 2
    return np.concatenate([path + side, (path - side)[::-1]])


@cache
def taper(count: int, start: float, end: float) -> np.ndarray:
    """Return widths that swell from start to 1 and fall to end, as a pen is pressed and lifted."""
    t = np.linspace(0, 1, count)
    rise, fall = (np.sin(np.minimum(1, part / 0.4) * np.pi / 2) for part in (t, 1 - t))
    return np.minimum(start + (1 - start) * rise, end + (1 - end) * fall)


@cache
def _circle(start: float, end: float) -> np.ndarray:
    angle = np.radians(np.linspace(start, end, 33, endpoint=abs(end - start) < 360))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


# ---------------------------------------------------------------- ink


@dataclass(frozen=True)
class Ink:
    """A pen and a brush on a page of RGB pixels."""

    pixels: np.ndarray  # (H, W, 3) uint8, drawn upon
    matrix: np.ndarray  # (2, 3): own coordinates to pixels
    pen: float  # pixels of a line of weight 1
    bend: float = 0.0  # how far what faces us is turned to the right: a head is round

    def at(self, x: float = 0, y: float = 0, size: float = 1, degrees: float = 0) -> Self:
        """Return the same ink with its origin at a point, scaled and turned."""
        cos, sin = size * np.cos(np.radians(degrees)), size * np.sin(np.radians(degrees))
        local = np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])
        return replace(self, matrix=self.matrix @ local)

    def place(self, path: ArrayLike) -> np.ndarray:
        """Map a path to pixels of the page."""
        path = np.array(path, float)
        if self.bend:
            path[:, 0] += self.bend * np.exp(-((path[:, 0] / 0.7) ** 2))
        return path @ self.matrix[:, :2].T + self.matrix[:, 2]

    def fill(self, shape: ArrayLike, color: Color) -> None:
        """Fill a shape with a flat color."""
        self._polygon(self.place(shape), color)

    def wash(self, shape: ArrayLike, top: Color, bottom: Color) -> None:
        """Fill a shape with a color that changes from top to bottom."""
        path = self.place(shape)
        box = self._box(path)
        height, width = self.pixels[box].shape[:2]
        ramp = np.linspace(0, 1, height)[:, None, None]
        column = np.rint(np.array(top) + (np.array(bottom) - np.array(top)) * ramp).astype(np.uint8)
        paint = cv2.resize(
            column, (width, height), interpolation=cv2.INTER_NEAREST
        )  # the fastest way to repeat
        cv2.copyTo(paint, _stencil(path, box), self.pixels[box])

    def stroke(
        self, path: ArrayLike, weight: float = 1, color: Color = LINE, ends: Pair = (0.25, 0.25)
    ) -> None:
        """Draw a line whose ends are lifted to a part of its width."""
        path = self.place(path)
        self._polygon(band(path, self.pen * weight * taper(len(path), *ends)), color)

    def outline(self, shape: np.ndarray, weight: float = 1, color: Color = LINE) -> None:
        """Draw the closed contour of a shape, heavier on the side away from the light."""
        path = self.place(np.concatenate([shape, shape[:1]]))
        x, y = path.T
        outward = normals(path) * -np.sign(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
        self._polygon(band(path, self.pen * weight * (1 - 0.4 * outward @ LIGHT)), color)

    def cel(self, shape: ArrayLike, color: Color, lean: Pair = (-0.025, -0.03), weight: float = 1) -> None:
        """Paint a shape in two tones, the light one moved by lean, and draw its contour."""
        shape = np.asarray(shape, float)
        self.fill(shape, shade(color))
        with self.inside(shape) as part:
            part.wash(shape + lean, tint(color, 0.12), color)
        self.outline(shape, weight)

    def pair(self, shape: ArrayLike, color: Color, lean: Pair = (-0.02, -0.02), weight: float = 1) -> None:
        """Paint a shape and its reflection."""
        for side in (-1, 1):
            self.cel(np.asarray(shape) * (side, 1), color, lean, weight)

    def strokes(
        self, path: ArrayLike, weight: float = 1, color: Color = LINE, ends: Pair = (0.25, 0.25)
    ) -> None:
        """Draw a line and its reflection."""
        for side in (-1, 1):
            self.stroke(np.asarray(path) * (side, 1), weight, color, ends)

    def glow(self, spot: Pair, reach: Pair, color: Color, strength: float) -> None:
        """Draw a soft spot of color: a blush, a gleam, the halo of a moon."""
        center, (rx, ry) = self.place([spot])[0], np.multiply(reach, np.hypot(*self.matrix[:, 0]))
        box = self._box(center + 2 * np.array([(-rx, -ry), (rx, ry)]))
        ys, xs = (np.arange(span.start, span.stop, dtype=np.float32) for span in box)
        across, down = np.exp(-(((xs - center[0]) / rx) ** 2)), np.exp(-(((ys - center[1]) / ry) ** 2))
        weight = (strength * np.outer(down, across)[..., None]).astype(np.float32)
        under = self.pixels[box].astype(np.float32)
        self.pixels[box] = np.rint(under + weight * (np.array(color, np.float32) - under)).astype(np.uint8)

    @contextmanager
    def inside(self, shape: ArrayLike) -> Iterator[Self]:
        """Yield an ink that draws only inside a shape."""
        path = self.place(shape)
        box = self._box(path)
        moved = self.matrix - [[0, 0, box[1].start], [0, 0, box[0].start]]
        part = replace(self, pixels=self.pixels[box].copy(), matrix=moved)
        yield part
        cv2.copyTo(part.pixels, _stencil(path, box), self.pixels[box])

    def _box(self, path: np.ndarray) -> tuple[slice, slice]:
        """Return the rows and columns that a path spans, at least one pixel of the page."""
        height, width = self.pixels.shape[:2]
        left, top = np.clip(np.floor(path.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
        right, bottom = np.clip(np.ceil(path.max(axis=0)), (left + 1, top + 1), (width, height)).astype(int)
        return slice(top, bottom), slice(left, right)

    def _polygon(self, path: np.ndarray, color: Color) -> None:
        cv2.fillPoly(self.pixels, [_fixed(path)], color, cv2.LINE_AA, SUBPIXELS)


def _fixed(path: np.ndarray) -> np.ndarray:
    return np.rint(path * 2**SUBPIXELS).astype(np.int32)


def _stencil(path: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    rows, columns = box
    stencil = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    return cv2.fillPoly(stencil, [_fixed(path - (columns.start, rows.start))], 255, shift=SUBPIXELS)
