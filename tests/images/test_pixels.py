"""Resizing takes means, and blurs agree with SciPy."""

import numpy as np
import pytest
from made import picture
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.images.pixels import gaussian_blur, resize, square, wide_blur
from pipeline.operators.cue import draw_cue
from pipeline.operators.sketch import draw_sketch
from pipeline.operators.warp import bend_picture, draw_reference
from pipeline.params import Cue, Reference, Sketch


def test_shrinking_takes_the_mean_of_the_covered_area():
    checkered = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.unique(resize(checkered, 4, 4)).tolist() == [100]


@pytest.mark.parametrize(("crop", "rows"), [("center", slice(16, 48)), ("top", slice(0, 32))])
def test_a_square_is_cut_from_the_center_or_the_top(crop, rows):
    tall = picture(2, 32, 64)
    np.testing.assert_array_equal(square(tall, 32, crop), tall[rows])


@pytest.mark.parametrize(("side", "sigma"), [(64, 5.0), (16, 40.0), (1, 3.0), (33, 0.3)])
def test_blur_agrees_with_scipy_in_float64_reflected(side, sigma):
    pixels = picture(4, side, side).astype(np.float32)
    expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(pixels, sigma).reshape(expected.shape), expected, atol=0.01)


@pytest.mark.parametrize(
    ("size", "sigma"), [((256, 256), 20.0), ((64, 300), 9.0), ((5, 3), 40.0), ((1, 1), 8.0)]
)
def test_a_wide_blur_agrees_with_scipy_in_float64_reflected(size, sigma):
    noise = np.random.default_rng(2).integers(0, 2, (*size, 3), np.uint8) * 255
    for pixels in (noise, picture(4, *size[::-1])):
        expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
        np.testing.assert_allclose(wide_blur(pixels, sigma), expected, atol=0.05)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"must be RGB .* got \(4, 4, 4\): lay a transparent one on white"),
        (np.zeros((4, 4, 1), np.uint8), r"must be RGB"),
        (np.zeros(4, np.uint8), r"must be RGB"),
        (np.zeros((4, 4, 3)), "must be uint8 with levels of 0 to 255, got float64: convert it"),
        (Image.new("RGB", (4, 4)), "must be a NumPy array, got Image: give np.asarray"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_by_every_operator(image, sentence):
    for operator in (
        lambda: draw_sketch(image, Sketch()),
        lambda: draw_cue(image, Cue()),
        lambda: bend_picture(image, draw_reference("1", Reference())),
    ):
        with pytest.raises(ValueError, match=sentence):
            operator()
