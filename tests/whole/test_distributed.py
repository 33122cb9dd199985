"""A training run has the same losses in one process and in several."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from made import packed

from pipeline.models.card import model_card
from pipeline.params import Model, Train
from pipeline.training.checkpoint import release_model
from pipeline.training.fit import train_model

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
TRAIN = Train(batch=4, steps=3, validate=2, lr=1e-5, flip=0.5, vgg="none")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests of this file."""
    return packed(tmp_path_factory.mktemp("pairs"), train=6, val=3)


def alone(data, folder, system):
    """Train in this process, and return the last record and the weights."""
    list(train_model(data, Model(system=system, width=4, depth=3), TRAIN, checkpoint=folder / "run"))
    release_model(folder / "run", folder / "model", model_card)
    return result(folder / "model")


def together(data, folder, system, *options, launcher=("-m",)):
    """Train by the command in two processes; return its output, the last record and the weights."""
    fields = {name: getattr(TRAIN, name) for name in ("batch", "steps", "validate", "lr", "flip", "vgg")}
    given = [f"--{name}={value}" for name, value in fields.items()]
    given += ["--system", system, "--width", "4", "--depth", "3", "--device", "cpu", "--devices", "2"]
    command = [*launcher, "stages.prep", "train", str(data), str(folder), "--params", "none"]
    command += ["--cache", f"{folder}.cache"]
    done = subprocess.run(
        [sys.executable, *command, *given, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, *result(folder)


def result(model):
    """Read the last record of a run, and the weights."""
    record = json.loads((model / "config.json").read_bytes())["validation"]
    return record, safetensors.torch.load_file(model / "model.safetensors")


def test_two_processes_have_the_losses_of_one_and_only_the_first_writes(data, tmp_path):
    record, weights = alone(data, tmp_path, "mask")
    output, shared, same = together(data, tmp_path / "two", "mask", launcher=TORCHRUN)
    assert output.count("\n") == output.count("train: 3 steps") == 1
    assert record.keys() == {"step", "adversarial", "squared", "real", "fake", "val_psnr", "val_l1"}
    assert shared == pytest.approx(record, rel=1e-5)
    for name in weights:
        torch.testing.assert_close(same[name], weights[name], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("system", ["nerk", "liu", "scft", "pix2pix"])
def test_every_system_trains_in_two_processes_that_the_command_starts(data, tmp_path, system):
    record, _ = alone(data, tmp_path, system)
    output, shared, _ = together(data, tmp_path / "two", system, "--accumulate", "2")
    assert output.count("train: 3 steps") == 1
    if system == "liu":  # BatchNorm, which the others have, sees only the samples of one part
        assert shared == pytest.approx(record, rel=1e-3)
    assert shared["val_psnr"] == pytest.approx(record["val_psnr"], abs=0.5)
