"""Picture -> what it is like, in numbers, each rounded to 4 decimals.

A picture is uint8 RGB (256, 256, 3), the square on which complexity is measured too; borders, text and blur
take gray (256, 256) as well. Every score is finite for every picture. Which are too small or too large is
decided elsewhere, from the numbers.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from pipeline.images import pixels
from pipeline.images.pixels import grayscale

FLAT_TOLERANCE = 12  # levels that a pixel may be off a flat color: the noise of a JPEG
HUE_SIDE = 64  # side at which hues are measured, in pixels: the noise of color is finer
MAX_STRAY = (
    0.02  # largest share of a flat row that is off its color: what rings into it from the picture beside
)
MIN_EDGE = 0.5  # least share of the row behind a frame that is off the color of the frame
FRINGE = 3  # rows behind a frame one of which must be so, since edges are soft
# A blur by 1 px before edges are measured, since rounding has the sharpest edges of all; of integers, so that
# every machine finds the same sums.
SOFTENING = np.array([1, 4, 6, 4, 1], np.float32)
INK_WINDOW, INK_CONTRAST = (
    25,
    25,
)  # ink differs from the mean of its neighborhood (pixels) by more than this (levels)
MIN_LETTER_HEIGHT, MAX_LETTER_HEIGHT = (
    3,
    28,
)  # heights of letters, in pixels; below, the words of a line merge
MIN_LETTERS = 5  # least number of letters, or of words where letters merge, in a row
MIN_LETTER_CONTRAST = 70  # least difference of ink and ground in a row of letters, in levels
MIN_SEPARATION = 0.55  # least share of the variance of a row that this difference explains


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

    From Hasler and Süsstrunk, Measuring colorfulness in natural images (2003): the spread of red minus green
    and of yellow minus blue, plus 0.3 times their mean.
    """
    red, green, blue = (channel.astype(np.int16) for channel in cv2.split(image))
    opposed = red - green, red + green - 2 * blue
    means = np.array([cv2.mean(part)[0] for part in opposed])
    squares = np.array([cv2.norm(part, cv2.NORM_L2SQR) / part.size for part in opposed])
    scale = np.array([1, 2])  # yellow is the mean of red and green
    spread = np.sqrt(np.maximum(squares - means**2, 0))
    return round(float(np.hypot(*(spread / scale)) + 0.3 * np.hypot(*(means / scale))), 4)


def saturation(image: np.ndarray) -> float:
    """Measure the mean saturation of HSV, in percent: 0 gray, 100 pure colors without white."""
    return round(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))[1] / 2.55, 4)


def monochrome(image: np.ndarray) -> float:
    """Measure how much of color lightness does not decide, as a root mean square in units of CIELAB.

    In gray, in sepia, in a blue scan or a print of two inks each lightness L has one color (a, b), so that
    little is left beside the best a and b of the form c0 + c1 L + c2 L^2: 0 to 2.5, where pictures of many
    colors have 5 to 50.
    """
    small = pixels.resize(
        pixels.resize(image, 2 * HUE_SIDE, 2 * HUE_SIDE), HUE_SIDE, HUE_SIDE
    )  # faster than at once
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.float64)
    light, color = lab[:, :1] / 255, lab[:, 1:]
    curve = np.hstack([np.ones_like(light), light, light**2])
    fit = np.linalg.lstsq(curve.T @ curve, curve.T @ color, rcond=1e-9)[0]
    return round(float(np.sqrt(2 * np.mean((color - curve @ fit) ** 2))), 4)


def blank(image: np.ndarray) -> float:
    """Measure the share of the commonest color, in percent: 100 a picture of one color, near 0 noise.

    Colors that differ from it by up to 12 levels in each channel are the same.
    """
    sparse = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    bins = ((sparse >> 4) @ np.array([256, 16, 1], np.float32)).astype(np.int32)
    commonest = np.bincount(bins.ravel()).argmax()
    common = np.array(cv2.mean(sparse, (bins == commonest).astype(np.uint8))[:3])
    return round(cv2.mean(cv2.inRange(image, common - FLAT_TOLERANCE, common + FLAT_TOLERANCE))[0] / 2.55, 4)


# ---------------------------------------------------------------- frames


def borders(image: np.ndarray) -> float:
    """Measure the share of a picture that is frame, in percent: 0 none, 100 a picture of one color.

    A frame is rows or columns of one color that leave a rectangle: bars of a film, the paper around a scan.
    The ground around a figure is none, since a figure begins on one side or another with the tip of a hair.
    """
    gray = grayscale(image)
    height, width = gray.shape
    sides = [gray, gray[::-1], gray.T, gray.T[::-1]]  # top, bottom, left and right are the top rows of these
    top, bottom, left, right = margins = [margin(side) for side in sides]
    if max(top, left) == height:
        return 100.0
    inside = [slice(left, width - right)] * 2 + [slice(top, height - bottom)] * 2
    behind = [side[rows:, within] for side, rows, within in zip(sides, margins, inside, strict=True)]
    if not all(ends_in_edge(*side) for side in zip(behind, sides, margins, strict=True) if side[2]):
        return 0.0
    return round(100 * (1 - (height - top - bottom) * (width - left - right) / gray.size), 4)


def median_level(row: np.ndarray) -> int:
    """Return the median level of a row, the upper one of two."""
    return int(np.partition(row, len(row) // 2)[len(row) // 2])


def margin(gray: np.ndarray) -> int:
    """Count the rows at the top of a gray picture that have one color, that of the first."""
    ground = median_level(gray[0])
    if np.mean(cv2.inRange(gray[:1], ground - FLAT_TOLERANCE, ground + FLAT_TOLERANCE)) < 255 * (
        1 - MAX_STRAY
    ):
        return 0
    same = cv2.reduce(
        cv2.inRange(gray, ground - FLAT_TOLERANCE, ground + FLAT_TOLERANCE),
        1,
        cv2.REDUCE_AVG,
        dtype=cv2.CV_32F,
    )
    off = same[:, 0] < 255 * (1 - MAX_STRAY)
    return int(off.argmax()) if off.any() else len(gray)


def ends_in_edge(behind: np.ndarray, side: np.ndarray, rows: int) -> bool:
    """Tell whether what lies behind the margin of a side begins with a row that is mostly off its color."""
    off = np.abs(behind[:FRINGE].astype(np.int16) - median_level(side[0])) > FLAT_TOLERANCE
    return off.size > 0 and off.mean(axis=1).max() >= MIN_EDGE


# ---------------------------------------------------------------- edges


def blur(image: np.ndarray) -> float:
    """Measure how wide edges and lines are, in pixels: 0.6 noise, 1 clean lines, 3 a defocused picture.

    It is the root of the energy of the slope over that of its change, sqrt(2) sigma for a step blurred by a
    Gaussian. The strongest edges decide: flat colors and soft shades between clean lines do not count as
    blurred. 0 is a picture of one color.
    """
    light = cv2.sepFilter2D(grayscale(image), cv2.CV_32F, SOFTENING, SOFTENING)
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    slope = (cv2.norm(across, cv2.NORM_L2SQR) + cv2.norm(down, cv2.NORM_L2SQR)) / 64
    change = cv2.norm(cv2.Laplacian(light, cv2.CV_32F), cv2.NORM_L2SQR)
    return round(math.sqrt(slope / change), 4) if change else 0.0


# ---------------------------------------------------------------- letters


def text(image: np.ndarray) -> float:
    """Measure the share of a picture that rows of letters cover, in percent: 0 to about 60, a written page.

    Letters are spots of ink, dark or light, of like height, on one line, close to each other and of one
    brightness on a ground of another. Heights of 3 to 28 pixels are seen.
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
    """List the spots of ink that may be letters or short words, as (N, 4): left, top, width, height.

    They are sorted by their left ends.
    """
    x, y, width, height, area = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_16U)[2].T
    fits = (
        (height >= MIN_LETTER_HEIGHT)
        & (height <= MAX_LETTER_HEIGHT)
        & (width <= 8 * height)
        & (height <= 8 * width)
    )
    fits &= area > 0.2 * width * height  # a letter fills its box, a scribble does not
    fits &= (area < 0.95 * width * height) | (2 * width <= height)  # only an i or l is a bar
    fits[0] = False  # what is not ink
    found = np.column_stack([x, y, width, height])[fits]
    return found[np.argsort(found[:, 0], kind="stable")]


def letter_rows(found: np.ndarray) -> Iterator[np.ndarray]:
    """Join each spot with its neighbor on the right, and yield the rows of enough of them, (N, 4) each."""
    if len(found) < MIN_LETTERS:
        return
    x, y, width, height = found.T.astype(np.int16)  # a quarter of the bytes of N x N numbers
    taller, lower = np.maximum.outer(height, height), np.minimum.outer(height, height)
    gap = x - (x + width)[:, None]  # from the right end of one to the left end of another
    joins = (x > x[:, None]) & (10 * gap > -3 * taller) & (gap < taller) & (5 * taller < 9 * lower)
    joins &= 10 * np.abs(np.subtract.outer(2 * y + height, 2 * y + height)) < 6 * taller
    nearest = np.where(joins, gap, MAX_LETTER_HEIGHT).argmin(axis=1)
    row = np.arange(len(found))
    for spot in np.flatnonzero(joins.any(axis=1)):  # from left to right, so that a row hands on its number
        row[nearest[spot]] = row[spot]
    for number in np.flatnonzero(np.bincount(row) >= MIN_LETTERS):
        yield found[row == number]


def is_aligned(row: np.ndarray) -> bool:
    """Tell whether the letters of a row have their tops or their bottoms on one line."""
    lines = np.stack([row[:, 1], row[:, 1] + row[:, 3]])
    away = np.median(np.abs(lines - np.median(lines, axis=1, keepdims=True)), axis=1)
    return away.min() <= 0.05 * row[:, 3].mean()


def is_legible(gray: np.ndarray, ink: np.ndarray) -> bool:
    """Tell whether ink is of one brightness and its ground of another (Otsu's criterion, 1979)."""
    share = cv2.mean(ink)[0] / 255
    means, spreads = zip(*(cv2.meanStdDev(gray, mask=mask) for mask in (ink, ~ink)), strict=True)
    apart = abs(means[0].item() - means[1].item())
    within = share * spreads[0].item() ** 2 + (1 - share) * spreads[1].item() ** 2
    between = share * (1 - share) * apart**2
    return apart >= MIN_LETTER_CONTRAST and between >= MIN_SEPARATION * (within + between)
