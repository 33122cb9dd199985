"""A folder of pictures becomes a catalog."""

import pytest
from made import make_column, picture

from pipeline import files
from pipeline.booru import catalog
from pipeline.errors import Halt
from pipeline.images import png


def test_a_folder_becomes_posts_with_fields_from_json_and_the_rest_made_up(tmp_path):
    data = png.encode_png(picture(1, 40, 30))
    for name in ("asp_0001.png", "deep/two words12.png", "nib_ink_3.png"):
        files.write(tmp_path / name, data)
    files.write(tmp_path / "broken.jpeg", b"\xff\xd8\xff no picture")
    files.write(tmp_path / "noise.jpeg", b"no picture")
    metadata = {"score": 9, "rating": None, "tag_string_general": "1girl", "md5": "0" * 32, "file_size": 1}
    files.write_json(tmp_path / "nib_ink_3.json", metadata)
    served = catalog.folder_catalog(tmp_path)
    numbers = [post["id"] for post in served.posts]
    assert (numbers, len(numbers)) == (sorted(numbers), 4)
    asp, broken, deep, nib = sorted(served.posts, key=lambda post: post["source"])
    assert (asp["tag_string"], asp["image_width"], asp["image_height"]) == ("", 40, 30)
    assert (broken["file_ext"], broken["image_width"], broken["tag_string_artist"]) == ("jpg", 0, "")
    assert (deep["source"], deep["score"], deep["rating"]) == ("deep/two words12.png", 0, "g")
    assert (nib["score"], nib["rating"], nib["tag_string"]) == (9, "g", "1girl")
    assert nib["md5"] == asp["md5"]
    assert nib["file_size"] == len(data) == len(served.read(nib))
    assert served.read(broken) == b"\xff\xd8\xff no picture"


def test_a_folder_that_cannot_be_served_stops_with_a_sentence(tmp_path):
    with pytest.raises(Halt, match="does not exist"):
        catalog.folder_catalog(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Halt, match="holds no pictures"):
        catalog.folder_catalog(tmp_path / "empty")
    with pytest.raises(Halt, match="holds shards"):
        catalog.folder_catalog(make_column(tmp_path / "column", ["000000001"]))


def test_a_picture_whose_metadata_cannot_be_used_is_not_served(tmp_path):
    for name in ("a", "b", "c"):
        files.write(tmp_path / f"{name}.png", png.encode_png(picture(1)))
        files.write_json(tmp_path / f"{name}.json", {"id": 7})
    files.write(tmp_path / "b.json", b"[")
    assert [post["source"] for post in catalog.folder_catalog(tmp_path).posts] == ["a.png"]
