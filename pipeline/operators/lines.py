"""Filters that find lines: picture -> black lines on white, uint8 (H, W); and the share of black in them.

A picture is uint8, RGB (H, W, 3) or gray (H, W); only its luma counts. All raise ValueError for other arrays.
"""

import cv2
import numpy as np

from pipeline.images.pixels import check_array, gaussian_blur, grayscale

CANON_SIDE = 256  # side at which the literature measures complexity, in pixels
XDOG_BLACK = -3.5  # 1 + tanh of this is less than half a level


def threshold(image: np.ndarray, blocksize: int, c: float, mean: bool = False) -> np.ndarray:
    """Draw white where a pixel exceeds the mean of its neighborhood minus `c`, black elsewhere.

    The neighborhood is `blocksize` pixels wide; its mean is weighted by a Gaussian, or uniform with `mean`.
    """
    method = cv2.ADAPTIVE_THRESH_MEAN_C if mean else cv2.ADAPTIVE_THRESH_GAUSSIAN_C
    return cv2.adaptiveThreshold(grayscale(image), 255, method, cv2.THRESH_BINARY, blocksize, c)


def xdog(
    image: np.ndarray, sigma: float, k: float, fine: float, coarse: float, eps: float, phi: float
) -> np.ndarray:
    """Draw an extended difference of Gaussians (Winnemöller, Kyprianidis and Olsen, 2012).

    D = fine G(sigma) - coarse G(k sigma) of the brightness in [0, 1]; white where D >= eps, else
    1 + tanh(phi (D - eps)). Form A of the literature has fine = 1 and coarse = gamma; form P has
    fine = 1 + p and coarse = p.
    """
    light = grayscale(image).astype(np.float32) / 255
    steep = fine * gaussian_blur(light, sigma) - coarse * gaussian_blur(light, k * sigma)
    steep -= np.float32(eps)
    steep *= np.float32(phi)
    drawn = 255 * (steep >= 0).view(np.uint8)  # a tenth of the time of np.where
    between = (steep > XDOG_BLACK) & (steep < 0)  # usually few, and tanh is slow
    drawn[between] = np.rint(255 * (1 + np.tanh(steep[between])))
    return drawn


def canny(image: np.ndarray, sigma: float, edge: float, follow: float) -> np.ndarray:
    """Draw edges one pixel wide (Canny, 1986).

    They begin where the Sobel gradient of the blurred picture exceeds `edge`, in levels, and are followed as
    long as it exceeds `follow * edge`.
    """
    smooth = np.rint(gaussian_blur(grayscale(image).astype(np.float32), sigma)).astype(np.uint8)
    return 255 - cv2.Canny(smooth, follow * edge, edge, L2gradient=True)


def dog(image: np.ndarray, sigma: float, k: float, tau: float) -> np.ndarray:
    """Draw black where the blur by `sigma` is darker than that by `k * sigma` by more than `tau`, else white.

    Brightness runs from 0 to 1 (Marr and Hildreth, 1980).
    """
    light = grayscale(image).astype(np.float32) / 255
    darker = gaussian_blur(light, k * sigma) - gaussian_blur(light, sigma) > tau
    return np.where(darker, 0, 255).astype(np.uint8)


def pencil(image: np.ndarray, sigma: float) -> np.ndarray:
    """Draw soft lines: the picture divided by its blur (color dodge), white where the picture is lighter.

    One level is added to both, so that a black area becomes as white as any other flat area.
    """
    light = grayscale(image).astype(np.float32) + 1
    return np.rint(255 * np.minimum(light / gaussian_blur(light, sigma), 1)).astype(np.uint8)


def black_share(sketch: np.ndarray) -> float:
    """Return the share of black pixels (below 128), in percent."""
    check_array(sketch)
    return round(100 * (int(np.count_nonzero(sketch < 128)) / sketch.size), 4)
