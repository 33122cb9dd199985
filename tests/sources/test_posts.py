"""Posts are reduced to what later stages use, and kept in a file that compares well."""

import json
import tracemalloc
from collections import Counter
from functools import partial
from itertools import islice
from random import Random

import pytest
from rig import make_post

from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.params import Search
from pipeline.sources.posts import (
    MAX_ID,
    MAX_OWN_ID,
    Post,
    count_posts,
    hash_id,
    post_key,
    read_posts,
    reduce_post,
    write_posts,
)
from pipeline.sources.selection import draw_posts


def ids(posts):
    """List the ids of posts."""
    return [post["id"] for post in posts]


# ---------------------------------------------------------------- what is kept of a post


def test_the_fields_that_later_stages_use_are_kept_unless_empty():
    sizes = ("180x180", "360x360", "720x720", "sample", "original")
    listed = [
        {"type": name, "url": f"https://a.b/{name}", "width": 9, "height": 8, "file_ext": "jpg", "x": 1}
        for name in sizes
    ]
    post = make_post(7, tag_string_artist="ann", score=0, source="")
    post |= {"file_url": "https://a.b/file", "media_asset": {"pixel_hash": "0f", "variants": listed}}
    assert reduce_post(post) == {
        "id": 7,
        "md5": post["md5"],
        "rating": "g",
        "score": 0,
        "file_ext": "png",
        "file_size": 2007,
        "image_width": 600,
        "image_height": 700,
        "file_url": "https://a.b/file",
        "tag_string_artist": "ann",
        "pixel_hash": "0f",
        "variants": {
            name: {"url": f"https://a.b/{name}", "width": 9, "height": 8, "file_ext": "jpg"}
            for name in ("720x720", "sample")
        },
    }
    assert reduce_post({"id": 1, "is_banned": True, "media_asset": None}) == {"id": 1, "is_banned": True}


def test_the_fields_of_other_sources_are_kept():
    extra = {"sha256": "ab", "license": "cc0", "sketch_url": "s/1.png", "sketch_half": "right"}
    assert reduce_post({"id": 1} | extra) == {"id": 1} | extra


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:80/a", "/a"),
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
        ("https://cdn.donmai.us/a", "https://cdn.donmai.us/a"),
        ("original/0001/1.png", "original/0001/1.png"),
    ],
)
def test_an_address_loses_the_host_that_was_searched_and_no_other(url, kept):
    variant = {"type": "sample", "url": url, "width": 1, "height": 1, "file_ext": "jpg"}
    post = {"id": 1, "file_url": url, "media_asset": {"variants": [variant]}}
    reduced = reduce_post(post, "http://127.0.0.1:80")
    assert (reduced["file_url"], reduced["variants"]["sample"]["url"]) == (kept, kept)
    assert reduce_post(post)["file_url"] == url


# ---------------------------------------------------------------- the file


def some(*numbers):
    """Make small posts."""
    return [{"id": number, "tag_string_general": "héllo"} for number in numbers]


def test_posts_in_any_order_are_sorted_and_one_of_each_id_is_kept(tmp_path):
    posts = some(9, 3, 1, 7)
    assert write_posts(tmp_path / "new" / "a", [*posts, {"id": 3, "score": 2}]) == 4
    assert list(read_posts(tmp_path / "new" / "a")) == some(1, 3, 7, 9)
    Random(1).shuffle(posts)
    write_posts(tmp_path / "b", posts)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "new" / "a").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "new"]


def test_a_line_is_a_post_so_that_one_more_post_is_one_more_line(tmp_path):
    write_posts(tmp_path / "a", some(1, 9))
    write_posts(tmp_path / "b", some(9, 5, 1))
    before, after = ((tmp_path / name).read_text().splitlines() for name in "ab")
    assert [line for line in after if line not in before] == ['{"id":5,"tag_string_general":"héllo"}']
    assert [line for line in after if line in before] == before


def test_without_posts_no_file_is_written_and_an_earlier_one_stays(tmp_path):
    assert write_posts(tmp_path / "a", []) == 0
    assert list(tmp_path.iterdir()) == []
    write_posts(tmp_path / "a", some(1))
    assert write_posts(tmp_path / "a", iter(())) == 0
    assert ids(read_posts(tmp_path / "a")) == [1]


def test_a_search_that_breaks_off_leaves_the_earlier_file(tmp_path):
    def broken():
        yield from some(1, 2)
        raise Halt("the site is down")

    write_posts(tmp_path / "a", some(7))
    with pytest.raises(Halt):
        write_posts(tmp_path / "a", broken())
    assert ids(read_posts(tmp_path / "a")) == [7]
    assert len(list(tmp_path.iterdir())) == 1


def peak(work):
    """Return the most memory that some work takes, in bytes."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_posts_but_for_their_numbers(tmp_path):
    def posts(count):
        return ({"id": number, "tag_string_general": f"{number:01000}"} for number in range(count, 0, -1))

    draw, peaks = partial(draw_posts, search=Search(limit=10**6, sample=10**5), tally=Counter()), {}
    for count in (100, 1_000, 10_000):  # the first warms up
        path = tmp_path / str(count)
        writing = peak(lambda path=path, count=count: write_posts(path, posts(count), draw))
        reading = peak(lambda path=path: sum(1 for _ in read_posts(path)))
        peaks[count] = writing, reading
    (write_few, read_few), (write_many, read_many) = peaks[1_000], peaks[10_000]
    assert write_many - write_few < 100 * 9_000  # bytes; a post has 1000
    assert read_many < 1.1 * read_few + 10_000


@pytest.mark.parametrize(
    "line",
    [
        '{"id":4,"md5":7}', '{"id":4,"license":{}}', '{"id":4,"rating":"a sentence"}', '{"id":4,"score":"9"}',
        '{"id":4,"variants":[]}', '{"id":4,"variants":{"sample":{"url":7}}}', "[" * 9999,
        '{"id":' + "9" * 5000 + "}",
        "{", "[]", "{}", '{"id":"9"}', '{"id":3}', '{"id":2}', '{"id":true}', '{"id":5.0}', "7", "", "\xff",
    ],
    ids=lambda line: line[:30],
)  # fmt: skip
def test_a_bad_line_among_the_posts_is_named(tmp_path, line):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(f'{{"id":3}}\n{line}\n{{"id":9}}\n'.encode("latin-1"))
    assert ids(islice(read_posts(path), 1)) == [3]
    with pytest.raises(
        Halt, match=r"posts\.jsonl line 2 is (no JSON|not the next post \(.*\)): run search again"
    ):
        list(read_posts(path))


@pytest.mark.parametrize("name", sorted(Post.__annotations__.keys() - {"id"}))
def test_a_field_that_is_null_is_read_as_absent(tmp_path, name):
    (tmp_path / "a").write_bytes(f'{{"id":3,"{name}":null}}\n'.encode())
    assert list(read_posts(tmp_path / "a")) == [{"id": 3}]


def test_ids_are_those_that_json_keeps_exactly(tmp_path):
    (tmp_path / "a").write_bytes(dumps({"id": MAX_ID - 1}))
    assert ids(read_posts(tmp_path / "a")) == [MAX_ID - 1]
    (tmp_path / "a").write_bytes(dumps({"id": MAX_ID}))
    with pytest.raises(Halt, match="line 1 is not the next post"):
        list(read_posts(tmp_path / "a"))


def test_where_there_is_no_file_a_search_comes_first(tmp_path):
    for reading in (count_posts, lambda path: list(read_posts(path))):
        with pytest.raises(Halt, match="does not exist: run search first"):
            reading(tmp_path / "nowhere")


def test_posts_are_read_as_they_were_written(tmp_path):
    posts = [reduce_post(make_post(number, tag_string_general='tab\t "quote" \u2028 é')) for number in (2, 5)]
    write_posts(tmp_path / "a", posts)
    assert list(read_posts(tmp_path / "a")) == posts
    lines = (tmp_path / "a").read_bytes().split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == posts


def test_no_address_keeps_a_login_and_none_of_a_list_or_a_source_a_secret():
    variants = [
        {"type": "sample", "url": "https://ann:pw@x.org/s", "width": 1, "height": 1, "file_ext": "jpg"}
    ]
    urls = {"file_url": "https://ann:pw@x.org/a?token=1", "source": "https://ann@x.org/?size=2&api_key=3#top"}
    post = reduce_post({"id": 1, "media_asset": {"variants": variants}} | urls)
    assert post["file_url"] == "https://x.org/a?token=***"  # the list still has it
    assert post["source"] == "https://x.org/?size=2&api_key=***#top"
    assert post["variants"]["sample"]["url"] == "https://x.org/s"
    path = "ann/key?token=1.png"  # of a folder
    assert reduce_post({"id": 1, "file_url": path})["file_url"] == path


# ---------------------------------------------------------------- ids of posts without one


def test_the_id_of_a_name_is_none_that_a_source_may_give_and_json_keeps_it():
    names = [f"ann/{number}.png" for number in range(1000)]
    found = [hash_id(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(MAX_OWN_ID <= number < MAX_ID for number in found)
    assert json.loads(json.dumps(found), parse_int=float) == found  # readers with doubles alone agree
    assert hash_id("e\u0301.png") == hash_id("\u00e9.png")  # one name in two forms of Unicode
    assert hash_id("ann/0.png") == 6204217364651185  # for ever
    assert post_key({"id": found[0]}) == str(found[0])
    assert post_key({"id": 7}) == "000000007"
