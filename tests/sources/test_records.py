"""Dumps and lists, old and new, give posts in one form; a bad record is named."""

import gzip
import json
from itertools import count, islice

import pytest
from rig import source_error, source_posts, write_lines

from pipeline import files
from pipeline.errors import Halt
from pipeline.sources import query, records
from pipeline.sources.posts import CATEGORIES
from pipeline.sources.source import open_source

# ---------------------------------------------------------------- dumps

OLD = {
    "id": "4567123", "rating": "s", "file_ext": "png", "image_width": "800", "image_height": "600",
    "score": "-3", "parent_id": "0", "has_children": True, "is_deleted": False, "is_banned": "false",
    "created_at": "2008-05-24 07:33:41.12 UTC", "md5": "0" * 32, "file_size": "99", "pixiv_id": "0",
    "tags": [
        {"id": "1", "name": "solo", "category": "0"}, {"id": "2", "name": "nib", "category": "1"},
        {"id": "3", "name": "original", "category": "3"}, {"id": "4", "name": "miku", "category": "4"},
        {"id": "5", "name": "highres", "category": "5"}, {"id": "6", "name": "1girl", "category": "0"},
    ],
}  # fmt: skip
NEW = {
    "id": 8, "rating": "explicit", "file_ext": "JPEG", "image_width": 800, "image_height": 600, "score": 5,
    "parent_id": 7, "is_deleted": True, "created_at": "2024-05-31T01:02:03.000-04:00", "source": None,
    "tag_string": "solo nib", "tag_string_general": "solo", "tag_string_artist": "nib",
    "media_asset": {"pixel_hash": "abc", "variants": []}, "md5": "A" * 32, "file_size": 99,
}  # fmt: skip


def make_dump(folder, *records, bucket="original"):
    """Write a dump without pictures."""
    (folder / bucket).mkdir(parents=True)
    write_lines(folder / "metadata" / "posts.json", *records)
    return f"dump:{folder}"


def test_old_and_new_dumps_give_the_same_form(tmp_path):
    old, new = source_posts(make_dump(tmp_path, OLD, NEW))
    tags = {name: old[f"tag_string_{name}"] for name in CATEGORIES}
    assert tags == {
        "general": "solo 1girl",
        "artist": "nib",
        "copyright": "original",
        "character": "miku",
        "meta": "highres",
    }
    assert old["tag_string"] == "1girl highres miku nib original solo"
    assert (old["id"], old["score"], old["parent_id"], old["is_banned"]) == (4567123, -3, None, False)
    assert (old["image_width"], old["file_size"], old["has_children"]) == (800, 99, True)
    assert old["file_url"] == "original/0123/4567123.png"
    assert (new["tag_string"], new["parent_id"], new["is_deleted"]) == ("nib solo", 7, True)
    assert (new["rating"], new["md5"], new["source"]) == ("e", "a" * 32, "")
    assert new["media_asset"] == {"pixel_hash": "abc"}
    assert new["file_url"] == "original/0008/8.jpg"
    for word in ("date:2008-05-24", "miku", "rating:safe", "parent:none", "filesize:99", "ratio:1.33"):
        assert query.parse_search(word)(old), word
    for word in ("date:2024-05-31", "status:deleted", "rating:e", "parent:7", "filetype:jpg"):
        assert [query.parse_search(word)(post) for post in (old, new)] == [False, True], word


def test_small_pictures_replace_missing_originals_without_their_hashes(tmp_path):
    host = make_dump(tmp_path, OLD, NEW | {"file_ext": "mp4"}, bucket="512px")
    drawn, film = source_posts(host)
    assert (drawn["file_url"], drawn["file_ext"]) == ("512px/0123/4567123.jpg", "jpg")
    assert drawn["image_width"] == 800
    assert not {"md5", "file_size"} & drawn.keys()
    assert film["file_ext"] == "mp4"
    (tmp_path / "original").mkdir()
    assert source_posts(host)[0]["file_url"] == "original/0123/4567123.png"


def test_metadata_is_read_from_its_folder_or_the_top_gzipped_or_not(tmp_path):
    (tmp_path / "512px").mkdir()
    write_lines(tmp_path / "b.jsonl", NEW)
    files.write(tmp_path / "a.json.gz", gzip.compress(json.dumps(OLD).encode() + b"\n\n"))
    files.write(tmp_path / "notes.txt", b"none of this")
    assert [post["id"] for post in source_posts(f"dump:{tmp_path}")] == [4567123, 8]
    write_lines(tmp_path / "metadata" / "deep" / "c.json", NEW | {"id": 5})
    assert [post["id"] for post in source_posts(f"dump:{tmp_path}")] == [5]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "Expecting"),
        (b"\xff\xfe", "decode"),
        (b"[]", "not an object"),
        (json.dumps(OLD | {"id": None}).encode(), "it has no id"),
        (json.dumps(OLD | {"id": "x"}).encode(), "id must be an integer, got 'x'"),
        (json.dumps(OLD | {"id": 0}).encode(), "id must be an integer from 1"),
        (json.dumps(OLD | {"rating": ""}).encode(), "it has no rating"),
        (json.dumps(OLD | {"rating": "x"}).encode(), "rating must be g, s, q or e, got 'x'"),
        (json.dumps(OLD | {"file_ext": "../x"}).encode(), "file_ext must be letters and digits"),
        (json.dumps(OLD | {"created_at": "yesterday"}).encode(), "'yesterday'"),
        (json.dumps(OLD | {"tags": [{"name": "solo"}]}).encode(), "'category'"),
        (json.dumps(OLD | {"tags": "solo"}).encode(), "indices"),
        (json.dumps(OLD | {"md5": "z"}).encode(), "md5 must be 32 hexadecimal digits, got 'z'"),
    ],
)
def test_a_line_that_is_no_post_is_named_and_those_before_it_are_given(tmp_path, line, reason):
    host = make_dump(tmp_path, OLD)
    path = tmp_path / "metadata" / "posts.json"
    files.write(path, path.read_bytes() + line + b"\n")
    posts = open_source(host).posts()
    assert next(posts)["id"] == 4567123
    with pytest.raises(Halt, match=r"posts\.json line 2 is no post") as caught:
        next(posts)
    assert reason in str(caught.value)


def test_a_damaged_or_incomplete_dump_is_refused(tmp_path):
    assert "is not a dump" in source_error(f"dump:{tmp_path}")
    write_lines(tmp_path / "posts.json", NEW)
    assert "is not a dump" in source_error(f"dump:{tmp_path}")
    host = make_dump(tmp_path)
    packed = gzip.compress(json.dumps(NEW).encode() * 50)
    for data in (packed[:-20], b"no gzip", packed[:20] + b"\0\0\0" + packed[23:]):
        files.write(tmp_path / "metadata" / "more.json.gz", data)
        assert "more.json.gz" in source_error(host)


def test_a_dump_is_read_line_by_line(tmp_path, monkeypatch):
    host = make_dump(tmp_path)
    monkeypatch.setattr(records, "read_json_lines", lambda path: ((n, NEW | {"id": n}) for n in count(1)))
    assert [post["id"] for post in islice(open_source(host).posts(), 3)] == [1, 2, 3]


# ---------------------------------------------------------------- lists

ROWS = [
    {"url": "https://a.example/x/one.PNG?size=2", "width": "640", "height": "480", "artist": "Ink  Nib"},
    {"url": "http://b.example/two", "id": "70", "hash": "A" * 32, "tags": "1girl solo", "license": "CC0"},
    {"url": "https://b.example/3.jpeg:large", "hash": "b" * 64, "rating": "sensitive", "other": "x"},
]


def write_list(path, rows):
    """Write a list in the form that its suffix names; missing values are empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".jsonl":
        return write_lines(path, *rows)
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({name: [row.get(name) for row in rows] for name in names}), path)
        return path
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [
        mark.join(row.get(name, "") for name in names)
        for row in [dict(zip(names, names, strict=True)), *rows]
    ]
    files.write(path, "\n".join(lines).encode())
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_list_gives_the_same_posts_in_every_form(tmp_path, suffix):
    source = open_source(f"list:{write_list(tmp_path / f'list.{suffix}', ROWS)}")
    assert source.root is None
    one, two, three = source_posts(f"list:{tmp_path / f'list.{suffix}'}")
    assert [post["file_url"] for post in (one, two, three)] == [row["url"] for row in ROWS]
    assert [post["file_ext"] for post in (one, two, three)] == ["png", "jpg", "jpg"]
    assert [post["id"] for post in (one, two, three)] == [1, 70, 3]
    assert (one["image_width"], one["image_height"], one["tag_string_artist"]) == (640, 480, "ink_nib")
    assert (two["image_width"], two["image_height"], two["tag_string"]) == (0, 0, "1girl solo")
    assert (two["md5"], two["license"], two["rating"]) == ("a" * 32, "CC0", "g")
    assert (three["sha256"], three["rating"]) == ("b" * 64, "s")
    assert not {"other", "url", "hash", "md5"} & three.keys()


def test_a_list_may_give_any_field_of_a_post(tmp_path):
    given = {"score": "12", "tag_string_character": "miku", "is_deleted": "true", "file_ext": "WEBP"}
    given |= {"created_at": "2024-05-31", "pixel_hash": "abc", "md5": "c" * 32, "parent_id": "4"}
    (post,) = source_posts(f"list:{write_list(tmp_path / 'a.csv', [ROWS[0] | given])}")
    assert (post["score"], post["tag_string"], post["is_deleted"]) == (12, "ink_nib miku", True)
    assert (post["file_ext"], post["created_at"], post["parent_id"]) == ("webp", "2024-05-31", 4)
    assert (post["media_asset"], post["md5"]) == ({"pixel_hash": "abc"}, "c" * 32)


def test_values_of_parquet_need_not_be_strings(tmp_path):
    rows = [
        {"url": "https://a.example/1", "id": 5.0, "tags": ["1girl", "solo"], "width": 640, "image": b"1"},
        {"url": "https://a.example/2", "id": float("nan"), "tags": None, "width": None, "image": None},
    ]
    one, two = source_posts(f"list:{write_list(tmp_path / 'a.parquet', rows)}")
    assert (one["id"], one["tag_string"], one["image_width"]) == (5, "1girl solo", 640)
    assert (two["id"], two["tag_string"], two["image_width"]) == (2, "", 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "3"}, "url must begin with http:// or https://, got ''"),
        ({"url": "ftp://a.example/1.png"}, "got 'ftp://a.example/1.png'"),
        ({"url": "/etc/hosts"}, "got '/etc/hosts'"),
        ({"url": "https://a.example/2.png", "id": "1"}, "another row has the id 1"),
        ({"url": "https://a.example/2.png", "id": "one"}, "id must be an integer, got 'one'"),
        ({"url": "https://a.example/2.png", "id": str(2**53)}, "id must be an integer from 1 to"),
        ({"url": "https://a.example/2.png", "hash": "f" * 40}, "md5 must be 32 hexadecimal digits"),
        ({"url": "https://a.example/2.png", "width": "wide"}, "image_width must be an integer, got 'wide'"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_row_that_is_no_post_is_named(tmp_path, suffix, row, reason):
    path = write_list(tmp_path / f"a.{suffix}", [ROWS[0], row])
    sentence = source_error(f"list:{path}")
    assert f"{path} row 2 is no post" in sentence
    assert reason in sentence


def test_a_file_of_another_form_is_refused(tmp_path):
    assert "name a file that ends in .csv, .tsv, .jsonl, .parquet" in source_error(f"list:{tmp_path}")
    assert "is not a list" in source_error(f"list:{tmp_path / 'missing.csv'}")
    for suffix, reason in (
        ("csv", "not a table in UTF-8"),
        ("jsonl", "line 1"),
        ("parquet", "not a Parquet file"),
    ):
        files.write(tmp_path / f"bad.{suffix}", b"\xff\xfe\0")
        assert reason in source_error(f"list:{tmp_path / f'bad.{suffix}'}")
