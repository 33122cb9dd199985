"""Scores of a picture, each a finite number rounded to 4 decimals.

A picture is uint8 RGB (256, 256, 3), the square on which complexity is measured too; borders, text and blur
take gray (256, 256) as well. All raise ValueError for other arrays. limits.py decides which scores are too
small or too large.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from pipeline.images import pixels
from pipeline.images.pixels import check_array, grayscale

FLAT_TOLERANCE = 12  # levels by which a pixel may differ from a flat color: the noise of a JPEG
HUE_SIDE = 64  # side at which hues are measured, in pixels, to average out color noise
MAX_STRAY = 0.02  # largest share of a flat row that differs from its color, by ringing from the picture
MIN_EDGE = 0.5  # smallest share of the row behind a frame that differs from the color of the frame
FRINGE = 3  # rows behind a frame of which one must differ so, since edges are soft
# A blur of sigma 1 before edges are measured, since edges from rounding are the sharpest; its weights are
# integers, so that every machine computes the same sums.
SOFTENING = np.array([1, 4, 6, 4, 1], np.float32)
INK_WINDOW = 25  # side of the neighborhood that ink stands out from, in pixels
INK_CONTRAST = 25  # smallest difference between ink and the mean of its neighborhood, in levels
MIN_LETTER_HEIGHT, MAX_LETTER_HEIGHT = 3, 28  # in pixels; if lower, the words of a line merge
MIN_LETTERS = 5  # smallest number of letters in a row, or of words where letters merge
MIN_LETTER_CONTRAST = 70  # smallest difference between ink and ground in a row of letters, in levels
MIN_SEPARATION = 0.55  # smallest share of the variance of a row that this difference explains

SCORE_NAMES = ("colorfulness", "saturation", "monochrome", "borders", "text", "blur", "blank")


def measure_scores(image: np.ndarray) -> dict[str, float]:
    """Measure all scores of an RGB picture."""
    gray = grayscale(image)
    return {
        "colorfulness": colorfulness(image),
        "saturation": saturation(image),
        "monochrome": monochrome(image),
        "borders": borders(gray),
        "text": text(gray),
        "blur": blur(gray),
        "blank": blank(image),
    }


# ---------------------------------------------------------------- color


def colorfulness(image: np.ndarray) -> float:
    """Measure how vivid and varied the colors are, in levels: 0 gray, 15 slight, 45 fair, 109 extreme.

    The standard deviation of red minus green and of yellow minus blue, plus 0.3 times their mean (Hasler and
    Süsstrunk, Measuring colorfulness in natural images, 2003).
    """
    check_array(image, gray=False)
    red, green, blue = (channel.astype(np.int16) for channel in cv2.split(image))
    opponents = red - green, red + green - 2 * blue
    means = np.array([cv2.mean(channel)[0] for channel in opponents])
    squares = np.array([cv2.norm(channel, cv2.NORM_L2SQR) / channel.size for channel in opponents])
    scale = np.array([1, 2])  # yellow is the mean of red and green
    spread = np.sqrt(np.maximum(squares - means**2, 0))
    return round(float(np.hypot(*(spread / scale)) + 0.3 * np.hypot(*(means / scale))), 4)


def saturation(image: np.ndarray) -> float:
    """Measure the mean saturation of HSV, in percent: 0 gray, 100 pure colors without white."""
    check_array(image, gray=False)
    return round(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))[1] / 2.55, 4)


def monochrome(image: np.ndarray) -> float:
    """Measure the chroma that lightness does not explain, as a root mean square in CIELAB units.

    In gray, sepia, a blue scan or a print in two inks each lightness L has one color (a, b), so that the
    residual of the best fit a, b = c0 + c1 L + c2 L^2 is small: 0 to 2.5, where pictures of many colors have
    5 to 50.
    """
    check_array(image, gray=False)
    half = pixels.resize(image, 2 * HUE_SIDE, 2 * HUE_SIDE)  # two steps are faster than one
    small = pixels.resize(half, HUE_SIDE, HUE_SIDE)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.float64)
    light, color = lab[:, :1] / 255, lab[:, 1:]
    curve = np.hstack([np.ones_like(light), light, light**2])
    fit = np.linalg.lstsq(curve.T @ curve, curve.T @ color, rcond=1e-9)[0]
    return round(float(np.sqrt(2 * np.mean((color - curve @ fit) ** 2))), 4)


def blank(image: np.ndarray) -> float:
    """Measure the share of the most common color, in percent: 100 a picture of one color, near 0 noise.

    Colors within 12 levels of it in each channel count as the same.
    """
    check_array(image, gray=False)
    sparse = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    bins = ((sparse // 16) @ np.array([256, 16, 1], np.float32)).astype(np.int32)
    commonest = np.bincount(bins.ravel()).argmax()
    common = np.array(cv2.mean(sparse, (bins == commonest).astype(np.uint8))[:3])
    return round(cv2.mean(cv2.inRange(image, common - FLAT_TOLERANCE, common + FLAT_TOLERANCE))[0] / 2.55, 4)


# ---------------------------------------------------------------- frames


def borders(image: np.ndarray) -> float:
    """Measure the share of a picture that is a frame, in percent: 0 none, 100 a picture of one color.

    A frame consists of rows or columns of one color around a rectangle: the bars of a film, the paper around
    a scan. The ground around a figure is no frame, since a figure does not start with a long straight edge.
    """
    gray = grayscale(image)
    height, width = gray.shape
    sides = [gray, gray[::-1], gray.T, gray.T[::-1]]  # their first rows are top, bottom, left and right
    top, bottom, left, right = margins = [margin(side) for side in sides]
    if max(top, left) == height:
        return 100.0
    inside = [slice(left, width - right)] * 2 + [slice(top, height - bottom)] * 2
    for side, rows, within in zip(sides, margins, inside, strict=True):
        if rows and not starts_with_edge(side[rows:, within], median_level(side[0])):
            return 0.0
    return round(100 * (1 - (height - top - bottom) * (width - left - right) / gray.size), 4)


def median_level(row: np.ndarray) -> int:
    """Return the median level of a row, the upper one of two."""
    return int(np.partition(row, len(row) // 2)[len(row) // 2])


def margin(gray: np.ndarray) -> int:
    """Count the rows at the top of a gray picture that have a single color, the color of the first row."""
    ground = median_level(gray[0])
    low, high = ground - FLAT_TOLERANCE, ground + FLAT_TOLERANCE
    least = 255 * (1 - MAX_STRAY)
    if np.mean(cv2.inRange(gray[:1], low, high)) < least:  # the usual case, and cheap
        return 0
    means = cv2.reduce(cv2.inRange(gray, low, high), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    other = means[:, 0] < least
    return int(other.argmax()) if other.any() else len(gray)


def starts_with_edge(gray: np.ndarray, ground: int) -> bool:
    """Return whether one of the first rows of a gray picture mostly differs from the level of its margin."""
    other = np.abs(gray[:FRINGE].astype(np.int16) - ground) > FLAT_TOLERANCE
    return other.size > 0 and other.mean(axis=1).max() >= MIN_EDGE


# ---------------------------------------------------------------- edges


def blur(image: np.ndarray) -> float:
    """Measure the width of edges and lines, in pixels: 0.6 noise, 1 clean lines, 3 a defocused picture.

    It is the root of the energy of the gradient over the energy of the Laplacian: sqrt(2) sigma for a step
    blurred by a Gaussian. The strongest edges decide: flat colors and soft shading between clean lines do not
    count as blurred. A picture of one color has 0.
    """
    light = cv2.sepFilter2D(grayscale(image), cv2.CV_32F, SOFTENING, SOFTENING)
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    gradient = (cv2.norm(across, cv2.NORM_L2SQR) + cv2.norm(down, cv2.NORM_L2SQR)) / 64
    laplacian = cv2.norm(cv2.Laplacian(light, cv2.CV_32F), cv2.NORM_L2SQR)
    return round(math.sqrt(gradient / laplacian), 4) if laplacian else 0.0


# ---------------------------------------------------------------- letters


def text(image: np.ndarray) -> float:
    """Measure the share of a picture that rows of letters cover, in percent: 0 to about 60 for a full page.

    Letters are spots of ink, dark or light, of similar heights from 3 to 28 pixels, close together on one
    line, with one brightness on a ground of another.
    """
    gray = grayscale(image)
    around = cv2.blur(gray, (INK_WINDOW, INK_WINDOW))
    covered = np.zeros_like(gray)
    for darker in (cv2.subtract(around, gray), cv2.subtract(gray, around)):
        ink = cv2.threshold(darker, INK_CONTRAST, 255, cv2.THRESH_BINARY)[1]
        for row in letter_rows(ink_spots(ink)):
            left, top = row[:, :2].min(axis=0)
            right, bottom = (row[:, :2] + row[:, 2:]).max(axis=0)
            box = slice(top, bottom), slice(left, right)
            if is_aligned(row) and is_legible(gray[box], ink[box]):
                covered[box] = 255
    return round(cv2.mean(covered)[0] / 2.55, 4)


def ink_spots(ink: np.ndarray) -> np.ndarray:
    """List the spots of ink that may be letters or short words, (N, 4): left, top, width, height.

    They are sorted by their left ends.
    """
    x, y, width, height, area = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_16U)[2].T
    fits = (height >= MIN_LETTER_HEIGHT) & (height <= MAX_LETTER_HEIGHT)
    fits &= (width <= 8 * height) & (height <= 8 * width)
    fits &= area > 0.2 * width * height  # a letter fills its box, a scribble does not
    fits &= (area < 0.95 * width * height) | (2 * width <= height)  # only an i or l is a bar
    fits[0] = False  # the background
    spots = np.column_stack([x, y, width, height])[fits]
    return spots[np.argsort(spots[:, 0], kind="stable")]


def letter_rows(spots: np.ndarray) -> Iterator[np.ndarray]:
    """Join each spot with its neighbor on the right; yield the rows that have enough spots, (N, 4) each."""
    if len(spots) < MIN_LETTERS:
        return
    x, y, width, height = spots.T.astype(np.int16)  # so that the N x N arrays take a quarter of the memory
    taller, lower = np.maximum.outer(height, height), np.minimum.outer(height, height)
    gap = x - (x + width)[:, None]  # from the right end of a spot to the left end of another
    joins = (x > x[:, None]) & (10 * gap > -3 * taller) & (gap < taller) & (5 * taller < 9 * lower)
    joins &= 10 * np.abs(np.subtract.outer(2 * y + height, 2 * y + height)) < 6 * taller
    nearest = np.where(joins, gap, MAX_LETTER_HEIGHT).argmin(axis=1)
    row = np.arange(len(spots))
    for spot in np.flatnonzero(joins.any(axis=1)):  # from left to right, so that a whole row gets one number
        row[nearest[spot]] = row[spot]
    for number in np.flatnonzero(np.bincount(row) >= MIN_LETTERS):
        yield spots[row == number]


def is_aligned(row: np.ndarray) -> bool:
    """Return whether the tops or the bottoms of the letters of a row are on one line."""
    lines = np.stack([row[:, 1], row[:, 1] + row[:, 3]])
    deviations = np.median(np.abs(lines - np.median(lines, axis=1, keepdims=True)), axis=1)
    return deviations.min() <= 0.05 * row[:, 3].mean()


def is_legible(gray: np.ndarray, ink: np.ndarray) -> bool:
    """Return whether ink has one brightness and its ground another (Otsu's criterion, 1979)."""
    share = cv2.mean(ink)[0] / 255
    means, spreads = zip(*(cv2.meanStdDev(gray, mask=mask) for mask in (ink, ~ink)), strict=True)
    apart = abs(means[0].item() - means[1].item())
    within = share * spreads[0].item() ** 2 + (1 - share) * spreads[1].item() ** 2
    between = share * (1 - share) * apart**2
    return apart >= MIN_LETTER_CONTRAST and between >= MIN_SEPARATION * (within + between)
