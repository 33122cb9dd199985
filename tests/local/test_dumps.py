"""Dumps, old and new, give posts in one form; a bad line is named and counted."""

import gzip
import json
from itertools import count, islice

import pytest
from rig import source_error, source_posts, source_refused, write_lines

from pipeline import files
from pipeline.local import dumps
from pipeline.local.source import open_source
from pipeline.local.tables import TableRow
from pipeline.sources import query
from pipeline.sources.posts import CATEGORIES

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
    "media_asset": {"pixel_hash": "9" * 32, "variants": []}, "md5": "A" * 32, "file_size": 99,
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
    assert new["media_asset"] == {"pixel_hash": "9" * 32}
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
    ("line", "reason", "detail"),
    [
        (b"{", "bad JSON", "Expecting"),
        (b"\xff\xfe", "bad JSON", "decode"),
        (b"[]", "bad JSON", "not an object"),
        (json.dumps(OLD | {"id": None}).encode(), "no id", ""),
        (json.dumps(OLD | {"id": "x"}).encode(), "bad id", "id must be an integer from 1 to"),
        (json.dumps(OLD | {"id": 0}).encode(), "bad id", "got '0'"),
        (json.dumps(OLD | {"id": 2**52}).encode(), "bad id", f"from 1 to {2**52 - 1}"),
        (json.dumps(OLD | {"rating": ""}).encode(), "no rating", ""),
        (json.dumps(OLD | {"rating": "x"}).encode(), "bad rating", "rating must be g, s, q or e, got 'x'"),
        (json.dumps(OLD | {"file_ext": "../x"}).encode(), "bad file_ext", "must be letters and digits"),
        (json.dumps(OLD | {"created_at": "yesterday"}).encode(), "bad created_at", "'yesterday'"),
        (json.dumps(OLD | {"tags": [{"name": "solo"}]}).encode(), "bad tags", "'category'"),
        (json.dumps(OLD | {"tags": [7]}).encode(), "bad tags", "not all are texts"),
        (json.dumps(OLD | {"md5": "z"}).encode(), "bad md5", "md5 must be 32 hexadecimal digits, got 'z'"),
    ],
)
def test_a_line_that_is_no_post_is_named_and_the_others_are_given(tmp_path, line, reason, detail):
    host = make_dump(tmp_path, OLD)
    path = tmp_path / "metadata" / "posts.json"
    files.write(path, path.read_bytes() + line + b"\n" + json.dumps(NEW).encode())
    assert [post["id"] for post in source_posts(host)] == [4567123, 8]
    [(name, why, more)] = source_refused(host)
    assert (name, why) == ("metadata/posts.json line 2", reason)
    assert detail in more


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
    lines = (TableRow(n, NEW | {"id": n}) for n in count(1))
    monkeypatch.setattr(dumps, "read_json_lines", lambda path: lines)
    assert [post["id"] for post in islice(open_source(host).posts(), 3)] == [1, 2, 3]
