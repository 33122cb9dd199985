"""A picture enters the dataset, or is rejected with the first reason that holds."""

import dataclasses
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from made import picture, unpacked

from pipeline.errors import BadImage
from pipeline.images import pixels, png
from pipeline.operators import scores
from pipeline.operators.clean import PixelParams, chroma, complexity_histogram, make_color, measure_original
from pipeline.operators.clean import reported_scores as told_names
from pipeline.operators.hashes import HAMMING_RADIUS
from pipeline.operators.limits import RULES, judge_original, rejection_reason
from pipeline.operators.sketch import complexity
from pipeline.params import Clean, Sketch

SMALL = Clean(side=64, smallest=64, blur=9.0)  # small pictures are blurred at 256


def reason(image, params):
    """Return why a picture is rejected."""
    with pytest.raises(BadImage) as caught:
        judge_original(png.encode_png(image), params)
    return str(caught.value)


def test_the_result_is_the_square_of_the_side():
    wide = picture(1, 100, 80)
    color, scores = unpacked(judge_original(png.encode_png(wide), SMALL))
    np.testing.assert_array_equal(color, pixels.square(wide, 64))
    assert (scores["width"], scores["height"]) == (100, 80)


def scores_of(image, params=SMALL):
    """Return what is told of a picture."""
    return measure_original(png.encode_png(image), PixelParams.of(params)).metadata


FINE = {
    "width": 512, "height": 512, "gray": 30.0, "colorfulness": 60.0, "saturation": 30.0, "monochrome": 20.0,
    "borders": 0.0, "text": 0.0, "blur": 1.2, "blank": 20.0, "complexity7": 20.0, "complexity11": 25.0,
}  # fmt: skip
BAD = {  # for each reason a score, one that is just within the limit of the defaults, and one beyond
    "too small": ("height", 256, 255), "odd aspect": ("width", 1024, 1026), "blank": ("blank", 90.0, 90.1),
    "gray": ("gray", 6.0, 5.9), "monochrome": ("monochrome", 2.5, 2.4), "dull": ("colorfulness", 8.0, 7.9),
    "pale": ("saturation", 2.0, 1.9), "bordered": ("borders", 20.0, 20.1), "text": ("text", 8.0, 8.1),
    "blurred": ("blur", 1.8, 1.9), "too complex": ("complexity7", 40.0, 40.1),
    "too plain": ("complexity7", 5.0, 4.9),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_each_limit_has_its_reason_and_a_score_on_it_is_fine(reason):
    name, within, beyond = BAD[reason]
    params = Clean(plain=5.0)
    assert rejection_reason(FINE, params) == ""
    assert rejection_reason(FINE | {name: within}, params) == ""
    assert rejection_reason(FINE | {name: beyond}, params) == reason


def test_every_rule_is_tried():
    assert [rule.reason for rule in RULES] == list(BAD)
    limits = {rule.limit for rule in RULES}
    others = {"side", "crop", "blocksizes", "blocksize", "tolerance"}
    assert limits | others == {field.name for field in dataclasses.fields(Clean)}


def test_the_blocksize_that_counts_is_a_parameter():
    dark = FINE | {"complexity11": 60.0}
    assert rejection_reason(dark, Clean()) == ""
    assert rejection_reason(dark, Clean(blocksize=11)) == "too complex"


def test_the_scores_are_those_of_the_square_at_256():
    wide = picture(1, 300, 260)
    told = scores_of(wide)
    canon = pixels.square(wide, 256)
    assert {name: told[name] for name in scores.SCORE_NAMES} == scores.measure_scores(canon)
    for size in (7, 11, 15):
        assert told[f"complexity{size}"] == complexity(canon, Sketch(blocksize=size))
    assert told.keys() == {*told_names(SMALL), "colors", "lines"}


def test_each_fault_of_a_real_picture_has_its_reason():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    gray = np.repeat(picture(1)[..., :1], 3, axis=2)
    assert reason(picture(1, 63, 80), SMALL) == "too small"
    assert reason(picture(1, 129, 64), SMALL) == "odd aspect"
    assert reason(gray, SMALL) == "gray"
    assert reason(noise, SMALL) == "too complex"
    assert reason(np.full((64, 64, 3), (200, 30, 30), np.uint8), SMALL) == "blank"
    with pytest.raises(BadImage, match="cannot decode"):
        judge_original(b"nothing", SMALL)


def test_limits_decide_no_pixel_and_no_score():
    strict = Clean(side=64, smallest=64, gray=200.0, blur=1.0, plain=99.0, blocksize=11)
    assert PixelParams.of(strict) == PixelParams.of(SMALL)
    assert PixelParams.of(Clean(side=64, blocksizes="7")) != PixelParams.of(SMALL)


def test_recolored_drawings_share_their_lines_and_copies_share_their_colors():
    image = pixels.resize(picture(7), 256, 256)
    hue = np.roll(image, 1, axis=2)
    smaller = pixels.resize(image, 200, 200)
    one, other, copy, stranger = map(scores_of, (image, hue, smaller, pixels.resize(picture(8), 256, 256)))
    assert apart(one["colors"], copy["colors"]) <= HAMMING_RADIUS
    assert apart(one["lines"], copy["lines"]) <= HAMMING_RADIUS < apart(one["lines"], stranger["lines"])
    assert one["pixels"] != other["pixels"]


def apart(one, other):
    """Count the bits in which two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_complexity_does_not_depend_on_the_side():
    data = png.encode_png(picture(2, 512, 512))
    measured = {
        judge_original(data, Clean(side=side, blur=9.0)).metadata["complexity7"] for side in (64, 256, 300)
    }
    assert len(measured) == 1


def test_equal_pixels_have_equal_hashes_whatever_the_file():
    image = picture(3)
    scores = [
        judge_original(data, SMALL).metadata["pixels"]
        for data in (png.encode_png(image), png.encode_png(image) + b"tail")
    ]
    assert scores[0] == scores[1] != judge_original(png.encode_png(picture(4)), SMALL).metadata["pixels"]


def test_chroma_is_the_mean_spread_of_a_pixel_and_zero_for_gray():
    assert chroma(np.array([[[10, 30, 20], [5, 5, 5]]], np.uint8)) == 10


def test_an_own_sketch_is_cropped_and_resized_as_its_picture():
    image = picture(1, 80, 100)
    lines = png.encode_png(np.repeat(image[..., :1], 3, axis=2))
    for params in (SMALL, replace(SMALL, crop="top")):
        result = make_color(png.encode_png(image), "1", PixelParams.of(params), lines)
        color, scores = unpacked(result)
        np.testing.assert_array_equal(result.sketch, color[..., 0])
        np.testing.assert_array_equal(color, judge_original(png.encode_png(image), params).picture)
        alone = judge_original(png.encode_png(image), params).metadata
        assert scores.pop("lines") != alone.pop("lines")  # those of the own sketch
        assert scores == alone


def test_an_own_sketch_of_another_size_is_gray_and_of_the_side():
    line = np.full((240, 300, 4), 255, np.uint8)
    line[..., 3] = 0  # transparent is white
    line[:, 90:99] = (200, 0, 0, 255)
    drawn = judge_original(png.encode_png(picture(1, 100, 80)), SMALL, png.encode_png(line)).sketch
    assert drawn.shape == (64, 64)
    assert (drawn[:, 0] == 255).all()
    assert (drawn[:, 17] < 100).all()  # 94.5 of 300 is 64.5 from the left of the middle 240, at a side of 64


@pytest.mark.parametrize(("width", "height", "fine"), [(102, 100, True), (103, 100, False), (97, 100, False)])
def test_an_own_sketch_has_the_aspect_of_its_picture_within_two_percent(width, height, fine):
    square, sketch = png.encode_png(picture(1)), png.encode_png(picture(1, width, height))
    if fine:
        assert judge_original(square, SMALL, sketch).sketch is not None
    else:
        with pytest.raises(BadImage, match="odd sketch"):
            judge_original(square, SMALL, sketch)


def test_a_broken_own_sketch_rejects_its_picture():
    with pytest.raises(BadImage, match="cannot decode"):
        judge_original(png.encode_png(picture(1)), SMALL, b"nothing")


def test_the_histogram_counts_every_picture_once():
    lines = complexity_histogram(Counter([0, 0.5, 17.2, 100.0])).splitlines()
    assert len(lines) == 101
    assert lines[1] == "0\t2"
    assert lines[18] == "17\t1"
    assert lines[100] == "99\t1"
