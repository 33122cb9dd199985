"""A model is read as it was saved, or refused in one sentence."""

import json
import math

import pytest
import torch

from pipeline.errors import Halt
from pipeline.models.folder import load_model, save_model
from pipeline.params import Model
from pipeline.shards.sums import CONFIG_FILE, SUMS_FILE, WEIGHTS_FILE
from pipeline.systems import system

CONFIG = {
    "system": "pix2pix", "width": 4, "depth": 3, "sketch": "b7", "variant": "main", "dataset": "", "side": 32,
    "columns": {"cue": {"method": "gaussian", "sigma": 20.0}}, "parameters": {"generator": 9},
    "train": {"vgg": "", "batch": 5}, "validation": {"step": 1, "val_psnr": 20.0},
}  # fmt: skip


@pytest.fixture
def model(tmp_path):
    """Save a small model and return its folder."""
    torch.manual_seed(0)
    generator = system("pix2pix").networks(Model(width=4, depth=3)).generator
    save_model(tmp_path, generator.state_dict(), CONFIG, "")
    return tmp_path


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_refused(model, name, share):
    load_model(model)
    data = bytearray((model / name).read_bytes())
    data[int(share * len(data))] ^= 2
    (model / name).write_bytes(data)
    with pytest.raises(Halt, match=rf"{name} differs from SHA256SUMS: run train again, or remove"):
        load_model(model)


def test_a_model_without_checks_is_read(model):
    (model / SUMS_FILE).unlink()
    assert load_model(model)[1] == CONFIG


@pytest.mark.parametrize(
    "odd",
    [
        {"width": "4"}, {"width": 2000}, {"depth": True}, {"sketch": 7}, {"system": []}, {"system": "gan"},
        {"dataset": 1}, {"columns": []}, {"columns": {"cue": []}},
        {"columns": {"cue": 5}}, {"columns": {"sketch-b7": 5}}, {"columns": {"cue": {"sigma": "x"}}},
        {"side": "32"}, {"train": None}, {"train": {"vgg": 1}}, {"train": {"batch": "5"}},
        {"validation": {"step": "1"}}, {"validation": {"step": math.nan}}, {"parameters": {"generator": {}}},
    ],
)  # fmt: skip
def test_an_odd_config_is_refused(model, odd):
    (model / SUMS_FILE).unlink()
    (model / CONFIG_FILE).write_text(json.dumps(CONFIG | odd), encoding="utf-8")
    with pytest.raises(Halt, match=r"is no model that can be read \((Value|Key)Error: .*\): run train"):
        load_model(model)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_config_is_refused(model, data):
    (model / SUMS_FILE).unlink()
    (model / CONFIG_FILE).write_bytes(data)
    with pytest.raises(Halt, match=r"is no model that can be read \(.*\): run train again"):
        load_model(model)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(model, value):
    tensors = load_model(model)[0].state_dict()
    next(iter(tensors.values())).view(-1)[0] = value
    save_model(model, tensors, CONFIG, "")
    with pytest.raises(Halt, match=r"is no model that can be read \(.*not finite.*\): run train again"):
        load_model(model)
