"""The finish of a sketch: black lines on white, uint8 (H, W), in and out.

Each option has a value that changes nothing. `apply_pen` applies them in order: first the width of the lines,
then hatching, whose lines are one pixel wide, and then gray, blur and noise over everything.
"""

import cv2
import numpy as np

from pipeline.chance import generator
from pipeline.images.pixels import gaussian_blur, grayscale, resize
from pipeline.params import Sketch

DARK, DARKEST = 96, 48  # levels below which the picture is hatched one way, and both ways


def apply_pen(lines: np.ndarray, image: np.ndarray, sketch: Sketch, key: str) -> np.ndarray:
    """Finish the lines of a picture with the options of `sketch`; `key` decides the noise."""
    if sketch.thin:
        lines = thin(lines)
    if sketch.weight:
        lines = widen(lines, sketch.weight)
    if sketch.hatch:
        lines = hatch(lines, image, sketch.hatch)
    if sketch.gray:
        lines = fade(lines, sketch.gray)
    if sketch.blur:
        lines = np.rint(gaussian_blur(lines.astype(np.float32), sketch.blur)).astype(np.uint8)
    if sketch.noise:
        lines = add_noise(lines, sketch.noise, generator(sketch.seed, "sketchify", key, "noise"))
    return lines


def thin(lines: np.ndarray) -> np.ndarray:
    """Thin everything darker than 128 to lines one pixel wide, connected as before."""
    from skimage.morphology import skeletonize  # imported here, since the import is slow and rarely needed

    return np.where(skeletonize(lines < 128), 0, 255).astype(np.uint8)


def widen(lines: np.ndarray, weight: int) -> np.ndarray:
    """Widen lines by `weight` pixels; below 0, narrow them."""
    change = cv2.erode if weight > 0 else cv2.dilate  # of the white
    return change(lines, np.ones((abs(weight) + 1,) * 2, np.uint8))


def hatch(lines: np.ndarray, image: np.ndarray, distance: int) -> np.ndarray:
    """Hatch the dark parts of `image` with slanting lines, `distance` pixels apart along a row."""
    height, width = lines.shape
    gray = resize(grayscale(image), width, height).astype(np.float32)
    tone = gaussian_blur(gray, distance / 2)  # so that specks smaller than the distance are not hatched
    down, across = np.ogrid[:height, :width]
    strokes = ((across + down) % distance == 0) & (tone < DARK)
    strokes |= ((across - down) % distance == 0) & (tone < DARKEST)
    return np.where(strokes, 0, lines).astype(np.uint8)


def fade(lines: np.ndarray, level: float) -> np.ndarray:
    """Raise black to `level`, and the levels between it and white in proportion."""
    return np.rint(level + lines.astype(np.float32) * np.float32(1 - level / 255)).astype(np.uint8)


def add_noise(lines: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Add normal noise whose standard deviation is given in levels."""
    noise = random.standard_normal(lines.shape, np.float32) * np.float32(deviation)
    return np.rint(np.clip(lines + noise, 0, 255)).astype(np.uint8)
