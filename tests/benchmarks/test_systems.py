"""The comparison of all systems: equal budgets, equal augmentation, and tables and curves by hand."""

import json
import sys
from pathlib import Path

import pytest
from made import packed

from pipeline import files
from pipeline.params import Model, Train
from pipeline.systems import SYSTEMS

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import curves
import seeds
import speeds
import systems

TIMES = dict(zip((*SYSTEMS, "liu-finetune"), (10.0, 20.0, 40.0, 25.0, 5.0, 50.0, 40.0), strict=True))


def given(*words):
    """Parse the options of the benchmark."""
    return systems.systems_parser().parse_args(["pairs", "out", *words])


def plan(*words):
    return systems.plan_jobs(given(*words), TIMES)


def test_all_systems_see_as_many_samples_or_train_for_as_much_processor_time():
    jobs = plan("--samples", "800", "--seconds", "30", "--batch", "4")
    assert {job.name for job in jobs} == set(SYSTEMS)
    for job in jobs:
        if job.budget == "samples":
            assert job.train.steps * job.train.batch == 800
        else:
            assert job.train.steps * job.train.batch * TIMES[job.name] == pytest.approx(30_000, rel=0.02)


def test_only_some_systems_are_trained_with_all_seeds():
    jobs = plan("--seeds", "0,1,2", "--seeded", "wash,scft")
    assert [job.seed for job in jobs if job.name == "wash"] == [0, 1, 2]
    assert [job.seed for job in jobs if job.name == "nerk"] == [0]
    assert len({job.folder for job in jobs}) == len(jobs) == len(SYSTEMS) + 4


def test_all_systems_have_the_same_augmentation_and_average():
    shared = ("flip", "permute", "ema", "batch", "guides", "fresh")
    jobs = plan()
    assert len({tuple(getattr(job.train, name) for name in shared) for job in jobs}) == 1
    assert {job.model.sketch for job in jobs} == {"b7,b11,xdog"}


def test_what_is_fine_tuned_starts_from_the_same_seed_and_budget():
    tuned = {
        job.folder: job for job in plan("--systems", "liu,liu-finetune", "--seeds", "3", "--seconds", "9")
    }
    for folder, job in tuned.items():
        if job.name == "liu-finetune":
            assert job.train.start == str(folder.with_name("liu"))
            assert job.model.system == "liu"


def test_speeds_are_measured_once_so_that_a_killed_benchmark_goes_on_with_equal_steps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = []

    def measure(data, runs, device):
        measured.append([model.system for model, _ in runs])
        return [float(len(measured)) for _ in runs]

    monkeypatch.setattr(speeds, "sample_times", measure)
    two = given("--systems", "mask,wash")
    assert systems.measure_speeds(two) == systems.measure_speeds(two) == {"mask": 1.0, "wash": 1.0}
    assert systems.measure_speeds(given("--systems", "mask,scft")) == {"mask": 1.0, "scft": 2.0}
    assert systems.measure_speeds(given("--systems", "mask", "--flip", "0")) == {"mask": 3.0}
    assert measured == [["mask", "wash"], ["scft"], ["mask"]]


@pytest.mark.usefixtures("one_thread")
def test_the_time_of_a_sample_is_that_of_a_step_shared_by_the_batch(tmp_path, monkeypatch):
    data, clock = packed(tmp_path), iter(range(1000))
    monkeypatch.setattr(speeds, "STEPS", 3)
    monkeypatch.setattr(speeds.time, "process_time", lambda: float(next(clock)))
    runs = [(Model(system="mask", width=4), Train(batch=batch)) for batch in (1, 4)]
    assert speeds.sample_times(data, runs, "cpu") == [1000.0, 250.0]  # a step takes a tick of 1 s


def summary(psnr, gain, own="paired", guide="cue"):
    scored = {"psnr": {"mean": psnr, "low": 0.0, "high": 99.0}}
    found = {"guide": guide, "gain": {"mean": gain}, "scores": {"model": scored, "cue": scored}}
    return {"conditions": {own: found}}


def test_the_table_has_means_and_ranges_over_seeds_by_guide():
    found = {
        0: {"wash": summary(20.0, 3.0), "scft": summary(15.0, 1.0, guide="reference")},
        1: {"wash": summary(21.0, 4.0)},
    }
    text = seeds.seed_table(found, {"wash": 5, "scft": 10}, 4, {"wash": 50.0, "scft": 25.0})
    assert "| wash | 2 | 20.50 [20.00, 21.00] | +3.50 [+3.00, +4.00] |" in text
    assert "| scft | 1 | 15.00 | +1.00 |" in text
    assert "| wash | 20 | 50.0 | 1 |" in text
    places = [text.index(part) for part in ("(`cue`)", "| wash | 2 |", "(`reference`)", "| scft | 1 |")]
    assert places == sorted(places)
    assert "| *cue* |  | 20.00 | - |" in text
    assert seeds.mean_gains(found) == {"wash": 3.5, "scft": 1.0}


def test_curves_have_the_processor_time_of_their_steps(tmp_path):
    for name in ("wash", "scft"):
        model = tmp_path / name
        rows = "step\tval_psnr\n10\t15.0\n20\t17.5\n"
        files.write(curves.folder_of(model) / "plots/metrics/val_psnr.tsv", rows.encode())
        config = {**vars(Model(system=name)), "train": {"guides": "cue 1, strokes 2"}}
        files.write(model / "config.json", json.dumps(config).encode())
    runs = [curves.read_run(name, 0, tmp_path / name, step_time=250.0) for name in ("wash", "scft")]
    assert [run.guide for run in runs] == ["strokes", "reference"]
    assert runs[0].points == [(10, 2.5, 15.0), (20, 5.0, 17.5)]
    curves.write_curves(runs, tmp_path)
    lines = (tmp_path / "curves.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["system", "seed", "guide", "step", "cpu_seconds", "val_psnr"]
    assert lines[2].split("\t") == ["wash", "0", "strokes", "20", "5.0", "17.5000"]
    drawn = (tmp_path / "curves.svg").read_text()
    assert drawn.count(">wash<") == drawn.count(">scft<") == 1
    assert drawn.count('stroke-width="1.5"') == 2
