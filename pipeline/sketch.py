"""Color -> sketch, and how complex a sketch is. A sketch is uint8 gray (H, W): black lines on white."""

import hashlib
from dataclasses import Field, fields, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline import images, weights
from pipeline.chance import fraction
from pipeline.fields import ends
from pipeline.images import BadImage
from pipeline.lines import trace
from pipeline.params import Sketch
from pipeline.pen import finish
from pipeline.presets import PRESETS

CANON = 256  # side of the picture on which the literature measures complexity, in pixels
DIGITS = 6  # decimals of a number drawn from a range


def sketchify(image: np.ndarray, sketch: Sketch, key: str = "") -> np.ndarray:
    """Draw a sketch (H, W) of an RGB or gray picture as `sketch` says; its method may not be own.

    `key` decides what is drawn from ranges, and the noise. Raise Halt if weights cannot be used.
    """
    fixed = resolve(sketch, key)
    return finish(trace(image, fixed), image, fixed, key)


def resolve(sketch: Sketch, key: str) -> Sketch:
    """Put numbers in place of a preset and of ranges, which are drawn for the picture `key`."""
    if sketch.preset != "none":
        sketch = replace(sketch, preset="none", **PRESETS[sketch.preset])
    drawn = {
        field.name: draw(field, span, fraction(sketch.seed, "sketchify", key, field.name))
        for field in fields(sketch)
        if isinstance(value := getattr(sketch, field.name), str) and (span := ends(field, value))
    }
    return replace(sketch, **drawn) if drawn else sketch


def draw(field: Field, span: tuple[float, float], part: float) -> float:
    """Return the number that lies at `part`, in [0, 1), of a range: an integer where the ends are."""
    low, high = span
    if isinstance(low, float):
        return min(max(round(low + part * (high - low), DIGITS), low), high)
    step = 2 if field.metadata["odd"] else 1
    return low + step * int(part * ((high - low) // step + 1))


def complexity(image: np.ndarray, sketch: Sketch, key: str = "") -> float:
    """Measure the share of black in the lines of a square picture at 256 px, before the pen, in percent."""
    return black(trace(images.resize(image, CANON, CANON), resolve(sketch, key)))


def black(sketch: np.ndarray) -> float:
    """Measure the share of black pixels (below 128), in percent."""
    return round(100 * (int(np.count_nonzero(sketch < 128)) / sketch.size), 4)


def own_sketch(own: tuple[bytes, ...]) -> tuple[np.ndarray, float]:
    """Decode a sketch that came with its picture, and measure its complexity. Raise BadImage("no sketch")."""
    if not own:
        raise BadImage("no sketch")
    drawn = cv2.cvtColor(images.decode(own[0]), cv2.COLOR_RGB2GRAY)
    return drawn, black(images.resize(drawn, CANON, CANON))


def column(picture: bytes, key: str, sketch: Sketch, *own: bytes) -> tuple[np.ndarray, dict]:
    """Draw the sketch of an encoded picture, or take its own; tell its parameters and its complexity.

    The parameters are those that were drawn; of the weights the name alone is told, since their folder
    changes no pixel.
    """
    fixed = resolve(sketch, key)
    if fixed.method == "own":
        lines, measured = own_sketch(own)
        image = images.decode(picture) if fixed.hatch else lines
    else:
        image = images.decode(picture)
        lines = trace(image, fixed)
        measured = black(lines) if lines.shape == (CANON, CANON) else complexity(image, fixed)
    told = {"preset": sketch.preset, "weights": Path(sketch.weights).name, "complexity": measured}
    return finish(lines, image, fixed, key), vars(fixed) | told


def pin(sketch: Sketch) -> Sketch:
    """Put the SHA-256 of the weights beside their path, so that a memo does not outlive them.

    Raise Halt if there is no such file, or it is not the one that `sketch.sha256` asks for.
    """
    if sketch.method != "learned":
        return sketch
    data = weights.read(sketch.weights, sketch.sha256)
    return replace(sketch, sha256=hashlib.sha256(data).hexdigest())
