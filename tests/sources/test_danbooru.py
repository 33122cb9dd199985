"""A Danbooru is searched over real sockets: every post once, whatever the site goes through meanwhile."""

import json
import re
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from rig import Clock, answers, make_post, make_posts, read, refuse

from pipeline.booru import site as booru_site
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer
from pipeline.errors import Halt
from pipeline.sources import danbooru
from pipeline.sources.posts import POST_FIELDS, reduce_post
from pipeline.web.client import open_site

TAGS = "status:active"


def found(host, ceiling, tags=TAGS):
    """List the ids that a search finds, in the order in which they come."""
    with open_site(host, clock=Clock()) as site:
        return [post["id"] for post in danbooru.browse_posts(site, tags, ceiling)]


def asked(traffic):
    """List the parameters of the requests."""
    queries = (parse_qs(urlsplit(target).query) for target in traffic.targets)
    return [{name: value for name, (value,) in query.items()} for query in queries]


def down(*numbers):
    """Write down numbers from the largest to the smallest."""
    return sorted(numbers, reverse=True)


# ---------------------------------------------------------------- cursors


def test_cursors_find_every_post_once_and_end_with_an_empty_page(serve, traffic):
    posts = make_posts(450)
    with serve(posts) as host:
        assert found(host, 1350) == down(*(post["id"] for post in posts))
    assert [query["page"] for query in asked(traffic)] == ["b1351", "b753", "b153", "b3"]
    assert {query["limit"] for query in asked(traffic)} == {"200"}


def test_a_site_that_gives_smaller_pages_is_searched_to_the_end(serve, traffic, monkeypatch):
    monkeypatch.setattr(danbooru, "PAGE_SIZE", 7)
    with serve(make_posts(30)) as host:
        assert len(found(host, 90)) == 30


def test_every_request_names_its_posts_and_fields(serve, traffic):
    with serve(make_posts(250)) as host:
        found(host, 750, "hat status:active rating:g")
    for query in asked(traffic):
        assert re.fullmatch(r"hat status:active rating:g id:\d+\.\.750", query["tags"])
        assert query["only"] == danbooru.ONLY_FIELDS


def test_the_requested_fields_are_those_that_are_kept():
    names = set(re.sub(r",media_asset\[.*\]", "", danbooru.ONLY_FIELDS).split(","))
    assert names <= set(POST_FIELDS)
    assert {"created_at", "tag_string", "large_file_url"}.isdisjoint(names)
    with_all = dict.fromkeys([*POST_FIELDS, "created_at", "tag_string", "large_file_url"], "x")
    assert set(reduce_post(with_all)) >= names


def test_posts_above_the_ceiling_are_not_found(serve):
    with serve(make_posts(10)) as host:
        assert found(host, 15) == [15, 12, 9, 6, 3]


def test_deleted_posts_are_not_found_and_hidden_ones_are_without_a_file(serve):
    hidden = make_post(2, is_banned=True)
    with serve([make_post(1), hidden, make_post(3, is_deleted=True)]) as host, open_site(host) as site:
        posts = list(danbooru.browse_posts(site, TAGS, 3))
    assert [post["id"] for post in posts] == [2, 1]
    assert {"md5", "file_url", "variants"}.isdisjoint(posts[0])
    assert posts[0]["is_banned"]
    assert posts[1]["file_url"].startswith("/original/")


def test_posts_that_come_and_go_between_two_pages_disturb_no_other(traffic):
    posts = make_posts(450)
    left = {post["id"] for post in posts}

    def between(request):
        if "page=b753" in request.target:  # the second page
            del posts[100:110]  # yet to come
            del posts[400]  # already found
            posts.append(make_post(2000))
            posts.insert(0, make_post(1))  # one that was hidden before

    with booru_site.serve(Catalog(posts, read), between) as host:
        ids = found(host, 1350)
    gone = {3 * number for number in range(101, 111)}
    assert ids == down(1, *left - gone)


@pytest.mark.parametrize(
    "page",
    [
        {"success": True},
        ["post"],
        [{"md5": "0"}],
        [{"id": "3"}],
        [{"id": True}],
        "posts",
        None,
    ],
)
def test_a_site_that_sends_no_list_of_posts_is_no_danbooru(serve, traffic, page):
    traffic.troubles["/posts.json"] = Answer(200, "application/json", json.dumps(page).encode())
    sentence = "no list of posts: check that host names a Danbooru"
    with serve([]) as host, pytest.raises(Halt, match=sentence):
        found(host, 9)
    assert len(traffic.targets) == 1


def test_a_site_without_cursors_is_not_asked_forever(serve, traffic):
    traffic.troubles["/posts.json"] = Answer(200, "application/json", b'[{"id": 8}, {"id": 7}]')
    sentence = "posts that were not asked for: check that host names a Danbooru"
    with serve([]) as host, pytest.raises(Halt, match=sentence):
        found(host, 9)
    assert len(traffic.targets) == 2


SIZE = {"width": 1, "height": 1, "file_ext": "jpg"}
BAD_FIELDS = [
    {"file_url": 7}, {"file_url": "//example.org/a.png"}, {"file_url": "file:///etc/passwd"},
    {"file_url": ["/a.png"]}, {"media_asset": []}, {"media_asset": "x"}, {"media_asset": {"variants": 7}},
    {"media_asset": {"variants": [7]}}, {"media_asset": {"variants": [{"type": "sample"}]}},
    {"media_asset": {"variants": [{"type": ["sample"], "url": "/a"}, {}]}},
    {"media_asset": {"variants": [{"type": "sample", "url": 7} | SIZE]}},
    {"media_asset": {"variants": [{"type": "sample", "url": "a"} | SIZE]}},
    {"media_asset": {"pixel_hash": {"a": 1}}}, {"tag_string_general": ["a", "b"]}, {"tag_string_artist": 7},
    {"md5": 0}, {"md5": "../../etc/passwd"}, {"md5": "0" * 31}, {"rating": "explicit please"}, {"rating": {}},
    {"score": "many"}, {"score": 10**40}, {"score": True}, {"file_ext": "../png"}, {"file_ext": 5},
    {"file_size": -1}, {"file_size": 1.5}, {"image_width": "600"}, {"image_height": 10**40},
    {"parent_id": "1"}, {"parent_id": -4}, {"source": {"a": 1}}, {"is_banned": "no"}, {"id": 10**40},
    {"source": json.loads("[" * 700 + "]" * 700)}, {"id": 2.0}, {"id": None}, {"id": -2}, {"id": 99},
]  # fmt: skip


@pytest.mark.parametrize("fields", BAD_FIELDS, ids=lambda fields: json.dumps(fields)[:50])
def test_a_malformed_post_costs_one_post_and_is_counted(serve, traffic, fields):
    uploads = [make_post(number, file_url=f"/original/{number}.png") for number in (3, 2, 1)]
    uploads[1] = uploads[1] | fields
    page = Answer(200, "application/json", json.dumps(uploads).encode())
    traffic.troubles["/posts.json"] = answers(page, Answer(200, "application/json", b"[]"))
    tally = Counter()
    with serve([]) as host, open_site(host) as site:
        posts = list(danbooru.browse_posts(site, TAGS, 9, tally))
    assert [post["id"] for post in posts] == [3, 1]
    assert +tally == {"malformed": 1}


def test_fields_that_a_site_cannot_have_are_not_taken_from_it(serve, traffic):
    own = {"sketch_url": "/x.pkl", "sketch_half": "right", "sha256": "0" * 64, "license": "CC0", "own": [1]}
    fields = {"tag_string_general": "a\x1b[31m b", "source": "https://ann:pw@example.org/?token=1\n2"}
    page = json.dumps([make_post(1, file_url="/a.png", **own, **fields)]).encode()
    traffic.troubles["/posts.json"] = answers(Answer(200, "application/json", page))
    with serve([]) as host, open_site(host) as site:
        [post] = danbooru.browse_posts(site, TAGS, 9)
    assert own.keys().isdisjoint(post)
    assert post["tag_string_general"] == "a\ufffd[31m b"
    assert post["source"] == "https://example.org/?token=*** 2"


@pytest.mark.parametrize("fields", [{"md5": 7}, {"rating": "g", "score": 0, "file_url": "/a.png"}])
def test_a_site_that_gives_malformed_posts_or_one_after_the_other_is_not_asked_for_ever(
    serve, traffic, fields
):
    def answer(target):
        high = int(re.search(r"page=b(\d+)", target)[1]) - 1
        return Answer(200, "application/json", json.dumps([{"id": high} | fields]).encode())

    traffic.troubles["/posts.json"] = answer
    with serve([]) as host, pytest.raises(Halt, match="20 pages with too few posts: check that host"):
        found(host, 10**9)
    assert len(traffic.targets) == 20


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("window", [1, 2, 3, 7, 50, 99, 100, 500])
def test_a_range_that_takes_too_long_is_halved_until_it_passes_and_every_post_is_found(window):
    posts = [make_post(number) for number in (1, 2, 30, 31, 64, 65, 66, 100)]
    faults = Faults([FaultRule("canceled", window=window)])
    with booru_site.serve(Catalog(posts, read), faults=faults) as host:
        assert found(host, 100) == down(*(post["id"] for post in posts))


def test_a_window_grows_again_where_there_are_no_posts(serve, traffic):
    posts = [make_post(number) for number in (1, *range(99_900, 100_001))]

    def dense(target):  # the newest thousand ids are hard to search
        low = int(re.search(r"id%3A(\d+)", target)[1])
        high = int(re.search(r"page=b(\d+)", target)[1]) - 1
        canceled = high > 99_000 and high - low >= 1000
        return refuse(500, "ActiveRecord::QueryCanceled") if canceled else None

    traffic.troubles["/posts.json"] = dense
    with serve(posts) as host:
        assert found(host, 100_000) == down(*(post["id"] for post in posts))
    assert len(traffic.targets) < 25  # 98 windows of 1000 ids


def test_a_site_that_cannot_search_one_id_is_left_alone(serve, traffic):
    traffic.troubles["/posts.json"] = refuse(500, "ActiveRecord::QueryCanceled")
    sentence = r"cannot even search one id \(500 ActiveRecord::QueryCanceled: no\): ask for fewer tags"
    with serve(make_posts(3)) as host, pytest.raises(Halt, match=sentence):
        found(host, 1000)
    assert len(traffic.targets) == 10  # 1000, 500, 250, 125, 62, 31, 15, 7, 3, 1


def test_a_busy_moment_does_not_cost_a_post(serve, traffic):
    traffic.troubles["page=b753"] = answers(refuse(503), refuse(429), refuse(500))
    with serve(make_posts(450)) as host:
        assert len(set(found(host, 1350))) == 450


# ---------------------------------------------------------------- the ceiling


def test_the_newest_id_is_requested_once_and_remembered(traffic, tmp_path):
    posts = make_posts(3)
    with booru_site.serve(Catalog(posts, read), traffic) as host, open_site(host) as site:
        assert danbooru.id_ceiling(site, tmp_path / "ceilings.json") == 9
        posts.append(make_post(12))
        assert danbooru.id_ceiling(site, tmp_path / "ceilings.json") == 9
        assert len(traffic.targets) == 1
        assert danbooru.id_ceiling(site, tmp_path / "others.json") == 12


def test_one_file_remembers_several_sites(serve, tmp_path):
    path = tmp_path / "ceilings.json"
    for count in (1, 2):
        with serve(make_posts(count)) as host, open_site(host) as site:
            danbooru.id_ceiling(site, path)
    assert sorted(json.loads(path.read_text()).values()) == [3, 6]


@pytest.mark.parametrize("text", ["{,}", "[]", '{"HOST": "x"}', '{"HOST": null}'])
def test_a_file_of_ceilings_that_was_edited_badly_is_named(serve, tmp_path, text):
    path = tmp_path / "ceilings.json"
    with serve(make_posts(1)) as host, open_site(host) as site:
        path.write_text(text.replace("HOST", host))
        with pytest.raises(Halt, match=r"ceilings\.json does not hold .*: repair it or remove it"):
            danbooru.id_ceiling(site, path)


def test_a_site_without_posts_has_no_ceiling(serve):
    sentence = "has no posts: check that host names a Danbooru"
    with serve([]) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        danbooru.ask_newest_id(site)


# ---------------------------------------------------------------- counts


def test_a_site_counts_posts_or_does_not_say(serve, traffic):
    with serve(make_posts(30)) as host, open_site(host) as site:
        assert danbooru.ask_count(site, "id:..9") == 3
        traffic.troubles["/counts"] = Answer(200, "application/json", b'{"counts":{"posts":null}}')
        assert danbooru.ask_count(site, "") is None
        traffic.troubles["/counts"] = refuse(500, "ActiveRecord::QueryCanceled")
        assert danbooru.ask_count(site, "hat") is None


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"7", b'{"counts":7}', b'{"counts":{"posts":"7"}}', b'{"counts":{"posts":-1}}']
)
def test_a_site_that_sends_no_count_is_no_danbooru(serve, traffic, body):
    traffic.troubles["/counts"] = Answer(200, "application/json", body)
    sentence = "a count with none: check that host names a Danbooru"
    with serve([]) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        danbooru.ask_count(site, "")


def test_a_search_without_end_ends(serve, traffic, monkeypatch):
    monkeypatch.setattr(danbooru, "MAX_PAGES", 30)

    def answer(target):
        high = int(re.search(r"page=b(\d+)", target)[1])
        page = [{"id": number, "rating": "g", "file_url": "/a.png"} for number in range(high - 25, high)]
        return Answer(200, "application/json", json.dumps(page).encode())

    traffic.troubles["/posts.json"] = answer
    with serve([]) as host, open_site(host) as site, pytest.raises(Halt, match="more than 30 pages: ask for"):
        list(danbooru.browse_posts(site, TAGS, 2**53 - 1))
    assert len(traffic.targets) == 30
