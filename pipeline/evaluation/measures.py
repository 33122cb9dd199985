"""Measures that need no trained network, confidence intervals, and the choice of other references.

Pictures are uint8 RGB (H, W, 3), masks uint8 (H, W). Measures that compare pixel by pixel raise ValueError
unless both pictures have the same shape.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from pipeline import chance
from pipeline.images.pixels import grayscale
from pipeline.operators import cue
from pipeline.operators.lines import threshold
from pipeline.params import Cue

MAX_PSNR = 100.0  # dB, in place of the infinite PSNR of equal pictures
WINDOW_RADIUS = 5  # pixels
SSIM_LEAST = 2 * WINDOW_RADIUS + 1  # pixels a side: one window fits
SSIM_WINDOW = cv2.getGaussianKernel(SSIM_LEAST, 1.5, cv2.CV_64F)
SSIM_CONSTANTS = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # keep SSIM finite where a picture is dark or flat
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales, the finest first
MS_SSIM_LEAST = 16 * SSIM_LEAST  # pixels a side: one window fits into the coarsest scale
BLOCKSIZE, C = 7, 2.0  # of the threshold that finds the lines in a colored picture
COLOR_GRID = 64  # rows and columns of the pixels whose colors are compared
ADHERENT_METHODS = ("gaussian", "strokes", "points")  # their cues say which color belongs where


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two uint8 arrays in dB; MAX_PSNR if they are equal."""
    check_pictures(first, second)
    if np.array_equal(first, second):  # also if both are empty
        return MAX_PSNR
    error = np.square(first - second.astype(np.float64)).mean()
    return min(MAX_PSNR, 10 * math.log10(255**2 / error))


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Return the structural similarity of two pictures of at least SSIM_LEAST pixels a side; 1 if equal.

    The settings are those of Wang et al., Image Quality Assessment: From Error Visibility to Structural
    Similarity, 2004: a Gaussian window of sigma 1.5, population covariance, no window across the border. The
    result is the mean of the three channels. Raise ValueError for smaller pictures.
    """
    check_pictures(first, second, SSIM_LEAST)
    return float(similarity(first.astype(np.float64), second.astype(np.float64))[0].mean())


def ms_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Return the structural similarity over five scales, of pictures of at least MS_SSIM_LEAST pixels a side.

    Wang, Simoncelli and Bovik, Multi-Scale Structural Similarity for Image Quality Assessment, 2003: each
    scale averages 2x2 pixels of the one before, and no window lies across the border. The result is the mean
    of the three channels; a similarity below 0 counts as 0. Raise ValueError for smaller pictures.
    """
    check_pictures(first, second, MS_SSIM_LEAST)
    x, y = first.astype(np.float64), second.astype(np.float64)
    product = np.ones(3)
    for weight in SCALE_WEIGHTS[:-1]:
        product *= similarity(x, y)[1].clip(0) ** weight
        x, y = halve_sides(x), halve_sides(y)
    return float((product * similarity(x, y)[0].clip(0) ** SCALE_WEIGHTS[-1]).mean())


def similarity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return mean SSIM, and its contrast and structure part, by channel: float64 (H, W, 3) -> (2, 3)."""
    c1, c2 = SSIM_CONSTANTS
    x_mean, y_mean, squares, product = (window_mean(image) for image in (x, y, x * x + y * y, x * y))
    squared_means, mean_product = x_mean * x_mean + y_mean * y_mean, x_mean * y_mean
    contrast = (2 * (product - mean_product) + c2) / (squares - squared_means + c2)
    whole = (2 * mean_product + c1) / (squared_means + c1) * contrast
    return np.stack([whole.mean(axis=(0, 1)), contrast.mean(axis=(0, 1))])


def window_mean(image: np.ndarray) -> np.ndarray:
    """Average float64 (H, W, 3) in the window of SSIM, wherever it fits."""
    inside = slice(WINDOW_RADIUS, -WINDOW_RADIUS)
    return cv2.sepFilter2D(image, -1, SSIM_WINDOW, SSIM_WINDOW)[inside, inside]


def halve_sides(image: np.ndarray) -> np.ndarray:
    """Average blocks of 2x2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 for side in image.shape[:2])
    return cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)


def edge_f1(first: np.ndarray, second: np.ndarray) -> float:
    """Return the F1 score of the lines of `second`, with those of `first` as the truth; 1 if neither has any.

    Lines are the black pixels of a sketch by threshold. A line pixel matches if the other picture has one in
    the same place or at one of its eight neighbors.
    """
    check_pictures(first, second)
    truth, found = (threshold(grayscale(image), BLOCKSIZE, C) == 0 for image in (first, second))
    if not (truth.any() and found.any()):
        return float(truth.any() == found.any())
    precision, recall = share_near(found, truth), share_near(truth, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def share_near(lines: np.ndarray, others: np.ndarray) -> float:
    """Return the share of line pixels that lie within 1 pixel of the other lines; both are bool (H, W)."""
    near = cv2.dilate(others.astype(np.uint8), np.ones((3, 3), np.uint8))
    return float(near[lines].mean())


def color_distance(picture: np.ndarray, reference: np.ndarray) -> float:
    """Return the distance in Delta E between the colors of two pictures of any sizes, wherever they lie.

    It is the sliced Wasserstein distance (Rabin et al., Wasserstein Barycenter and Its Application to Texture
    Mixing, 2011; Bonneel et al., 2015) of order 1 in CIELAB (D65), over 64 directions: the mean distance that
    pixels move along one of them, which is half the length of a shift of all colors. It reads 64x64 pixels,
    evenly spread: for pictures 10 to 14 apart it differs by 0.06 from the distance of all pixels, and by up
    to 0.3 for two pictures with the same colors in other places.
    """
    first, second = (np.sort(DIRECTIONS @ sample_lab(image).T, axis=1) for image in (picture, reference))
    return float(np.abs(first - second).mean(dtype=np.float64))


def sample_lab(picture: np.ndarray) -> np.ndarray:
    """Return COLOR_GRID**2 evenly spread pixels in CIELAB, accurate to about 0.1: float32 (N, 3)."""
    rows, columns = ((2 * np.arange(COLOR_GRID) + 1) * side // (2 * COLOR_GRID) for side in picture.shape[:2])
    levels = picture[np.ix_(rows, columns)].astype(np.float32) / 255
    return cv2.cvtColor(levels, cv2.COLOR_RGB2LAB).reshape(-1, 3)


def spread_directions(number: int) -> np.ndarray:
    """Spread unit vectors evenly over half a sphere along a spiral of golden angles: float32 (number, 3)."""
    up = (np.arange(number) + 0.5) / number
    angle = np.pi * (1 + math.sqrt(5)) * np.arange(number)
    out = np.sqrt(1 - up * up)
    return np.stack([out * np.cos(angle), out * np.sin(angle), up], axis=1).astype(np.float32)


DIRECTIONS = spread_directions(64)


def adherence(picture: np.ndarray, given: np.ndarray, params: Cue, key: str) -> float | None:
    """Return the distance in levels of a picture from the cue it was given; 0 for the original of the cue.

    It is the mean absolute difference between that cue, RGB (H, W, 3) as decoded, and the cue drawn from the
    picture itself: its blur, or its mean color under the same strokes or points, compared only there. `key`
    is the key of the sample. None if the cue does not say where colors belong, as a palette, or is dropped.
    """
    if params.method not in ADHERENT_METHODS or cue.is_dropped(key, params):
        return None
    check_pictures(picture, given)
    own = cue.draw_cue(picture, params, key)
    where = own[..., 3] > 0 if params.method in cue.HINT_METHODS else ...  # a decoded cue has no alpha
    return float(cv2.absdiff(own[..., :3], given)[where].mean())


def psnr_inside(first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> float:
    """Return the PSNR in dB of the pixels where the mask is not 0; MAX_PSNR if there are none."""
    check_pictures(first, second)
    return psnr(first[mask > 0], second[mask > 0])


def leakage(picture: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean of |U| and |V| of a picture where the mask is 0; 0 if there is no such pixel.

    Both are scaled to [-1, 1]: U / 0.436 and V / 0.615 of ITU-R BT.601, as in `systems.mask`.
    """
    outside = picture[mask == 0] / 127.5
    if not len(outside):
        return 0.0
    luma = outside @ (0.299, 0.587, 0.114)
    u, v = (outside[:, 2] - luma) / 1.772, (outside[:, 0] - luma) / 1.402
    return float((np.abs(u).mean() + np.abs(v).mean()) / 2)


def check_pictures(first: np.ndarray, second: np.ndarray, least: int = 0) -> None:
    """Raise ValueError if two arrays are not uint8 of one shape, or a side has fewer pixels than `least`."""
    if first.shape != second.shape or not first.dtype == second.dtype == np.uint8:
        found = " and ".join(f"{image.dtype} {image.shape}" for image in (first, second))
        raise ValueError(f"pictures must be uint8 of one shape, got {found}")
    if min(first.shape[:2]) < least:
        raise ValueError(f"pictures must have at least {least} pixels a side, got {first.shape}")


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, seed: int, resamples: int = 1000
) -> tuple[float, float, float]:
    """Return the mean of values, and the low and high end of its 95 % percentile bootstrap interval.

    Efron, Bootstrap Methods: Another Look at the Jackknife, 1979. The order of the values does not matter.
    Raise ValueError if there are none.
    """
    if not len(values):
        raise ValueError("values must be one or more, got none")
    array, random = np.sort(values), chance.generator(seed, "interval")
    means = [random.choice(array, len(array)).mean() for _ in range(resamples)]
    low, high = np.percentile(means, (2.5, 97.5))
    return math.fsum(array) / len(array), float(low), float(high)


def derange(keys: Sequence[str], seed: int) -> list[int]:
    """Return for each key the index of another key, each index once: the sample that lends it a reference.

    Keys form a circle in the order of a hash of seed and key, and each takes its successor, so that the pairs
    do not depend on the order of `keys`. Raise ValueError for fewer than 2 keys, or if one occurs twice.
    """
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise ValueError(f"keys must be 2 or more, each once, got {len(keys)} of {len(set(keys))} kinds")
    circle = sorted(range(len(keys)), key=lambda place: chance.digest(seed, "derange", keys[place]))
    successor = dict(zip(circle, circle[1:] + circle[:1], strict=True))
    return [successor[place] for place in range(len(keys))]
