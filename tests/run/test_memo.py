"""The memo makes nothing twice, and a damaged entry is no result."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from made import make_column, process
from store import content

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec
from pipeline.images.result import Result
from pipeline.operators import sketch
from pipeline.params import Cue, Sketch
from pipeline.run.choices import Choices
from pipeline.run.memo import MEMO_TABLE, open_table
from pipeline.run.process import accept_all
from pipeline.run.step import Step

DRAW = Step(sketch.make_sketch, Sketch(), report=("complexity",))


def noted(data, key, params):
    """Note on disk that a sample is made; reject every fifth."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{key}\n")
    if int(key) % 5 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data), {"key": key})


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that lists the samples made since its last call."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))

    def since():
        notes = (tmp_path / "notes").read_text().split() if (tmp_path / "notes").exists() else []
        (tmp_path / "notes").unlink(missing_ok=True)
        return sorted(map(int, notes))

    return since


def test_only_new_samples_are_made_when_shards_grow_split_or_move(tmp_path, made):
    step, cache = Step(noted, Cue()), tmp_path / "cache"
    few = make_column(tmp_path / "few", [f"{n:09d}" for n in range(2, 30, 2)], per_shard=4)
    more = make_column(tmp_path / "more", [f"{n:09d}" for n in range(1, 30)], per_shard=7)
    process(step, few, tmp_path / "out", cache=cache)
    assert made() == list(range(2, 30, 2))
    process(step, more, tmp_path / "out", cache=cache, workers=2)
    assert made() == list(range(1, 30, 2))
    process(step, more, tmp_path / "anew", cache=tmp_path / "other")
    assert content(tmp_path / "out") == content(tmp_path / "anew")
    made()
    process(step, few, tmp_path / "out", cache=cache)
    process(replace(step, params=Cue(sigma=3.0)), few, tmp_path / "out", cache=cache)
    process(step, few, tmp_path / "out", cache=cache)
    assert made() == list(range(2, 30, 2))  # only for the other parameter


def test_another_judge_makes_nothing_again(column, tmp_path, made):
    cache = tmp_path / "cache"
    for judge, written in ((accept_all, 7), (accept_first, 1), (accept_all, 7)):
        report = process(
            Step(noted, Cue(), report=("key",)), column, tmp_path / "out", cache=cache, judge=judge
        )
        assert report.written == written
    assert made() == list(range(1, 9))


def accept_first(reported):
    """Accept the first sample only."""
    return "late" if int(reported["key"]) > 1 else ""


def test_another_choice_makes_nothing_again_and_the_next_stage_only_what_is_new_to_it(column, tmp_path, made):
    step, cache = Step(noted, Cue(), report=("key",)), tmp_path / "cache"
    fourth, first, after = {"000000004": "a"}, {"000000001": "b"}, []
    for choices in (Choices(), Choices(keep=fourth), Choices(keep=fourth, drop=first), Choices()):
        process(step, column, tmp_path / "out", cache=cache, judge=accept_first, choices=choices)
        assert made() == ([] if after else [*range(1, 9)])
        process(replace(step, params=Cue(sigma=3.0)), tmp_path / "out", tmp_path / "next", cache=cache)
        after.append(made())
    assert after == [[1], [4], [], []]


def test_a_damaged_sample_of_the_memo_is_made_again(tmp_path, made):
    step, cache = Step(noted, Cue()), tmp_path / "cache"
    process(step, make_column(tmp_path / "few", ["000000001", "000000002"]), tmp_path / "out", cache=cache)
    [path] = cache.rglob("*.tar")
    data = bytearray(path.read_bytes())
    data[600] ^= 1  # in the picture of the first
    path.write_bytes(data)
    made()
    more = make_column(tmp_path / "more", ["000000001", "000000002", "000000003"])
    process(step, more, tmp_path / "out", cache=cache)
    assert made() == [1, 3]
    process(step, more, tmp_path / "anew", cache=tmp_path / "other")
    assert content(tmp_path / "out") == content(tmp_path / "anew")


def test_a_truncated_shard_of_the_memo_is_made_again(column, tmp_path):
    cache = tmp_path / "cache"
    process(DRAW, column, tmp_path / "out", cache=cache)
    whole = content(tmp_path / "out")
    for path in cache.rglob("*.tar"):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[:-100])
    process(DRAW, column, tmp_path / "out", cache=cache)
    assert content(tmp_path / "out") == whole


@pytest.mark.parametrize("damage", ["empty", "old", "flipped", "exchanged"])
def test_a_damaged_note_of_the_memo_is_made_again(column, tmp_path, damage):
    cache = tmp_path / "cache"
    process(DRAW, column, tmp_path / "out", cache=cache)
    whole, notes = content(tmp_path / "out"), sorted(cache.rglob("*.json"))
    data = [path.read_bytes() for path in notes]
    for number, path in enumerate(notes):
        own = data[number]
        changed = {"empty": b"", "old": own.partition(b"\n")[2], "exchanged": data[number - 1]}
        changed["flipped"] = own[:80] + bytes([own[80] ^ 4]) + own[81:]
        path.write_bytes(changed[damage])
    process(DRAW, column, tmp_path / "out", cache=cache)
    assert content(tmp_path / "out") == whole
    assert [path.read_bytes() for path in notes] == data


def test_a_damaged_table_is_reported_with_advice(column, tmp_path):
    files.write(tmp_path / "cache" / "steps" / "made.sqlite", b"nonsense" * 1000)
    with pytest.raises(Halt, match=r"made.sqlite is damaged .*: delete it, the next run makes it again"):
        process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")


def test_a_new_table_waits_for_another_process_that_writes_to_it(tmp_path):
    other = sqlite3.connect(tmp_path / MEMO_TABLE, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    end = Timer(0.1, other.close)
    end.start()
    with open_table(tmp_path) as table:
        assert not table.execute("SELECT * FROM made").fetchall()
    end.join()


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE]
)
def test_a_full_disk_under_the_table_is_no_damage(monkeypatch, tmp_path, code):
    def fail(*given, **settings):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*made\.sqlite"), open_table(tmp_path):
        pass


def test_a_read_only_table_is_no_damage(monkeypatch, tmp_path):
    def fail(*given, **settings):
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise error

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(PermissionError, match=r"made\.sqlite"), open_table(tmp_path):
        pass
