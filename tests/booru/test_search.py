"""The loopback site searches as a Danbooru does."""

import math

import pytest
from loopback import ACCOUNTS, POSTS, ask, get, ids, read

from pipeline.booru import catalog, sample
from pipeline.booru.site import serve
from pipeline.sources import query
from pipeline.sources.posts import CATEGORIES, describe_post


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("odd", lambda n: n % 2),
        ("-odd", lambda n: n % 2 == 0),
        ("odd -ann", lambda n: n % 2 and n >= 100),
        (":d bob", lambda n: n % 2 == 0 and n >= 100),
        ("status:active", lambda n: n % 7),
        ("status:deleted", lambda n: n % 7 == 0),
        ("-status:deleted", lambda n: n % 7),
        ("status:banned", lambda n: n == 11),
        ("status:any", lambda n: True),
        ("rating:g,s", lambda n: n % 4 < 2),
        ("rating:general", lambda n: n % 4 == 0),
        ("-rating:e", lambda n: n % 4 != 3),
        ("score:>=150", lambda n: n - 50 >= 150),
        ("score:>150", lambda n: n - 50 > 150),
        ("score:<-40", lambda n: n - 50 < -40),
        ("score:<=-40", lambda n: n - 50 <= -40),
        ("score:-10..3", lambda n: -10 <= n - 50 <= 3),
        ("score:-10", lambda n: n == 40),
        ("id:..10", lambda n: n <= 10),
        ("id:240..", lambda n: n >= 240),
        ("id:>240 id:<=245", lambda n: 240 < n <= 245),
        ("id:7", lambda n: n == 7),
        ("ID:<7", lambda n: n < 7),
        ("-id:7..250", lambda n: n < 7),
        ("id:9000..", lambda n: False),
        ("id:3,5,100..102", lambda n: n in (3, 5, 100, 101, 102)),
        ("width:50..100 height:>30", lambda n: 5 <= n <= 10 and n > 6),
        ("filetype:png,webp", lambda n: n % 3 != 1),
        ("filesize:<=110", lambda n: n <= 10),
        (f"md5:{POSTS[41]['md5']}", lambda n: n == 42),
        ("parent:5", lambda n: n in (5, 6, 9)),
        ("parent:any", lambda n: n in (6, 9)),
        ("odd even", lambda n: False),
        ("status:active rating:g,s,q score:>0 width:>5 odd bob", lambda n: n % 7 and n % 4 == 1 and n >= 100),
    ],
)
def test_a_search_finds_the_posts_that_match_every_word_newest_first(site, tags, fits):
    expected = [number for number in range(250, 0, -1) if fits(number)]
    assert ids(site, tags) == expected[:200]
    assert ask(site, "/counts/posts.json", tags=tags) == (200, {"counts": {"posts": len(expected)}})


def test_a_page_holds_20_posts_or_up_to_200_on_request(site):
    assert len(ask(site, "/posts.json")[1]) == 20
    assert len(ask(site, "/posts.json", limit=1000)[1]) == 200
    assert ids(site, "", limit=3, page=2) == [247, 246, 245]


def test_cursors_walk_down_and_up_and_every_page_is_newest_first(site):
    assert ids(site, "", limit=3, page="b100") == [99, 98, 97]
    assert ids(site, "", limit=3, page="a100") == [103, 102, 101]
    assert ids(site, "odd", limit=2, page="a100") == [103, 101]
    assert ids(site, "", page="b1") == ids(site, "", page="a250") == []


def test_an_order_is_kept_by_numbered_pages_and_ignored_by_cursors(site):
    assert ids(site, "order:score_asc", limit=3) == [1, 2, 3]
    assert ids(site, "order:score_asc", limit=3, page="b100") == [99, 98, 97]


def test_numbered_pages_end_at_1000(site):
    assert ask(site, "/posts.json", page=1000) == (200, [])
    status, error = ask(site, "/posts.json", page=1001)
    assert (status, error["success"], error["error"]) == (410, False, "PaginationExtension::PaginationError")


@pytest.mark.parametrize("tags", ["odd ann -even", "odd ann order:score", "odd ann nothing"])
def test_a_third_tag_is_refused(site, tags):
    status, error = ask(site, "/posts.json", tags=tags)
    assert (status, error["error"]) == (422, "PostQuery::TagLimitError")
    assert ask(site, "/counts/posts.json", tags=tags)[0] == 422


@pytest.mark.parametrize(
    "query",
    [
        {"tags": "score:high"},
        {"tags": "score:5..x"},
        {"tags": "status:odd"},
        {"tags": "pixiv:5"},
        {"tags": "user:ann"},
        {"page": "x5"},
        {"limit": "-1"},
        {"only": "[md5"},
        {"only": "media_asset[md5"},
        {"only": "id]"},
    ],
)
def test_a_request_that_the_site_cannot_read_gets_an_error_and_not_an_empty_answer(site, query):
    status, error = ask(site, "/posts.json", **query)
    assert (status, error["success"], error["error"]) == (400, False, "ActionController::BadRequest")


@pytest.mark.parametrize("login", [None, "mia", "gus", "pia"])
def test_the_number_of_tags_follows_the_level_of_the_account(site, login):
    limit = query.TAG_LIMITS[ACCOUNTS[login][1] if login else "anonymous"]
    fits, beyond = min(limit, 9), limit + 1
    assert ask(site, "/posts.json", login, tags="odd " * fits + "status:active id:..5")[0] == 200
    if math.isfinite(beyond):
        for path in ("/posts.json", "/counts/posts.json"):
            status, error = ask(site, path, login, tags="odd " * beyond)
            assert (status, error["error"]) == (422, "PostQuery::TagLimitError")
            assert f"more than {limit} tags" in error["message"]


def test_paging_tests_no_more_posts_than_a_page_needs(monkeypatch):
    tested = []
    posts = [describe_post(number, b"%d" % number, "png") for number in range(1, 2_001)]
    parse = query.parse_search
    monkeypatch.setattr(
        query, "parse_search", lambda text: lambda post: tested.append(post) or parse(text)(post)
    )
    with serve(catalog.Catalog(posts, read)) as address:
        for page, first in (("1", 2000), ("2", 1800), ("b900", 899), ("a900", 1100)):
            tested.clear()
            assert ids(address, "status:active", page=page)[0] == first
            assert len(tested) <= 400
        tested.clear()
        assert ids(address, "nothing id:100..200") == []
        assert len(tested) == 101


def test_posts_that_come_later_are_found():
    posts = POSTS[:5]
    with serve(catalog.Catalog(posts, read)) as address:
        assert ids(address, "") == [5, 4, 3, 2, 1]
        posts.append(POSTS[5])
        assert ids(address, "") == [6, 5, 4, 3, 2, 1]
        assert ids(address, "id:..5") == [5, 4, 3, 2, 1]
        assert ask(address, "/posts/6.json")[0] == 200


def test_posts_of_the_sample_are_found_by_their_tags(tmp_path):
    served = sample.sample_catalog(tmp_path, 3, workers=1)
    with serve(served) as address:
        for post in served.posts:
            for tag in (post["tag_string_artist"], post["tag_string_general"].split()[0]):
                assert post["id"] in ids(address, tag)
            status, _, body = get(
                address, ask(address, f"/posts/{post['id']}.json")[1]["file_url"].removeprefix(address)
            )
            assert (status, body) == (200, served.read(post))


def test_tags_have_a_count_of_posts_and_a_category(site):
    _, found = ask(site, "/tags.json", **{"search[name]": "bob,odd,nobody", "search[hide_empty]": "yes"})
    assert found == [
        {"name": "bob", "post_count": 151, "category": 1},
        {"name": "odd", "post_count": 125, "category": 0},
    ]
    assert ask(site, "/tags.json", only="name", limit=2, page=2)[1] == [{"name": "even"}, {"name": "odd"}]
    assert len(ask(site, "/tags.json")[1]) == 5
    assert ask(site, "/tags.json", page="b5")[0] == 400


def test_every_category_has_the_number_that_danbooru_gives_it():
    fields = {f"tag_string_{name}": f"a_{name}" for name in CATEGORIES}
    with serve(catalog.Catalog([describe_post(1, b"", "png", **fields)], read)) as address:
        found = {tag["name"]: tag["category"] for tag in ask(address, "/tags.json")[1]}
    assert found == {"a_general": 0, "a_artist": 1, "a_copyright": 3, "a_character": 4, "a_meta": 5}
