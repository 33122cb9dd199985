"""What a step makes depends on samples, code and parameters alone; every sample is accounted for."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from made import make_column, picture, process

from pipeline import codehash, files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec, pixels, png
from pipeline.images.result import Result
from pipeline.operators import clean, cue, sketch
from pipeline.params import Clean, Cue, Sketch
from pipeline.run.memo import open_table
from pipeline.run.process import accept_all
from pipeline.run.step import Step
from pipeline.shards.column import INDEX, SEAL, list_shards, seal_column, write_shard
from pipeline.shards.ledger import LEDGER
from pipeline.shards.loose import list_parts, write_loose
from pipeline.shards.tar import Sample

DRAW = Step(sketch.make_sketch, Sketch(), report=("complexity",))


def picky(data, key, params):
    """Reject every third sample; tell which of four colors the others have."""
    if int(key) % 3 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data), {"color": int(key) % 4})


def tell_color(data, key, params):
    """Tell which of four colors a sample has."""
    return Result(codec.decode(data), {"color": int(key) % 4})


def unpacked(column, tmp_path):
    """Write the samples of a column to a folder."""
    for shard in list_shards(column):
        write_loose(tmp_path / "loose", shard)
    return tmp_path / "loose"


PICKY = Step(picky, Cue(), report=("color",))


def everything(folder):
    """List the samples of a column or of a folder."""
    return [sample for part in list_parts(folder) for sample in part]


def keys(folder):
    """List the keys of a column or of a folder."""
    return [sample.key for sample in everything(folder)]


def ledger(folder):
    """List the rejects of a column or of a folder."""
    return [line.split("\t")[:2] for line in (folder / LEDGER).read_text().splitlines()[1:]]


def content(folder):
    """Return the bytes of every file of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_workers_and_memo_leave_no_trace_in_the_bytes(column, tmp_path):
    cache = tmp_path / "cache"
    process(DRAW, column, tmp_path / "inline", cache=cache)
    process(DRAW, column, tmp_path / "memo", cache=cache)
    process(DRAW, column, tmp_path / "workers", cache=tmp_path / "other", workers=3)
    assert content(tmp_path / "inline") == content(tmp_path / "memo") == content(tmp_path / "workers")


def test_a_step_is_the_library_call_on_every_sample(column, tmp_path):
    report = process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    made = everything(tmp_path / "out")
    assert [int(sample.key) for sample in made] == list(range(1, 9))
    for sample in made:
        drawn = sketch.draw_sketch(picture(int(sample.key)), Sketch())
        np.testing.assert_array_equal(codec.decode(sample.picture)[..., 0], drawn)
    told = [round(sample.metadata["complexity"], 2) for sample in made]
    assert sorted(report.counts["complexity"].elements()) == sorted(told)


def test_folders_of_pictures_give_the_same_pictures_as_shards(column, tmp_path):
    loose = tmp_path / "loose"
    for shard in list_shards(column):
        write_loose(loose, shard)
    process(DRAW, loose, tmp_path / "drawn", cache=tmp_path / "cache", workers=2)
    process(DRAW, column, tmp_path / "shards", cache=tmp_path / "cache")
    for shard in list_shards(tmp_path / "shards"):
        for sample in shard:
            assert (tmp_path / "drawn" / f"{sample.key}.png").read_bytes() == sample.picture


def test_facts_are_carried_only_when_asked_for(column, tmp_path):
    for carry in (False, True):
        step = Step(cue.make_cue, Cue(), carry=carry)
        process(step, column, tmp_path / "out", cache=tmp_path / "cache")
        first = next(iter(list_shards(tmp_path / "out")[0]))
        assert first.metadata == ({"family": first.key} if carry else {}) | {
            "method": "gaussian",
            "sigma": 20.0,
        }


def test_bad_pictures_are_counted_and_named_and_their_neighbors_survive(column, tmp_path):
    report = process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache")
    assert (report.taken, report.written, report.rejected) == (8, 6, {"gray": 2})
    assert ledger(tmp_path / "out") == [["000000003", "gray"], ["000000006", "gray"]]
    assert keys(tmp_path / "out") == [f"{n:09d}" for n in (1, 2, 4, 5, 7, 8)]
    seal = json.loads((tmp_path / "out" / SEAL).read_text())
    assert (seal["taken"], seal["written"], seal["rejected"]) == (8, 6, {"gray": 2})


def fussy(told):
    """Judge by what is told: the third color is out of fashion."""
    return "odd" if told["color"] == 2 else ""


@pytest.mark.parametrize("loose", [False, True])
def test_what_is_judged_by_what_is_told_is_left_out_with_its_reason_and_shown(column, tmp_path, loose):
    source = unpacked(column, tmp_path) if loose else column
    for dest in ("fresh", "from memo"):
        report = process(PICKY, source, tmp_path / dest, cache=tmp_path / "cache", judge=fussy, workers=2)
        assert report.rejected == {"gray": 2, "odd": 1}
        assert keys(tmp_path / dest) == [f"{n:09d}" for n in (1, 4, 5, 7, 8)]
        assert ledger(tmp_path / dest)[0] == ["000000002", "odd"]
        assert '{""color"":2}' in (tmp_path / dest / LEDGER).read_text()
        [(key, shown)] = report.examples["odd"]
        assert key == "000000002"
        np.testing.assert_array_equal(codec.decode(shown), picture(2))


def test_only_ten_pictures_are_shown_of_a_reason(tmp_path):
    column = make_column(tmp_path / "in", [f"{4 * n + 2:09d}" for n in range(1, 40)])
    keep = Step(tell_color, Cue(), report=("color",))
    with pytest.raises(Halt, match="odd 39"):
        process(keep, column, tmp_path / "out", cache=tmp_path / "cache", judge=fussy)
    keep = make_column(tmp_path / "more", [f"{n:09d}" for n in range(1, 100)])
    report = process(
        Step(tell_color, Cue(), report=("color",)),
        keep,
        tmp_path / "out",
        cache=tmp_path / "cache",
        judge=fussy,
    )
    assert report.rejected == {"odd": 25}
    shown = [codec.decode(data) for _, data in report.examples["odd"]]
    np.testing.assert_array_equal(shown, [picture(4 * n + 2) for n in range(10)])


@pytest.mark.parametrize("loose", [False, True])
def test_of_duplicates_the_first_stays(column, tmp_path, loose):
    source = unpacked(column, tmp_path) if loose else column
    report = process(PICKY, source, tmp_path / "out", cache=tmp_path / "cache", distinct="color", workers=2)
    assert keys(tmp_path / "out") == ["000000001", "000000002", "000000004", "000000007"]
    assert report.rejected == {"duplicate": 2, "gray": 2}
    np.testing.assert_array_equal(
        [codec.decode(data) for _, data in report.examples["duplicate"]], [picture(5), picture(8)]
    )


def test_too_many_rejects_stop_the_run_without_a_seal_and_say_where_to_look(column, tmp_path):
    with pytest.raises(
        Halt, match=r"2 of 8 pictures were rejected \(gray 2\), .* of 20 %: see .*rejects.tsv"
    ):
        process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache", tolerance=20.0)
    assert (tmp_path / "out" / LEDGER).is_file()
    assert not (tmp_path / "out" / SEAL).exists()
    process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache", tolerance=25.0)


def test_a_run_that_keeps_nothing_is_a_failure(tmp_path):
    files.write(tmp_path / "in" / "1.png", b"broken")
    with pytest.raises(Halt, match=r"1 of 1 pictures were rejected \(cannot decode 1\): see .*rejects.tsv"):
        process(DRAW, tmp_path / "in", tmp_path / "out", cache=tmp_path / "cache")


def test_a_column_is_not_written_over_itself(column, tmp_path):
    before = content(column)
    with pytest.raises(Halt, match="is where the pictures come from"):
        process(DRAW, column, column, cache=tmp_path / "cache")
    assert content(column) == before


def noted(data, key, params):
    """Note on disk that a sample is made; every fifth is bad."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{key}\n")
    if int(key) % 5 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data), {"key": key})


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return what lists the samples that were made since it was last asked."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))

    def since():
        notes = (tmp_path / "notes").read_text().split() if (tmp_path / "notes").exists() else []
        (tmp_path / "notes").unlink(missing_ok=True)
        return sorted(map(int, notes))

    return since


def test_only_what_is_new_is_made_when_shards_grow_split_or_move(tmp_path, made):
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
    assert made() == list(range(2, 30, 2))  # for the other parameter alone


def test_a_judge_that_changes_makes_nothing_again(column, tmp_path, made):
    cache = tmp_path / "cache"
    for judge, written in ((accept_all, 7), (nobody_but_the_first, 1), (accept_all, 7)):
        report = process(
            Step(noted, Cue(), report=("key",)), column, tmp_path / "out", cache=cache, judge=judge
        )
        assert report.written == written
    assert made() == list(range(1, 9))


def nobody_but_the_first(told):
    """Judge by the key."""
    return "late" if int(told["key"]) > 1 else ""


def test_a_sample_of_the_memo_whose_bytes_have_changed_is_made_again(tmp_path, made):
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


def test_a_damaged_table_of_the_memo_is_said_in_a_sentence(column, tmp_path):
    files.write(tmp_path / "cache" / "steps" / "made.sqlite", b"nonsense" * 1000)
    with pytest.raises(Halt, match=r"made.sqlite is damaged .*: delete it, it is made anew"):
        process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE]
)
def test_a_full_disk_under_the_table_of_the_memo_is_no_damage(monkeypatch, tmp_path, code):
    def fail(*given, **settings):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*made\.sqlite"), open_table(tmp_path):
        pass


def test_parameters_and_code_are_part_of_the_fingerprint(monkeypatch, tmp_path):
    assert DRAW.fingerprint() == Step(sketch.make_sketch, Sketch(), report=("complexity",)).fingerprint()
    assert (
        DRAW.fingerprint()
        != Step(sketch.make_sketch, Sketch(blocksize=9), report=("complexity",)).fingerprint()
    )
    before = DRAW.fingerprint()
    edited = tmp_path / "edited.py"
    edited.write_text("changed = True")
    monkeypatch.setattr(codehash, "source_files", lambda module: (edited,))
    assert DRAW.fingerprint() != before


def test_a_damaged_memo_is_made_again(column, tmp_path):
    cache = tmp_path / "cache"
    process(DRAW, column, tmp_path / "out", cache=cache)
    whole = content(tmp_path / "out")
    for path in cache.rglob("*.tar"):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[:-100])
    process(DRAW, column, tmp_path / "out", cache=cache)
    assert content(tmp_path / "out") == whole


def test_metrics_summarize_what_is_told(column, tmp_path):
    report = process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache")
    assert report.metrics("color") == {
        "taken": 8,
        "written": 6,
        "rejected": {"gray": 2},
        "color": {"mean": 1.1667, "median": 1.0},
    }


def test_ticks_count_up_to_every_sample(column, tmp_path):
    ticks = []
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache", tick=lambda *t: ticks.append(t))
    assert ticks == [(3, 8), (6, 8), (8, 8)]


def mortal(data, key, params):
    """Die as a worker does that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_said_in_a_sentence(column, tmp_path):
    with pytest.raises(Halt, match="a worker was killed"):
        process(Step(mortal, Cue()), column, tmp_path / "out", cache=tmp_path / "cache", workers=2)
    assert not (tmp_path / "out" / SEAL).exists()


def greedy(data, key, params):
    """Ask for more memory than there is for the seventh sample, of the library that the caller names."""
    if int(key) == 7 and os.environ["GREED"] == "NumPy":
        np.empty(1 << 50, np.uint8)
    if int(key) == 7 and os.environ["GREED"] == "OpenCV":
        cv2.copyMakeBorder(np.zeros((1, 1), np.uint8), 0, 1 << 30, 0, 1 << 20, cv2.BORDER_REPLICATE)
    return Result(codec.decode(data), {})


@pytest.mark.parametrize(("library", "workers"), [("NumPy", 1), ("OpenCV", 1), ("NumPy", 2)])
def test_out_of_memory_is_said_in_a_sentence_and_the_next_run_goes_on(
    column, tmp_path, monkeypatch, library, workers
):
    monkeypatch.setenv("GREED", library)
    with pytest.raises(Halt, match=r"^out of memory on 000000007: use fewer --workers, or more memory, then"):
        process(Step(greedy, Cue()), column, tmp_path / "out", cache=tmp_path / "cache", workers=workers)
    assert {"000000.tar", "000001.tar"} <= set(content(tmp_path / "out"))
    assert SEAL not in content(tmp_path / "out")
    made = list((tmp_path / "cache").rglob("*.tar"))
    before = {path: path.stat().st_ino for path in made}
    monkeypatch.setenv("GREED", "")
    process(Step(greedy, Cue()), column, tmp_path / "out", cache=tmp_path / "cache")
    assert keys(tmp_path / "out") == [f"{n:09d}" for n in range(1, 9)]
    assert {path: path.stat().st_ino for path in made} == before  # what was finished was not made again


def test_another_failure_of_opencv_is_a_bug(column, tmp_path):
    with pytest.raises(cv2.error, match="empty"):
        process(Step(blunder, Cue()), column, tmp_path / "out", cache=tmp_path / "cache")


def blunder(data, key, params):
    """Give OpenCV what it cannot work on."""
    return cv2.cvtColor(np.empty((0, 0, 3), np.uint8), cv2.COLOR_RGB2GRAY), {}


def test_a_killed_run_leaves_no_seal_and_no_worker_and_the_next_run_completes_it(tmp_path):
    column = make_column(tmp_path / "column", [f"{n:09d}" for n in range(1, 141)], per_shard=2)
    process(DRAW, column, tmp_path / "whole", cache=tmp_path / "elsewhere")
    command = [sys.executable, "-m", "stages.prep", "sketchify", str(column), str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache"), "--workers", "2"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not any((tmp_path / "cache").rglob("*.json")):
        assert child.poll() is None
        time.sleep(0.005)
    workers = psutil.Process(child.pid).children(recursive=True)
    child.kill()
    child.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert not (tmp_path / "out" / SEAL).exists()
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_what_an_earlier_run_left_behind_is_gone(column, tmp_path):
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    few = make_column(tmp_path / "few", ["000000001"])
    process(DRAW, few, tmp_path / "out", cache=tmp_path / "cache")
    assert sorted(content(tmp_path / "out")) == ["000000.tar", INDEX, LEDGER, SEAL]
    shutil.rmtree(tmp_path / "cache")
    files.write(tmp_path / "out" / "000009.tar", b"stale")
    process(DRAW, few, tmp_path / "out", cache=tmp_path / "cache")
    assert not (tmp_path / "out" / "000009.tar").exists()


CLEAN = Step(clean.make_color, clean.PixelParams.of(Clean(side=16)), carry=True, extra="sketch")
OWN = Step(sketch.make_sketch, Sketch(method="own"), report=("complexity",), extra="sketch")


def make_pairs(folder, suffixes):
    """Write and seal a column of one shard: a picture for each suffix of an own sketch, which may be none."""
    listed = []
    for number, suffix in enumerate(suffixes, 1):
        members = {"png": png.encode_png(picture(number)), "json": files.dumps({"family": "1"})}
        if suffix:
            members[suffix] = png.encode_png(picture(number)[..., 0])
        listed.append(Sample(f"{number:09d}", members))
    seal_column(folder, [write_shard(folder / "000000.tar", listed)], len(listed), {})
    return folder


def test_own_sketches_go_through_to_a_column_of_their_own(tmp_path):
    column = make_pairs(tmp_path / "in", ["sketch.png", "sketch.jpg"])
    process(CLEAN, column, tmp_path / "color", cache=tmp_path / "cache")
    process(OWN, tmp_path / "color", tmp_path / "own", cache=tmp_path / "cache")
    process(Step(cue.make_cue, Cue()), tmp_path / "color", tmp_path / "cue", cache=tmp_path / "cache")
    colors, sketches, cues = (list(list_shards(tmp_path / name)[0]) for name in ("color", "own", "cue"))
    assert len(colors) == len(sketches) == 2
    for number, (color, own, other) in enumerate(zip(colors, sketches, cues, strict=True), 1):
        assert list(color.members) == ["png", "sketch.png", "json"]
        assert color.metadata["family"] == "1"
        np.testing.assert_array_equal(codec.decode(color.picture), pixels.square(picture(number), 16))
        assert list(own.members) == list(other.members) == ["png", "json"]
        assert own.picture == color.members["sketch.png"] != other.picture
        np.testing.assert_array_equal(
            codec.decode(own.picture)[..., 0], pixels.square(picture(number)[..., 0], 16)
        )


def test_own_sketches_leave_no_trace_in_the_pictures_beside_them(tmp_path):
    for name, suffix in (("with", "sketch.png"), ("without", "")):
        process(
            CLEAN, make_pairs(tmp_path / f"{name}-in", [suffix]), tmp_path / name, cache=tmp_path / "cache"
        )
    beside, alone = (next(iter(list_shards(tmp_path / name)[0])) for name in ("with", "without"))
    assert alone.members["png"] == beside.members["png"]
    assert alone.metadata == beside.metadata | {"lines": alone.metadata["lines"]}


def test_a_picture_without_its_own_sketch_is_not_in_their_column(tmp_path):
    column = make_pairs(tmp_path / "in", ["sketch.png", "", "sketch-b7.png"])
    process(OWN, column, tmp_path / "own", cache=tmp_path / "cache")
    assert ledger(tmp_path / "own") == [["000000002", "no sketch"], ["000000003", "no sketch"]]
