"""The loopback site answers as danbooru.md says."""

import json
import socket
import struct
import time
from http.client import HTTPConnection
from statistics import median
from urllib.parse import quote, urlsplit

import pytest

from pipeline import Halt, booru, catalog

AGENT = "inkwash/test (user tester; nobody@example.org)"


def make_post(number):
    """Make a post whose every field follows from its id, and that differs from its neighbors in each."""
    return catalog.describe(
        number,
        bytes([number]) * (100 + number),
        ("png", "jpg", "webp")[number % 3],
        rating="gsqe"[number % 4],
        score=number - 50,
        image_width=10 * number,
        image_height=5 * number,
        parent_id=5 if number in (6, 9) else None,
        has_children=number == 5,
        is_deleted=number % 7 == 0,
        is_banned=number == 11,
        tag_string_general="even :d" if number % 2 == 0 else "odd",
        tag_string_artist="ann" if number < 100 else "bob",
        media_asset={"pixel_hash": f"{number:032x}", "variants": [number]},
    )


POSTS = [make_post(number) for number in range(1, 251)]


def read(post):
    """Return the file of a post; that of post 13 is lost."""
    if post["id"] == 13:
        raise FileNotFoundError
    return bytes([post["id"]]) * (100 + post["id"])


@pytest.fixture(scope="module")
def site():
    """Serve 250 posts."""
    with booru.serve(catalog.Catalog(POSTS, read)) as address:
        yield address


def get(address, target, agent=AGENT):
    """Return status, headers and body of an answer."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=5)
    try:
        connection.request("GET", target, headers={"User-Agent": agent})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ask(address, path, **query):
    """Return status and JSON of an answer."""
    text = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    status, _, body = get(address, f"{path}?{text}")
    return status, json.loads(body)


def ids(address, tags, **query):
    """Return the ids that a search answers with."""
    status, posts = ask(address, "/posts.json", **({"tags": tags, "limit": 200, "only": "id"} | query))
    assert status == 200
    return [post["id"] for post in posts]


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
def test_a_search_finds_the_posts_that_every_word_fits_the_newest_first(site, tags, fits):
    expected = [number for number in range(250, 0, -1) if fits(number)]
    assert ids(site, tags) == expected[:200]
    assert ask(site, "/counts/posts.json", tags=tags) == (200, {"counts": {"posts": len(expected)}})


def test_a_page_holds_20_posts_or_as_many_as_are_asked_for_up_to_200(site):
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
def test_what_the_site_does_not_understand_is_an_error_and_not_an_empty_answer(site, query):
    status, error = ask(site, "/posts.json", **query)
    assert (status, error["success"], error["error"]) == (400, False, "ActionController::BadRequest")


def test_only_reduces_posts_to_the_fields_it_names_however_deep(site):
    only = "id,media_asset[pixel_hash],rating,nonsense"
    _, posts = ask(site, "/posts.json", tags="id:7", only=only)
    assert posts == [{"id": 7, "media_asset": {"pixel_hash": f"{7:032x}"}, "rating": "e"}]
    _, whole = ask(site, "/posts/7.json", only="media_asset")
    assert whole == {"media_asset": {"pixel_hash": f"{7:032x}", "variants": [7]}}


def test_a_post_is_found_by_id_and_by_md5_as_one_object(site):
    _, post = ask(site, "/posts/42.json")
    md5 = POSTS[41]["md5"]
    assert post == POSTS[41] | {"file_url": f"{site}/original/{md5[:2]}/{md5[2:4]}/{md5}.png"}
    assert ask(site, "/posts.json", md5=md5) == (200, post)
    for path, query in (("/posts/251.json", {}), ("/posts.json", {"md5": "0" * 32})):
        status, error = ask(site, path, **query)
        assert (status, error["error"]) == (404, "ActiveRecord::RecordNotFound")


def test_a_hidden_post_shows_neither_its_md5_nor_where_its_file_is(site):
    md5 = POSTS[10]["md5"]
    _, post = ask(site, "/posts/11.json")
    assert post["is_banned"]
    assert md5 not in json.dumps(post)
    assert get(site, f"/original/{md5[:2]}/{md5[2:4]}/{md5}.webp")[0] == 404
    assert ask(site, "/posts.json", md5=md5)[0] == 404


def test_an_original_arrives_byte_for_byte_and_a_lost_one_is_404(site):
    for number, status in ((12, 200), (13, 404)):
        _, post = ask(site, f"/posts/{number}.json")
        answer, headers, body = get(site, post["file_url"].removeprefix(site))
        assert answer == status
        if status == 200:
            assert headers["Content-Type"] == "image/png"
            assert body == read(POSTS[11])


@pytest.mark.parametrize("agent", ["python-requests/2.32", "Mozilla/5.0 (X11; Linux)"])
def test_the_edge_turns_away_browsers_and_unnamed_scripts_with_a_page(site, agent):
    for target in ("/posts.json", "/original/aa/aa/x.png"):
        status, headers, body = get(site, target, agent)
        assert (status, headers["Content-Type"], headers["cf-mitigated"]) == (403, "text/html", "challenge")
        assert body.startswith(b"<!DOCTYPE html>")


def test_robots_may_have_files_but_not_the_api(site):
    assert b"Disallow: /*.json\nAllow: /original\n" in get(site, "/robots.txt")[2]


def test_many_requests_on_one_connection_are_answered_at_once(site):
    connection = HTTPConnection(urlsplit(site).netloc, timeout=5)
    times = []
    for _ in range(30):
        start = time.monotonic()
        connection.request("GET", "/posts/1.json", headers={"User-Agent": AGENT})
        assert connection.getresponse().read()
        times.append(time.monotonic() - start)
    connection.close()
    assert median(times) < 0.03  # a delayed acknowledgment takes 0.04


def test_a_client_that_hangs_up_leaves_the_site_silent_and_answering(site, capfd):
    address = urlsplit(site)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /posts.json?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    assert get(site, "/posts/1.json")[0] == 200
    time.sleep(0.2)
    assert capfd.readouterr() == ("", "")


def test_posts_of_the_sample_are_found_by_what_can_be_seen_in_them(tmp_path):
    held = catalog.sample(tmp_path, 3, workers=1)
    with booru.serve(held) as address:
        for post in held.posts:
            for tag in (post["tag_string_artist"], post["tag_string_general"].split()[0]):
                assert post["id"] in ids(address, tag)
            status, _, body = get(
                address, ask(address, f"/posts/{post['id']}.json")[1]["file_url"].removeprefix(address)
            )
            assert (status, body) == (200, held.read(post))


def test_a_port_that_is_taken_stops_with_a_sentence(site):
    with pytest.raises(Halt, match="cannot be opened"):
        booru.forever(catalog.Catalog([], read), urlsplit(site).port)
