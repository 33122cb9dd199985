"""The loopback site answers as danbooru.md says."""

import base64
import io
import json
import math
import socket
import struct
import time
from http.client import HTTPConnection, IncompleteRead
from statistics import median
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from PIL import Image

from pipeline.booru import catalog, sample
from pipeline.booru.server import Answer
from pipeline.booru.site import read_accounts, serve, serve_forever
from pipeline.errors import Halt
from pipeline.sources import query
from pipeline.sources.posts import CATEGORIES, describe_post

AGENT = "inkwash/test (user tester; nobody@example.org)"


def make_post(number):
    """Make a post whose every field follows from its id, and that differs from its neighbors in each."""
    return describe_post(
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
        is_restricted=number == 15,
        media_asset={"pixel_hash": f"{number:032x}"},
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
    with serve(catalog.Catalog(POSTS, read), accounts=ACCOUNTS) as address:
        yield address


def basic(login, key):
    """Return the header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{key}".encode()).decode()}


ACCOUNTS = {"mia": ("m1", "member"), "gus": ("g1", "gold"), "pia": ("p:1", "platinum")}


def get(address, target, agent=AGENT, method="GET", **headers):
    """Return status, headers and body of an answer."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=5)
    try:
        connection.request(method, target, headers={"User-Agent": agent} | headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ask(address, path, login=None, **query):
    """Return status and JSON of an answer, to somebody with an account or without."""
    text = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    headers = basic(login, ACCOUNTS[login][0]) if login else {}
    status, _, body = get(address, f"{path}?{text}", **headers)
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


def test_only_reduces_posts_to_the_fields_it_names_however_deep(site):
    only = "id,media_asset[pixel_hash],rating,nonsense"
    _, posts = ask(site, "/posts.json", tags="id:7", only=only)
    assert posts == [{"id": 7, "media_asset": {"pixel_hash": f"{7:032x}"}, "rating": "e"}]
    _, whole = ask(site, "/posts/7.json", only="media_asset")
    assert list(whole) == ["media_asset"]
    assert list(whole["media_asset"]) == ["pixel_hash", "variants"]
    _, deep = ask(site, "/posts/7.json", only="media_asset[variants[type,width]]")
    assert deep["media_asset"]["variants"][-1] == {"type": "original", "width": 70}


def test_a_post_is_found_by_id_and_by_md5_as_one_object(site):
    _, post = ask(site, "/posts/42.json")
    given, md5 = POSTS[41], POSTS[41]["md5"]
    assert post["file_url"] == f"{site}/original/{md5[:2]}/{md5[2:4]}/{md5}.png"
    shown = {"file_url", "large_file_url", "media_asset"}
    assert {k: v for k, v in post.items() if k not in shown} == {
        k: v for k, v in given.items() if k not in ("media_asset", "is_restricted")
    }
    assert ask(site, "/posts.json", md5=md5) == (200, post)
    for path, asked in (("/posts/251.json", {}), ("/posts.json", {"md5": "0" * 32})):
        status, error = ask(site, path, **asked)
        assert (status, error["error"]) == (404, "ActiveRecord::RecordNotFound")


# ---------------------------------------------------------------- who asks


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


@pytest.mark.parametrize(
    "headers",
    [
        basic("gus", "wrong"),
        basic("nobody", "g1"),
        basic("gus", ""),
        basic("", ""),
        {"Authorization": "Basic g1"},
        {"Authorization": "Bearer g1"},
        {"Authorization": "Basic \xff\xfe"},
    ],
)
def test_bad_credentials_are_refused_and_not_treated_as_anonymous(site, headers):
    status, _, body = get(site, "/posts/1.json", **headers)
    assert (status, json.loads(body)["error"]) == (401, "SessionLoader::AuthenticationFailure")


def test_files_need_no_account(site):
    target = ask(site, "/posts/1.json")[1]["file_url"].removeprefix(site)
    assert get(site, target, **basic("gus", "wrong"))[0] == 200


def test_accounts_are_written_with_colons_and_the_error_does_not_repeat_the_key():
    read = read_accounts(["gus:g1:gold", "pia:p:1:platinum"])
    assert read == {"gus": ("g1", "gold"), "pia": ("p:1", "platinum")}
    for text in ("gus:secret", "gus", ":secret:gold", "gus::gold", "gus:secret:golden"):
        with pytest.raises(ValueError, match="account must be LOGIN:API_KEY:LEVEL") as error:
            read_accounts([text])
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "seers"), [(11, ()), (15, ("gus", "pia")), (16, (None, "mia", "gus", "pia"))]
)
def test_a_hidden_post_shows_its_fields_but_no_address_of_its_picture(site, number, seers):
    md5 = POSTS[number - 1]["md5"]
    for login in (None, "mia", "gus", "pia"):
        _, post = ask(site, f"/posts/{number}.json", login)
        _, listed = ask(site, "/posts.json", login, tags=f"id:{number}")
        assert listed == [post]
        assert "is_restricted" not in post
        assert post["score"] == number - 50
        assert post["media_asset"]["pixel_hash"] == f"{number:032x}"
        seen = login in seers
        assert (md5 in json.dumps(post)) == seen
        for name in ("md5", "file_url", "large_file_url"):
            assert (name in post) == seen
        assert ("variants" in post["media_asset"]) == seen
        assert ask(site, "/posts.json", login, md5=md5)[0] == (200 if seen else 404)


def test_the_file_of_a_banned_post_is_gone(site):
    md5 = POSTS[10]["md5"]
    assert get(site, f"/original/{md5[:2]}/{md5[2:4]}/{md5}.webp")[0] == 404


# ---------------------------------------------------------------- tags


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


# ---------------------------------------------------------------- files


def test_an_original_arrives_byte_for_byte_and_a_lost_one_is_404(site):
    for number, status in ((12, 200), (13, 404)):
        _, post = ask(site, f"/posts/{number}.json")
        answer, headers, body = get(site, post["file_url"].removeprefix(site))
        assert answer == status
        if status == 200:
            assert headers["Content-Type"] == "image/png"
            assert body == read(POSTS[11])


def paint(width, height, ext="png"):
    """Encode a picture whose left half is red and whose right half is blue."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 2] = 255
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, ext, **{"png": {"compress_level": 1}}.get(ext, {}))
    return buffer.getvalue()


def gallery(*pictures):
    """Make a catalog of (bytes, type, width, height), numbered from 1."""
    files = dict(enumerate((data for data, *_ in pictures), 1))
    posts = [
        describe_post(number, data, ext, image_width=width, image_height=height)
        for number, (data, ext, width, height) in enumerate(pictures, 1)
    ]
    return catalog.Catalog(posts, lambda post: files[post["id"]])


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1700, 800, [(180, 85), (360, 169), (720, 339), (850, 400)]),
        (800, 1600, [(90, 180), (180, 360), (360, 720), None]),
        (850, 720, [(180, 152), (360, 305), (720, 610), None]),
        (720, 720, [(180, 180), (360, 360), None, None]),
        (100, 40, [(100, 40), (100, 40), None, None]),
        (1000, 1, [(180, 1), (360, 1), (720, 1), (850, 1)]),
    ],
)
def test_a_picture_comes_in_the_sizes_that_fit_their_boxes_and_never_larger(width, height, sizes):
    names = ("180x180", "360x360", "720x720", "sample")
    kinds = {"180x180": "JPEG", "360x360": "JPEG", "720x720": "WEBP", "sample": "JPEG", "original": "PNG"}
    expected = {name: size for name, size in zip(names, sizes, strict=True) if size}
    expected["original"] = (width, height)
    data = paint(width, height)
    with serve(gallery((data, "png", width, height))) as address:
        _, post = ask(address, "/posts/1.json")
        listed = {each["type"]: each for each in post["media_asset"]["variants"]}
        assert {name: (each["width"], each["height"]) for name, each in listed.items()} == expected
        for name, each in listed.items():
            status, headers, body = get(address, each["url"].removeprefix(address))
            picture = Image.open(io.BytesIO(body))
            assert (status, picture.size, picture.format) == (200, expected[name], kinds[name])
            assert headers["Content-Type"] == f"image/{kinds[name].lower()}"
            pixels = np.asarray(picture.convert("RGB")).astype(int)
            assert pixels[0, 0, 0] > 200 > 55 > pixels[0, 0, 2]
            assert pixels[-1, -1, 2] > 200 > 55 > pixels[-1, -1, 0]
            assert get(address, each["url"].removeprefix(address))[2] == body
    assert post["file_url"] == listed["original"]["url"]
    assert post["large_file_url"] == listed["sample" if "sample" in listed else "original"]["url"]


def test_sizes_have_the_paths_of_danbooru():
    data = paint(900, 900, "webp")
    with serve(gallery((data, "webp", 900, 900))) as address:
        _, post = ask(address, "/posts/1.json")
    md5 = post["md5"]
    folder = f"{md5[:2]}/{md5[2:4]}"
    assert [
        (each["url"].removeprefix(address), each["file_ext"]) for each in post["media_asset"]["variants"]
    ] == [
        (f"/180x180/{folder}/{md5}.jpg", "jpg"),
        (f"/360x360/{folder}/{md5}.jpg", "jpg"),
        (f"/720x720/{folder}/{md5}.webp", "webp"),
        (f"/sample/{folder}/sample-{md5}.jpg", "jpg"),
        (f"/original/{folder}/{md5}.webp", "webp"),
    ]


def test_a_film_has_no_other_sizes_and_those_of_a_broken_picture_are_404():
    films = [(b"film", "mp4", 1920, 1080), (b"zip", "zip", 900, 900), (b"broken", "png", 0, 0)]
    with serve(gallery(*films, (b"noise", "jpg", 900, 900))) as address:
        for number, kind in ((1, "video/mp4"), (2, "application/zip"), (3, "image/png")):
            _, post = ask(address, f"/posts/{number}.json")
            assert [each["type"] for each in post["media_asset"]["variants"]] == ["original"]
            assert post["large_file_url"] == post["file_url"]
            assert get(address, post["file_url"].removeprefix(address))[1]["Content-Type"] == kind
        _, post = ask(address, "/posts/4.json")
        assert [
            get(address, each["url"].removeprefix(address))[0] for each in post["media_asset"]["variants"]
        ] == [404, 404, 404, 404, 200]


def test_only_the_paths_that_a_post_names_lead_to_files(site):
    target = ask(site, "/posts/12.json")[1]["file_url"].removeprefix(site)
    md5 = POSTS[11]["md5"]
    assert get(site, target)[0] == 200
    for wrong in (
        target.replace(".png", ".jpg"),
        target.replace(md5 + ".", f"sample-{md5}."),
        target.replace("original", "sample"),
        target.replace("original", "720x720"),
        f"/original/{md5[2:4]}/{md5[:2]}/{md5}.png",
    ):
        assert get(site, wrong)[0] == 404


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-", 206, 0, None),
        ("bytes=7-", 206, 7, None),
        ("bytes=111-", 206, 111, None),
        ("bytes=3-9", 206, 3, 10),
        ("bytes=100-900", 206, 100, None),
        ("bytes=9-3", 200, 0, None),
        ("bytes=9-8", 200, 0, None),
        ("bytes=9-9", 206, 9, 10),
        ("lines=3-", 200, 0, None),
    ],
)
def test_a_file_can_be_requested_by_range(site, asked, status, start, stop):
    whole = read(POSTS[11])  # 112 bytes
    target = ask(site, "/posts/12.json")[1]["file_url"].removeprefix(site)
    answer, headers, body = get(site, target, range=asked)
    assert (answer, body, headers["Accept-Ranges"]) == (status, whole[start:stop], "bytes")
    if status == 206:
        assert headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_of_a_file_gets_its_size(site):
    target = ask(site, "/posts/12.json")[1]["file_url"].removeprefix(site)
    for asked in ("bytes=112-", "bytes=5000-6000"):
        status, headers, body = get(site, target, Range=asked)
        assert (status, headers["Content-Range"], body) == (416, "bytes */112", b"")


def test_the_api_ignores_ranges(site):
    assert get(site, "/posts/1.json", Range="bytes=5-")[0] == 200


def test_no_body_follows_the_response_to_a_head_request(site):
    with socket.create_connection((urlsplit(site).hostname, urlsplit(site).port), 5) as client:
        client.sendall(b"HEAD /posts/12.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(10_000), b""))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\n")


def test_a_head_request_gets_the_headers_of_a_get(site):
    target = ask(site, "/posts/12.json")[1]["file_url"].removeprefix(site)
    for path, status in ((target, 200), ("/posts/12.json", 200), ("/posts/900.json", 404)):
        _, asked, body = get(site, path)
        answer, headers, nothing = get(site, path, method="HEAD")
        assert (answer, nothing) == (status, b"")
        assert headers["Content-Length"] == asked["Content-Length"] == str(len(body))
        assert headers["Content-Type"] == asked["Content-Type"]


# ---------------------------------------------------------------- manners of the server


@pytest.mark.parametrize("agent", ["python-requests/2.32", "Mozilla/5.0 (X11; Linux)"])
def test_browsers_and_scripts_without_a_name_get_the_403_page_of_the_proxy(site, agent):
    for target in ("/posts.json", "/original/aa/aa/x.png"):
        status, headers, body = get(site, target, agent)
        assert (status, headers["Content-Type"], headers["cf-mitigated"]) == (403, "text/html", "challenge")
        assert body.startswith(b"<!DOCTYPE html>")


def test_robots_may_fetch_files_but_not_the_api(site):
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


def test_a_client_that_disconnects_causes_no_output_and_the_site_keeps_answering(site, capfd):
    address = urlsplit(site)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /posts.json?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    assert get(site, "/posts/1.json")[0] == 200
    time.sleep(0.2)
    assert capfd.readouterr() == ("", "")


def test_posts_of_the_sample_are_found_by_their_tags(tmp_path):
    held = sample.sample_catalog(tmp_path, 3, workers=1)
    with serve(held) as address:
        for post in held.posts:
            for tag in (post["tag_string_artist"], post["tag_string_general"].split()[0]):
                assert post["id"] in ids(address, tag)
            status, _, body = get(
                address, ask(address, f"/posts/{post['id']}.json")[1]["file_url"].removeprefix(address)
            )
            assert (status, body) == (200, held.read(post))


def test_a_port_that_is_taken_stops_with_a_sentence(site):
    with pytest.raises(Halt, match="cannot be opened"):
        serve_forever(catalog.Catalog([], read), urlsplit(site).port)


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


def test_a_function_may_answer_instead_of_the_site_and_gets_the_headers():
    seen = []

    def instead(request):
        seen.append(request)
        return Answer(418, "text/plain", b"tea") if "tea" in request.target else None

    with serve(catalog.Catalog(POSTS, read), instead) as address:
        assert get(address, "/tea?x=1", range="bytes=5-")[::2] == (418, b"tea")
        assert get(address, "/posts/1.json", method="HEAD")[0] == 200
    assert [request.target for request in seen] == ["/tea?x=1", "/posts/1.json"]
    assert (seen[0].path, seen[0].query, seen[0].headers["Range"]) == ("/tea", {"x": "1"}, "bytes=5-")
    assert [request.method for request in seen] == ["GET", "HEAD"]
    assert seen[0].address == address


def test_an_answer_may_break_off_or_stall_while_others_are_answered():
    broken = Answer(200, "image/png", b"x" * 100, keep=0.3)
    silent = Answer(200, "image/png", b"x" * 100, keep=0.3, pause=60)
    instead = {"/broken": broken, "/silent": silent}
    start = time.monotonic()
    with serve(catalog.Catalog(POSTS, read), lambda request: instead.get(request.target)) as address:
        with pytest.raises(IncompleteRead) as end:
            get(address, "/broken")
        assert (len(end.value.partial), end.value.expected) == (30, 70)
        with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), 5) as client:
            client.sendall(b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while not got.endswith(b"x" * 30):
                got += client.recv(1000)
            assert b"Content-Length: 100" in got
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1000)
            assert get(address, "/posts/1.json")[0] == 200
    assert time.monotonic() - start < 5  # the end of the site does not wait for the pause
