"""Scanned drawings: the tint of their paper, and doubts whether a picture is a drawing."""

import cv2
import numpy as np

from pipeline.models.lineart import enlarged_bands

WHITE_PAPER = 250  # levels from which paper needs no leveling
GRID = 16  # patches along the longer side, in each of which paper is looked for
PAPER_SHARE = 90  # percentile of the levels of a patch that is taken for its paper
DARKER = 0.8  # of the brightest patch: a darker one has no paper
LIFT = 1.03  # leveled paper is as much brighter, so that its grain is white
HUES = 4  # levels by which hues deviate from one tint, at least, if there are several
MOSTLY_DARK = 100  # levels: where more than half of a picture is darker, lines are light on dark


def level_paper(image: np.ndarray) -> np.ndarray:
    """Divide a drawing (H, W, 3) by the color of its paper, which may change slowly; white paper stays."""
    patches = paper_patches(image)
    bright = patches.mean(axis=2)
    paper = bright >= DARKER * bright.max()
    if np.median(patches[paper]) >= WHITE_PAPER or bright.max() < MOSTLY_DARK:
        return image
    y, x = np.mgrid[: patches.shape[0], : patches.shape[1]] / max(patches.shape[:2])
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=2)
    weights, *_ = np.linalg.lstsq(basis[paper], patches[paper], rcond=None)
    smooth = (basis @ weights).clip(1, 255)
    made = np.empty_like(image)
    for rows, tint in enlarged_bands(smooth, image.shape[:2]):
        made[rows] = np.rint((image[rows] * (255 * LIFT / tint)).clip(0, 255))
    return made


def paper_patches(image: np.ndarray) -> np.ndarray:
    """Return a bright color (rows, columns, 3) of each of up to 16 x 16 patches."""
    height, width = image.shape[:2]
    side = -(-max(height, width) // GRID)
    tops, lefts = range(0, height, side), range(0, width, side)
    return np.array(
        [
            [np.percentile(image[y : y + side, x : x + side], PAPER_SHARE, axis=(0, 1)) for x in lefts]
            for y in tops
        ]
    )


def is_inverted(image: np.ndarray) -> bool:
    """Return whether most of an RGB picture is dark: its lines must be light."""
    return float(np.median(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))) < MOSTLY_DARK


def is_colored(image: np.ndarray) -> bool:
    """Return whether an RGB picture has several hues; paper, pencil or ink of one tint is not enough."""
    red, green, blue = np.moveaxis(level_paper(image).astype(np.float32), 2, 0)
    hues = np.stack([red - green, green - blue]).reshape(2, -1)
    across = np.linalg.eigvalsh(np.cov(hues, ddof=0))[0]  # shades of one tint lie on a line
    return float(across) > HUES**2
