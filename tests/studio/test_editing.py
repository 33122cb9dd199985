"""Edits from the page: what may be set, only in files of the project, and only after what the page saw."""

import os
from pathlib import Path

import pytest
from made import make_column
from starlette.testclient import TestClient

from pipeline import files
from pipeline.studio import server
from pipeline.studio.state import Studio

PARAMS = """# what to measure
clean:
  smallest: 256     # pixels
  complexity: 40.0
  keep: lists/keep.tsv   # by hand
  drop: lists/drop.tsv

sketches:
  b7: {method: threshold}
pack:
  near: 18
"""
KEEP = "\ufeff# seen in May\r\n000000001\tnight\r\n\r\n  000000002 \tlit\tby Ann\r\n"
DROP = "# no good\n000000003\tblurred"
MARKUP = '<img src=x onerror=alert(1)> & "that\'s" 夜'


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "project"
    make_column(home / "data" / "color", [f"{number:09d}" for number in range(6)])
    files.write(home / "params.yaml", PARAMS.encode())
    files.write(home / "lists" / "keep.tsv", KEEP.encode())
    files.write(home / "lists" / "drop.tsv", DROP.encode())
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def ask(home):
    """Return what sends a request and returns the status and the document."""
    studio = Studio(Path("data"), Path("params.yaml"), Path("model"), "", "1", "token", 80)
    client = TestClient(server.build_app(studio), "http://127.0.0.1", headers={"X-Inkwash-Token": "token"})

    def send(path, body=None):
        if body is None:
            answer = client.get(path)
        elif isinstance(body, bytes):
            answer = client.put(path, content=body)
        else:
            answer = client.put(path, json=body)
        return answer.status_code, answer.json()

    return send


def set_values(ask, section, values, dry=False, sha256=None):
    sha256 = sha256 or ask("/api/params")[1]["sha256"]
    return ask("/api/params", {"section": section, "values": values, "sha256": sha256, "dry": dry})


def choose(ask, where, key, reason="", sha256=None):
    sha256 = sha256 or ask("/api/choices")[1]["sha256"]
    return ask("/api/choices", {"list": where, "key": key, "reason": reason, "sha256": sha256})


# ---------------------------------------------------------------- params.yaml


def test_a_dry_run_shows_the_difference_and_writes_nothing(ask):
    status, told = set_values(ask, "clean", {"complexity": 35, "plain": 2.5}, dry=True)
    assert status == 200
    assert [line for line in told["diff"] if line[0] in "+-"] == [
        "--- params.yaml", "+++ params.yaml", "-  complexity: 40.0", "+  complexity: 35.0", "+  plain: 2.5",
    ]  # fmt: skip
    assert Path("params.yaml").read_text() == PARAMS
    assert set_values(ask, "clean", {"complexity": 35, "plain": 2.5})[1] == told
    assert ask("/api/params")[1]["sha256"] == told["sha256"]


def test_an_edit_keeps_every_other_byte_and_the_permissions(ask):
    Path("params.yaml").chmod(0o640)
    assert set_values(ask, "clean", {"smallest": 300})[0] == 200
    assert set_values(ask, "pack", {"near": 12})[0] == 200
    assert Path("params.yaml").read_text() == PARAMS.replace("256 ", "300 ").replace("18", "12")
    assert Path("params.yaml").stat().st_mode & 0o777 == 0o640


def test_a_sketch_is_added_and_none_is_replaced(ask):
    added = {"a-08": {"preset": "a-08"}}
    assert set_values(ask, "sketches", added)[0] == 200
    assert ask("/api/params")[1]["values"]["sketches"] == {"b7": {"method": "threshold"}} | added
    status, told = set_values(ask, "sketches", {"b7": {"method": "mean"}})
    assert (status, told["error"]) == (
        400,
        "section sketches: there is a sketch b7 already: choose another name",
    )


@pytest.mark.parametrize(
    ("section", "values", "error"),
    [
        ("clean", {"complexity": 101}, "complexity must be a number from 0 to 100, got 101"),
        ("clean", {"complexity": "40"}, "complexity must be a number from 0 to 100, got '40'"),
        ("clean", {"complexity": None}, "complexity must be a number from 0 to 100, got None"),
        ("clean", {"complexity": True}, "complexity must be a number from 0 to 100, got True"),
        ("clean", {"complexity": [1]}, "complexity must be a number from 0 to 100, got [1]"),
        ("clean", {"smallest": 256.5}, "smallest must be an integer of at least 1, got '256.5'"),
        ("clean", {"smallest": 10**400}, "smallest must be an integer of at least 1, got 1000"),
        ("clean", {"keep": "/etc/passwd"}, "'keep' is not for the page to set: edit it by hand"),
        ("clean", {"__class__": 1}, "'__class__' is not for the page to set: edit it by hand"),
        ("train", {"lr": 1}, "'lr' is not for the page to set: edit it by hand"),
        ("pack", {"near": 61}, "near must be an integer from 0 to 60, got 61"),
        ("sketches", {"../b": {}}, "a name must be lower case letters, digits and hyphens, got '../b'"),
        ("sketches", {"b9": {"blocksize": 11}}, "the name b9 gives another blocksize than 11"),
        ("sketches", {"x": {"method": "draw"}}, "method must be one of threshold, "),
        ("sketches", {"x": {"c": {}}}, "the parameters of x must be numbers and texts"),
        ("sketches", {"x": {"colour": 1}}, "the parameters of sketch must be some of method, "),
    ],
)
def test_a_wrong_value_is_one_sentence(ask, section, values, error):
    status, told = set_values(ask, section, values)
    assert status == 400
    assert told["error"].startswith(f"section {section}: {error}")
    assert Path("params.yaml").read_text() == PARAMS


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999", "1e400"])
def test_numbers_that_are_none_are_refused(ask, number):
    sha256 = ask("/api/params")[1]["sha256"]
    body = f'{{"section": "clean", "values": {{"blur": {number}}}, "sha256": "{sha256}", "dry": false}}'
    status, told = ask("/api/params", body.encode())
    assert (status, told["error"][:42]) == (400, "section clean: blur must be a number of at")


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"{", b"{}", b'{"section": "clean", "values": [], "sha256": "", "dry": false}',
        b'{"section": 1, "values": {}, "sha256": "' + b"0" * 64 + b'", "dry": false}',
        b'{"section": "clean", "values": {}, "sha256": "' + b"0" * 64 + b'", "dry": 1}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_request_of_another_form_is_refused(ask, body):
    status, told = ask("/api/params", body)
    assert status == 400
    assert told["error"].startswith("the request ")


def test_a_file_that_changed_since_is_not_edited(ask):
    seen = ask("/api/params")[1]["sha256"]
    files.write(Path("params.yaml"), f"{PARAMS}# later\n".encode())
    status, told = set_values(ask, "clean", {"blur": 2}, sha256=seen)
    assert (status, told["error"]) == (
        409,
        "params.yaml changed since this page read it: load the page again",
    )
    assert Path("params.yaml").read_text() == f"{PARAMS}# later\n"


def test_a_link_and_a_file_that_is_read_only_are_not_edited(ask, home):
    params, outside = Path("params.yaml"), home.parent / "other.yaml"
    params.chmod(0o444)
    assert set_values(ask, "clean", {"blur": 2}) == (
        422, {"error": "params.yaml is read-only: allow to write it, or edit it by hand"},
    )  # fmt: skip
    params.rename(outside)
    params.symlink_to(outside)
    status, told = set_values(ask, "clean", {"blur": 2})
    assert (status, told["error"]) == (
        422,
        "params.yaml is a link, or outside of the project: edit it by hand",
    )
    assert outside.read_text() == PARAMS
    assert params.is_symlink()


def test_a_full_disk_is_one_sentence_and_leaves_the_file(ask, monkeypatch):
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    status, told = set_values(ask, "clean", {"blur": 2})
    assert status == 422
    assert told["error"].startswith("params.yaml cannot be written ([Errno 28] No space left on device)")
    assert Path("params.yaml").read_text() == PARAMS
    assert sorted(path.name for path in Path().iterdir()) == ["data", "lists", "params.yaml"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"clean: [1\n", "params.yaml cannot be read (no YAML ("),
        (b"\xff", "params.yaml cannot be read ('utf-8' codec"),
        (b"- 1\n", "params.yaml cannot be read (no sections of parameters): correct it"),
        (b"clean:\n  blur: !!python/object:os.system x\n", "params.yaml cannot be read (no YAML ("),
        (None, "params.yaml does not exist"),
    ],
)
def test_a_broken_file_is_one_sentence(ask, text, error):
    Path("params.yaml").unlink()
    if text is not None:
        files.write(Path("params.yaml"), text)
    for status, told in (ask("/api/params"), ask("/api/choices"), ask("/api/limits")):
        assert status == 422
        assert told["error"].startswith(error)


# ---------------------------------------------------------------- keep and drop


def test_a_reason_is_added_changed_and_removed_and_other_bytes_stay(ask):
    status, told = choose(ask, "keep", "000000004", MARKUP)
    assert (status, told["keep"]["000000004"]) == (200, MARKUP)
    assert Path("lists/keep.tsv").read_bytes().decode() == f"{KEEP}000000004\t{MARKUP}\r\n"
    assert choose(ask, "keep", "000000002", "lit by Bob")[0] == 200
    assert Path("lists/keep.tsv").read_bytes().decode() == (
        f"{KEEP}000000004\t{MARKUP}\r\n".replace("  000000002 \tlit\tby Ann", "000000002\tlit by Bob")
    )
    for key in ("000000001", "000000002", "000000004"):
        assert choose(ask, "none", key)[0] == 200
    assert Path("lists/keep.tsv").read_bytes().decode() == "\ufeff# seen in May\r\n\r\n"
    assert Path("lists/drop.tsv").read_text() == DROP


def test_a_key_moves_from_one_list_to_the_other(ask):
    status, told = choose(ask, "drop", "000000001", "too dark")
    assert (status, told["keep"]) == (200, {"000000002": "lit\tby Ann"})
    assert Path("lists/drop.tsv").read_text() == f"{DROP}\n000000001\ttoo dark\n"
    assert told == ask("/api/choices")[1]
    assert choose(ask, "keep", "000000003", "fine")[1]["drop"] == {"000000001": "too dark"}
    assert Path("lists/drop.tsv").read_text() == "# no good\n000000001\ttoo dark\n"


@pytest.mark.parametrize(
    "key", ["", "000000099", "../keep", "00000000\t1", "000000001\n", "#1", "000000001 ", "0", "a" * 10_000]
)
def test_a_key_that_is_of_no_picture_is_refused(ask, key):
    status, told = choose(ask, "keep", key, "good")
    assert (status, told["error"]) == (404, "data/color knows no picture of this key")
    assert Path("lists/keep.tsv").read_bytes() == KEEP.encode()


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "a\ttab", "a\rb", "a\u202eb", "\x00", "a" * 501])
def test_a_reason_that_is_no_line_is_refused(ask, reason):
    status, told = choose(ask, "drop", "000000004", reason)
    assert (status, told["error"]) == (400, "a reason must be one line of 1 to 500 characters, without tabs")
    assert Path("lists/drop.tsv").read_text() == DROP


def test_lists_that_changed_since_are_not_edited(ask):
    seen = ask("/api/choices")[1]["sha256"]
    files.write(Path("lists/drop.tsv"), b"")
    status, told = choose(ask, "keep", "000000004", "good", sha256=seen)
    assert (status, told["error"]) == (
        409, "keep.tsv or drop.tsv changed since this page read it: load the page again",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "error"),
    [
        ("/etc/hosts", "/etc/hosts is a link, or outside of the project: edit it by hand"),
        ("../keep.tsv", "../keep.tsv is a link, or outside of the project: edit it by hand"),
        ("linked/keep.tsv", "linked/keep.tsv is a link, or outside of the project: edit it by hand"),
        ("lists/drop.tsv", "params.yaml names lists/drop.tsv for both clean.keep and clean.drop: "),
        ("gone.tsv", "gone.tsv does not exist: make it, if only as an empty file, or name another"),
        ('""', "params.yaml names no file for clean.keep: set it, such as to keep.tsv"),
    ],
)  # fmt: skip
def test_only_the_two_files_of_the_project_are_edited(ask, home, keep, error):
    files.write(home.parent / "keep.tsv", b"")
    Path("linked").symlink_to(home.parent)
    seen = ask("/api/choices")[1]["sha256"]
    files.write(Path("params.yaml"), PARAMS.replace("lists/keep.tsv", keep).encode())
    status, told = choose(ask, "keep", "000000004", "good", sha256=ask("/api/choices")[1].get("sha256", seen))
    assert status in (400, 422)
    assert told["error"].startswith(error)
    assert (home.parent / "keep.tsv").read_bytes() == b""


def test_a_list_with_a_fault_is_not_edited(ask):
    seen = ask("/api/choices")[1]["sha256"]
    files.write(Path("lists/drop.tsv"), b"000000001\ttwice\n")
    status, told = choose(ask, "none", "000000001", sha256=seen)
    assert (status, told["error"]) == (
        409,
        "keep.tsv or drop.tsv changed since this page read it: load the page again",
    )
    status, told = ask("/api/choices")
    assert (status, told["error"]) == (
        422, "lists/keep.tsv and lists/drop.tsv both name 000000001: remove it from one of them",
    )  # fmt: skip
