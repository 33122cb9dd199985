"""Color -> sketch, and how complex a sketch is. A sketch is uint8 gray (H, W): black lines on white."""

from dataclasses import Field, fields, replace
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np

from pipeline.chance import fraction
from pipeline.errors import BadImage
from pipeline.fields import parse_range
from pipeline.images import codec, pixels
from pipeline.images.result import Result
from pipeline.operators import lines
from pipeline.operators.lines import CANON_SIDE, black_share
from pipeline.operators.pen import apply_pen
from pipeline.params import Sketch

EXTRACTOR_MODULE = (
    "pipeline.operators.anime2sketch"  # imported by name: only learned sketches depend on it, and on torch
)
RANGE_DECIMALS = 6  # decimals of a number drawn from a range


def draw_sketch(image: np.ndarray, sketch: Sketch, key: str = "") -> np.ndarray:
    """Draw a sketch (H, W) of an RGB or gray picture as `sketch` says; its method may not be own.

    `key` decides what is drawn from ranges, and the noise. Raise Halt if weights cannot be used.
    """
    fixed = resolve(sketch, key)
    return apply_pen(trace(image, fixed), image, fixed, key)


def trace(image: np.ndarray, sketch: Sketch) -> np.ndarray:
    """Draw the lines of an RGB or gray picture by the method that `sketch` names, but not by own.

    Raise Halt if that is learned and its weights cannot be used.
    """
    if sketch.method == "learned":
        return import_module(EXTRACTOR_MODULE).extract_lines(image, sketch.weights, sketch.sha256)
    gray = pixels.grayscale(image)
    match sketch.method:
        case "threshold" | "mean":
            return lines.threshold(gray, sketch.blocksize, sketch.c, mean=sketch.method == "mean")
        case "xdog-a":
            return lines.xdog(gray, sketch.sigma, sketch.k, 1, sketch.gamma, sketch.eps, sketch.phi)
        case "xdog-p":
            return lines.xdog(gray, sketch.sigma, sketch.k, 1 + sketch.p, sketch.p, sketch.eps, sketch.phi)
        case "canny":
            return lines.canny(gray, sketch.sigma, sketch.edge, sketch.follow)
        case "dog":
            return lines.dog(gray, sketch.sigma, sketch.k, sketch.tau)
        case "pencil":
            return lines.pencil(gray, sketch.dodge)
    raise ValueError(f"method must be one that draws, got {sketch.method!r}")


def resolve(sketch: Sketch, key: str) -> Sketch:
    """Put numbers in place of a preset and of ranges, which are drawn for the picture `key`."""
    if sketch.preset != "none":
        sketch = replace(sketch, preset="none", **PRESETS[sketch.preset])
    drawn = {
        field.name: number_in_range(field, span, fraction(sketch.seed, "sketchify", key, field.name))
        for field in fields(sketch)
        if isinstance(value := getattr(sketch, field.name), str) and (span := parse_range(field, value))
    }
    return replace(sketch, **drawn) if drawn else sketch


def number_in_range(field: Field, span: tuple[float, float], part: float) -> float:
    """Return the number that lies at `part`, in [0, 1), of a range: an integer where the ends are."""
    low, high = span
    if isinstance(low, float):
        return min(max(round(low + part * (high - low), RANGE_DECIMALS), low), high)
    step = 2 if field.metadata["odd"] else 1
    return low + step * int(part * ((high - low) // step + 1))


def complexity(image: np.ndarray, sketch: Sketch, key: str = "") -> float:
    """Measure the share of black in the lines of a square picture at 256 px, before the pen, in percent."""
    return black_share(trace(pixels.resize(image, CANON_SIDE, CANON_SIDE), resolve(sketch, key)))


def extra_modules(sketch: Sketch) -> tuple[str, ...]:
    """Name the modules, beside this one, that decide a sketch of these parameters."""
    return (EXTRACTOR_MODULE,) if sketch.method == "learned" else ()


def make_sketch(picture: bytes, key: str, params: Sketch, sketch: bytes | None = None) -> Result:
    """Draw the sketch of an encoded picture, or use `sketch`, the artist's own, if the method is own.

    The metadata are the parameters used, with the numbers drawn from ranges, and the complexity in percent.
    Of the weights they hold the name alone, since their folder changes no pixel. Raise BadImage.
    """
    fixed = resolve(params, key)
    if fixed.method == "own":
        drawn, measured = decode_own_sketch(sketch)
        image = codec.decode(picture) if fixed.hatch else drawn
    else:
        image = codec.decode(picture)
        drawn = trace(image, fixed)
        measured = black_share(drawn) if drawn.shape == (CANON_SIDE, CANON_SIDE) else complexity(image, fixed)
    reported = {"preset": params.preset, "weights": Path(params.weights).name, "complexity": measured}
    return Result(apply_pen(drawn, image, fixed, key), vars(fixed) | reported)


def decode_own_sketch(sketch: bytes | None) -> tuple[np.ndarray, float]:
    """Decode a sketch that came with its picture, and measure its complexity. Raise BadImage("no sketch")."""
    if sketch is None:
        raise BadImage("no sketch")
    drawn = cv2.cvtColor(codec.decode(sketch), cv2.COLOR_RGB2GRAY)
    return drawn, black_share(pixels.resize(drawn, CANON_SIDE, CANON_SIDE))


def pin_weights(sketch: Sketch) -> Sketch:
    """Put the SHA-256 of the weights beside their path, so that other weights are another step.

    Raise Halt if there is no such file, or its hash is not `sketch.sha256`.
    """
    if sketch.method != "learned":
        return sketch
    return replace(sketch, sha256=import_module(EXTRACTOR_MODULE).hash_weights(sketch.weights, sketch.sha256))


def xdog_form_a(sigma: float, k: float, gamma: float, eps: float, phi: float) -> dict:
    """Name the settings of a form A."""
    return {"method": "xdog-a", "sigma": sigma, "k": k, "gamma": gamma, "eps": eps, "phi": phi}


def xdog_form_p(sigma: float, k: float, p: float) -> dict:
    """Name the settings of a form P; those in use agree on the threshold."""
    return {"method": "xdog-p", "sigma": sigma, "k": k, "p": p, "eps": 0.01, "phi": 1e9}


PRESETS = {
    "a-05": xdog_form_a(0.5, 200.0, 0.98, 0.01, 10.0),
    "a-07": xdog_form_a(0.7, 2.5, 0.97, 0.1 / 255, 200.0 * 255),
    "a-08": xdog_form_a(0.8, 1.6, 0.98, -0.1 / 255, 200.0 * 255),
    "p10-03": xdog_form_p(0.3, 3.5, 10.0),
    "p10-04": xdog_form_p(0.4, 3.5, 10.0),
    "p10-05": xdog_form_p(0.5, 3.5, 10.0),
    "p19-03": xdog_form_p(0.3, 4.5, 19.0),
    "p19-04": xdog_form_p(0.4, 4.5, 19.0),
    "p19-05": xdog_form_p(0.5, 4.5, 19.0),
}
