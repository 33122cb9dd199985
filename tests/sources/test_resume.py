"""A download that breaks off resumes, and never joins the halves of two files."""

import hashlib
from dataclasses import replace

import pytest
from downloads import FILE, JPEG, POST, encoded, list_parts, rejection
from rig import Clock, answers, read

from pipeline import files
from pipeline.booru.faults import FaultRule
from pipeline.booru.server import Answer, Request, apply_range, run_server
from pipeline.params import Fetch
from pipeline.sources.checks import FileRejected, WantedFile
from pipeline.sources.download import Download
from pipeline.sources.store import Store
from pipeline.web.client import open_site


def leave_part(store, data):
    """Leave an unfinished download, as a killed run does."""
    part = store.path(FILE.md5, FILE.ext).with_name(f"{FILE.md5}.png.part")
    files.write(part, data)
    return part


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


HALF = len(JPEG) // 2


def part_of_file(start, body, more=0, **headers):
    span = f"bytes {start}-{start + len(body) - 1}/{len(JPEG) + more}"
    return Answer(206, "image/jpeg", body, {"Content-Range": span, "ETag": '"1"'} | headers)


def flip_last(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_transfer_that_breaks_off_resumes(opened, traffic, fault):
    store = opened(FaultRule(fault, times=2, keep=0.5, seconds=9), timeout=(5, 0.2))
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    ranges = [request.headers.get("Range") for request in traffic.requests]
    assert ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert not list_parts(store)


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


@pytest.mark.parametrize("status", [206, 416])
def test_a_range_that_was_not_asked_for_is_no_traceback(opened, traffic, status):
    headers = {"Content-Range": "bytes 9-8/5"}
    traffic.troubles["/a.jpg"] = Answer(status, "image/jpeg", b"", headers)
    assert rejection(opened(), WantedFile("/a.jpg", "jpg"))[0] == "truncated"
