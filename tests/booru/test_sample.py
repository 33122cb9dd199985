"""The embedded sample is the same wherever it is drawn."""

import io
import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pipeline.booru import sample
from pipeline.errors import BadImage
from pipeline.images import codec


def content(folder):
    """Return the bytes of every file below a folder by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.*")}


def first(kind):
    """Return the first id of a kind."""
    return next(number for number in range(1, sample.SAMPLE_SIZE + 1) if sample.kind_of(number) == kind)


def test_the_sample_is_the_same_in_every_folder_and_grows_without_changing(tmp_path):
    small = sample.sample_catalog(tmp_path / "small", 2, workers=1)
    large = sample.sample_catalog(tmp_path / "large", 4, workers=2)
    assert large.posts[:2] == small.posts
    alone = content(tmp_path / "small")
    assert len(alone) == 4
    assert alone.items() <= content(tmp_path / "large").items()
    sample.sample_catalog(tmp_path / "small", 4, workers=1)
    assert content(tmp_path / "small") == content(tmp_path / "large")


@pytest.mark.parametrize(("damaged", "size"), [("000002.json", None), ("000002.json", 0), ("000002.png", 0)])
def test_a_sample_that_was_drawn_is_not_drawn_again_and_an_unfinished_one_is_finished(
    tmp_path, damaged, size
):
    """A kill leaves a picture without its note, and a power cut leaves empty files."""
    drawn = sample.sample_catalog(tmp_path, 3, workers=1)
    before = content(tmp_path)
    seen = []
    path = next(tmp_path.rglob(damaged))
    path.unlink() if size is None else os.truncate(path, size)
    again = sample.sample_catalog(tmp_path, 3, workers=1, tick=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]
    assert again.posts == drawn.posts
    assert content(tmp_path) == before
    sample.sample_catalog(tmp_path, 3, tick=lambda done, total: pytest.fail("drew again"))
    for post in again.posts:
        assert len(again.read(post)) == post["file_size"]


def test_the_sample_holds_its_kinds_in_about_their_shares():
    counts = Counter(map(sample.kind_of, range(1, sample.SAMPLE_SIZE + 1)))
    for kind, percent in sample.POST_KINDS.items():
        expected = sample.SAMPLE_SIZE * percent / 100
        assert abs(counts[kind] - expected) < 3 * expected**0.5 + 1, kind
    ratings = [sample.rate_post(number) for number in range(1, sample.SAMPLE_SIZE + 1)]
    assert 0.1 < np.mean([rating["rating"] == "s" for rating in ratings]) < 0.2
    assert np.mean([rating["score"] > 5 for rating in ratings]) > 0.75
    assert max(rating["score"] for rating in ratings) <= 200
    assert 0 < sum(rating["is_deleted"] for rating in ratings) < 20
    assert 0 < sum(rating["is_banned"] for rating in ratings) < 10


def test_parents_come_before_their_children_and_know_of_them():
    for number in range(2, sample.SAMPLE_SIZE + 1):
        if sample.kind_of(number) == "variant":
            assert sample.previous_plain(number) < number
            assert sample.has_variant(sample.previous_plain(number))
    parents = {
        sample.previous_plain(number)
        for number in range(2, sample.SAMPLE_SIZE + 1)
        if sample.kind_of(number) == "variant"
    }
    plain = [number for number in range(1, sample.SAMPLE_SIZE - 20) if sample.kind_of(number) == "plain"]
    assert {number for number in plain if sample.has_variant(number)} == {n for n in parents if n in plain}


def test_a_variant_is_its_parent_in_other_colors(tmp_path):
    number = first("variant")
    child, data = sample.make_post(number)
    parent, original = sample.make_post(child["parent_id"])
    assert parent["has_children"]
    assert (child["source"], child["tag_string_artist"]) == (parent["source"], parent["tag_string_artist"])
    one, other = codec.decode(data), codec.decode(original)
    assert one.shape == other.shape
    assert 5 < np.abs(one.astype(int) - other).mean() < 150


def test_a_duplicate_has_the_pixels_of_an_earlier_post_in_another_file():
    number = first("duplicate")
    twin, data = sample.make_post(number)
    post, original = sample.make_post(sample.previous_plain(number // 2 + 1))
    assert post["id"] < number
    assert twin["media_asset"] == post["media_asset"]
    assert twin["md5"] != post["md5"]
    assert twin["parent_id"] is None
    np.testing.assert_array_equal(codec.decode(data), codec.decode(original))


@pytest.mark.parametrize("kind", ["plain", "gray", "complex", "small", "banner", "transparent", "turned"])
def test_a_picture_of_the_sample_matches_its_post(kind):
    post, data = sample.make_post(first(kind))
    image, picture = codec.decode(data), Image.open(io.BytesIO(data))
    assert image.shape == (post["image_height"], post["image_width"], 3)
    assert (post["tag_string_copyright"], post["parent_id"]) == ("original", None)
    shorter, longer = sorted(image.shape[:2])
    gray = np.ptp(image.astype(int), axis=2).mean() < 2
    assert gray == (kind == "gray") == ("greyscale" in post["tag_string"].split())
    assert gray or any(tag.endswith("_hair") for tag in post["tag_string"].split())
    assert (shorter == 200) == (kind == "small")
    assert (longer > 2 * shorter) == (kind == "banner")
    assert (picture.mode == "RGBA") == (kind == "transparent")
    assert (picture.getexif().get(0x0112) == 6) == (kind == "turned")


def test_broken_files_of_the_sample_are_broken_on_the_site_itself():
    for number in [n for n in range(1, 80) if sample.kind_of(n) == "broken"][:3]:
        post, data = sample.make_post(number)
        assert (len(data), post["media_asset"]) == (post["file_size"], {"pixel_hash": None})
        with pytest.raises(BadImage):
            codec.decode(data)
