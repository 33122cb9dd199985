"""The ways to find lines: picture -> black lines on white, uint8 (H, W)."""

import cv2
import numpy as np

from pipeline import images
from pipeline.params import Sketch

BLACK = -3.5  # 1 + tanh of it is less than half a level


def trace(image: np.ndarray, sketch: Sketch) -> np.ndarray:
    """Draw the lines of an RGB or gray picture by the method that `sketch` names, but not by own.

    Raise Halt if that is learned and its weights cannot be used.
    """
    if sketch.method == "learned":
        from pipeline.extractor import extract  # it imports torch, which takes seconds

        return extract(image, sketch.weights, sketch.sha256)
    gray = grayscale(image)
    match sketch.method:
        case "threshold" | "mean":
            return threshold(gray, sketch.blocksize, sketch.c, mean=sketch.method == "mean")
        case "xdog-a":
            return xdog(gray, sketch.sigma, sketch.k, 1, sketch.gamma, sketch.eps, sketch.phi)
        case "xdog-p":
            return xdog(gray, sketch.sigma, sketch.k, 1 + sketch.p, sketch.p, sketch.eps, sketch.phi)
        case "canny":
            return canny(gray, sketch.sigma, sketch.edge, sketch.follow)
        case "dog":
            return dog(gray, sketch.sigma, sketch.k, sketch.tau)
        case "pencil":
            return pencil(gray, sketch.dodge)
    raise ValueError(f"method must be one that draws, got {sketch.method!r}")


def grayscale(image: np.ndarray) -> np.ndarray:
    """Return the luma of an RGB picture, and a gray one as it is."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def threshold(gray: np.ndarray, blocksize: int, c: float, mean: bool = False) -> np.ndarray:
    """Draw white where a pixel exceeds the mean of its neighborhood minus `c`, black elsewhere.

    The mean is weighted by a Gaussian, or not at all with `mean`.
    """
    method = cv2.ADAPTIVE_THRESH_MEAN_C if mean else cv2.ADAPTIVE_THRESH_GAUSSIAN_C
    return cv2.adaptiveThreshold(gray, 255, method, cv2.THRESH_BINARY, blocksize, c)


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
    steep = (difference * np.float32(phi)).ravel()
    drawn = (steep >= 0) * np.uint8(255)
    between = np.flatnonzero((steep > BLACK) & (steep < 0))  # few, as a rule, and tanh is slow
    drawn[between] = np.rint(255 * (1 + np.tanh(steep[between])))
    return drawn.reshape(gray.shape)


def canny(gray: np.ndarray, sigma: float, edge: float, follow: float) -> np.ndarray:
    """Draw edges one pixel wide (Canny, 1986).

    They begin where the Sobel gradient of the blurred picture exceeds `edge`, and are followed as long as it
    exceeds `follow * edge`.
    """
    smooth = np.rint(images.blur(gray.astype(np.float32), sigma)).astype(np.uint8)
    return 255 - cv2.Canny(smooth, follow * edge, edge, L2gradient=True)


def dog(gray: np.ndarray, sigma: float, k: float, tau: float) -> np.ndarray:
    """Draw black where the blur by `sigma` is darker than that by `k * sigma` by more than `tau`, else white.

    Brightness runs from 0 to 1 (Marr and Hildreth, 1980).
    """
    light = gray.astype(np.float32) / 255
    darker = images.blur(light, k * sigma) - images.blur(light, sigma) > tau
    return np.where(darker, 0, 255).astype(np.uint8)


def pencil(gray: np.ndarray, sigma: float) -> np.ndarray:
    """Draw soft lines: the picture divided by its blur (color dodge), white where it is the lighter.

    Both are raised by one level, so that a black plain is as white as any other.
    """
    light = gray.astype(np.float32) + 1
    return np.rint(255 * np.minimum(light / images.blur(light, sigma), 1)).astype(np.uint8)
