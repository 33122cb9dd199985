"""Perceptual hashes of pictures and sketches: pictures that look alike have near hashes.

A picture is reduced to 64 x 64 means and transformed by a discrete cosine transform; a bit says whether one
of the 11 x 11 lowest frequencies exceeds their median (Zauner, Implementation and Benchmarking of Perceptual
Image Hash Functions, 2010; with the size and the median of Facebook's PDQ, 2019). Frequencies that are
constant along a side are left out, because borders and frames consist of them. A hash has 121 bits in 16
bytes; two hashes are near if they differ in at most HAMMING_RADIUS bits.
"""

import cv2
import numpy as np

from pipeline.images.pixels import check_array, grayscale

REDUCED_SIDE, WAVE_COUNT = 64, 11  # sides of the reduced picture and of the block of frequencies
HAMMING_RADIUS = 18  # bits: less misses crops of 2 %, more links different portraits by one artist
MIN_DEVIATION = 1.0  # levels: a reduced picture with a smaller standard deviation is nearly uniform
MIN_BLACK = 0.5  # percent: a sketch with less black is nearly empty
WAVE_STEP = (
    1.0  # amplitudes are rounded to this, so that no rounding error decides a bit of a symmetric picture
)
NO_HASH = bytes(-(-WAVE_COUNT * WAVE_COUNT // 8))  # the hash of a picture without features; near no other


def color_hash(image: np.ndarray) -> bytes:
    """Hash the brightness of an RGB picture (256, 256, 3); return NO_HASH if it is nearly uniform.

    Hues do not count: pictures that differ only in hues show the same drawing.
    """
    return dct_hash(grayscale(image))


def line_hash(sketch: np.ndarray) -> bytes:
    """Hash the black pixels of a sketch (256, 256); return NO_HASH if it is nearly empty or uniform."""
    check_array(sketch)
    black = cv2.threshold(sketch, 127, 255, cv2.THRESH_BINARY_INV)[1]
    return NO_HASH if 100 * cv2.countNonZero(black) < MIN_BLACK * black.size else dct_hash(black)


def dct_hash(gray: np.ndarray) -> bytes:
    """Hash a gray picture (256, 256) by its lowest frequencies; return NO_HASH if it is nearly uniform."""
    means = cv2.resize(gray.astype(np.float32), (REDUCED_SIDE, REDUCED_SIDE), interpolation=cv2.INTER_AREA)
    if cv2.meanStdDev(means)[1] < MIN_DEVIATION:
        return NO_HASH
    low = np.rint(cv2.dct(means.astype(np.float64))[1 : WAVE_COUNT + 1, 1 : WAVE_COUNT + 1] / WAVE_STEP)
    return np.packbits(low > np.partition(low, low.size // 2, axis=None)[low.size // 2]).tobytes()
