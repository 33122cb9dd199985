"""The client asks a real server over sockets, politely and completely."""

import dataclasses
import hashlib
import re
import socket
import threading

import pytest
from rig import ALL, Clock, answers, find, make_post, make_posts, read, refuse

from pipeline import Halt, danbooru
from pipeline.booru import Answer
from pipeline.danbooru import open_site
from pipeline.params import Search

# ---------------------------------------------------------------- search


def test_a_search_takes_the_newest_posts_and_writes_them_by_id(serve, tmp_path):
    with serve(make_posts(30)) as host:
        posts = find(host, tmp_path / "posts.jsonl", dataclasses.replace(ALL, limit=7))
    assert [post["id"] for post in posts] == [72, 75, 78, 81, 84, 87, 90]
    assert set(posts[0]) == set(danbooru.FIELDS.split(","))
    assert posts[0]["md5"] == hashlib.md5(read({"id": 72})).hexdigest()


def test_cursors_find_every_post_once(serve, traffic, tmp_path):
    with serve(make_posts(450)) as host:
        posts = find(host, tmp_path / "posts.jsonl")
    assert [post["id"] for post in posts] == [3 * number for number in range(1, 451)]
    assert len(traffic.targets) == 4  # 200, 200, 50 and none
    assert [re.findall(r"page=(\w+)", target) for target in traffic.targets] == [
        [],
        ["b753"],
        ["b153"],
        ["b3"],
    ]


def test_an_equal_answer_gives_equal_bytes_whatever_the_port(serve, tmp_path):
    for name in ("one", "two"):
        with serve(make_posts(5)) as host:
            find(host, tmp_path / name)
            assert host.rpartition(":")[2].encode() not in (tmp_path / name).read_bytes()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"127.0.0.1" not in (tmp_path / "one").read_bytes()


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), [1, 5]),
        (Search(rating="g,s"), [1, 2, 5]),
        (Search(score=-5), [1, 3, 5]),
        (Search(size=100), [1, 4, 5]),
        (Search(tags="solo -hat"), [5]),
        (Search(tags="hat id:..3", score=-5), [1, 3]),
    ],
)
def test_a_search_filters_and_never_finds_deleted_posts(serve, tmp_path, search, expected):
    posts = [
        make_post(1, score=5, tag_string_general="hat"),
        make_post(2, rating="s", tag_string_general="hat"),
        make_post(3, score=-5, tag_string_general="hat"),
        make_post(4, image_width=500),
        make_post(5, tag_string_general="solo"),
        make_post(6, is_deleted=True, tag_string_general="solo"),
        make_post(7, image_height=99),
    ]
    with serve(posts) as host:
        assert [post["id"] for post in find(host, tmp_path / "posts.jsonl", search)] == expected


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tags": "hat solo -monochrome"}, "tags must be at most 2 without an account"),
        ({"tags": "hat solo user:ann"}, "tags must be at most 2"),
        ({"tags": "hat dates: date"}, "tags must be at most 2"),
        ({"tags": "order:score"}, "tags must not ask for an order"),
        ({"rating": "safe"}, "rating must be some of g, s, q and e"),
        ({"rating": ""}, "rating must be"),
    ],
)
def test_a_search_that_the_site_would_refuse_is_never_sent(serve, traffic, fields, sentence):
    with serve(make_posts(1)) as host, open_site(host) as site, pytest.raises(ValueError, match=sentence):
        danbooru.search(site, Search(**fields))
    assert traffic.targets == []


def test_progress_is_told_after_each_page(serve):
    seen = []
    with serve(make_posts(250)) as host, open_site(host) as site:
        list(danbooru.search(site, ALL, lambda *numbers: seen.append(numbers)))
    assert seen == [(200, 1000), (250, 1000)]


def test_nothing_found_stops_with_the_search_in_the_sentence(serve):
    sentence = r"no post for 'nobody status:active rating:g score:>=0"
    with serve(make_posts(1)) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, Search(tags="nobody")))


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id":"9"}', '{"id":3}', "7", ""])
def test_a_bad_line_among_the_posts_is_named(tmp_path, line):
    path = tmp_path / "posts.jsonl"
    path.write_text(f'{{"id":3}}\n{line}\n{{"id":9}}\n')
    with pytest.raises(Halt, match=r"posts\.jsonl line 2 is not the next post: run search again"):
        danbooru.read_posts(path)
    with pytest.raises(Halt, match="does not exist: run search first"):
        danbooru.read_posts(tmp_path / "nowhere")


# ---------------------------------------------------------------- manners


def test_a_site_elsewhere_is_not_asked_without_a_contact(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("opened a socket"))
    with pytest.raises(Halt, match="set PREP_CONTACT"), open_site("https://danbooru.donmai.us"):
        pass


@pytest.mark.parametrize(
    ("host", "who", "sentence"),
    [
        ("danbooru.donmai.us", {}, "host must be an address"),
        ("ftp://donmai.us", {}, "host must be an address"),
        ("http://donmai.us", {"login": "ann", "api_key": "secret"}, "host must begin with https"),
        ("https://donmai.us", {"login": "ann"}, "must be set together"),
        ("https://donmai.us", {"contact": "me\nX-Injected: 1"}, "must be printable ASCII"),
    ],
)
def test_bad_addresses_and_names_are_bad_parameters_that_keep_the_key_secret(host, who, sentence):
    with pytest.raises(ValueError, match=sentence) as error, open_site(host, **({"contact": "me"} | who)):
        pass
    assert "secret" not in str(error.value)


def test_the_agent_names_the_program_the_user_and_the_contact():
    with open_site("https://example.org", "me@example.org", "ann", "secret") as site:
        assert re.fullmatch(
            r"inkwash/[\d.]+ \(user ann; me@example\.org\)", site.session.headers["User-Agent"]
        )
        assert "secret" not in repr(site)


def test_a_site_elsewhere_gets_one_request_a_second_however_many_ask_and_loopback_any_number():
    clock = Clock()
    with open_site("https://example.org", "me", rate=2.0, clock=clock) as site:
        for _ in range(5):
            site.wait()
    assert clock.now == 2.0
    with open_site("http://127.0.0.1:9", clock=clock) as site:
        for _ in range(5):
            site.wait()
    assert clock.now == 2.0
    waits = []
    counter = Clock()
    counter.sleep = waits.append  # time stands still: all ask at once
    with open_site("https://example.org", "me", clock=counter) as site:
        threads = [threading.Thread(target=site.wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(waits) == [1.0, 2.0, 3.0]


def test_the_site_says_how_long_to_wait(serve, traffic):
    traffic.troubles["/posts.json"] = answers(
        refuse(429, **{"Retry-After": "7"}), refuse(429, **{"Retry-After": "30"})
    )
    clock = Clock()
    with serve(make_posts(3)) as host, open_site(host, clock=clock) as site:
        assert len(list(danbooru.search(site, ALL))) == 3
    assert clock.slept == [7, 30]


def test_without_a_word_from_the_site_the_wait_doubles_with_jitter(serve, traffic):
    traffic.troubles["/posts.json"] = answers(*map(refuse, (429, 500, 502, 503)))
    clock = Clock()
    with serve(make_posts(3)) as host, open_site(host, clock=clock) as site:
        assert len(list(danbooru.search(site, ALL))) == 3
    assert [2**n <= slept <= 2 * 2**n for n, slept in enumerate(clock.slept)] == [True] * 4
    assert any(slept != round(slept) for slept in clock.slept)


def test_after_five_tries_a_busy_site_is_left_alone(serve, traffic):
    traffic.troubles["/posts.json"] = refuse(504)
    sentence, clock = r"/posts\.json failed 5 times \(504 .*what was fetched is kept", Clock()
    with (
        serve(make_posts(3)) as host,
        open_site(host, clock=clock) as site,
        pytest.raises(Halt, match=sentence),
    ):
        list(danbooru.search(site, ALL))
    assert len(traffic.targets) == 5


def test_a_site_that_is_not_there_is_asked_five_times():
    sentence, clock = r"failed 5 times \(ConnectionError", Clock()
    with open_site("http://127.0.0.1:9", clock=clock) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, ALL))
    assert len(clock.slept) == 4


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse(400), r"400 Some::Error: no\): check host and tags"),
        (refuse(401), "check PREP_LOGIN and PREP_API_KEY"),
        (refuse(403), r"403 Some::Error: no\): ask for less, or with an account"),
        (refuse(422), "ask for fewer tags"),
        (refuse(302, Location="https://example.org/"), "refused"),
        (Answer(403, "text/html", b"<html>"), r"turned away the agent 'inkwash/.*check PREP_CONTACT"),
        (Answer(200, "text/html", b"<html>"), "is no JSON: check that host names a Danbooru"),
        (Answer(200, "application/json", b"{}"), "no list: check that host names a Danbooru"),
    ],
)
def test_a_refusal_stops_at_once_with_what_to_do(serve, traffic, answer, sentence):
    traffic.troubles["/posts.json"] = answer
    with serve(make_posts(3)) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, ALL))
    assert len(traffic.targets) == 1
