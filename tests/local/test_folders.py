"""A folder of pictures has a post for each, and a paired set the sketches too."""

import hashlib
import os
from random import Random

import numpy as np
from made import picture
from rig import source_posts, source_refused

from pipeline import files
from pipeline.booru import catalog
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.params import Search
from pipeline.sources.posts import hash_id, read_posts, reduce_post
from pipeline.sources.search import search_posts

WIDE = png.encode_png(picture(1, 40, 30))


def test_a_folder_has_the_posts_of_its_catalog_and_the_paths_of_their_files(tmp_path):
    files.write(tmp_path / "asp_0001.png", WIDE)
    files.write(tmp_path / "deep" / "two words.png", WIDE)
    files.write_json(tmp_path / "asp_0001.json", {"id": 9, "score": 4})
    asp, deep = source_posts(tmp_path)
    assert (asp["id"], asp["score"], asp["file_url"]) == (9, 4, "asp_0001.png")
    assert (deep["id"], deep["image_width"]) == (hash_id("deep/two words.png"), 40)
    assert deep["file_url"] == deep["source"] == "deep/two words.png"
    served = catalog.folder_catalog(tmp_path).posts
    assert [post["id"] for post in served] == [9, deep["id"]]
    made_up = {"rating": "g", "created_at": "2020-01-01T00:00:00.000+00:00"}  # a Danbooru knows these
    assert [post | {"file_url": post["source"]} for post in served] == [
        asp | made_up,
        deep | made_up | {"score": 0},
    ]
    assert open_source(str(tmp_path)).root == tmp_path


def test_a_pair_has_the_path_of_its_sketch(tmp_path):
    for name in ("color/b.png", "color/deep/a.jpg", "sketch/b.gif", "sketch/deep/a.png"):
        files.write(tmp_path / name, WIDE)
    files.write_json(tmp_path / "color" / "b.json", {"rating": "s"})
    first, second = source_posts(f"pairs:{tmp_path}")
    assert (first["file_url"], first["sketch_url"], first["rating"]) == ("color/b.png", "sketch/b.gif", "s")
    assert (second["id"], second["file_url"]) == (hash_id("deep/a.jpg"), "color/deep/a.jpg")
    assert second["file_ext"] == "png"  # by its bytes
    assert second["sketch_url"] == "sketch/deep/a.png"
    assert second["md5"] == hashlib.md5(WIDE).hexdigest()
    assert open_source(f"pairs:{tmp_path}").root == tmp_path


def test_what_is_no_pair_is_counted_and_the_pairs_are_given(tmp_path):
    for name in ("color/a.png", "color/b.png", "sketch/a.png", "sketch/deep/c.png", "other/d.png", "e.png"):
        files.write(tmp_path / name, WIDE)
    files.write(tmp_path / "sketch/film.png", HEADERS["mp4"])
    (tmp_path / "sketch/b.png").symlink_to(tmp_path / "nowhere.png")
    [post] = source_posts(f"pairs:{tmp_path}")
    assert (post["file_url"], post["sketch_url"]) == ("color/a.png", "sketch/a.png")
    alone = ("color/b.png", "e.png", "other/d.png", "sketch/deep/c.png")
    assert sorted(row[:2] for row in source_refused(f"pairs:{tmp_path}")) == [
        *((name, "no counterpart") for name in alone[:3]),
        ("sketch/b.png", "link"), (alone[3], "no counterpart"), ("sketch/film.png", "wrong type"),
    ]  # fmt: skip


def test_a_picture_beside_those_of_a_pair_does_not_move_it(tmp_path):
    for name in ("color/b.png", "color/c.webp", "sketch/b.png", "sketch/c.png"):
        files.write(tmp_path / name, WIDE)
    before = source_posts(f"pairs:{tmp_path}")
    for name in ("color/b.gif", "sketch/b.gif", "sketch/b.webp", "color/a.png", "sketch/a.png"):
        files.write(tmp_path / name, WIDE)
    after = {post["id"]: post for post in source_posts(f"pairs:{tmp_path}")}
    assert [after[post["id"]] for post in before] == before
    assert {post["file_url"]: post["sketch_url"] for post in after.values()} == {
        "color/a.png": "sketch/a.png", "color/b.gif": "sketch/b.gif", "color/b.png": "sketch/b.png",
        "color/c.webp": "sketch/c.png",
    }  # fmt: skip
    assert source_refused(f"pairs:{tmp_path}") == [
        ("sketch/b.webp", "no counterpart", "a pair is color/NAME and sketch/NAME")
    ]


def test_a_half_is_as_wide_as_half_its_file(tmp_path):
    files.write(tmp_path / "a.png", WIDE)
    files.write(tmp_path / "b.png", png.encode_png(np.zeros((5, 7), np.uint8)))
    even, odd = source_posts(f"halves:{tmp_path}")
    assert (even["image_width"], even["image_height"], even["sketch_half"]) == (20, 30, "right")
    assert (odd["image_width"], odd["file_url"]) == (3, "b.png")


# ---------------------------------------------------------------- identity


def posts_of(folder, **search):
    """Search a folder, a pairs: or a halves: source, and return the posts by the names of their files."""
    dest = folder.parent / "posts.jsonl"
    search_posts(open_source(str(folder)), dest, Search(size=1, ratio=1000.0, **search))
    return {post["file_url"]: post for post in read_posts(dest)}


def test_no_other_file_changes_the_post_of_a_picture(tmp_path):
    """Add, remove and rename files at random: each picture that is still there has the post that it had."""
    dice, folder, known = Random(0), tmp_path / "in", {}
    for _ in range(30):
        present = [path for path in folder.rglob("*.*") if path.is_file()]
        for path in dice.sample(present, len(present) // 3):
            if dice.random() < 0.5:
                path.unlink()
            else:
                path.rename(path.with_name(f"{dice.choice('0aZ~é')}{dice.randrange(10**6)}.png"))
        for _ in range(dice.randrange(1, 6)):
            name = "".join(dice.choices("0aZ_ -é#%", k=6)).strip(" .") + dice.choice((".png", "", ".jfif"))
            files.write(folder / dice.choice((".", "deep", "a/b")) / f"x{name}", WIDE)
        for name, post in posts_of(folder).items():
            assert known.setdefault(name, post) == post
            assert post["id"] == hash_id(name)
    assert len(known) > 60
    assert len({post["id"] for post in known.values()}) == len(known)


def test_own_ids_and_ids_of_names_never_meet_and_the_second_of_two_equal_ones_is_named(tmp_path):
    for name in ("a", "b", "c", "d"):
        files.write(tmp_path / f"{name}.png", WIDE)
    for name in ("b", "d"):
        files.write_json(tmp_path / f"{name}.json", {"id": 7})
    assert [post["id"] for post in source_posts(tmp_path)] == [hash_id("a.png"), 7, hash_id("c.png")]
    assert source_refused(tmp_path) == [("d.png", "same id", "b.png has the id 7")]


# ---------------------------------------------------------------- what is unknown


def test_the_name_of_a_file_tells_neither_artist_nor_tags(tmp_path):
    for name in ("58286727_p0", "IMG_2024", "danbooru_7777_0123abcd", "girl with hat"):
        files.write(tmp_path / f"{name}.png", WIDE)
    for post in source_posts(tmp_path):
        assert post["tag_string"] == post["tag_string_artist"] == ""
        assert not {"rating", "score", "license", "created_at"} & reduce_post(post).keys()


# ---------------------------------------------------------------- which files are pictures

HEADERS = {
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    "zip": b"PK\x03\x04", "jxl": b"\0\0\0\x0cJXL \r\n\x87\n",
}  # fmt: skip


def test_the_bytes_decide_whether_a_file_is_a_picture_and_no_file_is_lost(tmp_path):
    folder, taken = (
        tmp_path / "in",
        ["a.jfif", "b.jpe", "c.php", "d", "e.txt", "f.apng", ".hidden.png", "g.x.y"],
    )
    for name in taken:
        files.write(folder / name, WIDE)
    files.write(folder / "g.x.json", b'{"score": 3}')  # of g.x.y
    files.write(folder / "d.txt", b"hat")  # of d
    brand = png.encode_png(picture(1))  # an AVIF by its brands
    files.write(folder / "h.avif", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + brand)
    for kind, data in HEADERS.items():
        files.write(folder / f"i.{kind}", data)
        files.write(folder / f"{kind}.png", data)
    files.write(folder / "deep/noise.jpg", b"nonsense")
    files.write(folder / "deep/empty.png", b"")
    files.write(folder / "notes.txt", b"about nothing here")
    refused = {name: detail for name, reason, detail in source_refused(folder) if reason == "wrong type"}
    foreign = {name: f"a {kind} file" for kind in HEADERS for name in (f"i.{kind}", f"{kind}.png")}
    lost = ("deep/noise.jpg", "deep/empty.png", "notes.txt")
    assert refused == foreign | dict.fromkeys(lost, "no picture that can be read")
    posts = {post["file_url"]: post for post in source_posts(folder)}
    assert set(posts) == {*taken, "h.avif"}
    assert {posts[name]["file_ext"] for name in taken} == {"png"}
    assert (posts["h.avif"]["file_ext"], posts["g.x.y"]["score"]) == ("avif", 3)
    assert posts["d"]["tag_string"] == "hat"
    counts = search_posts(open_source(str(folder)), tmp_path / "posts.jsonl", Search(size=1))
    sidecars = 2
    found = sum(path.is_file() for path in folder.rglob("*"))
    assert counts["posts"] + sum(counts["skipped"].values()) + sidecars == found


def test_a_link_is_followed_to_a_file_and_otherwise_counted(tmp_path):
    files.write(tmp_path / "store/one", WIDE)
    folder = tmp_path / "in"
    folder.mkdir()
    files.write(folder / "own.png", WIDE)
    (folder / "linked.png").symlink_to(tmp_path / "store/one")
    (folder / "nowhere.png").symlink_to(tmp_path / "store/two")
    (folder / "round.png").symlink_to(folder / "round.png")
    (folder / "folder").symlink_to(tmp_path / "store")
    os.mkfifo(folder / "pipe.png")
    assert [post["file_url"] for post in source_posts(folder)] == ["linked.png", "own.png"]
    assert {(name, reason) for name, reason, _ in source_refused(folder)} == {
        ("nowhere.png", "link"), ("round.png", "link"), ("folder", "link"), ("pipe.png", "unreadable"),
    }  # fmt: skip


def test_the_longest_names_are_read(tmp_path):
    for name in ("x" * 255, "x" * 251 + ".png"):
        files.write(tmp_path / "color" / name, WIDE)
        files.write(tmp_path / "sketch" / name, WIDE)
    for host in (tmp_path / "color", f"halves:{tmp_path / 'color'}", f"pairs:{tmp_path}"):
        assert len(source_posts(host)) == 2


def test_a_name_that_is_not_utf_8_is_counted(tmp_path):
    files.write(tmp_path / "a.png", WIDE)
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb") as file:
        file.write(WIDE)
    assert [post["file_url"] for post in source_posts(tmp_path)] == ["a.png"]
    assert source_refused(tmp_path) == [("\\udcff.png", "bad name", "not UTF-8")]
