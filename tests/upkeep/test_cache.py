"""The cache is kept within its limit: the least recently used entries are removed, and nothing breaks."""

import itertools
import os
import sqlite3
import time
from pathlib import Path

import pytest
from made import make_column, process
from store import content

from pipeline import files
from pipeline.operators import sketch
from pipeline.params import Sketch
from pipeline.run.memo import MEMO_TABLE, Memo
from pipeline.run.step import Step
from pipeline.upkeep.cache import collect_garbage

STEPS = {
    number: Step(sketch.make_sketch, Sketch(blocksize=number), report=("complexity",))
    for number in (7, 9, 11)
}
KEYS = [f"{number:09d}" for number in range(1, 9)]


def size(folder):
    """Sum the bytes of the shards and entries of a memo."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".tar", ".json"))


@pytest.fixture
def cache(tmp_path):
    """Fill a cache by three steps, last used at different times: 9 first, then 11, then 7."""
    column = make_column(tmp_path / "column", KEYS)
    known = set()
    for age, number in ((3, 9), (2, 11), (1, 7)):
        process(STEPS[number], column, tmp_path / "out", cache=tmp_path / "cache")
        for path in set((tmp_path / "cache").rglob("*.*")) - known:
            known.add(path)
            os.utime(path, (time.time() - 1000 * age,) * 2)
    return tmp_path / "cache"


def count_recomputed(tmp_path, cache, monkeypatch, number):
    """Count the samples that a step computes because the cache does not have them."""
    calls, call = [], Step.__call__
    monkeypatch.setattr(Step, "__call__", lambda *given: calls.append(1) or call(*given))
    process(STEPS[number], tmp_path / "column", tmp_path / "out", cache=cache)
    monkeypatch.undo()
    return len(calls)


def test_the_least_recently_used_goes_first(cache, tmp_path, monkeypatch):
    before = size(cache)
    freed = collect_garbage(cache, before - 1)
    assert (freed.entries, freed.left) == (1, size(cache))
    assert freed.bytes == before - size(cache)
    collect_garbage(cache, before // 2)
    assert size(cache) <= before // 2
    last, middle, first = [count_recomputed(tmp_path, cache, monkeypatch, number) for number in (7, 11, 9)]
    assert (last, first) == (0, 8)
    assert 0 < middle < 8


def test_an_entry_that_is_used_again_stays(cache, tmp_path, monkeypatch):
    process(STEPS[9], tmp_path / "column", tmp_path / "out", cache=cache)
    collect_garbage(cache, size(cache) // 2)
    assert count_recomputed(tmp_path, cache, monkeypatch, 9) == 0


def test_a_cache_within_its_limit_keeps_everything(cache):
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.tar")}
    assert collect_garbage(cache, size(cache)).entries == 0
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.tar")} == before


def test_the_table_loses_the_samples_of_removed_shards(cache):
    collect_garbage(cache, 0)
    with sqlite3.connect(cache / "steps" / MEMO_TABLE) as table:
        assert table.execute("SELECT count(*) FROM made").fetchone() == (0,)


def test_files_abandoned_a_day_ago_go_even_within_the_limit(cache):
    old, new = cache / "steps/ab/.a.tar.0.part", cache / "steps/ab/.b.tar.0.part"
    for path, age in ((old, 90_000), (new, 10)):
        files.write(path, b"half")
        os.utime(path, (time.time() - age,) * 2)
    collect_garbage(cache, 10**12)
    assert (old.exists(), new.exists()) == (False, True)


def test_downloads_stay_unless_asked_for(cache):
    files.write(cache / "files/ab/abc.png", bytes(1000))
    collect_garbage(cache, 0)
    assert (cache / "files/ab/abc.png").exists()
    assert collect_garbage(cache, 0, downloads=True).bytes == 1000
    assert not (cache / "files/ab/abc.png").exists()


def test_a_missing_cache_is_no_error(tmp_path):
    assert collect_garbage(tmp_path / "nowhere", 0).entries == 0


def test_a_run_ends_well_whenever_the_cache_is_emptied(tmp_path, monkeypatch):
    color = make_column(tmp_path / "color", [f"{n:09d}" for n in range(6)], per_shard=3)
    process(STEPS[7], color, tmp_path / "expected", cache=tmp_path / "other")
    kept = Memo.keep

    def keep_and_lose(*given):
        kept(*given)
        if next(times) % 2 == 0:  # the result goes before it is placed, and again for the next shard
            collect_garbage(tmp_path / "cache", 0)

    times = itertools.count()
    monkeypatch.setattr(Memo, "keep", keep_and_lose)
    process(STEPS[7], color, tmp_path / "out", cache=tmp_path / "cache")
    assert next(times) == 4
    assert content(tmp_path / "out") == content(tmp_path / "expected")


def test_a_file_that_goes_while_the_cache_is_listed_stops_nothing(tmp_path, monkeypatch):
    for name in ("a", "b"):
        files.write(tmp_path / f"files/aa/{name}.png", b"x")
    exists = Path.is_file

    def vanish(path):
        found = exists(path)
        if path.name == "a.png":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "is_file", vanish)
    assert collect_garbage(tmp_path, 0, downloads=True).entries == 1


def test_what_a_running_command_has_not_finished_stays(tmp_path):
    left = [tmp_path / name for name in ("steps/ab/.a.tar.0.part", "names/ab/c.part", "names/ab/c.validator")]
    for path in left:
        files.write(path, b"half of it")
    collect_garbage(tmp_path, 0, downloads=True)
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (time.time() - 25 * 3600,) * 2)
    collect_garbage(tmp_path, 10**9, downloads=True)
    assert not any(path.exists() for path in left)
