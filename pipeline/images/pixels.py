"""Resize, crop, blur and convert pixels: uint8 RGB (H, W, 3) or gray (H, W)."""

from functools import lru_cache

import cv2
import numpy as np


def check_array(image: np.ndarray, *, gray: bool = True) -> None:
    """Raise ValueError unless this is a picture for an operator: uint8, RGB, or gray if it takes that."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image must be a NumPy array, got {type(image).__name__}: give np.asarray(image)")
    if image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 with levels of 0 to 255, got {image.dtype}: convert it")
    if image.shape[2:] != (3,) and not (gray and image.ndim == 2):
        forms = "RGB (H, W, 3) or gray (H, W)" if gray else "RGB (H, W, 3)"
        raise ValueError(f"image must be {forms}, got {image.shape}: convert it, a transparent one on white")


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize to (height, width): the mean of the covered area when shrinking, bicubic when enlarging."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = width <= image.shape[1] and height <= image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def square(image: np.ndarray, side: int, crop: str = "center") -> np.ndarray:
    """Crop the longer side to the shorter one, around the center or from the top, and resize to `side`."""
    height, width = image.shape[:2]
    short = min(height, width)
    left = (width - short) // 2
    top = 0 if crop == "top" else (height - short) // 2
    return resize(image[top : top + short, left : left + short], side, side)


def grayscale(image: np.ndarray) -> np.ndarray:
    """Return the luma (H, W) of an RGB picture, or a gray picture itself; else raise ValueError."""
    check_array(image)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur float32 (H, W) or (H, W, C) with a Gaussian cut at 4 `sigma` pixels; reflect the border."""
    width = 2 * int(4 * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (width, width), sigma, borderType=cv2.BORDER_REFLECT)


def wide_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur (H, W, C) to float64 with a Gaussian of 1 pixel or more; reflect the border.

    With this border, a blur only scales the cosines of the DCT, and a wide blur leaves few of them. This
    takes a tenth of the time of `gaussian_blur`. In float64, processors differ so little that after rounding
    to levels only ties differ.
    """
    height, width, channels = image.shape
    down, across = cosine_basis(height, sigma), cosine_basis(width, sigma)
    rows = down @ image.reshape(height, -1).astype(np.float64)
    rows = across.T @ (across @ rows.reshape(-1, width, channels))
    return (down.T @ rows.reshape(len(down), -1)).reshape(image.shape)


@lru_cache(maxsize=8)
def cosine_basis(side: int, sigma: float) -> np.ndarray:
    """Return the cosines w (n, side) that a Gaussian keeps, each times the square root of its gain.

    The blur of a column x of pixels is w.T @ w @ x. The gain of all other cosines is below 1e-5.
    """
    number = np.arange(min(side, int(4.8 * side / (np.pi * sigma)) + 1))[:, None]
    angle = np.pi * number / side
    waves = np.cos(angle * (np.arange(side) + 0.5)) * np.sqrt(np.where(number == 0, 1, 2) / side)
    return waves * np.exp(-((sigma * angle) ** 2) / 4)
