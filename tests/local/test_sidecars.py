"""The files that people keep beside their pictures tell of them, in one order."""

import json
import os

import pytest
from made import picture
from rig import source_posts, source_refused

from pipeline import files
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.params import Search
from pipeline.sources.search import search_posts

DRAWN = png.encode_png(picture(1, 40, 30))


def post_with(folder, name="art/girl.png", **beside):
    """Return the post of a picture with files beside it, given by their names."""
    files.write(folder / name, DRAWN)
    for path, content in beside.items():
        text = content if isinstance(content, str) else json.dumps(content)
        files.write(folder / path, text.encode())
    [post] = source_posts(folder)
    assert source_refused(folder) == []
    return post


# What gallery-dl writes for a post of Danbooru, and for a page of a work on another site.
DANBOORU = {
    "category": "danbooru", "id": 4567123, "rating": "q", "score": 12, "md5": "0" * 32, "image_width": 9,
    "tag_string": "ann blue_eyes hat", "tag_string_artist": "ann", "tag_string_general": "blue_eyes hat",
    "tags": ["ann", "blue_eyes", "hat"], "tags_artist": ["ann"], "source": "https://a.example/1",
    "created_at": "2024-05-31T01:02:03.000-04:00", "extension": "png", "filename": "girl",
}  # fmt: skip
PIXIV = {
    "category": "pixiv", "id": 58286727, "num": 1, "rating": "R-18", "tags": ["Blue Eyes", "hat"],
    "date": "2016-08-05 22:34:37", "user": {"name": "Ann"}, "width": 1, "height": 1,
}  # fmt: skip


def test_what_gallery_dl_writes_beside_a_picture_is_read(tmp_path):
    post = post_with(tmp_path, **{"art/girl.png.json": DANBOORU})
    assert (post["id"], post["rating"], post["score"], post["tag_string_artist"]) == (4567123, "q", 12, "ann")
    assert (post["tag_string"], post["source"]) == ("ann blue_eyes hat", "https://a.example/1")
    assert (post["image_width"], post["md5"] != "0" * 32) == (40, True)  # these the picture itself tells


def test_pages_of_one_work_on_another_site_stay_apart(tmp_path):
    for number in range(3):
        files.write(tmp_path / f"58286727_p{number}.png", DRAWN)
        files.write_json(tmp_path / f"58286727_p{number}.png.json", PIXIV | {"num": number})
    posts = source_posts(tmp_path)
    assert len({post["id"] for post in posts}) == 3
    assert {(post["rating"], post["tag_string"]) for post in posts} == {("e", "blue_eyes hat")}


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("1girl, blue eyes, hat", "1girl blue_eyes hat"),
        ("\ufeff1girl, blue_eyes,\r\nhat\r\n", "1girl blue_eyes hat"),
        ("1girl\nblue eyes\nhat\n", "1girl blue_eyes hat"),
        ("1girl blue_eyes hat", "1girl blue_eyes hat"),  # as boorus write them
        ("2girls comic hat", "2girls comic hat"),
        ("a girl with a hat\n", "a_girl_with_a_hat"),  # a caption
        ("A girl with a hat, standing.", "a_girl_with_a_hat standing."),
        ("hat", "hat"),
        (" \n", ""),
    ],
)
@pytest.mark.parametrize("name", ["art/girl.txt", "art/girl.png.txt"])
def test_a_caption_of_tags_is_read(tmp_path, name, text, tags):
    post = post_with(tmp_path, **{name: text})
    assert (post["tag_string_general"], post["tag_string_artist"]) == (tags, "")


def test_a_caption_may_be_utf_16(tmp_path):
    files.write(tmp_path / "art/girl.txt", "猫耳, blue eyes".encode("utf-16"))
    assert post_with(tmp_path)["tag_string"] == "blue_eyes 猫耳"


def test_a_manifest_beside_or_above_a_picture_is_read(tmp_path):
    above = 'Path,License,Author,Tags\nart\\girl.png,CC0,Ann Lee,"hat, blue eyes"\n'
    post = post_with(tmp_path, **{"MANIFEST.csv": above})
    assert (post["license"], post["tag_string_artist"]) == ("CC0", "ann_lee")
    assert post["tag_string"] == "ann_lee blue_eyes hat"
    nearer = "path,license,date\n./girl.png,CC BY 4.0,2024-05-31\n"
    post = post_with(tmp_path, **{"art/MANIFEST.csv": nearer})
    assert (post["license"], post["created_at"]) == ("CC BY 4.0", "2024-05-31")
    assert post["tag_string_artist"] == "ann_lee"  # which the nearer one does not tell


@pytest.mark.parametrize("row", ["path,color/a.png", "file,./color/a.png", "name,a", "file_name,a"])
def test_a_manifest_of_a_paired_set_may_be_beside_its_two_folders_and_give_the_name_of_a_pair(tmp_path, row):
    for folder in ("color", "sketch"):
        files.write(tmp_path / folder / "a.png", DRAWN)
    column, name = row.split(",")
    files.write(tmp_path / "MANIFEST.csv", f"{column},licence\n{name},CC0\nsketch/a.png,MIT\n".encode())
    [post] = source_posts(f"pairs:{tmp_path}")
    assert post["license"] == "CC0"
    assert source_refused(f"pairs:{tmp_path}") == []


MANIFESTS = [  # all of one content
    b'path,license,tags\na.png,CC0,"hat, Blue Eyes"\n',
    b"path;license;tags\r\na.png;CC0;hat, Blue Eyes\r\n",
    b"path\tlicense\ttags\na.png\tCC0\that, Blue Eyes\n",
    b'\xef\xbb\xbf Path , LICENCE,Tags\n\n./a.png,CC0,"hat\nBlue Eyes"\n\n',
    "path\tlicense\ttags\na.png\tCC0\that, Blue Eyes\n".encode("utf-16"),
    b'repo,path,file,license,tags\nann/art,drawn/1.psd,a.png,CC0,"hat,blue eyes"\n',
    b"tags|file_name|license\nhat, blue eyes|a.png|CC0\n",
    b'path,license,tags\na.png,CC0,"hat,blue_eyes",,\n',
]


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_manifest_may_be_written_in_the_ways_of_spreadsheets(tmp_path, text):
    files.write(tmp_path / "a.png", DRAWN)
    files.write(tmp_path / "MANIFEST.csv", text)
    [post] = source_posts(tmp_path)
    assert (post["license"], post["tag_string"]) == ("CC0", "blue_eyes hat")
    assert source_refused(tmp_path) == []


def test_a_manifest_may_give_whole_paths(tmp_path):
    files.write(tmp_path / "deep/a.png", DRAWN)
    files.write(tmp_path / "MANIFEST.csv", f"path,license\n{tmp_path}/deep/a.png,CC0\n".encode())
    assert [post["license"] for post in source_posts(tmp_path)] == ["CC0"]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"picture,license\na.png,CC0\n", "has no column path or file or file_name or filename or name"),
        (b"picture,license\na.png,CC0\n", "but picture, license: name the column path"),
        (b"", "but no column at all"),
        (b"\xff\xfe\0", "is not a table in UTF-8 or UTF-16"),
        (b'"path,license\na.png,CC0\n', "is not a table"),
    ],
)
def test_a_manifest_of_another_form_is_counted_and_the_search_goes_on(tmp_path, text, detail):
    for name in ("a.png", "deep/b.png"):
        files.write(tmp_path / name, DRAWN)
    files.write(tmp_path / "deep/MANIFEST.csv", text)
    assert len(source_posts(tmp_path)) == 2
    [(name, reason, told)] = source_refused(tmp_path)
    assert (name, reason) == ("deep/MANIFEST.csv", "bad manifest")
    assert detail in told


def test_a_row_of_a_manifest_that_cannot_be_used_is_named_or_refuses_its_picture(tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        files.write(tmp_path / f"{name}.png", DRAWN)
    files.write(tmp_path / "note.txt", b"not about a picture")
    rows = [
        b"path,tags", b"a.png,hat", b"nowhere.png,hat", b",hat", b"b.png,1girl, comic, hat", b"c.png,\xe9",
        b"note.txt,x", b'd.png,"hat"scarf', b"e.png,scarf", b'f.png,"never closed', b"a.png,other",
    ]  # fmt: skip
    files.write(tmp_path / "MANIFEST.csv", b"\n".join(rows))
    assert {post["file_url"]: post["tag_string"] for post in source_posts(tmp_path)} == {
        "a.png": "hat", "d.png": "", "e.png": "scarf",
    }  # fmt: skip
    assert [row[:2] for row in source_refused(tmp_path)] == [
        ("note.txt", "wrong type"), ("MANIFEST.csv row 2", "gone"), ("MANIFEST.csv row 3", "gone"),
        ("MANIFEST.csv row 7", "bad row"), ("MANIFEST.csv row 9", "bad row"),
        ("b.png", "bad row"), ("c.png", "bad text"),
    ]  # fmt: skip


def test_the_first_file_that_tells_a_field_counts(tmp_path):
    post = post_with(
        tmp_path,
        **{
            "art/girl.json": {"score": 1},
            "art/girl.png.json": {"score": 2, "rating": "s"},
            "art/girl.txt": "hat, scarf",
            "MANIFEST.csv": "path,score,rating,tags,license\nart/girl.png,3,e,other,CC0\n",
        },
    )
    told = (post["score"], post["rating"], post["tag_string"], post["license"])
    assert told == (1, "s", "hat scarf", "CC0")


BROKEN = {
    "girl.json": [
        ("[", "bad JSON"), ("[1]", "bad JSON"), ("[" * 100_000, "bad JSON"), ('{"id": "x"}', "bad id"),
        ('{"id": 0}', "bad id"), ('{"id": 4503599627370496}', "bad id"), ('{"id": -3}', "bad id"),
        ('{"rating": "lovely"}', "bad rating"), ('{"tags": 5}', "bad tags"),
        ('{"created_at": "yesterday"}', "bad created_at"), ('{"license": {}}', "bad license"),
    ],
    "girl.txt": [("\udcff", "bad text"), ("\udcff\udcfe\0", "bad text")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "reason"), [(n, *each) for n in BROKEN for each in BROKEN[n]])
def test_metadata_that_cannot_be_read_refuse_their_picture_and_no_other(tmp_path, name, text, reason):
    for other in ("girl.png", "hat.png"):
        files.write(tmp_path / other, DRAWN)
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    assert [post["file_url"] for post in source_posts(tmp_path)] == ["hat.png"]
    assert [row[:2] for row in source_refused(tmp_path)] == [("girl.png", reason)]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_metadata_that_may_not_be_read_refuse_their_picture_and_no_other(tmp_path):
    for name in ("girl.png", "hat.png"):
        files.write(tmp_path / name, DRAWN)
    files.write(tmp_path / "girl.json", b"{}")
    (tmp_path / "girl.json").chmod(0)
    assert [post["file_url"] for post in source_posts(tmp_path)] == ["hat.png"]


@pytest.mark.parametrize("name", ["a.json", "a.png.json", "a.txt", "MANIFEST.csv"])
def test_a_blacklist_holds_wherever_a_tag_is_told(tmp_path, name):
    for each in ("a.png", "b.png"):
        files.write(tmp_path / "in" / each, DRAWN)
    text = {"txt": "Photo (medium), hat", "csv": 'path,tags\na.png,"hat, photo (medium)"\n'}
    told = text.get(name.rpartition(".")[2], '{"tags": ["hat", "Photo \\\\(medium\\\\)"]}')
    files.write(tmp_path / "in" / name, told.encode())
    counts = search_posts(open_source(str(tmp_path / "in")), tmp_path / "posts.jsonl", Search(size=1))
    assert counts == {"posts": 1, "skipped": {"blacklist": 1}}
