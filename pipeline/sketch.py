"""Color -> sketch, and how complex a sketch is. A sketch is uint8 gray (H, W): black lines on white."""

from dataclasses import asdict

import cv2
import numpy as np

from pipeline import images
from pipeline.images import BadImage
from pipeline.params import Sketch

CANON = 256  # side of the picture on which the literature measures complexity, in pixels


def sketchify(image: np.ndarray, sketch: Sketch) -> np.ndarray:
    """Draw a sketch (H, W) of an RGB or gray picture by the method that `sketch` names, but not by own."""
    if sketch.method == "own":
        raise ValueError("method must be one that draws, got 'own'")
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if sketch.method == "threshold":
        return threshold(gray, sketch.blocksize, sketch.c)
    if sketch.method == "xdog-a":
        return xdog(gray, sketch.sigma, sketch.k, 1, sketch.gamma, sketch.eps, sketch.phi)
    return xdog(gray, sketch.sigma, sketch.k, 1 + sketch.p, sketch.p, sketch.eps, sketch.phi)


def threshold(gray: np.ndarray, blocksize: int, c: float) -> np.ndarray:
    """Draw white where a pixel exceeds the Gaussian mean of its neighborhood minus `c`, black elsewhere."""
    method, kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY
    return cv2.adaptiveThreshold(gray, 255, method, kind, blocksize, c)


def xdog(
    gray: np.ndarray, sigma: float, k: float, fine: float, coarse: float, eps: float, phi: float
) -> np.ndarray:
    """Draw an extended difference of Gaussians (Winnemöller, Kyprianidis and Olsen, 2012).

    D = fine G(sigma) - coarse G(k sigma) of the brightness in [0, 1]; white where D >= eps, else
    1 + tanh(phi (D - eps)). The form A of the literature has fine = 1 and coarse = gamma, the form P has
    fine = 1 + p and coarse = p.
    """
    light = gray.astype(np.float32) / 255
    difference = fine * images.blur(light, sigma) - coarse * images.blur(light, k * sigma) - np.float32(eps)
    drawn = np.where(difference >= 0, 1, 1 + np.tanh(np.minimum(difference, 0) * np.float32(phi)))
    return np.rint(255 * drawn).astype(np.uint8)


def complexity(image: np.ndarray, sketch: Sketch) -> float:
    """Measure the share of black in the sketch of a square picture at 256 px, in percent."""
    return black(sketchify(images.resize(image, CANON, CANON), sketch))


def black(sketch: np.ndarray) -> float:
    """Measure the share of black pixels (below 128), in percent."""
    return round(100 * float(np.mean(sketch < 128)), 4)


def own_sketch(own: tuple[bytes, ...]) -> tuple[np.ndarray, float]:
    """Decode a sketch that came with its picture, and measure its complexity. Raise BadImage("no sketch")."""
    if not own:
        raise BadImage("no sketch")
    drawn = cv2.cvtColor(images.decode(own[0]), cv2.COLOR_RGB2GRAY)
    return drawn, black(images.resize(drawn, CANON, CANON))


def column(picture: bytes, key: str, sketch: Sketch, *own: bytes) -> tuple[np.ndarray, dict]:
    """Draw the sketch of an encoded picture, or take its own; tell its parameters and its complexity."""
    if sketch.method == "own":
        drawn, measured = own_sketch(own)
    else:
        image = images.decode(picture)
        drawn = sketchify(image, sketch)
        measured = black(drawn) if drawn.shape == (CANON, CANON) else complexity(image, sketch)
    return drawn, asdict(sketch) | {"complexity": measured}
