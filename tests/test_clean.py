"""A picture enters the dataset, or is rejected with the first reason that holds."""

from collections import Counter

import numpy as np
import pytest
from conftest import picture

from pipeline import images
from pipeline.clean import chroma, clean, column, histogram
from pipeline.images import BadImage
from pipeline.params import Clean, Sketch
from pipeline.sketch import complexity

SMALL = Clean(side=64, smallest=64)


def reason(image, params):
    """Return why a picture is rejected."""
    with pytest.raises(BadImage) as caught:
        clean(images.encode(image), params)
    return str(caught.value)


def test_the_result_is_the_square_of_the_side():
    wide = picture(1, 100, 80)
    color, scores = clean(images.encode(wide), SMALL)
    np.testing.assert_array_equal(color, images.square(wide, 64))
    assert (scores["width"], scores["height"]) == (100, 80)


def test_each_fault_has_its_reason():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    gray = np.repeat(picture(1)[..., :1], 3, axis=2)
    assert reason(picture(1, 63, 80), SMALL) == "too small"
    assert reason(picture(1, 129, 64), SMALL) == "odd aspect"
    assert reason(gray, SMALL) == "gray"
    assert reason(noise, SMALL) == "too complex"
    with pytest.raises(BadImage, match="cannot decode"):
        clean(b"nothing", SMALL)


def test_a_picture_on_the_bound_is_kept():
    image = picture(1, 128, 64)
    black = complexity(images.square(image, 256), Sketch())
    params = Clean(side=64, smallest=64, aspect=2.0, gray=chroma(images.square(image, 64)), complexity=black)
    assert clean(images.encode(image), params)[1]["complexity"] == black


def test_complexity_does_not_depend_on_the_side():
    data = images.encode(picture(2, 512, 512))
    measured = {clean(data, Clean(side=side))[1]["complexity"] for side in (64, 256, 300)}
    assert len(measured) == 1


def test_equal_pixels_have_equal_hashes_whatever_the_file():
    image = picture(3)
    scores = [
        clean(data, SMALL)[1]["pixels"] for data in (images.encode(image), images.encode(image) + b"tail")
    ]
    assert scores[0] == scores[1] != clean(images.encode(picture(4)), SMALL)[1]["pixels"]


def test_chroma_is_the_mean_spread_of_a_pixel_and_zero_for_gray():
    assert chroma(np.array([[[10, 30, 20], [5, 5, 5]]], np.uint8)) == 10


def test_an_own_sketch_is_cropped_and_resized_as_its_picture():
    image = picture(1, 80, 100)
    lines = images.encode(np.repeat(image[..., :1], 3, axis=2))
    for params in (SMALL, Clean(side=64, smallest=64, crop="top")):
        color, scores, drawn = column(images.encode(image), "1", params, lines)
        np.testing.assert_array_equal(drawn, color[..., 0])
        np.testing.assert_array_equal(color, clean(images.encode(image), params)[0])
        assert scores == clean(images.encode(image), params)[1]


def test_an_own_sketch_of_another_size_is_gray_and_of_the_side():
    line = np.full((240, 300, 4), 255, np.uint8)
    line[..., 3] = 0  # transparent is white
    line[:, 90:99] = (200, 0, 0, 255)
    _, _, drawn = clean(images.encode(picture(1, 100, 80)), SMALL, images.encode(line))
    assert drawn.shape == (64, 64)
    assert (drawn[:, 0] == 255).all()
    assert (drawn[:, 17] < 100).all()  # 94.5 of 300 is 64.5 from the left of the middle 240, at a side of 64


@pytest.mark.parametrize(("width", "height", "fine"), [(102, 100, True), (103, 100, False), (97, 100, False)])
def test_an_own_sketch_has_the_aspect_of_its_picture_within_two_percent(width, height, fine):
    square, sketch = images.encode(picture(1)), images.encode(picture(1, width, height))
    if fine:
        assert len(clean(square, SMALL, sketch)) == 3
    else:
        with pytest.raises(BadImage, match="odd sketch"):
            clean(square, SMALL, sketch)


def test_a_broken_own_sketch_rejects_its_picture():
    with pytest.raises(BadImage, match="cannot decode"):
        clean(images.encode(picture(1)), SMALL, b"nothing")


def test_the_histogram_counts_every_picture_once():
    lines = histogram(Counter([0, 0.5, 17.2, 100.0])).splitlines()
    assert len(lines) == 101
    assert lines[1] == "0\t2"
    assert lines[18] == "17\t1"
    assert lines[100] == "99\t1"
