"""Each option of the pen changes the lines as it says, and its default changes nothing."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from pipeline.operators.pen import apply_pen
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch


@pytest.fixture
def lines(image):
    """Black lines on white."""
    return draw_sketch(image, Sketch(preset="a-08"))


def finish(lines, image=None, key="1", **options):
    """Apply some options of the pen."""
    return apply_pen(lines, lines if image is None else image, Sketch(**options), key)


def test_the_default_pen_changes_nothing(lines, image):
    np.testing.assert_array_equal(finish(lines, image), lines)


@pytest.mark.parametrize(
    "options", [{"thin": 1}, {"weight": 2}, {"hatch": 4}, {"gray": 90}, {"blur": 1.5}, {"noise": 20}]
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 2)])
def test_the_input_is_not_changed_and_tiny_and_blank_sketches_keep_their_size(options, shape):
    white = np.full(shape, 255, np.uint8)
    drawn = finish(white, **options)
    assert (drawn.shape, drawn.dtype) == (shape, np.uint8)
    assert (white == 255).all()
    assert "noise" in options or (drawn == 255).all()


def test_thinned_lines_are_thin_and_connected_as_before(lines):
    drawn = finish(lines, thin=1)
    assert set(np.unique(drawn)) == {0, 255}
    assert (lines[drawn == 0] < 128).all()
    eight = np.ones((3, 3))
    assert label(drawn == 0, eight)[1] == label(lines < 128, eight)[1]
    squares = cv2.erode((drawn == 0).astype(np.uint8), np.ones((2, 2), np.uint8), borderValue=0)
    assert squares.sum() <= 2
    np.testing.assert_array_equal(finish(drawn, thin=1), drawn)


@pytest.mark.parametrize(("weight", "width"), [(-4, 0), (-2, 1), (-1, 2), (0, 3), (1, 4), (2, 5), (5, 8)])
def test_weight_is_added_to_the_width_of_a_line(weight, width):
    bar = np.full((40, 40), 255, np.uint8)
    bar[:, 20:23] = 0
    for drawn in (finish(bar, weight=weight), finish(bar.T.copy(), weight=weight).T):
        np.testing.assert_array_equal(np.count_nonzero(drawn == 0, axis=1), np.full(40, width))


def test_more_weight_is_more_black(lines):
    black = [np.count_nonzero(finish(lines, weight=weight) < 128) for weight in range(-3, 7)]
    assert black == sorted(black)
    assert black[0] < black[3] < black[-1]


def test_thinning_comes_before_the_weight(lines):
    expected = finish(finish(lines, thin=1), weight=2)
    np.testing.assert_array_equal(finish(lines, thin=1, weight=2), expected)


def test_dark_parts_are_hatched_one_way_the_darkest_both_ways_and_the_rest_not():
    image = np.repeat(np.array([20, 70, 150], np.uint8), 40)[None].repeat(60, 0)
    drawn = finish(np.full_like(image, 255), image, hatch=5)
    shares = [np.mean(drawn[:, start : start + 30] == 0) for start in (5, 45, 85)]
    assert shares == pytest.approx([2 / 5 - 1 / 25, 1 / 5, 0], abs=0.01)
    down, across = np.nonzero(drawn[:, 45:75] == 0)
    assert set((down + across) % 5) == {0}


def test_lines_remain_under_the_hatching(lines):
    drawn = finish(lines, np.zeros_like(lines), hatch=3)
    assert (drawn <= lines).all()


def test_gray_lines_have_that_level_on_white(lines):
    drawn = finish(lines, gray=100)
    assert (drawn[lines == 0] == 100).all()
    assert (drawn[lines == 255] == 255).all()
    order = np.argsort(lines, axis=None)
    assert (np.diff(drawn.ravel()[order].astype(int)) >= 0).all()


def test_the_blur_is_gaussian(lines):
    expected = gaussian_filter(lines.astype(float), 1.5, mode="reflect")
    assert np.abs(finish(lines, blur=1.5) - expected).max() < 0.6


def test_noise_has_the_deviation_asked_for_and_depends_only_on_key_and_seed(lines):
    gray = np.full((200, 200), 128, np.uint8)
    drawn = finish(gray, noise=10)
    assert drawn.mean() == pytest.approx(128, abs=0.3)
    assert drawn.std() == pytest.approx(10, abs=0.3)
    np.testing.assert_array_equal(finish(gray, noise=10), drawn)
    assert not np.array_equal(finish(gray, noise=10, key="2"), drawn)
    assert not np.array_equal(finish(gray, noise=10, seed=1), drawn)
    twice = finish(gray, noise=20).astype(int) - 128
    assert np.abs(twice - 2 * (drawn.astype(int) - 128)).max() <= 2
