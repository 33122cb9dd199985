"""An original becomes a square color picture with its scores."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from handmade import chunk, save, with_chunks
from made import picture, unpacked
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images import pixels, png
from pipeline.operators import scores
from pipeline.operators.clean import PixelParams, chroma, complexity_histogram, make_color, reported_scores
from pipeline.operators.hashes import HAMMING_RADIUS
from pipeline.operators.sketch import complexity
from pipeline.params import Clean, Sketch

SMALL = Clean(side=64)


def cleaned(data, params=SMALL, sketch=None):
    """Clean an encoded picture."""
    return make_color(data, "1", PixelParams.of(params), sketch)


def scores_of(image, params=SMALL):
    return cleaned(png.encode_png(image), params).metadata


def bits_apart(one, other):
    """Count the bits in which two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_the_result_is_the_square_of_the_side():
    wide = picture(1, 100, 80)
    color, metadata = unpacked(cleaned(png.encode_png(wide)))
    np.testing.assert_array_equal(color, pixels.square(wide, 64))
    assert (metadata["width"], metadata["height"]) == (100, 80)


def test_a_broken_picture_is_rejected():
    with pytest.raises(BadImage, match="cannot decode"):
        cleaned(b"nothing")


def test_the_scores_are_those_of_the_square_at_256():
    wide = picture(1, 300, 260)
    metadata = scores_of(wide)
    canon = pixels.square(wide, 256)
    assert {name: metadata[name] for name in scores.SCORE_NAMES} == scores.measure_scores(canon)
    for size in (7, 11, 15):
        assert metadata[f"complexity{size}"] == complexity(canon, Sketch(blocksize=size))
    assert metadata.keys() == {*reported_scores(SMALL), "colors", "lines"}


def test_the_metadata_name_the_color_space_only_where_it_was_not_srgb():
    data = save(Image.fromarray(picture(1)))
    assert "colors_from" not in cleaned(data).metadata
    linear = with_chunks(data, chunk(b"gAMA", (100_000).to_bytes(4, "big")))
    color, metadata = unpacked(cleaned(linear))
    assert metadata["colors_from"] == "gAMA"
    assert color.mean() > picture(1).mean() + 30


def test_limits_decide_no_pixel_and_no_score():
    strict = Clean(side=64, smallest=64, gray=200.0, blur=1.0, plain=99.0, blocksize=11)
    assert PixelParams.of(strict) == PixelParams.of(SMALL)
    assert PixelParams.of(Clean(side=64, blocksizes="7")) != PixelParams.of(SMALL)


def test_recolored_drawings_share_their_lines_and_copies_share_their_colors():
    image = pixels.resize(picture(7), 256, 256)
    hue = np.roll(image, 1, axis=2)
    smaller = pixels.resize(image, 200, 200)
    stranger = pixels.resize(picture(8), 256, 256)
    one, recolored, copy, other = map(scores_of, (image, hue, smaller, stranger))
    assert bits_apart(one["colors"], copy["colors"]) <= HAMMING_RADIUS
    assert (
        bits_apart(one["lines"], copy["lines"]) <= HAMMING_RADIUS < bits_apart(one["lines"], other["lines"])
    )
    assert one["pixels"] != recolored["pixels"]


def test_complexity_does_not_depend_on_the_side():
    image = picture(2, 512, 512)
    assert len({scores_of(image, Clean(side=side))["complexity7"] for side in (64, 256, 300)}) == 1


def test_equal_pixels_have_equal_hashes_whatever_the_file():
    data, other = png.encode_png(picture(3)), png.encode_png(picture(4))
    first, second, third = (cleaned(each).metadata["pixels"] for each in (data, data + b"tail", other))
    assert first == second != third


def test_chroma_is_the_mean_spread_of_a_pixel_and_zero_for_gray():
    assert chroma(np.array([[[10, 30, 20], [5, 5, 5]]], np.uint8)) == 10


def test_an_own_sketch_is_cropped_and_resized_as_its_picture():
    image = picture(1, 80, 100)
    data, lines = png.encode_png(image), png.encode_png(np.repeat(image[..., :1], 3, axis=2))
    for params in (SMALL, replace(SMALL, crop="top")):
        result, alone = cleaned(data, params, lines), cleaned(data, params)
        np.testing.assert_array_equal(result.sketch, result.picture[..., 0])
        np.testing.assert_array_equal(result.picture, alone.picture)
        assert result.metadata.pop("lines") != alone.metadata.pop("lines")  # those of the own sketch
        assert result.metadata == alone.metadata


def test_an_own_sketch_of_another_size_becomes_gray_and_gets_the_side():
    line = np.full((240, 300, 4), 255, np.uint8)
    line[..., 3] = 0  # transparent is white
    line[:, 90:99] = (200, 0, 0, 255)
    sketch = cleaned(png.encode_png(picture(1, 100, 80)), SMALL, png.encode_png(line)).sketch
    assert sketch.shape == (64, 64)
    assert (sketch[:, 0] == 255).all()
    assert (sketch[:, 17] < 100).all()  # 94.5 of 300 is 64.5 from the left of the middle 240, at a side of 64


@pytest.mark.parametrize(("width", "height", "fine"), [(102, 100, True), (103, 100, False), (97, 100, False)])
def test_an_own_sketch_has_the_aspect_of_its_picture_within_two_percent(width, height, fine):
    square, sketch = png.encode_png(picture(1)), png.encode_png(picture(1, width, height))
    if fine:
        assert cleaned(square, SMALL, sketch).sketch is not None
    else:
        with pytest.raises(BadImage, match="odd sketch"):
            cleaned(square, SMALL, sketch)


def test_a_broken_own_sketch_rejects_its_picture():
    with pytest.raises(BadImage, match="cannot decode"):
        cleaned(png.encode_png(picture(1)), SMALL, b"nothing")


def test_the_histogram_counts_every_picture_once():
    lines = complexity_histogram(Counter([0, 0.5, 17.2, 100.0])).splitlines()
    assert len(lines) == 101
    assert lines[1] == "0\t2"
    assert lines[18] == "17\t1"
    assert lines[100] == "99\t1"
