"""A sketch follows its parameters, its preset and the numbers drawn from its ranges."""

import dataclasses
from collections import Counter

import cv2
import numpy as np
import pytest
from made import picture, unpacked
from scipy.ndimage import gaussian_filter

from pipeline import params
from pipeline.errors import BadImage
from pipeline.images import pixels, png
from pipeline.operators.sketch import PRESETS, complexity, draw_sketch, make_sketch, resolve
from pipeline.params import Sketch

METHODS = ("threshold", "mean", "xdog-a", "xdog-p", "canny", "dog", "pencil")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_exactly_the_parameters_that_its_method_reads(image, name):
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


def test_the_names_of_presets_in_params_are_those_of_the_presets():
    assert set(params.PRESET_NAMES) == set(PRESETS)


def test_a_preset_published_for_levels_draws_the_same_as_its_formula_on_levels(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    fine, coarse = (gaussian_filter(gray, s, mode="reflect") for s in (0.8, 0.8 * 1.6))
    difference = fine - 0.98 * coarse
    sure = np.abs(difference + 0.1) > 1e-2
    expected = 255 * np.where(difference >= -0.1, 1, 1 + np.tanh(200 * (difference + 0.1)))
    assert np.abs(draw_sketch(image, Sketch(preset="a-08")) - expected)[sure].max() < 1


def test_numbers_are_drawn_uniformly_from_a_range_by_key_and_seed():
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


def test_the_metadata_have_the_numbers_drawn_for_the_picture(image):
    sketch = Sketch(method="dog", sigma="0.5..2", noise="1..9", seed=3)
    drawn, metadata = unpacked(make_sketch(png.encode_png(image), "7", sketch))
    resolved = Sketch(**{name: metadata[name] for name in dataclasses.asdict(sketch)})
    assert resolved == resolve(sketch, "7")
    np.testing.assert_array_equal(drawn, draw_sketch(image, resolved, "7"))
    np.testing.assert_array_equal(drawn, draw_sketch(image, sketch, "7"))
    assert not np.array_equal(drawn, draw_sketch(image, sketch, "8"))


def test_the_metadata_have_the_name_of_a_preset_and_its_settings(image):
    metadata = make_sketch(png.encode_png(image), "7", Sketch(preset="p19-03")).metadata
    assert (metadata["preset"], metadata["method"], metadata["sigma"]) == ("p19-03", "xdog-p", 0.3)


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
def test_the_picture_is_not_changed(image, method):
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


def test_the_metadata_have_the_parameters_and_the_complexity(image):
    drawn, metadata = unpacked(make_sketch(png.encode_png(image), "1", Sketch(blocksize=5)))
    np.testing.assert_array_equal(drawn, draw_sketch(image, Sketch(blocksize=5)))
    assert metadata["blocksize"] == 5
    assert metadata["complexity"] == complexity(image, Sketch(blocksize=5))


def test_an_own_sketch_is_not_changed_and_its_complexity_is_measured_at_256_pixels(image):
    lines = np.full((512, 512), 255, np.uint8)
    lines[:, :128] = 0
    drawn, metadata = unpacked(
        make_sketch(png.encode_png(image), "1", Sketch(method="own"), png.encode_png(lines))
    )
    np.testing.assert_array_equal(drawn, lines)
    assert (metadata["method"], metadata["complexity"]) == ("own", 25)


def test_an_own_sketch_cannot_be_drawn_must_not_be_missing_and_changes_no_other_method(image):
    data = png.encode_png(image)
    with pytest.raises(ValueError, match="method must be one that draws, got 'own'"):
        draw_sketch(image, Sketch(method="own"))
    with pytest.raises(BadImage, match="no sketch"):
        make_sketch(data, "1", Sketch(method="own"))
    with pytest.raises(BadImage, match="cannot decode"):
        make_sketch(data, "1", Sketch(method="own"), b"nothing")
    drawn, metadata = unpacked(make_sketch(data, "1", Sketch(), b"nothing"))
    np.testing.assert_array_equal(drawn, make_sketch(data, "1", Sketch()).picture)
    assert metadata == make_sketch(data, "1", Sketch()).metadata


def test_the_pen_finishes_an_own_sketch_too(image):
    lines = np.full((128, 128), 255, np.uint8)
    lines[:, 60:64] = 0
    dark = np.zeros_like(image)
    given = png.encode_png(dark), "1", Sketch(method="own", weight=2, hatch=8), png.encode_png(lines)
    drawn = make_sketch(*given).picture
    assert drawn.shape == (128, 128)
    assert (drawn[:, 59:65] == 0).all()
    assert 0.2 < np.mean(drawn[:, :50] == 0) < 0.3
