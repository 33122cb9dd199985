"""Sketches are those that OpenCV and the published formulas draw."""

import dataclasses
from collections import Counter

import cv2
import numpy as np
import pytest
from made import picture, unpacked
from scipy.ndimage import gaussian_filter
from skimage.feature import canny

from pipeline import params
from pipeline.errors import BadImage
from pipeline.images import pixels, png
from pipeline.operators.sketch import PRESETS, complexity, draw_sketch, make_sketch, resolve
from pipeline.params import Sketch

METHODS = ("threshold", "mean", "xdog-a", "xdog-p", "canny", "dog", "pencil")


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
    assert np.abs(draw_sketch(gray, sketch) - formula(gray, 0.8, k, 1, gamma, eps, phi)).max() < 1


def test_xdog_form_p_is_the_published_formula(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sketch = Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=10.0)
    assert np.abs(draw_sketch(gray, sketch) - formula(gray, 0.4, 4.5, 20, 19, 0.01, 10.0)).max() < 1


@pytest.mark.parametrize("phi", [0.0, 0.5, 7.0, 300.0, 1e12])
def test_of_a_fall_however_steep_tanh_is_taken_where_it_matters(image, phi):
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


def test_canny_is_that_of_scikit_image_but_for_ties():
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


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_what_its_method_reads_and_nothing_else(image, name):
    given = PRESETS[name]
    reads = {
        field.name
        for field in dataclasses.fields(Sketch)
        if given["method"] in field.metadata.get("methods", ())
    }
    assert set(given) == {"method"} | reads
    np.testing.assert_array_equal(
        draw_sketch(image, Sketch(preset=name)), draw_sketch(image, Sketch(**given))
    )


def test_the_presets_offered_are_those_that_there_are():
    assert set(params.PRESET_NAMES) == set(PRESETS)


def test_a_preset_published_for_levels_draws_what_its_formula_draws_on_levels(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    fine, coarse = (gaussian_filter(gray, s, mode="reflect") for s in (0.8, 0.8 * 1.6))
    difference = fine - 0.98 * coarse
    sure = np.abs(difference + 0.1) > 1e-2
    expected = 255 * np.where(difference >= -0.1, 1, 1 + np.tanh(200 * (difference + 0.1)))
    assert np.abs(draw_sketch(image, Sketch(preset="a-08")) - expected)[sure].max() < 1


def test_a_range_is_drawn_uniformly_by_hash_of_key_and_seed():
    sketch = Sketch(sigma=".8..1.2", blocksize="3..9", weight="-1..1")
    drawn = [resolve(sketch, str(key)) for key in range(600)]
    assert 0.8 <= min(s.sigma for s in drawn) < 0.81 < 1.19 < max(s.sigma for s in drawn) <= 1.2
    assert np.mean([s.sigma for s in drawn]) == pytest.approx(1, abs=0.02)
    for values, expected in (
        (Counter(s.blocksize for s in drawn), {3, 5, 7, 9}),
        (Counter(s.weight for s in drawn), {-1, 0, 1}),
    ):
        assert set(values) == expected
        assert min(values.values()) > 0.7 * max(values.values())
    assert drawn[5] == resolve(sketch, "5")
    assert drawn[5] != dataclasses.replace(resolve(dataclasses.replace(sketch, seed=1), "5"), seed=0)
    assert resolve(Sketch(sigma=".8..1.2", k="1..3"), "5").sigma == drawn[5].sigma
    assert np.corrcoef([[s.sigma for s in drawn], [s.blocksize for s in drawn]])[0, 1] < 0.2


def test_a_drawn_number_is_rounded_but_stays_in_its_range():
    drawn = resolve(Sketch(sigma="0.8..1.2", eps="1e-8..2e-8", tau="0.25..0.25"), "1")
    assert drawn.sigma == round(drawn.sigma, 6)
    assert (drawn.eps, drawn.tau) == (1e-8, 0.25)


def test_a_picture_tells_what_was_drawn_for_it(image):
    sketch = Sketch(method="dog", sigma="0.5..2", noise="1..9", seed=3)
    drawn, facts = unpacked(make_sketch(png.encode_png(image), "7", sketch))
    told = Sketch(**{name: facts[name] for name in dataclasses.asdict(sketch)})
    assert told == resolve(sketch, "7")
    np.testing.assert_array_equal(drawn, draw_sketch(image, told, "7"))
    np.testing.assert_array_equal(drawn, draw_sketch(image, sketch, "7"))
    assert not np.array_equal(drawn, draw_sketch(image, sketch, "8"))


def test_a_preset_is_told_by_name_with_its_settings(image):
    facts = make_sketch(png.encode_png(image), "7", Sketch(preset="p19-03")).metadata
    assert (facts["preset"], facts["method"], facts["sigma"]) == ("p19-03", "xdog-p", 0.3)


def test_complexity_is_that_of_the_lines_before_the_pen(image):
    data = png.encode_png(image)
    plain = make_sketch(data, "1", Sketch()).metadata["complexity"]
    assert make_sketch(data, "1", Sketch(gray=200.0, weight=3, noise=50.0)).metadata["complexity"] == plain


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (300, 2)])
def test_blank_and_tiny_pictures_give_white_sketches_of_their_size(method, shape):
    for level in (0, 90, 255):
        drawn = draw_sketch(np.full((*shape, 3), level, np.uint8), Sketch(method=method, eps=-0.1))
        assert drawn.shape == shape
        assert drawn.min() == 255


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_is_left_as_it_was(image, method):
    before = image.copy()
    draw_sketch(image, Sketch(method=method))
    np.testing.assert_array_equal(image, before)


def test_complexity_is_the_share_of_black_at_256_pixels():
    image = picture(5, 256, 256)
    black = np.count_nonzero(draw_sketch(image, Sketch()) == 0) / 256**2
    assert complexity(image, Sketch()) == pytest.approx(100 * black, abs=1e-4)
    larger = pixels.resize(image, 512, 512)
    assert complexity(larger, Sketch()) == pytest.approx(100 * black, abs=1)


def test_complexity_grows_with_the_blocksize():
    image = picture(6, 256, 256)
    measured = [complexity(image, Sketch(blocksize=size)) for size in (3, 5, 7, 9, 11, 13)]
    assert measured == sorted(measured)
    assert measured[0] < measured[-1]


def test_the_column_tells_parameters_and_complexity(image):
    drawn, facts = unpacked(make_sketch(png.encode_png(image), "1", Sketch(blocksize=5)))
    np.testing.assert_array_equal(drawn, draw_sketch(image, Sketch(blocksize=5)))
    assert facts["blocksize"] == 5
    assert facts["complexity"] == complexity(image, Sketch(blocksize=5))


def test_the_own_sketch_is_taken_as_it_is_and_its_complexity_measured_at_256_pixels(image):
    lines = np.full((512, 512), 255, np.uint8)
    lines[:, :128] = 0
    drawn, facts = unpacked(
        make_sketch(png.encode_png(image), "1", Sketch(method="own"), png.encode_png(lines))
    )
    np.testing.assert_array_equal(drawn, lines)
    assert (facts["method"], facts["complexity"]) == ("own", 25)


def test_an_own_sketch_cannot_be_drawn_nor_be_missing_and_does_not_disturb_the_other_methods(image):
    data = png.encode_png(image)
    with pytest.raises(ValueError, match="method must be one that draws, got 'own'"):
        draw_sketch(image, Sketch(method="own"))
    with pytest.raises(BadImage, match="no sketch"):
        make_sketch(data, "1", Sketch(method="own"))
    with pytest.raises(BadImage, match="cannot decode"):
        make_sketch(data, "1", Sketch(method="own"), b"nothing")
    drawn, facts = unpacked(make_sketch(data, "1", Sketch(), b"nothing"))
    np.testing.assert_array_equal(drawn, make_sketch(data, "1", Sketch()).picture)
    assert facts == make_sketch(data, "1", Sketch()).metadata


def test_the_pen_goes_over_an_own_sketch_too(image):
    lines = np.full((128, 128), 255, np.uint8)
    lines[:, 60:64] = 0
    dark = np.zeros_like(image)
    given = png.encode_png(dark), "1", Sketch(method="own", weight=2, hatch=8), png.encode_png(lines)
    drawn = make_sketch(*given).picture
    assert drawn.shape == (128, 128)
    assert (drawn[:, 59:65] == 0).all()
    assert 0.2 < np.mean(drawn[:, :50] == 0) < 0.3
