"""Perceptual hashes: near for pictures, and for sketches, that look alike.

A picture of 64 x 64 means goes through a discrete cosine transform; a bit says whether one of its 11 x 11
lowest waves exceeds their median (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010; with the size and the median of Facebook's PDQ, 2019). Waves that are constant along a side are left
out: a border or a frame is made of them. A hash is 121 bits in 16 bytes, and near one that differs in at most
REACH bits.
"""

import cv2
import numpy as np

from pipeline.lines import grayscale

MEANS, WAVES = 64, 11  # sides of the reduced picture and of the block of waves
REACH = 18  # bits: fewer miss crops of 2 %; more link different portraits by one hand
FLAT = 1.0  # levels; a reduced picture that deviates less from its mean is nearly uniform
BARE = 0.5  # percent of black below which a sketch is nearly empty
STEP = 1.0  # waves are compared in steps of this size, so that traces decide no bit of a symmetric picture
NOTHING = bytes(-(-WAVES * WAVES // 8))  # the hash without evidence, near to nothing


def of_colors(image: np.ndarray) -> bytes:
    """Hash the brightness of an RGB picture (256, 256, 3); NOTHING if that is nearly uniform.

    Hues do not count: a picture that differs in these alone is the same drawing.
    """
    return waves(grayscale(image))


def of_lines(sketch: np.ndarray) -> bytes:
    """Hash where the black lies in a sketch (256, 256); NOTHING if it is nearly empty or all alike."""
    black = np.where(sketch < 128, np.uint8(255), np.uint8(0))
    return NOTHING if np.mean(black) < 2.55 * BARE else waves(black)


def waves(gray: np.ndarray) -> bytes:
    """Hash a gray picture by its lowest waves; NOTHING if it is nearly uniform."""
    means = cv2.resize(gray.astype(np.float32), (MEANS, MEANS), interpolation=cv2.INTER_AREA)
    if np.std(means, dtype=np.float64) < FLAT:
        return NOTHING
    low = np.rint(cv2.dct(means.astype(np.float64))[1 : WAVES + 1, 1 : WAVES + 1] / STEP)
    return np.packbits(low > np.median(low)).tobytes()
