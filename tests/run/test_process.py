"""A run depends on samples, code and parameters alone, accounts for every sample, and survives a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import psutil
import pytest
from made import make_column, picture, process
from project import EAGER
from store import content

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec
from pipeline.images.result import Result
from pipeline.operators import sketch
from pipeline.params import Cue, Sketch
from pipeline.run.step import Step
from pipeline.shards.column import INDEX, SEAL, list_shards
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.shards.loose import list_parts, write_loose

DRAW = Step(sketch.make_sketch, Sketch(), report=("complexity",))


def picky(data, key, params):
    """Reject every third sample; report one of four colors for the others."""
    if int(key) % 3 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data), {"color": int(key) % 4})


PICKY = Step(picky, Cue(), report=("color",))


def tell_color(data, key, params):
    """Report one of four colors for a sample."""
    return Result(codec.decode(data), {"color": int(key) % 4})


def unpacked(column, tmp_path):
    """Write the samples of a column to a folder."""
    for shard in list_shards(column):
        write_loose(tmp_path / "loose", shard)
    return tmp_path / "loose"


def everything(folder):
    """List the samples of a column or of a folder."""
    return [sample for part in list_parts(folder) for sample in part]


def keys(folder):
    """List the keys of a column or of a folder."""
    return [sample.key for sample in everything(folder)]


def ledger(folder):
    """List the key and the reason of each reject of a column or of a folder."""
    return [row[:2] for row in read_ledger(folder / LEDGER)[1:]]


def test_workers_and_memo_change_no_byte(column, tmp_path):
    cache = tmp_path / "cache"
    process(DRAW, column, tmp_path / "inline", cache=cache)
    process(DRAW, column, tmp_path / "memo", cache=cache)
    process(DRAW, column, tmp_path / "workers", cache=tmp_path / "other", workers=3)
    assert content(tmp_path / "inline") == content(tmp_path / "memo") == content(tmp_path / "workers")


def test_a_run_applies_the_operator_to_every_sample(column, tmp_path):
    report = process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    made = everything(tmp_path / "out")
    assert [int(sample.key) for sample in made] == list(range(1, 9))
    for sample in made:
        drawn = sketch.draw_sketch(picture(int(sample.key)), Sketch())
        np.testing.assert_array_equal(codec.decode(sample.picture)[..., 0], drawn)
    reported = [round(sample.metadata["complexity"], 2) for sample in made]
    assert sorted(report.counts["complexity"].elements()) == sorted(reported)


def test_folders_of_pictures_give_the_same_pictures_as_shards(column, tmp_path):
    loose = tmp_path / "loose"
    for shard in list_shards(column):
        write_loose(loose, shard)
    process(DRAW, loose, tmp_path / "drawn", cache=tmp_path / "cache", workers=2)
    process(DRAW, column, tmp_path / "shards", cache=tmp_path / "cache")
    for shard in list_shards(tmp_path / "shards"):
        for sample in shard:
            assert (tmp_path / "drawn" / f"{sample.key}.png").read_bytes() == sample.picture


def test_bad_pictures_are_counted_and_listed_and_the_others_kept(column, tmp_path):
    report = process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache")
    assert (report.taken, report.written, report.rejected) == (8, 6, {"gray": 2})
    assert ledger(tmp_path / "out") == [["000000003", "gray"], ["000000006", "gray"]]
    assert keys(tmp_path / "out") == [f"{n:09d}" for n in (1, 2, 4, 5, 7, 8)]
    seal = json.loads((tmp_path / "out" / SEAL).read_text())
    assert (seal["taken"], seal["written"], seal["rejected"]) == (8, 6, {"gray": 2})


def fussy(reported):
    """Reject one color."""
    return "odd" if reported["color"] == 2 else ""


@pytest.mark.parametrize("loose", [False, True])
def test_a_judged_sample_is_in_the_ledger_and_among_the_examples(column, tmp_path, loose):
    source = unpacked(column, tmp_path) if loose else column
    for dest in ("fresh", "from memo"):
        report = process(PICKY, source, tmp_path / dest, cache=tmp_path / "cache", judge=fussy, workers=2)
        assert report.rejected == {"gray": 2, "odd": 1}
        assert keys(tmp_path / dest) == [f"{n:09d}" for n in (1, 4, 5, 7, 8)]
        assert ledger(tmp_path / dest)[0] == ["000000002.png" if loose else "000000002", "odd"]
        assert '{""color"":2}' in (tmp_path / dest / LEDGER).read_text()
        [(key, shown)] = report.examples["odd"]
        assert key == "000000002"
        np.testing.assert_array_equal(codec.decode(shown), picture(2))


def test_a_reason_has_ten_examples(tmp_path):
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
def test_the_first_of_several_duplicates_is_kept(column, tmp_path, loose):
    source = unpacked(column, tmp_path) if loose else column
    report = process(PICKY, source, tmp_path / "out", cache=tmp_path / "cache", distinct="color", workers=2)
    assert keys(tmp_path / "out") == ["000000001", "000000002", "000000004", "000000007"]
    assert report.rejected == {"duplicate": 2, "gray": 2}
    np.testing.assert_array_equal(
        [codec.decode(data) for _, data in report.examples["duplicate"]], [picture(5), picture(8)]
    )


def test_too_many_rejects_leave_no_seal_and_an_error_that_names_the_ledger(column, tmp_path):
    with pytest.raises(
        Halt, match=r"2 of 8 pictures were rejected \(gray 2\), .* of 20 %: see .*rejects.tsv"
    ):
        process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache", tolerance=20.0)
    assert (tmp_path / "out" / LEDGER).is_file()
    assert not (tmp_path / "out" / SEAL).exists()
    process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache", tolerance=25.0)


def test_a_run_that_rejects_everything_fails(tmp_path):
    files.write(tmp_path / "in" / "1.png", b"broken")
    with pytest.raises(Halt, match=r"1 of 1 pictures were rejected \(cannot decode 1\): see .*rejects.tsv"):
        process(DRAW, tmp_path / "in", tmp_path / "out", cache=tmp_path / "cache")


def test_a_column_is_not_written_over_itself(column, tmp_path):
    before = content(column)
    with pytest.raises(Halt, match="is where the pictures come from"):
        process(DRAW, column, column, cache=tmp_path / "cache")
    assert content(column) == before


def test_ticks_count_up_to_every_sample(column, tmp_path):
    ticks = []
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache", tick=lambda *t: ticks.append(t))
    assert ticks == [(3, 8), (6, 8), (8, 8)]


def mortal(data, key, params):
    """Die like a worker that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_reported(column, tmp_path):
    with pytest.raises(Halt, match="a worker was killed"):
        process(Step(mortal, Cue()), column, tmp_path / "out", cache=tmp_path / "cache", workers=2)
    assert not (tmp_path / "out" / SEAL).exists()


def greedy(data, key, params):
    """Ask a library for more memory than there is, for the seventh sample."""
    if int(key) == 7 and os.environ["GREED"] == "NumPy":
        np.empty(1 << 50, np.uint8)
    if int(key) == 7 and os.environ["GREED"] == "OpenCV":
        cv2.copyMakeBorder(np.zeros((1, 1), np.uint8), 0, 1 << 30, 0, 1 << 20, cv2.BORDER_REPLICATE)
    return Result(codec.decode(data), {})


@pytest.mark.parametrize(("library", "workers"), [("NumPy", 1), ("OpenCV", 1), ("NumPy", 2)])
def test_out_of_memory_is_reported_and_the_next_run_goes_on(column, tmp_path, monkeypatch, library, workers):
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
    """Give OpenCV an empty picture."""
    return cv2.cvtColor(np.empty((0, 0, 3), np.uint8), cv2.COLOR_RGB2GRAY), {}


def test_a_killed_run_leaves_no_seal_and_no_worker_and_the_next_run_completes_it(tmp_path):
    column = make_column(tmp_path / "column", [f"{n:09d}" for n in range(1, 141)], per_shard=2)
    process(DRAW, column, tmp_path / "whole", cache=tmp_path / "elsewhere")
    command = [sys.executable, "-c", EAGER, "sketchify", str(column), str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache"), "--workers", "2"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not any((tmp_path / "cache").rglob("*.json")):
        assert child.poll() is None
        time.sleep(0.005)
    workers = psutil.Process(child.pid).children(recursive=True)
    assert len(workers) >= 2
    child.kill()
    child.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert not (tmp_path / "out" / SEAL).exists()
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_files_of_an_earlier_run_are_removed(column, tmp_path):
    process(DRAW, column, tmp_path / "out", cache=tmp_path / "cache")
    few = make_column(tmp_path / "few", ["000000001"])
    process(DRAW, few, tmp_path / "out", cache=tmp_path / "cache")
    assert sorted(content(tmp_path / "out")) == ["000000.tar", INDEX, LEDGER, SEAL]
    shutil.rmtree(tmp_path / "cache")
    files.write(tmp_path / "out" / "000009.tar", b"stale")
    process(DRAW, few, tmp_path / "out", cache=tmp_path / "cache")
    assert not (tmp_path / "out" / "000009.tar").exists()
