"""A file arrives whole over real sockets, within bounds, or is rejected with the true reason."""

import gzip
import struct
import zlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from downloads import FILE, JPEG, POST, encoded, list_parts, rejection, target_of
from rig import Clock, answers, memory_below, read

from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule
from pipeline.booru.server import Answer
from pipeline.params import Fetch
from pipeline.sources.checks import WantedFile
from pipeline.sources.posts import describe_post
from pipeline.sources.store import Store
from pipeline.web.client import open_site


@pytest.mark.parametrize(
    ("rule", "reason", "detail", "asked"),
    [
        (FaultRule("status", status=404), "gone", "404", 1),
        (FaultRule("status", status=410), "gone", "410", 1),
        (FaultRule("status", status=400), "gone", "400", 1),
        (FaultRule("status", status=451), "banned", "451", 1),
        (FaultRule("status", status=501), "gone", "501", 1),
        (FaultRule("page"), "wrong type", "a web page", 1),
        (FaultRule("type", content_type="image/gif"), "wrong type", "a gif file for png", 1),
        (FaultRule("redirect", location="https://example.org/x.png"), "moved", "302", 1),
        (FaultRule("empty"), "truncated", "zero bytes", 3),
        (FaultRule("short"), "truncated", "1000 of 2001 bytes", 3),
        (FaultRule("truncate"), "truncated", "the connection broke", 3),
        (FaultRule("corrupt"), "mismatch", "another md5", 3),
    ],
)
def test_a_file_rejected_for_good_has_its_reason_and_is_not_requested_again(
    opened, traffic, rule, reason, detail, asked
):
    store = opened(rule)
    first = rejection(store)
    assert first[0] == reason
    assert detail in first[1] or rule.fault in ("short", "truncate")
    assert len(traffic.targets) == asked
    assert rejection(store) == first
    assert len(traffic.targets) == asked
    assert not [path for path in (store.cache / "files").rglob("*") if path.suffix == ".png"]


@pytest.mark.parametrize(
    ("rule", "sentence", "asked"),
    [
        (FaultRule("status", status=503), "failed 3 times (503)", 3),
        (FaultRule("status", status=500), "failed 3 times (500)", 3),
        (FaultRule("status", status=408), "failed 3 times (408)", 3),
        (FaultRule("status", status=425), "failed 3 times (425)", 3),
        (FaultRule("status", status=529), "failed 3 times (529)", 3),
        (FaultRule("status", status=403), "403", 1),
        (FaultRule("edge"), "check PREP_CONTACT", 1),
        (FaultRule("stall", seconds=9), "stalled", 3),
    ],
)
def test_a_file_that_failed_for_now_is_requested_again_by_the_next_run(
    opened, traffic, rule, sentence, asked
):
    store = opened(rule, timeout=(5, 0.2))
    reason, detail = rejection(store)
    assert reason == "transient"
    assert sentence in detail
    assert len(traffic.targets) == asked
    later = opened()
    assert later.obtain(FILE).path.read_bytes() == read(POST)


def test_after_three_refused_files_in_a_row_no_other_is_requested(opened, traffic):
    store = opened(FaultRule("edge"))
    for _ in range(3):
        rejection(store)
    assert len(traffic.targets) == 3
    assert rejection(store)[0] == "transient"
    assert len(traffic.targets) == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://*.example/a.png",
        "http://a:99999/x.png",
        "http://a..b/x.png",
        f"http://{'a' * 70}.org/x.png",
        "http://[::1/x.png",
    ],
)
def test_a_bad_address_is_gone(tmp_path, url):
    with open_site("", "me", clock=Clock(), rate=10) as site:
        assert rejection(Store(site, tmp_path, Fetch()), WantedFile(url, "png")) == ("gone", "no address")


def test_credentials_and_compression_are_not_offered_for_files(opened, traffic):
    store = opened()
    store.site.auth = ("ann", "secret")
    store.obtain(FILE)
    headers = traffic.requests[0].headers
    assert "Authorization" not in headers
    assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:])),
        ("deflate", zlib.compress),
        ("Deflate", lambda data: zlib.compress(data)[2:-4]),
        ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
        ("identity", bytes),
        ("utf-8, aws-chunked", bytes),  # which packs nothing
    ],
)
def test_a_file_that_comes_packed_is_unpacked(opened, traffic, coding, pack):
    data = encoded(3)
    answer = Answer(200, "image/jpeg", pack(data), {"Content-Encoding": coding, "ETag": '"1"'})
    traffic.troubles["/a.jpg"] = answers(replace(answer, keep=0.5), answer)
    store = opened()
    assert store.obtain(WantedFile("/a.jpg", "jpg")).path.read_bytes() == data
    assert ("Range" in traffic.requests[1].headers) == (pack is bytes)  # what is packed is not resumed


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip, gzip"])
def test_a_file_that_cannot_be_unpacked_is_rejected(opened, traffic, coding):
    traffic.troubles["/a.jpg"] = Answer(200, "image/jpeg", encoded(3), {"Content-Encoding": coding})
    assert rejection(opened(), WantedFile("/a.jpg", "jpg"))[0] == "truncated"


def test_a_body_that_unpacks_without_end_is_cut_off(opened, traffic):
    body = gzip.compress(bytes(200_000_000), 1)
    traffic.troubles["/a.jpg"] = Answer(200, "image/jpeg", body, {"Content-Encoding": "gzip"})
    store = opened(params=Fetch(megabytes=1))
    with memory_below(5_000_000):
        assert rejection(store, WantedFile("/a.jpg", "jpg"))[0] == "too big"


def test_a_picture_that_is_announced_as_a_page_is_taken(opened, traffic):
    traffic.troubles["/a.php"] = Answer(200, "text/html; charset=UTF-8", JPEG)
    assert opened().obtain(WantedFile("/a.php", "")).path.read_bytes() == JPEG


def bomb(width, height):
    """Make a PNG with any size in its header, and few pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + bytes(5_000_000)


def spying(received):
    """Wrap `check_header` to count the bytes that had arrived when it was called."""
    from pipeline.sources.checks import check_header

    def wrapped(source, params):
        received["bytes"] += len(source)
        check_header(source, params)

    return wrapped


@pytest.mark.parametrize(("width", "height"), [(40000, 40000), (10001, 10000)])
def test_a_picture_of_too_many_pixels_is_rejected_by_its_header_before_the_rest_arrives(
    opened, monkeypatch, width, height
):
    data = bomb(width, height)
    post = describe_post(1, data, "png", image_width=500, image_height=500)  # the site lies
    store = opened(catalog=Catalog([post], lambda _: data))
    received = Counter()
    monkeypatch.setattr("pipeline.sources.checks.check_header", spying(received))
    assert rejection(store, target_of(post))[0] == "too big"
    assert received["bytes"] <= 1 << 16
    assert not list_parts(store)


def test_a_body_that_does_not_end_is_cut_off(opened):
    data = bytes(3_000_000)
    post = describe_post(1, data, "png")
    store = opened(catalog=Catalog([post], lambda _: data), params=Fetch(megabytes=1))
    assert rejection(store, WantedFile(target_of(post).url, "png", post["md5"]))[0] == "too big"
    assert not list_parts(store)


def test_a_file_of_100_megabytes_streams(opened):
    data = np.random.default_rng(0).bytes(100_000_000)
    post = describe_post(1, data, "png")
    store = opened(catalog=Catalog([post], lambda _: data))
    with memory_below(4_000_000):
        kept = store.obtain(target_of(post))
    assert kept.path.stat().st_size == 100_000_000
