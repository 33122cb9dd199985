"""A fault hits the requests that its rule names, as the rule says, and no others."""

import dataclasses
import hashlib
import json
import re
import socket
import time
from http.client import IncompleteRead
from urllib.parse import quote, urlsplit

import pytest
from loopback import get

from pipeline.booru import catalog, faults, site
from pipeline.booru.server import Answer, Request
from pipeline.errors import Halt
from pipeline.sources import posts
from stages.booru import booru as command

POSTS = [posts.describe_post(number, b"%03d" % number * 200, "png") for number in range(1, 201)]
DATA = b"050" * 200


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self):
        """Return the time in seconds."""
        return self.now


def rules(tmp_path, *given, clock=time.monotonic):
    """Read rules as a user writes them."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(given))
    return faults.read_faults(path, clock)


@pytest.fixture
def serve(tmp_path):
    """Return a function that serves 200 posts with faults."""

    def start(*given, clock=time.monotonic):
        served = catalog.Catalog(POSTS, lambda post: b"%03d" % post["id"] * 200)
        return site.serve(served, faults=rules(tmp_path, *given, clock=clock))

    return start


def original(number):
    """Return the path of the file of a post."""
    md5 = POSTS[number - 1]["md5"]
    return f"/original/{md5[:2]}/{md5[2:4]}/{md5}.png"


def broken(address, target, **headers):
    """Return the part of a body that arrived before it broke off, and the number of missing bytes."""
    with pytest.raises(IncompleteRead) as end:
        get(address, target, **headers)
    return end.value.partial, end.value.expected


FILE = original(50)

# ---------------------------------------------------------------- which requests


def test_without_a_rule_nothing_happens(serve):
    with serve() as address:
        assert get(address, FILE)[::2] == (200, DATA)


def test_a_rule_hits_the_targets_that_it_matches_and_no_others(serve):
    with serve({"fault": "status", "status": 502, "match": "^/original/"}) as address:
        assert get(address, FILE)[0] == 502
        assert get(address, "/posts/1.json")[0] == 200
        assert get(address, "/posts.json?tags=/original/")[0] == 200


def test_the_first_rule_that_hits_decides(serve):
    with serve(
        {"fault": "status", "status": 502, "match": "posts", "times": 1},
        {"fault": "status", "status": 504},
        {"fault": "page"},
    ) as address:
        assert [get(address, "/posts/1.json")[0] for _ in range(3)] == [502, 504, 504]


def test_a_share_of_the_targets_fails_always_the_same_ones_and_other_faults_hit_others(tmp_path):
    fine = Answer(200, "image/png", DATA)

    def failing(**rule):
        asked = rules(tmp_path, {"share": 0.2} | rule)
        return {n for n in range(1, 201) if asked(Request(original(n)), 200, lambda request: fine) != fine}

    first = failing(fault="status")
    assert 20 < len(first) < 60
    assert failing(fault="status", status=404) == first
    assert failing(fault="status", share=0.4) > first
    assert len(first & failing(fault="corrupt")) < 20
    assert failing(fault="status", share=0) == set()


def test_each_target_fails_the_given_number_of_times_and_then_succeeds(serve):
    with serve({"fault": "status", "times": 2}) as address:
        assert [get(address, FILE)[0] for _ in range(4)] == [503, 503, 200, 200]
        assert [get(address, original(51))[0] for _ in range(3)] == [503, 503, 200]
        pages = ["/posts.json?page=b50", "/posts.json?page=b60"]
        assert [get(address, page)[0] for page in pages * 3] == [503, 503, 503, 503, 200, 200]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("retry_after", [True, False])
def test_a_limit_begins_with_every_nth_request_and_lasts_its_seconds(serve, retry_after):
    clock = Clock()
    rule = {"fault": "limit", "every": 3, "seconds": 10, "retry_after": retry_after, "match": "^/posts"}
    with serve(rule, clock=clock) as address:
        assert [get(address, "/posts/1.json")[0] for _ in range(4)] == [200, 200, 429, 429]
        clock.now = 9.2
        status, headers, body = get(address, "/posts/2.json")
        assert (status, headers.get("Retry-After")) == (429, "1" if retry_after else None)
        assert json.loads(body)["error"] == "RateLimiter::RateLimitError"
        assert get(address, FILE)[0] == 200
        clock.now = 10
        assert [get(address, "/posts/1.json")[0] for _ in range(4)] == [200, 200, 429, 429]
        clock.now = 20
        assert get(address, "/posts/1.json")[0] == 200


def test_asking_while_limited_costs_more_time_but_no_more_than_30_seconds(serve):
    clock = Clock()
    with serve({"fault": "limit", "every": 1, "seconds": 5, "penalty": 8}, clock=clock) as address:
        waits = [get(address, FILE)[1]["Retry-After"] for _ in range(7)]
        assert waits == ["5", "13", "21", "29", "35", "35", "35"]
        clock.now = 34
        assert get(address, FILE)[1]["Retry-After"] == "1"
        clock.now = 35
        assert get(address, FILE)[1]["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ({"tags": ""}, 200),
        ({"tags": "id:..150"}, 150),
        ({"tags": "id:101..150 status:active"}, 50),
        ({"tags": "id:101..900"}, 100),
        ({"tags": "id:>100 id:<=150"}, 50),
        ({"tags": "id:<51"}, 50),
        ({"tags": "ID:7"}, 1),
        ({"tags": "id:7,9"}, 3),
        ({"tags": "-id:7"}, 200),
        ({"tags": "id:101..", "page": "b151"}, 50),
        ({"tags": "id:..150", "page": "a100"}, 50),
        ({"tags": "id:101..150", "page": "b300"}, 50),
    ],
)
def test_a_search_times_out_above_a_window_of_ids(serve, query, span):
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    for path in ("/posts.json", "/counts/posts.json"):
        if "page" in query and path != "/posts.json":
            continue
        with serve({"fault": "canceled", "window": span}) as address:
            assert get(address, f"{path}?{text}")[0] == 200
        with serve({"fault": "canceled", "window": span - 1}) as address:
            status, _, body = get(address, f"{path}?{text}")
            assert (status, json.loads(body)["error"]) == (500, "ActiveRecord::QueryCanceled")


def test_only_searches_time_out_and_bad_ones_are_bad(serve):
    with serve({"fault": "canceled", "window": 0}) as address:
        assert (
            get(address, FILE)[0] == get(address, "/posts/1.json")[0] == get(address, "/tags.json")[0] == 200
        )
        assert get(address, f"/posts.json?md5={POSTS[0]['md5']}")[0] == 200
        assert get(address, "/posts.json?tags=id:five")[0] == get(address, "/posts.json?page=x")[0] == 400
        assert get(address, "/posts.json?page=1001")[0] == 410


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451, 500, 502, 503, 504])
def test_a_status_is_json_for_the_api_and_a_page_for_files(serve, status):
    with serve({"fault": "status", "status": status}) as address:
        answer, headers, body = get(address, "/posts.json?tags=x")
        error = json.loads(body)
        assert (answer, headers["Content-Type"], error["success"]) == (status, "application/json", False)
        assert set(error) == {"success", "error", "message", "backtrace"}
        assert (error["error"] == "User::PrivilegeError") == (status == 403)
        answer, headers, _ = get(address, FILE)
        assert (answer, headers["Content-Type"]) == (status, "text/html")


def test_edge_page_and_redirect_replace_the_answer_of_the_site(serve):
    with serve(
        {"fault": "edge", "match": "/posts/1"},
        {"fault": "page", "match": "/posts/2"},
        {"fault": "redirect", "match": "/posts/3", "location": "https://example.net/x"},
    ) as address:
        status, headers, body = get(address, "/posts/1.json")
        assert (status, headers["Content-Type"], headers["cf-mitigated"]) == (403, "text/html", "challenge")
        status, headers, body = get(address, "/posts/2.json")
        assert (status, headers["Content-Type"], body[:15]) == (200, "text/html", b"<!DOCTYPE html>")
        status, headers, body = get(address, "/posts/3.json")
        assert (status, headers["Location"], body) == (302, "https://example.net/x", b"")


# ---------------------------------------------------------------- damage


def test_a_truncated_body_breaks_off_though_all_of_it_is_declared(serve):
    with serve({"fault": "truncate", "keep": 0.25}) as address:
        assert broken(address, FILE) == (DATA[:150], 450)
        assert broken(address, FILE, Range="bytes=200-") == (DATA[200:300], 300)
        assert broken(address, "/posts/1.json")[1] > 0


def test_a_truncated_file_is_whole_after_enough_resumptions(serve):
    with serve({"fault": "truncate", "times": 3}) as address:
        got = broken(address, FILE)[0]
        for _ in range(2):
            got += broken(address, FILE, Range=f"bytes={len(got)}-")[0]
        status, headers, rest = get(address, FILE, Range=f"bytes={len(got)}-")
    assert (status, headers["Content-Range"]) == (206, f"bytes {len(got)}-599/600")
    assert got + rest == DATA


def test_a_short_file_is_short_in_every_range(serve):
    with serve({"fault": "short", "keep": 0.5}) as address:
        status, headers, body = get(address, FILE)
        assert (status, headers["Content-Length"], body) == (200, "300", DATA[:300])
        assert get(address, FILE, Range="bytes=100-")[::2] == (206, DATA[100:300])
        status, headers, _ = get(address, FILE, Range="bytes=300-")
        assert (status, headers["Content-Range"]) == (416, "bytes */300")
        assert get(address, FILE, method="HEAD")[1]["Content-Length"] == "300"


def test_an_empty_answer_has_no_byte(serve):
    with serve({"fault": "empty"}) as address:
        for headers in ({}, {"Range": "bytes=100-"}):
            status, headers, body = get(address, FILE, **headers)
            assert (status, headers["Content-Type"], body) == (200, "image/png", b"")


def test_a_corrupt_file_has_the_right_length_and_the_same_wrong_byte_each_time(serve):
    with serve({"fault": "corrupt"}) as address:
        status, _, body = get(address, FILE)
        again = get(address, FILE, Range="bytes=200-")
    assert (status, len(body)) == (200, len(DATA))
    assert hashlib.md5(body).hexdigest() != POSTS[49]["md5"]
    assert sum(one != other for one, other in zip(body, DATA, strict=True)) == 1
    assert again[::2] == (206, body[200:])


@pytest.mark.parametrize(
    ("kind", "start"), [("image/gif", b"GIF89a"), ("video/mp4", b"\0\0\0\x18ftyp"), ("text/css", b"\0")]
)
def test_a_file_of_another_type_looks_like_one(serve, kind, start):
    with serve({"fault": "type", "content_type": kind}) as address:
        status, headers, body = get(address, FILE)
    assert (status, headers["Content-Type"]) == (200, kind)
    assert body.startswith(start)


def test_a_stalled_body_pauses_and_then_ends(serve):
    with serve({"fault": "stall", "keep": 0.5, "seconds": 0.1}) as address:
        start = time.monotonic()
        assert broken(address, FILE) == (DATA[:300], 300)
        assert time.monotonic() - start >= 0.1


def test_while_a_body_stalls_others_are_answered_and_the_site_shuts_down_at_once(serve):
    with serve({"fault": "stall", "keep": 0.5, "seconds": 600, "match": "original"}) as address:
        client = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), 5)
        client.sendall(f"GET {FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = b""
        while not got.endswith(DATA[:300]):
            got += client.recv(1000)
        assert get(address, "/posts/1.json")[0] == 200
        start = time.monotonic()
    assert time.monotonic() - start < 5
    with client:
        assert client.recv(1000) == b""


def test_with_keep_0_no_byte_of_the_body_is_sent(serve):
    with serve({"fault": "truncate", "keep": 0}) as address:
        assert broken(address, FILE) == (b"", 600)


def test_faults_leave_accounts_and_agents_to_the_site(serve):
    with serve({"fault": "corrupt"}) as address:
        assert get(address, "/posts/1.json", agent="python-requests/2")[0] == 403


# ---------------------------------------------------------------- files of faults


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("limit", 'a fault must be an object with the key "fault"'),
        ({"match": "x"}, 'a fault must be an object with the key "fault"'),
        ({"fault": "flood"}, "fault must be one of status, limit, .*, redirect, got 'flood'"),
        ({"fault": ["limit"]}, r"fault must be one of .*, got \['limit'\]"),
        ({"fault": "limit", "window": 3}, "a key of limit must be one of .*penalty, got 'window'"),
        ({"fault": "edge", "matches": "x"}, "a key of edge must be one of .*times, got 'matches'"),
        ({"fault": "limit", "every": 0}, "every must be an integer of at least 1, got 0"),
        ({"fault": "limit", "every": True}, "every must be an integer of at least 1, got True"),
        ({"fault": "limit", "retry_after": 1}, "retry_after must be true or false, got 1"),
        ({"fault": "limit", "seconds": "5"}, "seconds must be a number of at least 0, got '5'"),
        ({"fault": "stall", "keep": 1.5}, "keep must be a number from 0 to 1, got 1.5"),
        ({"fault": "edge", "share": -1}, "share must be a number from 0 to 1, got -1"),
        ({"fault": "edge", "times": 0}, "times must be an integer of at least 1, got 0"),
        ({"fault": "status", "status": 200}, "status must be an integer from 400 to 599, got 200"),
        ({"fault": "redirect", "location": None}, "location must be text, got None"),
        ({"fault": "edge", "match": "["}, r"match must be a regular expression \(.*\), got '\['"),
        ({"fault": "edge", "match": 5}, "match must be text, got 5"),
    ],
)
def test_a_bad_rule_is_named_with_its_error(tmp_path, rule, sentence):
    with pytest.raises(Halt, match=rf"faults\.json, fault 2: {sentence}: correct it$"):
        rules(tmp_path, {"fault": "page"}, rule)


def test_a_file_that_holds_no_rules_stops_with_a_sentence(tmp_path):
    path = tmp_path / "faults.json"
    with pytest.raises(Halt, match="does not exist: name a JSON file"):
        faults.read_faults(path)
    for text, sentence in (
        ("[{", "is no JSON"),
        ('{"fault": "page"}', "must hold a list of faults, got dict"),
    ):
        path.write_text(text)
        with pytest.raises(Halt, match=sentence):
            faults.read_faults(path)


def test_the_help_has_every_fault_with_its_keys_and_defaults():
    defaults = {field.name: field.default for field in dataclasses.fields(faults.FaultRule)}
    explained = dict(re.findall(r"^    - (\w+): ((?:.|\n      )+)", command.__doc__, re.MULTILINE))
    assert set(explained) == {*faults.FAULT_KEYS, *faults.COMMON_KEYS} - {"fault"}
    for fault, keys in faults.FAULT_KEYS.items():
        for key in keys:
            default = json.dumps(defaults[key]).strip('"').removesuffix(".0")
            assert f"{key} ({default})" in explained[fault]
