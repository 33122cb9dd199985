"""A folder becomes a catalog, and the embedded sample is the same wherever it is drawn."""

import io
from collections import Counter

import numpy as np
import pytest
from conftest import make_column, picture
from PIL import Image

from pipeline import Halt, catalog, files, images
from pipeline.images import BadImage

# ---------------------------------------------------------------- folders


def test_a_folder_becomes_posts_with_the_artist_in_the_name_and_facts_from_beside(tmp_path):
    data = images.encode(picture(1, 40, 30))
    for name in ("asp_0001.png", "deep/two words12.png", "nib_ink_3.png"):
        files.write(tmp_path / name, data)
    files.write(tmp_path / "broken.jpeg", b"no picture")
    facts = {"score": 9, "rating": None, "tag_string_general": "1girl", "md5": "0" * 32, "file_size": 1}
    files.write_json(tmp_path / "nib_ink_3.json", facts)
    held = catalog.folder(tmp_path)
    assert [post["id"] for post in held.posts] == [1, 2, 3, 4]
    asp, broken, deep, nib = held.posts
    assert (asp["tag_string"], asp["image_width"], asp["image_height"]) == ("asp", 40, 30)
    assert (broken["file_ext"], broken["image_width"], broken["tag_string_artist"]) == ("jpg", 0, "broken")
    assert (deep["source"], deep["tag_string_artist"]) == ("deep/two words12.png", "two_words")
    assert (nib["score"], nib["rating"], nib["tag_string"]) == (9, "g", "1girl nib_ink")
    assert nib["md5"] == asp["md5"]
    assert nib["file_size"] == len(data) == len(held.read(nib))
    assert held.read(broken) == b"no picture"


def test_a_folder_that_cannot_be_served_stops_with_a_sentence(tmp_path):
    with pytest.raises(Halt, match="does not exist"):
        catalog.folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Halt, match="holds no pictures"):
        catalog.folder(tmp_path / "empty")
    with pytest.raises(Halt, match="holds shards"):
        catalog.folder(make_column(tmp_path / "column", ["000000001"]))
    for name in ("a", "b"):
        files.write(tmp_path / "twins" / f"{name}.png", images.encode(picture(1)))
        files.write_json(tmp_path / "twins" / f"{name}.json", {"id": 7})
    with pytest.raises(Halt, match="both have the id 7"):
        catalog.folder(tmp_path / "twins")
    files.write(tmp_path / "twins" / "b.json", b"[")
    with pytest.raises(Halt, match=r"b\.json does not hold the fields of a post"):
        catalog.folder(tmp_path / "twins")


# ---------------------------------------------------------------- the sample


def content(folder):
    """Return the bytes of every file below a folder by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.*")}


def first(kind):
    """Return the first id of a kind."""
    return next(number for number in range(1, catalog.COUNT + 1) if catalog.kind_of(number) == kind)


def test_the_sample_is_the_same_in_every_folder_and_grows_without_changing(tmp_path):
    small = catalog.sample(tmp_path / "small", 2, workers=1)
    large = catalog.sample(tmp_path / "large", 4, workers=2)
    assert large.posts[:2] == small.posts
    alone = content(tmp_path / "small")
    assert len(alone) == 4
    assert alone.items() <= content(tmp_path / "large").items()
    catalog.sample(tmp_path / "small", 4, workers=1)
    assert content(tmp_path / "small") == content(tmp_path / "large")


def test_a_sample_that_was_drawn_is_not_drawn_again_and_an_unfinished_one_is_finished(tmp_path):
    drawn = catalog.sample(tmp_path, 3, workers=1)
    before = content(tmp_path)
    seen = []
    next(tmp_path.rglob("000002.json")).unlink()  # as if killed after the picture
    again = catalog.sample(tmp_path, 3, workers=1, tick=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]
    assert again.posts == drawn.posts
    assert content(tmp_path) == before
    catalog.sample(tmp_path, 3, tick=lambda done, total: pytest.fail("drew again"))
    for post in again.posts:
        assert len(again.read(post)) == post["file_size"]


def test_the_sample_holds_its_kinds_in_about_their_shares():
    counts = Counter(map(catalog.kind_of, range(1, catalog.COUNT + 1)))
    for kind, percent in catalog.KINDS.items():
        expected = catalog.COUNT * percent / 100
        assert abs(counts[kind] - expected) < 3 * expected**0.5 + 1, kind
    facts = [catalog.rate(number) for number in range(1, catalog.COUNT + 1)]
    assert 0.1 < np.mean([fact["rating"] == "s" for fact in facts]) < 0.2
    assert np.mean([fact["score"] > 5 for fact in facts]) > 0.75
    assert max(fact["score"] for fact in facts) <= 200
    assert 0 < sum(fact["is_deleted"] for fact in facts) < 20
    assert 0 < sum(fact["is_banned"] for fact in facts) < 10


def test_parents_stand_before_their_children_and_know_of_them():
    for number in range(2, catalog.COUNT + 1):
        if catalog.kind_of(number) == "variant":
            assert catalog.elder(number) < number
            assert catalog.has_variant(catalog.elder(number))
    fathers = {
        catalog.elder(number)
        for number in range(2, catalog.COUNT + 1)
        if catalog.kind_of(number) == "variant"
    }
    plain = [number for number in range(1, catalog.COUNT - 20) if catalog.kind_of(number) == "plain"]
    assert {number for number in plain if catalog.has_variant(number)} == {n for n in fathers if n in plain}


def test_a_variant_is_its_parent_in_other_colors(tmp_path):
    number = first("variant")
    child, data = catalog.make(number)
    parent, original = catalog.make(child["parent_id"])
    assert parent["has_children"]
    assert (child["source"], child["tag_string_artist"]) == (parent["source"], parent["tag_string_artist"])
    one, other = images.decode(data), images.decode(original)
    assert one.shape == other.shape
    assert 5 < np.abs(one.astype(int) - other).mean() < 150


def test_a_duplicate_has_the_pixels_of_an_earlier_post_in_another_file():
    number = first("duplicate")
    twin, data = catalog.make(number)
    post, original = catalog.make(catalog.elder(number // 2 + 1))
    assert post["id"] < number
    assert twin["media_asset"] == post["media_asset"]
    assert twin["md5"] != post["md5"]
    assert twin["parent_id"] is None
    np.testing.assert_array_equal(images.decode(data), images.decode(original))


@pytest.mark.parametrize("kind", ["plain", "gray", "complex", "small", "banner", "transparent", "turned"])
def test_a_picture_of_the_sample_is_what_its_post_says(kind):
    post, data = catalog.make(first(kind))
    image, picture = images.decode(data), Image.open(io.BytesIO(data))
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
    for number in [n for n in range(1, 80) if catalog.kind_of(n) == "broken"][:3]:
        post, data = catalog.make(number)
        assert (len(data), post["media_asset"]) == (post["file_size"], {"pixel_hash": None})
        with pytest.raises(BadImage):
            images.decode(data)
