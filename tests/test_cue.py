"""A cue is the blurred picture, bright to its border, or nothing at all."""

import numpy as np
import pytest
from conftest import picture
from scipy.ndimage import gaussian_filter

from pipeline import images
from pipeline.cue import cue
from pipeline.params import Cue


@pytest.mark.parametrize("side", [64, 256, 300])
def test_a_cue_is_within_one_level_of_scipy_in_float64(side):
    image = picture(1, side, side)
    sigma = 20.0 * side / 256
    expected = gaussian_filter(image.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    assert np.abs(cue(image, Cue(sigma=20.0)) - expected).max() <= 1


def test_sigma_is_scaled_with_the_side():
    image = picture(1, 64, 64)
    large = np.kron(image, np.ones((4, 4, 1), np.uint8))
    shrunk = images.resize(cue(large, Cue()), 64, 64)
    assert np.abs(shrunk.astype(int) - cue(image, Cue())).max() <= 1


def test_a_flat_color_stays_itself_to_the_border():
    flat = np.full((40, 50, 3), (200, 10, 90), np.uint8)
    np.testing.assert_array_equal(cue(flat, Cue()), flat)


def test_none_gives_all_ones(image):
    assert cue(image, Cue(method="none")).min() == 255


def test_the_picture_is_left_as_it_was(image):
    before = image.copy()
    cue(image, Cue())
    np.testing.assert_array_equal(image, before)
