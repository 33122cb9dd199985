"""Sketches are those that OpenCV and the published formulas draw."""

import cv2
import numpy as np
import pytest
from conftest import picture
from scipy.ndimage import gaussian_filter

from pipeline import images
from pipeline.images import BadImage
from pipeline.params import Sketch
from pipeline.sketch import column, complexity, sketchify

METHODS = ("threshold", "xdog-a", "xdog-p")


@pytest.mark.parametrize(("blocksize", "c"), [(3, 2.0), (7, 2.0), (13, -1.5)])
def test_threshold_is_opencv_byte_for_byte(image, blocksize, c):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    expected = cv2.adaptiveThreshold(
        gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, blocksize, c
    )
    np.testing.assert_array_equal(sketchify(image, Sketch(blocksize=blocksize, c=c)), expected)


def test_threshold_is_white_where_a_pixel_exceeds_the_mean_minus_c():
    dot = np.full((15, 15), 200, np.uint8)
    dot[7, 7] = 100
    drawn = sketchify(dot, Sketch(blocksize=7, c=2.0))
    assert drawn[7, 7] == 0
    assert np.count_nonzero(drawn == 0) == 1


def formula(gray, sigma, k, fine, coarse, eps, phi):
    """Draw XDoG in float64 with SciPy, pixel by pixel as it is written."""
    light = gray / 255.0
    blurred = [gaussian_filter(light, s, mode="reflect") for s in (sigma, k * sigma)]
    difference = fine * blurred[0] - coarse * blurred[1]
    drawn = np.ones_like(light)
    for at in np.ndindex(light.shape):
        if difference[at] < eps:
            drawn[at] = 1 + np.tanh(phi * (difference[at] - eps))
    return 255 * drawn


@pytest.mark.parametrize(("k", "gamma", "eps", "phi"), [(1.6, 0.98, -0.1, 200.0), (2.5, 0.97, 0.1, 5.0)])
def test_xdog_form_a_is_the_published_formula(image, k, gamma, eps, phi):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sketch = Sketch(method="xdog-a", sigma=0.8, k=k, gamma=gamma, eps=eps, phi=phi)
    assert np.abs(sketchify(gray, sketch) - formula(gray, 0.8, k, 1, gamma, eps, phi)).max() < 1


def test_xdog_form_p_is_the_published_formula(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sketch = Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=10.0)
    assert np.abs(sketchify(gray, sketch) - formula(gray, 0.4, 4.5, 20, 19, 0.01, 10.0)).max() < 1


def test_a_steep_xdog_is_black_and_white(image):
    drawn = sketchify(image, Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=1e9))
    assert set(np.unique(drawn)) == {0, 255}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (300, 2)])
def test_blank_and_tiny_pictures_give_white_sketches_of_their_size(method, shape):
    for level in (90, 255):
        drawn = sketchify(np.full((*shape, 3), level, np.uint8), Sketch(method=method, eps=-0.1))
        assert drawn.shape == shape
        assert drawn.min() == 255


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_is_left_as_it_was(image, method):
    before = image.copy()
    sketchify(image, Sketch(method=method))
    np.testing.assert_array_equal(image, before)


def test_complexity_is_the_share_of_black_at_256_pixels():
    image = picture(5, 256, 256)
    black = np.count_nonzero(sketchify(image, Sketch()) == 0) / 256**2
    assert complexity(image, Sketch()) == pytest.approx(100 * black, abs=1e-4)
    larger = images.resize(image, 512, 512)
    assert complexity(larger, Sketch()) == pytest.approx(100 * black, abs=1)


def test_complexity_grows_with_the_blocksize():
    image = picture(6, 256, 256)
    measured = [complexity(image, Sketch(blocksize=size)) for size in (3, 5, 7, 9, 11, 13)]
    assert measured == sorted(measured)
    assert measured[0] < measured[-1]


def test_the_column_tells_parameters_and_complexity(image):
    drawn, facts = column(images.encode(image), "1", Sketch(blocksize=5))
    np.testing.assert_array_equal(drawn, sketchify(image, Sketch(blocksize=5)))
    assert facts["blocksize"] == 5
    assert facts["complexity"] == complexity(image, Sketch(blocksize=5))


def test_the_own_sketch_is_taken_as_it_is_and_its_complexity_measured_at_256_pixels(image):
    lines = np.full((512, 512), 255, np.uint8)
    lines[:, :128] = 0
    drawn, facts = column(images.encode(image), "1", Sketch(method="own"), images.encode(lines))
    np.testing.assert_array_equal(drawn, lines)
    assert (facts["method"], facts["complexity"]) == ("own", 25)


def test_an_own_sketch_cannot_be_drawn_nor_be_missing_and_does_not_disturb_the_other_methods(image):
    data = images.encode(image)
    with pytest.raises(ValueError, match="method must be one that draws, got 'own'"):
        sketchify(image, Sketch(method="own"))
    with pytest.raises(BadImage, match="no sketch"):
        column(data, "1", Sketch(method="own"))
    with pytest.raises(BadImage, match="cannot decode"):
        column(data, "1", Sketch(method="own"), b"nothing")
    drawn, facts = column(data, "1", Sketch(), b"nothing")
    np.testing.assert_array_equal(drawn, column(data, "1", Sketch())[0])
    assert facts == column(data, "1", Sketch())[1]
