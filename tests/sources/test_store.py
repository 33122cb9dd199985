"""A file is downloaded over real sockets, whole and checked, or rejected with the true reason."""

import gzip
import hashlib
import io
import struct
import tracemalloc
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from made import picture
from PIL import Image
from rig import Clock, answers, make_post, read

from pipeline import files
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer, Request, apply_range, run_server
from pipeline.booru.site import serve
from pipeline.images import codec
from pipeline.params import Fetch
from pipeline.sources import posts
from pipeline.sources.checks import FileRejected, WantedFile, choose_file
from pipeline.sources.download import Download
from pipeline.sources.posts import describe_post
from pipeline.sources.store import FILE_LOCKS, Folder, Store
from pipeline.web.client import open_site

POST = make_post(1)
TARGET = f"/original/{POST['md5'][:2]}/{POST['md5'][2:4]}/{POST['md5']}.png"
FILE = WantedFile(TARGET, "png", POST["md5"], size=POST["file_size"])


@pytest.fixture
def opened(tmp_path, traffic):
    """Return a function that serves a catalog with some faults and opens a store of its files."""
    with ExitStack() as stack:

        def start(*rules, catalog=None, params=None, timeout=(5, 5)):
            catalog = catalog or Catalog([POST], read)
            host = stack.enter_context(serve(catalog, traffic, faults=Faults(list(rules))))
            site = stack.enter_context(open_site(host, clock=Clock()))
            site.timeout = timeout
            return Store(site, tmp_path / "cache", params or Fetch())

        yield start


def rejection(store, file=FILE):
    """Return the reason and the detail with which a file is rejected."""
    with pytest.raises(FileRejected) as error:
        store.obtain(file)
    return error.value.reason, error.value.detail


def list_parts(store):
    """List the unfinished downloads."""
    return list(store.cache.rglob("*.part"))


def test_an_original_is_kept_by_its_md5_and_never_requested_again(opened, traffic):
    store = opened()
    kept = store.obtain(FILE)
    assert kept.path.read_bytes() == read(POST)
    assert kept.path.relative_to(store.cache).as_posix() == f"files/{POST['md5'][:2]}/{POST['md5']}.png"
    assert (kept.md5, kept.sha256) == (POST["md5"], "")
    assert store.obtain(FILE) == kept
    assert len(traffic.targets) == 1


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


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_transfer_that_breaks_off_resumes(opened, traffic, fault):
    store = opened(FaultRule(fault, times=2, keep=0.5, seconds=9), timeout=(5, 0.2))
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    ranges = [request.headers.get("Range") for request in traffic.requests]
    assert ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert not list_parts(store)


def leave_part(store, data):
    """Leave an unfinished download, as a killed run does."""
    part = store.path(FILE.md5, FILE.ext).with_name(f"{FILE.md5}.png.part")
    files.write(part, data)
    return part


@pytest.mark.parametrize(
    ("data", "ranges"),
    [
        (read(POST)[:700], ["bytes=700-"]),
        (read(POST)[:-1], ["bytes=2000-"]),
        (read(POST), []),  # complete, only not checked
        (read(POST)[:-1] + b"!", [None]),  # complete, and wrong
        (b"!" * 700, ["bytes=700-", None]),
        (read(POST) + b"more", [None]),
        (b"", [None]),
    ],
)
def test_a_part_of_a_killed_run_is_used_if_it_is_right(opened, traffic, data, ranges):
    store = opened()
    leave_part(store, data)
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert [request.headers.get("Range") for request in traffic.requests] == ranges
    assert not list_parts(store)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(416, "text/html", b"", {"Content-Range": "bytes */500"}),
        Answer(206, "image/png", read(POST), {"Content-Range": "bytes 0-2000/2001"}),
        Answer(200, "image/png", read(POST)),
    ],
)
def test_a_site_without_ranges_sends_the_file_from_its_beginning(opened, traffic, answer):
    traffic.troubles["/original/"] = answers(answer)
    store = opened()
    leave_part(store, read(POST)[:700])
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert len(traffic.targets) <= 2


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(opened, traffic):
    store = opened()
    path = store.obtain(FILE).path
    path.write_bytes(read(POST)[:-1] + b"!")
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert len(traffic.targets) == 2


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


def test_a_file_rejected_for_good_is_requested_again_only_with_again(opened, traffic):
    store = opened()
    traffic.troubles["/original/"] = Answer(404, "text/html", b"")
    assert rejection(store)[0] == "gone"
    traffic.troubles = {}
    assert rejection(store)[0] == "gone"
    assert replace(store, again=True).obtain(FILE).path.read_bytes() == read(POST)
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert len(traffic.targets) == 2


def test_credentials_and_compression_are_not_offered_for_files(opened, traffic):
    store = opened()
    store.site.auth = ("ann", "secret")
    store.obtain(FILE)
    headers = traffic.requests[0].headers
    assert "Authorization" not in headers
    assert headers["Accept-Encoding"] == "identity"


# ---------------------------------------------------------------- resumed files that nothing identifies


def encoded(number=1, form="jpeg", **size):
    """Encode a picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture(number, **size)).save(buffer, form)
    return buffer.getvalue()


class Changing:
    """A site with one file, of which each request sees the next version; it breaks off in the middle of some.

    It obeys Range, and If-Range as well unless `blind`.
    """

    def __init__(self, *versions, broken=1, blind=False, validator="ETag", ranges=True):
        self.versions, self.broken, self.blind = list(versions), broken, blind
        self.validator, self.ranges, self.requests = validator, ranges, []

    def __call__(self, request):
        self.requests.append(request.headers)
        number = min(len(self.requests), len(self.versions)) - 1
        data = self.versions[number]
        name = {"ETag": f'"v{hash(data)}"', "Last-Modified": f"Mon, 0{number + 1} Jun 2026 00:00:00 GMT"}
        headers = {self.validator: name[self.validator]} if self.validator else {}
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        asked = request.headers.get("If-Range")
        if asked and asked not in headers.values() and not self.blind:
            request = Request(request.target)
        keep = 0.5 if len(self.requests) <= self.broken else 1
        return replace(apply_range(Answer(200, "image/jpeg", data, headers), request), keep=keep)


def fetch_changing(tmp_path, respond):
    with run_server(respond) as host, open_site("", clock=Clock()) as site:
        return Store(site, tmp_path / "cache", Fetch()).obtain(WantedFile(f"{host}/a.jpg", "jpg"))


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified", ""])
@pytest.mark.parametrize("blind", [False, True])
def test_a_file_that_changed_while_it_arrived_is_taken_whole_from_its_beginning(tmp_path, validator, blind):
    old, new = encoded(1, width=300, height=300), encoded(2, width=400, height=300)
    assert len(old) != len(new)
    respond = Changing(old, new, blind=blind, validator=validator)
    assert fetch_changing(tmp_path, respond).path.read_bytes() == new
    assert [path.name for path in (tmp_path / "cache").rglob("*.*")] == [
        f"{hashlib.md5(new).hexdigest()}.jpg"
    ]


def test_a_file_of_equal_length_that_changed_is_seen_by_the_validator_of_the_answer(tmp_path):
    old = encoded(1)
    new = old[:-2] + b"\0\0\xff\xd9"
    old += b"\0" * (len(new) - len(old))
    respond = Changing(old, new, blind=True)
    assert fetch_changing(tmp_path, respond).path.read_bytes() == new


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_a_file_that_did_not_change_resumes_with_its_validator(tmp_path, validator):
    data = encoded(1)
    respond = Changing(data, validator=validator)
    respond.versions = [data]
    assert fetch_changing(tmp_path, respond).path.read_bytes() == data
    second = respond.requests[1]
    assert second["Range"] == f"bytes={len(data) // 2}-"
    assert second["If-Range"].startswith('"v' if validator == "ETag" else "Mon, 01")


def flip_last(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("left", ["nothing", "an empty file", "a damaged note", "the note of another file"])
def test_after_a_kill_a_part_is_resumed_by_its_validator_alone(tmp_path, left):
    data = encoded(1)
    respond = Changing(data, broken=0)
    with run_server(respond) as host, open_site("", clock=Clock()) as site:
        store, file = Store(site, tmp_path, Fetch()), WantedFile(f"{host}/a.jpg", "jpg")
        record = store.record("names", file)
        files.write(record.with_name(f"{record.name}.part"), b"of another file" * 9)
        note = record.with_name(f"{record.name}.validator")
        if left == "an empty file":
            note.touch()
        elif left != "nothing":
            files.write_note(note, {"value": '"other"', "total": None})
        if left == "a damaged note":
            flip_last(note)
        assert store.obtain(file).path.read_bytes() == data
    assert ("If-Range" in respond.requests[0]) == (left == "the note of another file")
    assert not list(tmp_path.rglob("*.validator"))


@pytest.mark.parametrize("changed", [False, True])
def test_a_killed_download_resumes_through_a_redirect_unless_the_file_changed(tmp_path, changed):
    old, new = encoded(1), encoded(2)
    respond = Changing(old, new if changed else old)

    def redirect(request):
        return respond(request) if request.path == "/b.jpg" else Answer(302, "", b"", {"Location": "/b.jpg"})

    with run_server(redirect) as host, open_site("", clock=Clock()) as site:
        store, file = Store(site, tmp_path, Fetch()), WantedFile(f"{host}/a.jpg", "jpg")
        part = store.record("names", file)
        part = part.with_name(f"{part.name}.part")
        part.parent.mkdir(parents=True)
        with pytest.raises(FileRejected):
            Download(site, file.url, file, part, Fetch()).receive()
        assert part.read_bytes() == old[: len(old) // 2]
        assert store.obtain(file).path.read_bytes() == (new if changed else old)
    assert respond.requests[1]["Range"] == f"bytes={len(old) // 2}-"
    assert len(respond.requests) == 2


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
    tracemalloc.start()
    assert rejection(store, WantedFile("/a.jpg", "jpg"))[0] == "too big"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


JPEG = encoded(1)
HALF = len(JPEG) // 2


def part_of_file(start, body, more=0, **headers):
    span = f"bytes {start}-{start + len(body) - 1}/{len(JPEG) + more}"
    return Answer(206, "image/jpeg", body, {"Content-Range": span, "ETag": '"1"'} | headers)


@pytest.mark.parametrize(
    ("second", "third"),
    [
        (part_of_file(HALF, JPEG[HALF:]), None),
        (part_of_file(HALF, JPEG[HALF:][:9]), f"bytes={HALF + 9}-"),  # fewer than asked for
        (part_of_file(HALF, JPEG[HALF:] + b"more"), ""),
        (part_of_file(HALF + 4, JPEG[HALF:]), ""),
        (part_of_file(0, JPEG), ""),
        (part_of_file(HALF, JPEG[HALF:], ETag='W/"1"'), ""),
        (Answer(206, "multipart/byteranges; boundary=x", b"--x\r\n\r\n" + JPEG[HALF:]), ""),
        (Answer(304, "image/jpeg", b""), ""),
        (Answer(412, "text/html", b""), ""),
    ],
)
def test_a_resumed_file_is_whole_and_begins_again_where_the_rest_is_not_of_it(tmp_path, second, third):
    asked = []

    def respond(request):
        asked.append(request.headers.get("Range", ""))
        whole = Answer(200, "image/jpeg", JPEG, {"ETag": '"1"', "Accept-Ranges": "bytes"})
        return [replace(whole, keep=0.5), second, apply_range(whole, request)][len(asked) - 1]

    assert fetch_changing(tmp_path, respond).path.read_bytes() == JPEG
    assert asked == ["", f"bytes={HALF}-", third][: 2 + (third is not None)]


def test_a_part_of_a_file_that_looks_whole_is_not_taken_for_it(opened, traffic):
    traffic.troubles["/a.jpg"] = part_of_file(0, JPEG, more=100)  # decodes without what follows
    store = opened()
    assert rejection(store, WantedFile("/a.jpg", "jpg"))[0] == "truncated"
    assert not list(store.cache.rglob("*.jpg"))


def test_a_picture_that_is_announced_as_a_page_is_taken(opened, traffic):
    traffic.troubles["/a.php"] = Answer(200, "text/html; charset=UTF-8", JPEG)
    assert opened().obtain(WantedFile("/a.php", "")).path.read_bytes() == JPEG


@pytest.mark.parametrize("status", [206, 416])
def test_a_range_that_was_not_asked_for_is_no_traceback(opened, traffic, status):
    headers = {"Content-Range": "bytes 9-8/5"}
    traffic.troubles["/a.jpg"] = Answer(status, "image/jpeg", b"", headers)
    assert rejection(opened(), WantedFile("/a.jpg", "jpg"))[0] == "truncated"


# ---------------------------------------------------------------- too big


def bomb(width, height):
    """Make a PNG with any size in its header, and few pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + bytes(5_000_000)


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


def spying(received):
    """Wrap `check_header` to count the bytes that had arrived when it was called."""
    from pipeline.sources.checks import check_header

    def wrapped(source, params):
        received["bytes"] += len(source)
        check_header(source, params)

    return wrapped


def target_of(post, **more):
    """Name the original of a post of the rig."""
    md5 = post["md5"]
    url = f"/original/{md5[:2]}/{md5[2:4]}/{md5}.{post['file_ext']}"
    return WantedFile(url, post["file_ext"], md5, size=post["file_size"], **more)


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
    tracemalloc.start()
    kept = store.obtain(target_of(post))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept.path.stat().st_size == 100_000_000
    assert peak < 4_000_000


# ---------------------------------------------------------------- files without a published md5


@pytest.fixture
def wide():
    """Make a post of 1000 x 600 pixels, and its catalog."""
    data = encoded(1, "png", width=1000, height=600)
    post = describe_post(7, data, "png", image_width=1000, image_height=600)
    return Catalog([post], lambda _: data)


def choose_variant(store, name):
    """Return a post as the site shows it, and the file of a variant."""
    post = posts.reduce_post(store.site.ask("/posts/7.json"), store.site.host)
    return post, choose_file(post, Fetch(variant=name))


@pytest.mark.parametrize(("name", "size"), [("sample", (850, 510)), ("720x720", (720, 432))])
def test_a_variant_is_decoded_whole_and_kept_with_its_sha256(opened, traffic, wide, name, size):
    store = opened(catalog=wide)
    post, file = choose_variant(store, name)
    kept = store.obtain(file)
    assert codec.read_size(kept.path) == size
    assert kept.md5 != post["md5"]
    assert len(kept.sha256) == 64
    before = len(traffic.targets)
    assert store.obtain(file) == kept
    assert len(traffic.targets) == before
    kept.path.write_bytes(kept.path.read_bytes()[:-1])
    assert store.obtain(file) == kept
    assert len(traffic.targets) == before + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (encoded(2, width=850, height=500), "mismatch"),
        (encoded(2, width=850, height=510)[:-300], "truncated"),
        (b"<html>sorry</html>", "wrong type"),
        (b"nonsense", "wrong type"),
        (b"", "truncated"),
    ],
)
def test_a_variant_that_differs_from_its_description_is_refused(opened, traffic, wide, body, reason):
    store = opened(catalog=wide)
    traffic.troubles["/sample/"] = Answer(200, "image/jpeg", body)
    assert rejection(store, choose_variant(store, "sample")[1])[0] == reason
    assert not list(store.cache.rglob("*.jpg"))
    assert not list_parts(store)


def test_a_file_of_a_list_is_checked_by_its_sha256_or_decoded(opened, traffic):
    store, data = opened(), encoded(3)
    traffic.troubles["/a.jpg"] = Answer(200, "image/jpeg", data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert store.obtain(WantedFile("/a.jpg?1", "jpg", sha256=sha256)).sha256 == sha256
    assert store.obtain(WantedFile("/a.jpg?2", "jpg")).md5 == hashlib.md5(data).hexdigest()
    assert rejection(store, WantedFile("/a.jpg?3", "jpg", sha256="0" * 64)) == ("mismatch", "another SHA-256")
    capitals = store.site.host.replace("http", "HTTP")
    assert store.obtain(WantedFile(f"{capitals}/a.jpg?4", "jpg")).sha256 == sha256


# ---------------------------------------------------------------- files of a folder


def test_a_file_of_a_folder_is_checked_in_place(tmp_path):
    (tmp_path / "in").mkdir()
    path, data = tmp_path / "in" / "a.jpg", encoded(4)
    path.write_bytes(data)
    (tmp_path / "secret.jpg").write_bytes(data)
    folder = Folder(tmp_path / "in", Fetch())
    assert folder.obtain(WantedFile("a.jpg", "jpg")).path == path
    for file, reason in (
        (WantedFile("b.jpg", "jpg"), "gone"),
        (WantedFile("../secret.jpg", "jpg"), "gone"),
        (WantedFile("a.jpg", "jpg", "0" * 32), "mismatch"),
        (WantedFile("a.jpg", "jpg", size=10**6), "truncated"),
    ):
        with pytest.raises(FileRejected) as error:
            folder.obtain(file)
        assert error.value.reason == reason
    assert path.read_bytes() == data


# ---------------------------------------------------------------- two threads


class Gate:
    """Hold back the answers of a site until `opened` is set, and record the requests."""

    def __init__(self):
        self.reached, self.opened, self.targets = Event(), Event(), []

    def __call__(self, target):
        self.targets.append(target)
        self.reached.set()
        assert self.opened.wait(10)


def test_of_two_threads_that_want_one_file_one_downloads_it_and_the_other_waits(opened, traffic):
    gate = traffic.troubles["/original/"] = Gate()
    store = opened()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.obtain, FILE)
        assert gate.reached.wait(10)
        second = pool.submit(store.obtain, FILE)
        assert not wait([second], timeout=0.2).done
        gate.opened.set()
        assert first.result() == second.result()
    assert len(gate.targets) == 1
    assert first.result().path.read_bytes() == read(POST)


def test_a_thread_that_wants_another_file_does_not_wait(opened, traffic):
    turn = hash(POST["md5"]) % len(FILE_LOCKS)  # of a thousand files two have one
    other = next(post for post in map(make_post, range(2, 99)) if hash(post["md5"]) % len(FILE_LOCKS) != turn)
    gate = traffic.troubles[POST["md5"]] = Gate()
    store = opened(catalog=Catalog([POST, other], read))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.obtain, FILE)
        assert gate.reached.wait(10)
        assert pool.submit(store.obtain, target_of(other)).result(10).path.read_bytes() == read(other)
        assert not first.done()
        gate.opened.set()
