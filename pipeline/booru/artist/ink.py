"""A pen and a brush: tapered strokes, outlines, cel shading, soft spots of light.

An Ink has its own coordinates (heads, for a figure). The page has FINENESS times the pixels of the picture on
each side. Widths are in pens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Self

import cv2
import numpy as np
from numpy.typing import ArrayLike

from pipeline.booru.artist.colors import LINE, Color, shade, tint
from pipeline.booru.artist.paths import band, normals, taper

Pair = tuple[float, float]
FINENESS = 2  # pixels of the page for one of the picture
SUBPIXELS = 4  # fractional bits of a coordinate in OpenCV
LIFTED = (0.25, 0.25)  # widths of the ends of a line, relative to its middle
LIGHT = np.array((-0.6, -0.8))  # the light comes from the upper left


@dataclass(frozen=True)
class Ink:
    """A pen and a brush on a page of RGB pixels."""

    pixels: np.ndarray  # (H, W, 3) uint8, changed in place
    matrix: np.ndarray  # (2, 3): own coordinates -> pixels
    pen: float  # width of a line of weight 1, in pixels
    bend: float = 0.0  # shifts the front of a round thing to the right, as when a head turns

    def at(self, x: float = 0, y: float = 0, size: float = 1, degrees: float = 0) -> Self:
        """Return an ink with its origin at a point of this one, scaled and turned."""
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
        self._polygon(self.place(shape), color)

    def wash(self, shape: ArrayLike, top: Color, bottom: Color) -> None:
        """Fill a shape with a color that changes from top to bottom."""
        path = self.place(shape)
        box = self._box(path)
        height, width = self.pixels[box].shape[:2]
        ramp = np.linspace(0, 1, height)[:, None, None]
        column = np.rint(np.array(top) + (np.array(bottom) - np.array(top)) * ramp).astype(np.uint8)
        # resize is the fastest way to repeat a column
        paint = cv2.resize(column, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(paint, _stencil(path, box), self.pixels[box])

    def stroke(self, path: ArrayLike, weight: float = 1, color: Color = LINE, ends: Pair = LIFTED) -> None:
        """Draw a line that is thinner at both ends."""
        path = self.place(path)
        self._polygon(band(path, self.pen * weight * taper(len(path), *ends)), color)

    def outline(self, shape: ArrayLike, weight: float = 1, color: Color = LINE) -> None:
        """Draw the closed contour of a shape, heavier on the side away from the light."""
        shape = np.asarray(shape, float)
        path = self.place(np.concatenate([shape, shape[:1]]))
        x, y = path.T
        outward = normals(path) * -np.sign(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
        self._polygon(band(path, self.pen * weight * (1 - 0.4 * outward @ LIGHT)), color)

    def cel(self, shape: ArrayLike, color: Color, lean: Pair = (-0.025, -0.03), weight: float = 1) -> None:
        """Paint a shape in two tones, the light one moved by `lean`, and draw its contour."""
        shape = np.asarray(shape, float)
        self.fill(shape, shade(color))
        with self.inside(shape) as part:
            part.wash(shape + lean, tint(color, 0.12), color)
        self.outline(shape, weight)

    def pair(self, shape: ArrayLike, color: Color, lean: Pair = (-0.02, -0.02), weight: float = 1) -> None:
        """Paint a shape and its mirror image."""
        for side in (-1, 1):
            self.cel(np.asarray(shape) * (side, 1), color, lean, weight)

    def strokes(self, path: ArrayLike, weight: float = 1, color: Color = LINE, ends: Pair = LIFTED) -> None:
        """Draw a line and its mirror image."""
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
        matrix = self.matrix - [[0, 0, box[1].start], [0, 0, box[0].start]]
        part = replace(self, pixels=self.pixels[box].copy(), matrix=matrix)
        yield part
        cv2.copyTo(part.pixels, _stencil(path, box), self.pixels[box])

    def _box(self, path: np.ndarray) -> tuple[slice, slice]:
        """Return the rows and columns that a path spans, at least one pixel of the page."""
        height, width = self.pixels.shape[:2]
        (left, top), (right, bottom) = path.min(axis=0).tolist(), path.max(axis=0).tolist()
        return _span(top, bottom, height), _span(left, right, width)

    def _polygon(self, path: np.ndarray, color: Color) -> None:
        cv2.fillPoly(self.pixels, [_fixed(path)], color, cv2.LINE_AA, SUBPIXELS)


def _span(low: float, high: float, size: int) -> slice:
    start = min(max(floor(low), 0), size - 1)
    return slice(start, min(max(ceil(high), start + 1), size))


def _fixed(path: np.ndarray) -> np.ndarray:
    return np.rint(path * 2**SUBPIXELS).astype(np.int32)


def _stencil(path: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    rows, columns = box
    stencil = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    return cv2.fillPoly(stencil, [_fixed(path - (columns.start, rows.start))], 255, shift=SUBPIXELS)
