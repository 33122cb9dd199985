"""Training from a URL: resumed as if undisturbed, and apart from that of the folder."""

import math

import pytest
import torch
from made import packed, run_prep
from store import upload

from pipeline import files
from pipeline.params import Model, Train
from pipeline.training import fit
from pipeline.training.checkpoint import checkpoint_path, read_state
from pipeline.training.fit import train_model

pytest.importorskip("s3fs", reason="needs inkwash[urls]")
pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = Model(width=4, depth=4)
TRAIN = Train(steps=6, batch=2, lr=1e-3, validate=3, vgg="none", flip=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def url(store, folder):
    """Upload it."""
    files.to_path("s3://other").fs.mkdir("trained")
    return upload(folder, "s3://trained/data")


def train(home, file, **options):
    """Train a tiny model to a checkpoint; return the records and the weights."""
    records = list(train_model(home, MODEL, TRAIN, checkpoint=file, **options))
    return records, read_state(file)["generator"]


def test_a_killed_run_from_a_url_goes_on_as_if_undisturbed(url, tmp_path, monkeypatch):
    records, whole = train(url, tmp_path / "whole")
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(fit, "CHECKPOINT_SHARE", math.inf)

    def kill(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(url, tmp_path / "cut", tick=kill)
    steps = []
    again, cut = train(url, tmp_path / "cut", tick=lambda done, total: steps.append(done))
    assert (again, steps) == (records, [5, 6])
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_run_from_a_url_does_not_go_on_from_that_of_the_folder(url, folder, tmp_path):
    train(folder, tmp_path / "run")
    steps = []
    train(url, tmp_path / "run", tick=lambda done, total: steps.append(done))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert len({checkpoint_path(tmp_path, home, MODEL, TRAIN) for home in (url, folder)}) == 2
    configs = [read_state(tmp_path / "run")["config"]]
    train(folder, tmp_path / "near")
    configs.append(read_state(tmp_path / "near")["config"])
    assert configs[0] == configs[1] | {"streamed": True}


def test_losses_that_are_not_finite_name_the_samples_of_the_stream(url, tmp_path):
    wild = Train(steps=20, batch=2, lr=1e30, vgg="none")
    with pytest.raises(fit.Halt, match=r"\w+ at step \d+ is not finite on 00\d, 00\d: lower lr"):
        list(train_model(url, MODEL, wild, checkpoint=tmp_path / "run"))


def test_the_commands_take_a_url(url, bucket, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = ["--width", "4", "--depth", "4", "--steps", "2", "--batch", "2", "--vgg", "none"]
    common = ["--device", "cpu", "--params", "none"]
    line += common
    fast = [*common, "--lpips", "none", "--inception", "none", "--resamples", "100"]
    code, out, _ = run_prep(capsys, "train", url, "model", *line)
    assert (code, out.partition(",")[0]) == (0, "train: 2 steps")
    code, out, _ = run_prep(capsys, "evaluate", url, "model", *fast)
    assert (code, out.partition(" ")[0]) == (0, "evaluate:")
    missing = f"{bucket}/nothing"
    for words in (("train", missing, "other", *line), ("evaluate", missing, "model", *fast)):
        code, _, said = run_prep(capsys, *words)
        assert code == 1
        assert said.splitlines()[-1].startswith(f"prep: {missing} has no seal.json (")
        assert said.endswith("name the URL of a packed dataset, in a bucket that exists\n")
