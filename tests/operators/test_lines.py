"""The filters draw the lines of OpenCV and of the published formulas."""

import cv2
import numpy as np
import pytest
from made import picture
from scipy.ndimage import gaussian_filter
from skimage.feature import canny

from pipeline.images import pixels
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch


@pytest.mark.parametrize(("blocksize", "c"), [(3, 2.0), (7, 2.0), (13, -1.5)])
def test_threshold_is_opencv_byte_for_byte(image, blocksize, c):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    expected = cv2.adaptiveThreshold(
        gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, blocksize, c
    )
    np.testing.assert_array_equal(draw_sketch(image, Sketch(blocksize=blocksize, c=c)), expected)


def test_threshold_is_white_where_a_pixel_exceeds_the_mean_minus_c():
    dot = np.full((15, 15), 200, np.uint8)
    dot[7, 7] = 100
    drawn = draw_sketch(dot, Sketch(blocksize=7, c=2.0))
    assert drawn[7, 7] == 0
    assert np.count_nonzero(drawn == 0) == 1


def formula(gray, sigma, k, fine, coarse, eps, phi):
    """Draw XDoG in float64 with SciPy, pixel by pixel as in the paper."""
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
    assert np.abs(draw_sketch(gray, sketch) - formula(gray, 0.8, k, 1, gamma, eps, phi)).max() < 1


def test_xdog_form_p_is_the_published_formula(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sketch = Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=10.0)
    assert np.abs(draw_sketch(gray, sketch) - formula(gray, 0.4, 4.5, 20, 19, 0.01, 10.0)).max() < 1


@pytest.mark.parametrize("phi", [0.0, 0.5, 7.0, 300.0, 1e12])
def test_skipping_tanh_where_it_is_black_changes_no_pixel_however_steep_the_fall(image, phi):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    light = gray.astype(np.float32) / 255
    blurs = [pixels.gaussian_blur(light, sigma) for sigma in (0.8, 2.0)]
    difference = blurs[0] - 0.97 * blurs[1] - np.float32(0.02)
    expected = np.rint(255 * (1 + np.tanh(np.minimum(difference * np.float32(phi), 0))))
    sketch = Sketch(method="xdog-a", sigma=0.8, k=2.5, gamma=0.97, eps=0.02, phi=phi)
    np.testing.assert_array_equal(draw_sketch(gray, sketch), expected)


def test_a_steep_xdog_is_black_and_white(image):
    drawn = draw_sketch(image, Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=1e9))
    assert set(np.unique(drawn)) == {0, 255}


def test_the_mean_threshold_is_that_of_a_box(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    padded = np.pad(gray.astype(int), 2, mode="edge")
    means = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).mean(axis=(2, 3))
    expected = np.where(gray > np.rint(means) - 3, 255, 0)
    np.testing.assert_array_equal(draw_sketch(image, Sketch(method="mean", blocksize=5, c=3.0)), expected)


def test_canny_is_that_of_scikit_image_except_for_ties():
    gray = cv2.cvtColor(picture(3, 128, 128), cv2.COLOR_RGB2GRAY)
    drawn = draw_sketch(gray, Sketch(method="canny", sigma=1.0, edge=60.0, follow=0.5)) == 0
    light = np.rint(gaussian_filter(gray.astype(float), 1.0, mode="reflect"))
    expected = canny(light, sigma=1e-3, low_threshold=30, high_threshold=60)
    near = cv2.dilate(expected.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert np.count_nonzero(drawn & near) >= 0.99 * drawn.sum()
    assert drawn.sum() == pytest.approx(expected.sum(), rel=0.1)


def test_canny_follows_an_edge_that_fades():
    slope = np.linspace(0, 200, 60, dtype=np.uint8)
    step = np.where(np.arange(40) < 20, 0, slope[:, None]).astype(np.uint8)
    lengths = [
        np.count_nonzero(draw_sketch(step, Sketch(method="canny", edge=400.0, follow=follow)) == 0)
        for follow in (1.0, 0.5, 0.1)
    ]
    assert lengths == sorted(lengths)
    assert 0 < lengths[0] < lengths[-1]


def test_dog_is_black_where_the_finer_blur_is_darker(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    fine, coarse = (gaussian_filter(gray / 255, s, mode="reflect") for s in (1.0, 2.0))
    sure = np.abs(coarse - fine - 0.02) > 1e-5
    drawn = draw_sketch(image, Sketch(method="dog", sigma=1.0, k=2.0, tau=0.02))
    np.testing.assert_array_equal(drawn[sure], np.where(coarse - fine > 0.02, 0, 255)[sure])
    assert set(np.unique(drawn)) == {0, 255}


def test_pencil_is_the_picture_over_its_blur_and_white_where_it_is_lighter(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) + 1.0
    expected = 255 * np.minimum(gray / gaussian_filter(gray, 3.0, mode="reflect"), 1)
    assert np.abs(draw_sketch(image, Sketch(method="pencil", dodge=3.0)) - expected).max() < 0.6
