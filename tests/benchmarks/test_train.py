"""The benchmark of training: its counts are right, its comparisons fair, and its tables complete."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import conv2d

from pipeline.errors import Halt
from pipeline.params import Model
from pipeline.systems import SYSTEMS
from pipeline.systems.pix2pix import Pix2Pix

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import canonical  # noqa: E402
import contest  # noqa: E402
import portraits  # noqa: E402
import train  # noqa: E402
import train_gpu  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--threads", "1", "--width", "4", "--depth", "4", "--side", "32"]
MODEL = Model(width=4, depth=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Draw and pack a few portraits."""
    return portraits.pack_portraits(tmp_path_factory.mktemp("drawn"), 12, 32)


def cells(text):
    """Read the cells of all tables."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if set(row[0]) != {"-"}]


def test_every_way_has_a_row_for_every_batch_on_a_cpu(capsys):
    assert train.main([*SMALL, "--steps", "2", "--batches", "1,3"]) == 0
    heads, *rows = cells(capsys.readouterr().out)
    assert [(row[1], row[2]) for row in rows] == [
        (batch, way) for batch in "13" for way in ("plain, D frozen", "plain", "inkwash")
    ]
    for row in rows:
        assert float(row[4]) == pytest.approx(int(row[1]) / float(row[3]), rel=0.2)
        for other in (5, 6):
            same = next(each for each in rows if each[1] == row[1] and heads[other] == f"x {each[2]}")
            assert float(row[other]) == pytest.approx(float(same[3]) / float(row[3]), rel=0.2)


def test_the_losses_equal_those_of_the_plain_loop(data, capsys):
    assert train.losses_agree(data, MODEL, steps=12)
    assert [row[0] for row in cells(capsys.readouterr().out)[1:]] == ["adversarial", "l1", "real", "fake"]


def test_an_update_with_another_weight_fails_the_check(data, monkeypatch):
    right = Pix2Pix.generator_loss

    def wrong(system, networks, batch, output, train, features):
        return right(system, networks, batch, output, replace(train, l1=99.5), features)

    monkeypatch.setattr(Pix2Pix, "generator_loss", wrong)
    assert not train.losses_agree(data, MODEL, steps=2)


@pytest.mark.parametrize(
    ("kind", "off", "same"),
    [(torch.float64, 1e-6, False), (torch.float32, 0.1, False), (torch.float32, 0.01, True)],
)
def test_the_last_step_counts_singly_in_float64_and_in_the_mean_in_float32(
    data, monkeypatch, kind, off, same
):
    def drift(data, model, asked, steps):
        return {"l1": [(1.0, 1.0)] * (steps - 1) + [(1.0, 1.0 + off * (asked == kind))]}

    monkeypatch.setattr(train, "compare_losses", drift)
    assert train.losses_agree(data, MODEL) == same


def test_the_exit_code_says_whether_the_losses_agree(monkeypatch):
    for same, code in ((True, 0), (False, 1)):
        monkeypatch.setattr(train, "losses_agree", lambda *arguments, same=same: same)
        assert train.main(["--steps", "0", "--check", *SMALL]) == code


def test_the_tables_of_a_gpu_have_every_system_and_batch(monkeypatch, capsys):
    monkeypatch.setattr(contest, "median_time", lambda work, *how: contest.time_runs(work, 1, "cpu"))
    monkeypatch.setattr(contest, "matrix_rate", lambda device: 1e12)
    monkeypatch.setattr(contest, "free_memory", lambda device: None)  # earlier rows are small
    assert train.main(["--quick", "--threads", "1", "--budget", "1e6"]) == 0
    text = capsys.readouterr().out
    rows = [row for row in cells(text) if len(row) >= 7]
    for system in SYSTEMS:
        assert {row[1] for row in rows if row[0] == system} >= {"1", "2"}
    assert all(float(row[3]) > 0 and row[5].endswith("%") for row in rows[1:])
    heads = [row[0] for row in cells(text)]
    assert heads[heads.index("from") :][:3] == ["from", "one batch on the device", "shards"]
    assert "Computed, not run: 9,000 pictures, 30 epochs" in text


def test_a_row_that_runs_out_of_memory_says_so_and_the_next_one_is_measured(data, monkeypatch, capsys):
    monkeypatch.setattr(contest, "WARM", 1)
    monkeypatch.setattr(contest, "matrix_rate", lambda device: 1e12)
    measure_row = train_gpu.measure_row

    def tight(pairs, model, batch, *rest):
        if batch == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure_row(pairs, model, batch, *rest)

    monkeypatch.setattr(train_gpu, "measure_row", tight)
    options = train.parse_options(["--quick", "--systems", "mask"])
    options.batches = [2, 1]
    first, second = train_gpu.print_speeds(options, data, math.inf).values()
    rows = cells(capsys.readouterr().out)[1:]
    assert rows[0][3:] == ["-", "-", "-", "-", "out of memory"]
    assert float(rows[1][3]) == pytest.approx(second, abs=0.1)
    assert math.isnan(first)


def test_a_row_for_which_no_time_is_left_says_so(data, monkeypatch, capsys):
    monkeypatch.setattr(contest, "matrix_rate", lambda device: 1e12)
    assert (
        train_gpu.print_speeds(train.parse_options(["--quick", "--systems", "mask"]), data, -math.inf) == {}
    )
    assert all(row[-1] == "skipped: no time is left" for row in cells(capsys.readouterr().out)[1:])


def test_the_operations_of_a_convolution_equal_a_count_by_hand():
    picture, weight = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 3, 3, requires_grad=True)
    forward = 2 * (2 * 5 * 8 * 8) * (3 * 3 * 3)  # a product and a sum for each output and weight
    assert contest.count_flops(lambda: conv2d(picture, weight, padding=1)) == forward
    assert contest.count_flops(lambda: conv2d(picture, weight, padding=1).sum().backward()) == 2 * forward


def test_the_minutes_of_a_full_training_follow_from_the_rate():
    assert train_gpu.training_minutes(1000) == pytest.approx(4.5)
    assert train_gpu.training_minutes(62.5) == pytest.approx(72)


def test_unused_gradients_change_no_loss_of_the_plain_loop(data):
    pairs = contest.open_split(data, MODEL)
    losses = []
    for freeze in (False, True):
        torch.manual_seed(1)
        feed = canonical.plain_batches(pairs, 2, 0)
        run = canonical.train_canonical(canonical.plain_networks(MODEL), feed, "cpu", freeze)
        losses.append([next(run) for _ in range(3)])
    assert losses[0] == losses[1]


def test_a_batch_larger_than_the_dataset_is_refused(data):
    with pytest.raises(Halt, match="12 training samples do not fill a batch of 13"):
        next(canonical.plain_batches(contest.open_split(data, MODEL), 13, 0))


def test_shared_memory_limits_the_processes_that_load(data, monkeypatch):
    each = 2 * 2 * 32 * 32 * 7  # batches ahead, samples, pixels, levels
    monkeypatch.setattr(contest.shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * 5.5 * each))
    monkeypatch.setattr(contest.Path, "is_dir", lambda path: True)
    pairs = contest.open_split(data, MODEL)
    assert [contest.count_loaders(pairs, 2, workers) for workers in (16, 3)] == [5, 3]


def test_lightning_alone_serves_as_lightning_fabric(monkeypatch):
    parts = ("", ".strategies", ".plugins", ".plugins.precision")
    for name in ("lightning", *(f"lightning.fabric{part}" for part in parts)):
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
    for part in parts:
        monkeypatch.setitem(sys.modules, f"lightning_fabric{part}", None)
    monkeypatch.setattr(train, "find_spec", lambda name: None)
    train.alias_fabric()
    assert sys.modules["lightning_fabric.strategies"] is sys.modules["lightning.fabric.strategies"]


@pytest.mark.slow
def test_quality_compares_two_trainings_for_each_seed(data, monkeypatch, capsys):
    train_pix2pix, asked = train_gpu.train_pix2pix, []

    def plainly(given, data, params, compiled):  # to compile takes a minute
        asked.append((params.seed, params.precision, compiled))
        return train_pix2pix(given, data, params, False)

    monkeypatch.setattr(train_gpu, "train_pix2pix", plainly)
    words = ["--quality", "--pairs", str(data), "--samples", "4", "--batches", "2", *SMALL]
    assert train.main(words) == 0
    assert asked == [(seed, *way) for seed in range(3) for way in (("32", False), ("bf16", True))]
    rows = cells(capsys.readouterr().out)[1:]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert all(float(row[3]) == pytest.approx(float(row[2]) - float(row[1]), abs=0.011) for row in rows)


def test_the_benchmark_needs_nothing_that_only_the_pipeline_needs():
    needless = "dvc dvclive webdataset ruamel typer pyarrow scipy skimage requests torchmetrics filelock"
    code = f"import sys, train; print(*({{*{needless.split()}}} & {{*sys.modules}}))"
    path = os.pathsep.join(map(str, (ROOT, ROOT / "benchmarks")))
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr + done.stdout
