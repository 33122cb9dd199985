"""Color -> sketch, and its complexity. A sketch is uint8 gray (H, W): black lines on white."""

from dataclasses import Field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

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

# Imported by name, so that only learned sketches depend on it, and on torch.
EXTRACTOR_MODULE = "pipeline.operators.anime2sketch"
RANGE_DECIMALS = 6  # decimals of a number drawn from a range


def draw_sketch(image: np.ndarray, sketch: Sketch, key: str = "") -> np.ndarray:
    """Draw a sketch (H, W) of an RGB or gray picture; the method may not be own.

    `key` seeds the noise and the numbers drawn from ranges. Raise Halt if weights cannot be used, ValueError
    for any other array.
    """
    pixels.check_array(image)
    resolved = resolve(sketch, key)
    return apply_pen(trace(image, resolved), image, resolved, key)


def trace(image: np.ndarray, sketch: Sketch) -> np.ndarray:
    """Draw the lines of an RGB or gray picture by the method of a resolved sketch.

    Raise ValueError if the method is own, Halt if it is learned and its weights cannot be used.
    """
    if sketch.method == "learned":
        return import_module(EXTRACTOR_MODULE).extract_lines(image, sketch.weights, sketch.sha256)
    match sketch.method:
        case "threshold":
            return lines.threshold(image, sketch.blocksize, sketch.c)
        case "mean":
            return lines.threshold(image, sketch.blocksize, sketch.c, mean=True)
        case "xdog-a":
            return lines.xdog(image, sketch.sigma, sketch.k, 1, sketch.gamma, sketch.eps, sketch.phi)
        case "xdog-p":
            return lines.xdog(image, sketch.sigma, sketch.k, 1 + sketch.p, sketch.p, sketch.eps, sketch.phi)
        case "canny":
            return lines.canny(image, sketch.sigma, sketch.edge, sketch.follow)
        case "dog":
            return lines.dog(image, sketch.sigma, sketch.k, sketch.tau)
        case "pencil":
            return lines.pencil(image, sketch.dodge)
    raise ValueError(f"method must be one that draws, got {sketch.method!r}")


def resolve(sketch: Sketch, key: str) -> Sketch:
    """Replace the preset by its settings, and each range by a number drawn for the picture `key`."""
    numbers: dict[str, Any] = {}
    if sketch.preset != "none":
        numbers = {"preset": "none"} | PRESETS[sketch.preset]
    for field in fields(sketch):
        value = getattr(sketch, field.name)
        if isinstance(value, str) and (span := parse_range(field, value)):
            part = fraction(sketch.seed, "sketchify", key, field.name)
            numbers[field.name] = number_in_range(field, span, part)
    return replace(sketch, **numbers) if numbers else sketch


def number_in_range(field: Field, span: tuple[float, float], part: float) -> float:
    """Return the number at the share `part`, in [0, 1), of a range: an integer if its ends are integers."""
    low, high = span
    if isinstance(low, float):
        return min(max(round(low + part * (high - low), RANGE_DECIMALS), low), high)
    step = 2 if field.metadata["odd"] else 1
    return low + step * int(part * ((high - low) // step + 1))


def complexity(image: np.ndarray, sketch: Sketch, key: str = "") -> float:
    """Return the share of black in the lines of a square picture at 256 px, before the pen, in percent."""
    pixels.check_array(image)
    return black_share(trace(pixels.resize(image, CANON_SIDE, CANON_SIDE), resolve(sketch, key)))


def extra_modules(sketch: Sketch) -> tuple[str, ...]:
    """Name the modules besides this one that decide a sketch with these parameters."""
    return (EXTRACTOR_MODULE,) if sketch.method == "learned" else ()


def make_sketch(picture: bytes, key: str, params: Sketch, sketch: bytes | None = None) -> Result:
    """Draw the sketch of an encoded picture, or use `sketch`, the artist's own, if the method is own.

    The metadata are the parameters, with the numbers drawn from ranges, and the complexity in percent. Of the
    path of the weights they have only the name, since the folder changes no pixel. Raise BadImage if a file
    cannot be decoded, or if the artist's own sketch is missing.
    """
    resolved = resolve(params, key)
    if resolved.method == "own":
        drawn = decode_own_sketch(sketch)
        percent = black_share(pixels.resize(drawn, CANON_SIDE, CANON_SIDE))
        image = codec.decode(picture) if resolved.hatch else drawn
    else:
        image = codec.decode(picture)
        drawn = trace(image, resolved)
        canonical = drawn.shape == (CANON_SIDE, CANON_SIDE)
        percent = black_share(drawn) if canonical else complexity(image, resolved)
    metadata = {"preset": params.preset, "weights": Path(params.weights).name, "complexity": percent}
    return Result(apply_pen(drawn, image, resolved, key), vars(resolved) | metadata)


def decode_own_sketch(sketch: bytes | None) -> np.ndarray:
    """Decode a sketch that came with its picture, to gray. Raise BadImage("no sketch") if there is none."""
    if sketch is None:
        raise BadImage("no sketch")
    return pixels.grayscale(codec.decode(sketch))


def pin_weights(sketch: Sketch) -> Sketch:
    """Fill in the SHA-256 of the weights, so that other weights have another fingerprint.

    Raise Halt if the file is missing, or its hash is not `sketch.sha256`.
    """
    if sketch.method != "learned":
        return sketch
    return replace(sketch, sha256=import_module(EXTRACTOR_MODULE).hash_weights(sketch.weights, sketch.sha256))


def xdog_form_a(sigma: float, k: float, gamma: float, eps: float, phi: float) -> dict:
    """Return the settings of an XDoG in form A."""
    return {"method": "xdog-a", "sigma": sigma, "k": k, "gamma": gamma, "eps": eps, "phi": phi}


def xdog_form_p(sigma: float, k: float, p: float) -> dict:
    """Return the settings of an XDoG in form P; the published ones share eps and phi."""
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
