"""Whatever a site answers, a search and a fetch end with a sentence, soon, and in little memory."""

import gzip
import io
import json
import logging
import socket
import threading
import time
import tracemalloc
import zlib
from contextlib import contextmanager, suppress
from random import Random

import numpy as np
import pytest
from PIL import Image
from rig import ALL, Clock, make_post

from pipeline.errors import Halt
from pipeline.params import Fetch
from pipeline.sources.checks import FileRejected, WantedFile, choose_file
from pipeline.sources.plan import plan_search
from pipeline.sources.posts import read_posts
from pipeline.sources.search import search_posts
from pipeline.sources.store import Store
from pipeline.web import client, connection
from pipeline.web.client import open_site

STATUSES = [
    200, 200, 200, 200, 206, 204, 301, 302, 304, 307, 401, 403, 404, 416, 418, 429, 451, 500, 503, 522,
]  # fmt: skip
NUMBERS = [
    "0", "-1", "7", "1.5", "9" * 25, "9" * 5000, "7, 8", "x", "", "0x10",
    "\u0663".encode().decode("latin-1"),
]  # fmt: skip
ODD = [
    None, True, -1, 0, 7, 2**53, 10**40, 1.5, float("nan"), float("inf"), "", "x", "\x1b[2J", "\ud800",
    "a" * 200_000, [], [1], {}, {"a": [{}]}, "http://[::1", "http://127.0.0.1:1/a", "//x", "\\\\x", "https://ann:pw@x/a?token=1",
]  # fmt: skip
DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 99 Foo 0000", "5", "\x00"]
HEADERS = {
    "Content-Length": NUMBERS,
    "Transfer-Encoding": ["chunked", "chunked", "gzip", "x, chunked"],
    "Content-Encoding": ["gzip", "deflate", "x-gzip", "br", "gzip, gzip", "gzip, gzip, gzip", "\xff"],
    "Content-Type": ["text/html", "image/png", "application/json; charset=no-such", "\x01"],
    "Content-Range": ["bytes 0-4/9", "bytes 3-", "bytes 9-3/2", "bytes */5", "x", f"bytes {'9' * 5000}-1/2"],
    "Location": ["/again", "http://[", "https://example.org/", "http://127.0.0.1:1/", "//", "x" * 60_000],
    "Retry-After": [*NUMBERS, *DATES],
    "Date": DATES,
    "Last-Modified": DATES,
    "ETag": ['"a"', 'W/"a"', '"' + "x" * 9999, "a\x00b", ""],
    "Set-Cookie": ["a=b", "=;;;", "a=" + "x" * 9999],
    "Connection": ["close", "keep-alive", "upgrade"],
}  # fmt: skip


def picture_bytes():
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "jpeg")
    return buffer.getvalue()


def mutated(dice, value, depth=0):
    """Replace some of the parts of a JSON value by odd ones."""
    if dice.random() < 0.02:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {name: mutated(dice, part, depth + 1) for name, part in value.items() if dice.random() > 0.01}
    if isinstance(value, list):
        return [mutated(dice, part, depth + 1) for part in value]
    return value


def make_json(dice):
    variant = {"type": "sample", "url": "/s.jpg", "width": 5, "height": 5, "file_ext": "jpg"}
    posts = [
        make_post(
            number, file_url=f"/{number}.jpg", media_asset={"pixel_hash": "0" * 32, "variants": [variant]}
        )
        for number in sorted(dice.sample(range(1, 40), 5), reverse=True)
    ]
    error = {"success": False, "error": "E", "message": "m\x1b"}
    kinds = [posts, posts, posts, {"counts": {"posts": 5}}, error, [], [{"id": 30}]]
    return json.dumps(mutated(dice, dice.choice(kinds))).encode("utf-8", "surrogatepass")


def make_body(dice):
    deep = dice.choice(
        [b"[" * 100_000, b'{"a":' * 50_000, b"[" + b"7" * 5000 + b"]", b"<html>", b"", b"\xef\xbb\xbf[]"]
    )
    body = dice.choice([make_json(dice), make_json(dice), picture_bytes(), deep, dice.randbytes(500)])
    pack = dice.choice(
        [bytes, bytes, bytes, gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]]
    )
    body = pack(body)
    return body[: dice.randrange(len(body) + 1)] if dice.random() < 0.15 else body


def make_answer(dice):
    """Make the bytes of an answer: right JSON with odd values, or anything else."""
    if dice.random() < 0.6:
        body = make_json(dice)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    if dice.random() < 0.03:
        return dice.choice(
            [b"", b"\r\n", dice.randbytes(99), b"HTTP/1.1 ", b"HTTP/9.9 999999 \r\n\r\n", b"x" * 70_000]
        )
    body = make_body(dice)
    names = dice.sample(sorted(HEADERS), dice.randrange(4))
    headers = {"Content-Type": "application/json"} | {name: dice.choice(HEADERS[name]) for name in names}
    if dice.random() < 0.8 and headers.get("Transfer-Encoding") != "chunked":
        headers.setdefault("Content-Length", str(len(body)))
    if "chunked" in headers.get("Transfer-Encoding", ""):
        size = dice.choice([f"{len(body):x}", "ffffffffffffffff", "-5", "zz", "0"])
        body = size.encode() + b";x\r\n" + body + dice.choice([b"\r\n0\r\n\r\n", b""])
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += dice.choice(
        [[], [], [], ["no colon"], [": x"], [f"X-{n}: {n}" for n in range(150)], ["a: \x00"]]
    )
    head = f"HTTP/1.1 {dice.choice(STATUSES)} OK\r\n" + "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("latin-1", "replace") + body


@contextmanager
def raw_site(make):
    """Serve on loopback: each connection gets one answer, the bytes that `make()` returns, and is closed."""

    def accept():
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(1)
                    connection.recv(1 << 16)
                    connection.sendall(make())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "GRACE", 0.3)
    monkeypatch.setattr(client, "MAX_ANSWER", 2_000_000)


def use_site(host, folder, number):
    """Plan, search and fetch from a site; return how it ended."""
    with open_site(host, clock=Clock()) as site:
        site.timeout = (1, 0.3)
        try:
            if number % 3 == 0:
                plan_search(site, ALL, Fetch(), "platinum")
            elif number % 3 == 1:
                search_posts(site, folder / "posts.jsonl", ALL)
                for post in read_posts(folder / "posts.jsonl"):
                    choose_file(post, Fetch(variant="sample"))
            else:
                hashes = {"md5": "0" * 32, "size": 900} if number % 2 else {}
                Store(site, folder / str(number), Fetch(megabytes=1)).obtain(
                    WantedFile("/a.jpg", "jpg", **hashes)
                )
        except (Halt, FileRejected) as error:
            str(error).encode("utf-8", "backslashreplace")
            return str(error)
    return "done"


def test_no_answer_brings_a_traceback_a_wait_or_a_growth_of_memory(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "urllib3")  # pytest keeps all that it logs
    ends, slowest = set(), 0.0
    dice = Random(0)
    with raw_site(lambda: make_answer(dice)) as host:
        for number in range(300):
            dice.seed(number)
            began = time.monotonic()
            if number == 50:
                tracemalloc.start()  # the first also import modules
            ends.add(use_site(host, tmp_path, number)[-30:])
            slowest = max(slowest, time.monotonic() - began)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert slowest < 5
    assert (left < 3_000_000, peak < 40_000_000) == (True, True), (left, peak)
    assert len(ends) > 15  # the answers were not all refused for one reason
    assert "done" in ends
