"""Perceptual hashes of pictures and sketches: those that look alike have near hashes.

A picture is reduced to 64 x 64 means and transformed by a discrete cosine transform; a bit says whether one
of the 11 x 11 lowest frequencies exceeds their median (Zauner, Implementation and Benchmarking of Perceptual
Image Hash Functions, 2010; with the size and the median of Facebook's PDQ, 2019). Frequencies that are
constant along a side are left out, because borders and frames consist of them. A hash is 121 bits in 16
bytes; two hashes are near if they differ in at most REACH bits.
"""

import cv2
import numpy as np

from pipeline.images.pixels import grayscale

MEANS, WAVES = 64, 11  # sides of the reduced picture and of the block of frequencies
REACH = 18  # bits: less misses crops of 2 %, more links different portraits by one artist
FLAT = 1.0  # levels: a reduced picture with a smaller standard deviation is nearly uniform
BARE = 0.5  # percent: a sketch with less black is nearly empty
STEP = 1.0  # amplitudes are rounded to this, so that rounding errors decide no bit of a symmetric picture
NOTHING = bytes(-(-WAVES * WAVES // 8))  # the hash of a picture without features; near no other


def of_colors(image: np.ndarray) -> bytes:
    """Hash the brightness of an RGB picture (256, 256, 3); return NOTHING if it is nearly uniform.

    Hues do not count: pictures that differ only in hues show the same drawing.
    """
    return waves(grayscale(image))


def of_lines(sketch: np.ndarray) -> bytes:
    """Hash the black pixels of a sketch (256, 256); return NOTHING if it is nearly empty or uniform."""
    black = np.where(sketch < 128, np.uint8(255), np.uint8(0))
    return NOTHING if np.mean(black) < 2.55 * BARE else waves(black)


def waves(gray: np.ndarray) -> bytes:
    """Hash a gray picture (256, 256) by its lowest frequencies; return NOTHING if it is nearly uniform."""
    means = cv2.resize(gray.astype(np.float32), (MEANS, MEANS), interpolation=cv2.INTER_AREA)
    if np.std(means, dtype=np.float64) < FLAT:
        return NOTHING
    low = np.rint(cv2.dct(means.astype(np.float64))[1 : WAVES + 1, 1 : WAVES + 1] / STEP)
    return np.packbits(low > np.median(low)).tobytes()
