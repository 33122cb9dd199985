"""A folder of pictures becomes a catalog."""

import pytest
from made import make_column, picture

from pipeline import files
from pipeline.booru import catalog
from pipeline.errors import Halt
from pipeline.images import png


def test_a_folder_becomes_posts_with_the_artist_from_the_name_and_fields_from_json(tmp_path):
    data = png.encode_png(picture(1, 40, 30))
    for name in ("asp_0001.png", "deep/two words12.png", "nib_ink_3.png"):
        files.write(tmp_path / name, data)
    files.write(tmp_path / "broken.jpeg", b"no picture")
    metadata = {"score": 9, "rating": None, "tag_string_general": "1girl", "md5": "0" * 32, "file_size": 1}
    files.write_json(tmp_path / "nib_ink_3.json", metadata)
    served = catalog.folder_catalog(tmp_path)
    assert [post["id"] for post in served.posts] == [1, 2, 3, 4]
    asp, broken, deep, nib = served.posts
    assert (asp["tag_string"], asp["image_width"], asp["image_height"]) == ("asp", 40, 30)
    assert (broken["file_ext"], broken["image_width"], broken["tag_string_artist"]) == ("jpg", 0, "broken")
    assert (deep["source"], deep["tag_string_artist"]) == ("deep/two words12.png", "two_words")
    assert (nib["score"], nib["rating"], nib["tag_string"]) == (9, "g", "1girl nib_ink")
    assert nib["md5"] == asp["md5"]
    assert nib["file_size"] == len(data) == len(served.read(nib))
    assert served.read(broken) == b"no picture"


def test_a_folder_that_cannot_be_served_stops_with_a_sentence(tmp_path):
    with pytest.raises(Halt, match="does not exist"):
        catalog.folder_catalog(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Halt, match="holds no pictures"):
        catalog.folder_catalog(tmp_path / "empty")
    with pytest.raises(Halt, match="holds shards"):
        catalog.folder_catalog(make_column(tmp_path / "column", ["000000001"]))
    for name in ("a", "b"):
        files.write(tmp_path / "twins" / f"{name}.png", png.encode_png(picture(1)))
        files.write_json(tmp_path / "twins" / f"{name}.json", {"id": 7})
    with pytest.raises(Halt, match="both have the id 7"):
        catalog.folder_catalog(tmp_path / "twins")
    files.write(tmp_path / "twins" / "b.json", b"[")
    with pytest.raises(Halt, match=r"b\.json does not hold the fields of a post"):
        catalog.folder_catalog(tmp_path / "twins")
