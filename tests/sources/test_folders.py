"""A folder of pictures has a post for each, and a paired set the sketches too."""

import hashlib

import numpy as np
from made import picture
from rig import source_error, source_posts

from pipeline import files
from pipeline.booru import catalog
from pipeline.images import png
from pipeline.sources.source import open_source

WIDE = png.encode_png(picture(1, 40, 30))


def test_a_folder_has_the_posts_of_its_catalog_and_the_paths_of_their_files(tmp_path):
    files.write(tmp_path / "asp_0001.png", WIDE)
    files.write(tmp_path / "deep" / "two words.png", WIDE)
    files.write_json(tmp_path / "asp_0001.json", {"id": 9, "score": 4})
    asp, deep = source_posts(tmp_path)
    assert (asp["id"], asp["score"], asp["file_url"]) == (9, 4, "asp_0001.png")
    assert (deep["id"], deep["image_width"], deep["file_url"]) == (2, 40, "deep/two words.png")
    served = catalog.folder_catalog(tmp_path).posts
    assert [post | {"file_url": post["source"]} for post in served] == [deep, asp]
    assert open_source(str(tmp_path)).root == tmp_path


def test_a_pair_has_the_path_of_its_sketch(tmp_path):
    for name in ("color/b.png", "color/deep/a.jpg", "sketch/b.gif", "sketch/deep/a.png"):
        files.write(tmp_path / name, WIDE)
    files.write_json(tmp_path / "color" / "b.json", {"rating": "s"})
    first, second = source_posts(f"pairs:{tmp_path}")
    assert (first["file_url"], first["sketch_url"], first["rating"]) == ("color/b.png", "sketch/b.gif", "s")
    assert (second["id"], second["file_url"]) == (2, "color/deep/a.jpg")
    assert second["sketch_url"] == "sketch/deep/a.png"
    assert second["md5"] == hashlib.md5(WIDE).hexdigest()
    assert open_source(f"pairs:{tmp_path}").root == tmp_path


def test_half_a_pair_is_named(tmp_path):
    for name in ("color/a.png", "color/b.png", "sketch/a.png"):
        files.write(tmp_path / name, WIDE)
    assert "color/b.png has no counterpart in" in source_error(f"pairs:{tmp_path}")
    (tmp_path / "color" / "b.png").rename(tmp_path / "sketch" / "c.png")
    assert "sketch/c.png has no counterpart in" in source_error(f"pairs:{tmp_path}")


def test_a_half_is_as_wide_as_half_its_file(tmp_path):
    files.write(tmp_path / "a.png", WIDE)
    files.write(tmp_path / "b.png", png.encode_png(np.zeros((5, 7), np.uint8)))
    even, odd = source_posts(f"halves:{tmp_path}")
    assert (even["image_width"], even["image_height"], even["sketch_half"]) == (20, 30, "right")
    assert (odd["image_width"], odd["file_url"]) == (3, "b.png")
