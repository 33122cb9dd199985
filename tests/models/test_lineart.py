"""Colors of a small picture under the lines of a large one: even, sharp at the lines, and true to the cue."""

import cv2
import numpy as np
import pytest
from drawings import disc

from pipeline.images.pixels import resize
from pipeline.models import lineart
from pipeline.models.lineart import CueBlur, Layer
from pipeline.models.scans import is_inverted, level_paper
from pipeline.operators import flats
from pipeline.operators.cue import draw_cue
from pipeline.params import Cue

RED, CREAM = (200, 30, 30), (240, 230, 200)


def radius(side):
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - side // 2, x - side // 2)


def painted(side, thick=2):
    """Paint a disc red on cream, with a line around it: the colors alone, the drawing, and both."""
    colors = np.where((radius(side) < side / 3)[..., None], RED, CREAM).astype(np.uint8)
    drawing = disc(side, thick)
    return colors, drawing, lineart.multiply(colors, drawing)


def small_of(image, side):
    return resize(image, side, side)


@pytest.mark.parametrize("side", [200, 333])
def test_colors_reach_up_to_the_line_and_no_further(side, monkeypatch):
    monkeypatch.setattr(flats, "WORK_SIDE", 200)
    monkeypatch.setattr(lineart, "WORK_SIDE", 200)
    _, drawing, whole = painted(side)
    small, sketch = small_of(whole, 48), small_of(drawing[..., 0], 48)
    made = lineart.lay_under_lines(lineart.clear_lines(small, sketch), drawing, drawing[..., 0], None, None)
    paper = cv2.erode((drawing[..., 0] == 255).astype(np.uint8), np.ones((3, 3))) > 0
    error = np.abs(made.astype(int) - whole).max(axis=2)
    enlarged = np.abs(resize(small, side, side).astype(int) - whole).max(axis=2)
    assert error[paper].max() < 40 < enlarged[paper].max()
    beside = paper & (np.abs(radius(side) - side / 3) < 5)
    assert error[beside].mean() < 0.5 * enlarged[beside].mean()
    assert (made[drawing[..., 0] == 0] == 0).all()


def test_colors_become_those_whose_blur_is_the_cue():
    _, drawing, whole = painted(256)
    wrong = np.full((64, 64, 3), 150, np.float32)
    blur = CueBlur(resize(draw_cue(whole, Cue(sigma=20.0)), 64, 64), 20.0)
    made = lineart.lay_under_lines(wrong, drawing, drawing[..., 0], blur, None)
    inside = radius(256) < 70
    assert np.abs(made[inside].mean(axis=0) - RED).max() < 12
    assert np.abs(made[radius(256) > 100].mean(axis=0) - CREAM).max() < 12


def test_even_colors_that_blur_to_their_cue_stay():
    colors, drawing, whole = painted(256)
    blur = CueBlur(draw_cue(whole, Cue(sigma=20.0)), 20.0)
    made = lineart.lay_under_lines(colors.astype(np.float32), drawing, drawing[..., 0], blur, None)
    assert np.abs(made.astype(int) - whole).mean() < 1


def test_known_colors_are_laid_as_they_are():
    colors, drawing, _ = painted(100)
    layer = Layer(colors, radius(100) < 100 / 3)
    gray = np.full((20, 20, 3), 128, np.float32)
    made = lineart.lay_under_lines(gray, drawing, drawing[..., 0], None, layer)
    np.testing.assert_array_equal(made[layer.known], lineart.multiply(colors, drawing)[layer.known])
    assert (made[radius(100) > 40] == 128).all()


def test_reduced_lines_are_darker_than_their_mean_and_paper_stays_white():
    drawing = disc(400, 3)[..., 0]
    reduced, mean = lineart.reduce_lines(drawing, 100, 100), resize(drawing, 100, 100)
    assert (reduced <= mean).all()
    assert reduced.mean() < mean.mean()
    np.testing.assert_array_equal(reduced[mean == 255], 255)
    np.testing.assert_array_equal(lineart.reduce_lines(drawing, 400, 400), drawing)


def test_bands_are_those_of_the_whole_map_enlarged(monkeypatch):
    small = np.random.default_rng(0).random((9, 7, 3), np.float32)
    ((_, whole),) = lineart.enlarged_bands(small, (45, 42))
    monkeypatch.setattr(lineart, "ROWS_AT_ONCE", 10)
    bands = [band for _, band in lineart.enlarged_bands(small, (45, 42))]
    np.testing.assert_array_equal(np.concatenate(bands), whole)
    expected = cv2.resize(small, (42, 45), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(whole, expected, atol=1e-5)


@pytest.mark.parametrize(("width", "height"), [(20, 31), (40, 31), (9, 50)])
def test_pixels_fit_as_they_are_resized_elsewhere(width, height):
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    made = lineart.fit(image, width, height).astype(int)
    assert np.abs(made - resize(image, width, height)).max() <= 1


def test_a_gray_picture_keeps_its_brightness_and_takes_hues_at_its_own_edges():
    gray = np.where(radius(160) < 50, 90, 200).astype(np.uint8)
    color = np.where((radius(160) < 50)[..., None], [150, 70, 50], [180, 205, 230]).astype(np.uint8)
    made = lineart.color_gray(
        resize(color, 40, 40), resize(gray, 40, 40), gray, np.full(gray.shape, 255, np.uint8)
    )
    assert np.abs(made.astype(int) - color).mean() < 4
    none = lineart.color_gray(resize(color, 40, 40), resize(gray, 40, 40), gray, np.zeros_like(gray))
    np.testing.assert_array_equal(none, np.repeat(gray[..., None], 3, axis=2))


@pytest.mark.parametrize("paper", [(245, 232, 200), (150, 146, 140)])
def test_paper_becomes_white_lines_stay_dark_and_white_paper_stays_as_it_is(paper):
    drawing = disc(240, 4)
    light = 1 - 0.2 * np.linspace(0, 1, 240)[:, None]
    scan = np.rint(drawing / 255 * paper * light).astype(np.uint8)
    made = level_paper(scan)
    assert (made[drawing[..., 0] == 255] >= 250).all()
    assert (made[drawing[..., 0] == 0] == 0).all()
    assert level_paper(drawing) is drawing
    assert [is_inverted(each) for each in (drawing, scan, 255 - drawing)] == [False, False, True]
