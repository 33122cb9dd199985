"""Whatever a site answers has an end, in bytes, time and depth, and gives away no secret."""

import gzip
import io
import json
import socket
import threading
import time
from contextlib import suppress

import pytest
from rig import Clock, answers, make_posts, memory_below
from wire import FILE, Wire

from pipeline.booru.server import Answer
from pipeline.errors import Halt
from pipeline.web import bodies, client, connection
from pipeline.web.client import open_site
from pipeline.web.connection import ForbiddenAddress
from pipeline.web.ratelimit import SiteUnavailable
from pipeline.web.responses import refusal


def slow_site(*pieces):
    """Serve each connection with pieces of bytes, the last of them again and again, one each 10 ms."""

    def serve_one(connection):
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            for piece in pieces[:-1]:
                connection.sendall(piece)
            while True:
                connection.sendall(pieces[-1])
                time.sleep(0.01)

    def accept():
        with suppress(OSError):
            while True:
                threading.Thread(target=serve_one, args=[listening.accept()[0]], daemon=True).start()

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    return listening


HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 O", b"K"),  # a status line without end
        (HEAD % 200, b"X: 1\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
        (HEAD % 200 + b"Content-Length: 99999\r\n\r\n", b" "),
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),  # a chunk extension without end
        (HEAD % 200 + b"\r\n", b" "),
        (HEAD % 503 + b"\r\n", b" "),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,),  # much, and nothing of a body
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\n \r\n"),
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n" * 1000),
    ],
)
def test_an_answer_that_drips_or_has_no_end_is_given_up(monkeypatch, pieces):
    monkeypatch.setattr(connection, "GRACE", 0.1)
    began = time.monotonic()
    with slow_site(*pieces) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_site(host, clock=Clock()) as site, pytest.raises(SiteUnavailable, match="failed 5 times"):
            site.ask("/posts.json")
    assert time.monotonic() - began < 5


def test_what_a_site_says_before_it_answers_is_skipped():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    with slow_site(early, HEAD % 200 + b"Content-Length: 2\r\n\r\n[]") as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_site(host) as site:
            assert site.ask("/posts.json") == []


def test_headers_take_little_memory():
    flood = HEAD % 200 + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 60_000) for number in range(90))
    with slow_site(flood) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_site(host, clock=Clock()) as site, memory_below(5_000_000), pytest.raises(SiteUnavailable):
            site.ask("/posts.json")


class Pieces(io.RawIOBase):
    """What arrives, as much of each piece at once as one reads; after the last one nothing for too long."""

    def __init__(self, *pieces):
        self.pieces = [io.BytesIO(piece) for piece in pieces]

    def readable(self):
        return True

    def readinto(self, buffer):
        for piece in self.pieces:
            if count := piece.readinto(buffer):
                return count
        raise TimeoutError

    def makefile(self, mode):
        return io.BufferedReader(self)


def arriving(head, *pieces):
    """Read a response whose pieces arrive; yield what one gets of its body."""
    response = connection.PacedResponse(Pieces(HEAD % 200 + head, *pieces))
    response.begin()
    buffer = memoryview(bytearray(bodies.CHUNK))
    while count := response.readinto1(buffer):
        yield bytes(buffer[:count])


def test_a_long_body_that_is_there_at_once_is_no_long_head():
    body = bytes(1_000_000)
    assert b"".join(arriving(b"Content-Length: 1000000\r\n\r\n", body)) == body


@pytest.mark.parametrize("head", [b"Content-Length: 99999\r\n\r\n", b"\r\n"])
@pytest.mark.parametrize("pieces", [(b"abc",), (b"", b"abc")])
def test_the_beginning_of_a_body_that_stalls_is_not_lost(head, pieces):
    body = arriving(head + pieces[0], *pieces[1:])
    assert next(body) == b"abc"
    with pytest.raises(TimeoutError):
        next(body)


def test_a_body_in_chunks_arrives_and_ends():
    chunks = b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX: 1\r\n\r\n"
    assert list(arriving(b"Transfer-Encoding: chunked\r\n\r\n", chunks)) == [b"abc", b"defg"]


def test_a_body_that_ends_before_its_length_is_incomplete(loopback, traffic):
    short = Answer(200, "application/json", b'[{"id": 1}]   ', keep=0.8)  # JSON, but not all that was said
    traffic.troubles["/posts.json"] = answers(short)
    assert len(loopback.ask("/posts.json")) == 3


def test_a_connection_serves_the_next_request_once_a_body_has_arrived(loopback):
    with pytest.MonkeyPatch.context() as patch:
        opened = []
        connect = connection.CheckedConnection._new_conn
        patch.setattr(
            connection.CheckedConnection, "_new_conn", lambda self: opened.append(1) or connect(self)
        )
        for _ in range(5):
            loopback.ask("/posts.json")
    assert len(opened) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_members_of_gzip_may_begin_anywhere_in_what_arrives(size):
    body = b"".join(gzip.compress(b"%d" % number) for number in range(30)) + bytes(9)
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    assert b"".join(bodies.unpack(pieces, "gzip")) == b"".join(b"%d" % number for number in range(30))


@pytest.mark.parametrize("status", [200, 302, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_takes_little_memory_whatever_its_status(
    loopback, traffic, monkeypatch, status, packed
):
    monkeypatch.setattr(client, "MAX_ANSWER", 1_000_000)
    body = gzip.compress(bytes(100_000_000), 1) if packed else b" " * 100_000_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    headers |= {"Location": "/posts.json"} if status == 302 else {}
    traffic.troubles["/posts.json"] = Answer(status, "application/json", body, headers)
    with memory_below(10_000_000), pytest.raises(Halt):
        loopback.ask("/posts.json")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 5000 + b"]", b"\xff\xfe\x00", b'"\\u12"']
)
@pytest.mark.parametrize("status", [200, 403, 503])
def test_an_answer_that_cannot_be_parsed_is_a_sentence(loopback, traffic, body, status):
    traffic.troubles["/posts.json"] = Answer(status, "application/json", body)
    with pytest.raises(Halt, match=r"is no JSON|refused|failed 5 times"):
        loopback.ask("/posts.json")


def test_a_name_that_leads_to_this_machine_is_not_asked(monkeypatch, traffic, serve):
    with serve(make_posts(1)) as host:
        port = int(host.rpartition(":")[2])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        opening = open_site("", "me@example.org", rate=10, clock=Clock())
        with opening as site, pytest.raises(ForbiddenAddress, match=r"evil\.example leads to this machine"):
            site.get(f"http://evil.example:{port}/posts.json")
        assert traffic.targets == []


def test_no_answer_of_a_site_brings_login_key_or_contact_into_a_message(elsewhere):
    wire = Wire()
    site = elsewhere(wire, login="annie", api_key="secret")
    echo = {"error": "No annie", "message": "me@example.org secret YW5uaWU6c2VjcmV0"}
    for status in (403, 422, 503):
        wire.respond["donmai_us"] = (status, {"Content-Type": "application/json"})
        wire.body = json.dumps(echo).encode()
        with pytest.raises(Halt, match=rf"{status} No \*\*\*: \*\*\* \*\*\* \*\*\*"):
            site.ask("/posts.json")
        with suppress(Halt):
            assert "annie" not in str(refusal(site.get(FILE, tries=1)))


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.1", "0.0.0.0"])
def test_a_name_of_this_machine_is_asked_in_any_spelling(serve, name):
    with serve(make_posts(1)) as host, open_site(host.replace("127.0.0.1", name)) as site:
        assert len(site.ask("/posts.json")) == 1
