"""Lists of addresses and of paths give posts in one form; a bad row is named and counted."""

import csv
import hashlib

import pytest
from made import picture
from rig import source_error, source_posts, source_refused, write_lines

from pipeline import files
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.sources.posts import hash_id, reduce_post

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
    assert (source.root, source.remote) == (tmp_path, True)
    one, two, three = source_posts(f"list:{tmp_path / f'list.{suffix}'}")
    assert [post["file_url"] for post in (one, two, three)] == [row["url"] for row in ROWS]
    assert [post.get("file_ext") for post in (one, two, three)] == ["png", None, "jpg"]
    assert [post["id"] for post in (one, two, three)] == [
        hash_id(ROWS[0]["url"]),
        70,
        hash_id(ROWS[2]["url"]),
    ]
    assert (one["image_width"], one["image_height"], one["tag_string_artist"]) == (640, 480, "ink_nib")
    assert (two["image_width"], two["image_height"], two["tag_string"]) == (0, 0, "1girl solo")
    assert (two["md5"], two["license"], two.get("rating")) == ("a" * 32, "CC0", None)
    assert (three["sha256"], three["rating"]) == ("b" * 64, "s")
    assert not {"other", "url", "hash", "md5"} & three.keys()


def test_a_list_may_give_any_field_of_a_post(tmp_path):
    given = {"score": "12", "tag_string_character": "miku", "is_deleted": "true", "file_ext": "WEBP"}
    given |= {"created_at": "2024-05-31", "pixel_hash": "9" * 32, "md5": "c" * 32, "parent_id": "4"}
    (post,) = source_posts(f"list:{write_list(tmp_path / 'a.csv', [ROWS[0] | given])}")
    assert (post["score"], post["tag_string"], post["is_deleted"]) == (12, "ink_nib miku", True)
    assert (post["file_ext"], post["created_at"], post["parent_id"]) == ("webp", "2024-05-31", 4)
    assert (post["media_asset"], post["md5"]) == ({"pixel_hash": "9" * 32}, "c" * 32)


def test_values_of_parquet_need_not_be_strings(tmp_path):
    rows = [
        {"url": "https://a.example/1", "id": 5.0, "tags": ["1girl", "solo"], "width": 640, "image": b"1"},
        {"url": "https://a.example/2", "id": float("nan"), "tags": None, "width": None, "image": None},
    ]
    one, two = source_posts(f"list:{write_list(tmp_path / 'a.parquet', rows)}")
    assert (one["id"], one["tag_string"], one["image_width"]) == (5, "1girl solo", 640)
    assert (two["id"], two["tag_string"], two["image_width"]) == (hash_id(rows[1]["url"]), "", 0)


BROKEN = [  # a row, why it is no post, and the end of the sentence
    ({"id": "3"}, "bad url", "got ''"),
    ({"url": "ftp://a.example/1.png"}, "bad url", "got 'ftp://a.example/1.png'"),
    ({"url": "http:///1.png"}, "bad url", "got 'http:///1.png'"),
    ({"url": "http://a..b/1.png"}, "bad url", "and a host, got 'http://a..b/1.png'"),
    ({"url": f"http://{'a' * 70}.example/"}, "bad url", ""),
    ({"url": "http://a.example:port/"}, "bad url", "got 'http://a.example:port/'"),
    ({"url": "http://[::1/1.png"}, "bad url", "got 'http://[::1/1.png'"),
    ({"url": "/etc/hosts"}, "outside", "below the folder of the list, got '/etc/hosts'"),
    ({"url": "../1.png"}, "outside", "got '../1.png'"),
    ({"url": "file:///etc/hosts"}, "outside", "got 'file:///etc/hosts'"),
    ({"url": "file://server/1.png"}, "bad url", "or be a file of this machine, got 'file://server/1.png'"),
    ({"url": "data:image/png;base64"}, "bad url", "got 'data:image/png;base64'"),
    ({"url": "C:\\1.png"}, "gone", ""),
    ({"url": "a" * 300}, "gone", "there is no such file"),
    ({"url": "file:///%00"}, "outside", ""),
    ({"url": "nowhere.png"}, "gone", "there is no such file"),
    ({"url": "https://a.example/2.png", "id": "1"}, "same id", "row 1 has the id 1"),
    ({"url": "https://a.example/x/one.PNG"}, "same id", ""),
    ({"url": "https://a.example/2.png", "id": "one"}, "bad id", "id must be an integer from 1 to"),
    ({"url": "https://a.example/2.png", "id": str(2**52)}, "bad id", "got '4503599627370496'"),
    ({"url": "https://a.example/2.png", "hash": "f" * 40}, "bad md5", "must be 32 hexadecimal digits"),
    ({"url": "https://a.example/2.png", "width": "wide"}, "bad image_width", "an integer, got 'wide'"),
    ({"url": "https://a.example/2.png", "score": "high"}, "bad score", "must be a number, got 'high'"),
    ({"url": "https://a.example/2.png", "score": "inf"}, "bad score", "must be a number, got 'inf'"),
    ({"url": "https://a.example/2.png", "rating": "x"}, "bad rating", "must be g, s, q or e, got 'x'"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_row_that_is_no_post_is_named_and_the_list_goes_on(tmp_path, suffix):
    first = {"url": "https://a.example/x/one.PNG", "id": "1"}
    again = {"url": "https://a.example/x/one.PNG"}  # the same address, first without an id
    last = {"url": "https://a.example/last.png", "id": "99"}
    rows = [first, again, *(row for row, _, _ in BROKEN), last]
    path = write_list(tmp_path / f"a.{suffix}", rows)
    assert [post["id"] for post in source_posts(f"list:{path}")][::2] == [1, 99]
    refused = source_refused(f"list:{path}")
    assert len(refused) == len(BROKEN)
    for number, ((_, reason, detail), (name, why, more)) in enumerate(zip(BROKEN, refused, strict=True), 3):
        assert (name, why) == (f"row {number}", reason)
        assert detail in more


def test_a_line_that_is_no_json_is_named_and_the_list_goes_on(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", {"url": "https://a.example/1"}, {"url": "https://a.example/2"})
    path.write_bytes(b"{\n[]\n" + path.read_bytes() + b"[" * 100_000)
    assert len(source_posts(f"list:{path}")) == 2
    assert [row[:2] for row in source_refused(f"list:{path}")] == [
        (f"row {number}", "bad JSON") for number in (1, 2, 5)
    ]


def test_a_file_of_another_form_is_refused(tmp_path):
    files.write(tmp_path / "a.txt", b"")
    assert "name a file that ends in .csv, .tsv, .jsonl, .parquet" in source_error(
        f"list:{tmp_path / 'a.txt'}"
    )
    assert "is not a list: there is no such file" in source_error(f"list:{tmp_path / 'missing.csv'}")
    write_list(tmp_path / "cut.parquet", ROWS * 100)
    data = bytearray((tmp_path / "cut.parquet").read_bytes())
    data[4:200] = bytes(196)
    files.write(tmp_path / "cut.parquet", bytes(data))
    assert "not a Parquet file" in source_error(f"list:{tmp_path / 'cut.parquet'}")
    for suffix, reason in (
        ("csv", "not a table in UTF-8"),
        ("parquet", "not a Parquet file"),
    ):
        files.write(tmp_path / f"bad.{suffix}", b"\xff\xfe\0")
        assert reason in source_error(f"list:{tmp_path / f'bad.{suffix}'}")


LONG = "hat " * 100_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_may_be_divided_and_written_in_the_ways_of_spreadsheets(tmp_path, encoding, mark, end):
    rows = [
        ("URL", "Tags", "Author"), ("https://a.example/1.png", '"hat\nscarf"', "Zoë Müller"), (),
        ("https://a.example/2.png", '"hat, blue eyes"', '"say ""Ann"""'), ("", "", ""), ("https://b.example/3",),
    ]  # fmt: skip
    text = end.join(mark.join(row) for row in rows)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    posts = source_posts(f"list:{tmp_path / 'a.csv'}")
    assert [post["tag_string_general"] for post in posts] == ["hat scarf", "hat blue_eyes", ""]
    assert [post["tag_string_artist"] for post in posts] == ["zoë_müller", 'say_"ann"', ""]
    assert [row[:2] for row in source_refused(f"list:{tmp_path / 'a.csv'}")] == [("row 3", "bad url")]


def test_a_row_of_another_form_is_named_and_the_table_goes_on(tmp_path):
    rows = [
        b"url,tags", b"https://a.example/1,hat", b"https://a.example/2,1girl, comic", b"https://a.example/3,\xe9",
        b'https://a.example/4,"hat"scarf', b"https://a.example/5," + LONG.encode(), b"https://a.example/6,,,",
        b'https://a.example/7,"not closed', b"https://a.example/8,hat",
    ]  # fmt: skip
    files.write(tmp_path / "a.csv", b"\n".join(rows))
    posts = source_posts(f"list:{tmp_path / 'a.csv'}")
    assert [post["file_url"][-1] for post in posts] == ["1", "6"]
    assert [row[:2] for row in source_refused(f"list:{tmp_path / 'a.csv'}")] == [
        ("row 2", "bad row"), ("row 3", "bad text"), ("row 4", "bad row"), ("row 5", "bad row"),
        ("row 7", "bad row"),
    ]  # fmt: skip


def test_a_table_without_rows_has_no_posts_and_one_without_columns_says_so(tmp_path):
    files.write(tmp_path / "a.csv", b"url,tags\n")
    assert source_posts(f"list:{tmp_path / 'a.csv'}") == []
    files.write(tmp_path / "b.csv", b"https://a.example/1.png\nhttps://a.example/2.png\n")
    sentence = "has no column url or path, but https://a.example/1.png: name the column url"
    assert sentence in source_error(f"list:{tmp_path / 'b.csv'}")


def test_scores_may_have_decimals(tmp_path):
    rows = [
        {"url": f"https://a.example/{n}", "score": score} for n, score in enumerate(["6.1", "6.0", "-7", ""])
    ]
    posts = source_posts(f"list:{write_list(tmp_path / 'a.csv', rows)}")
    assert [post.get("score") for post in posts] == [6.1, 6, -7, None]


def test_what_a_row_does_not_tell_is_unknown(tmp_path):
    (post,) = source_posts(f"list:{write_list(tmp_path / 'a.csv', [{'url': 'https://a.example/1.png'}])}")
    reduced = reduce_post(post)
    unknown = ("rating", "score", "license", "created_at", "tag_string_artist", "source", "md5")
    assert not set(unknown) & reduced.keys()
    assert not post.get("created_at")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_the_names_of_columns_may_be_capitals_and_a_table_without_an_address_lists_its_own(tmp_path, suffix):
    rows = [{"URL": "https://a.example/1.png", "TEXT": "a girl", "Author": "Ann Lee"}]
    (post,) = source_posts(f"list:{write_list(tmp_path / f'a.{suffix}', rows)}")
    assert (post["tag_string"], post["tag_string_artist"]) == ("ann_lee", "ann_lee")
    path = write_list(tmp_path / f"b.{suffix}", [{"image": "https://a.example/1.png", "text": "a girl"}])
    if suffix != "jsonl":
        assert "has no column url or path, but image, text: name the column url" in source_error(
            f"list:{path}"
        )


def test_a_list_of_local_files_takes_paths_and_file_addresses_below_its_folder(tmp_path):
    home = tmp_path / "my pictures"
    data = [png.encode_png(picture(number, 40, 30)) for number in range(6)]
    names = ["a.png", "deep/b c.png", "deep/d.php", "e#.jfif", "f", "deep/g: 1.png"]
    for name, each in zip(names, data, strict=True):
        files.write(home / name, each)
    (home / "note.txt").write_text("no picture")
    rows = [
        {"path": "a.png", "license": "CC BY 4.0", "author": "Ann Lee", "tags": "1girl, blue eyes"},
        {"path": "./deep/../deep/b c.png", "license": "", "author": "", "tags": ""},
        {"path": str(home / "deep/d.php"), "license": "", "author": "", "tags": ""},
        {"path": (home / "e#.jfif").as_uri(), "license": "", "author": "", "tags": ""},
        {"path": "f", "license": "", "author": "", "tags": ""},
        {"path": "deep\\g: 1.png", "license": "", "author": "", "tags": ""},
        {"path": "note.txt", "license": "", "author": "", "tags": ""},
    ]
    with (home / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    posts = source_posts(f"list:{home / 'list.csv'}")
    assert [post["file_url"] for post in posts] == names
    assert [post["md5"] for post in posts] == [hashlib.md5(each).hexdigest() for each in data]
    assert {post["file_ext"] for post in posts} == {"png"}
    assert {post["image_width"] for post in posts} == {40}
    assert (posts[0]["license"], posts[0]["tag_string"]) == ("CC BY 4.0", "1girl ann_lee blue_eyes")
    assert source_refused(f"list:{home / 'list.csv'}") == [
        ("row 7", "wrong type", "no picture that can be read")
    ]
    in_folder = {post["file_url"]: post["id"] for post in source_posts(home)}
    assert in_folder == {post["file_url"]: post["id"] for post in posts}


def test_a_local_file_that_differs_from_its_hash_is_refused(tmp_path):
    files.write(tmp_path / "a.png", png.encode_png(picture(1)))
    for kind, digits in (("md5", 32), ("sha256", 64)):
        path = write_list(tmp_path / "a.csv", [{"path": "a.png", kind: "0" * digits}])
        assert source_refused(f"list:{path}") == [("row 1", "mismatch", f"another {kind}")]
        right = hashlib.new(kind, (tmp_path / "a.png").read_bytes()).hexdigest()
        assert (
            len(source_posts(f"list:{write_list(tmp_path / 'b.csv', [{'path': 'a.png', kind: right}])}")) == 1
        )


def test_the_scheme_of_an_address_may_be_in_capitals(tmp_path):
    path = write_list(tmp_path / "a.csv", [{"url": "HTTPS://A.example/B.png"}])
    assert [post["file_url"] for post in source_posts(f"list:{path}")] == ["https://A.example/B.png"]


def test_a_name_that_tells_no_type_is_left_to_the_bytes(tmp_path):
    names = {"a.jfif": "jpg", "a.jpe": "jpg", "a.php": None, "a": None, "a.apng": "png", "a.mp4": "mp4"}
    rows = [{"url": f"https://{n}.example/{name}"} for n, name in enumerate(names)]
    posts = source_posts(f"list:{write_list(tmp_path / 'a.csv', rows)}")
    assert [post.get("file_ext") for post in posts] == list(names.values())
