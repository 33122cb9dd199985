"""The server speaks HTTP: ranges, HEAD, kept connections, answers that break off."""

import socket
import struct
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection, IncompleteRead
from statistics import median
from urllib.parse import urlsplit

import pytest
from loopback import AGENT, POSTS, ask, get, read

from pipeline.booru import catalog, server
from pipeline.booru.server import Answer
from pipeline.booru.site import serve


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
        (f"bytes={'9' * 5000}-", 200, 0, None),
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


def test_many_requests_on_one_connection_are_answered_at_once(site):
    connection = HTTPConnection(urlsplit(site).netloc, timeout=60)
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


def test_a_target_that_is_no_address_is_a_bad_request_without_output(site, capfd):
    with socket.create_connection(urlsplit(site).netloc.split(":"), 5) as client:
        client.sendall(b"GET http://[/posts.json HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert capfd.readouterr() == ("", "")


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


def test_slow_clients_take_few_threads_and_keep_no_other_client_out(site, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 8)
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.create_connection(urlsplit(site).netloc.split(":"), 5))
            client.sendall(b"GET /posts/1.json HTTP/1.1\r\nX: ")  # and no more
        assert get(site, "/posts/1.json")[0] == 200
        deadline = time.monotonic() + 5
        while threading.active_count() > before + 8 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert threading.active_count() <= before + 8
