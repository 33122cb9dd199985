"""A packed dataset, and small models of any system that say that they were trained on it."""

from dataclasses import asdict
from functools import cache

import pytest
import torch
from made import packed

from pipeline.batches.dataset import Pairs
from pipeline.evaluation.protocol import evaluate_model
from pipeline.models.folder import save_model
from pipeline.params import GUIDES, Evaluate, Model
from pipeline.systems import system


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Pack one dataset for all tests: 3 test pictures of 32 px."""
    return packed(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="session")
def model(data, tmp_path_factory):
    """Save a small model of a system, whose weights are large enough to make a picture."""

    def make(name="pix2pix", sketch="b7", **train):
        folder = tmp_path_factory.mktemp(name)
        shape = Model(system=name, width=4, depth=4, sketch=sketch)
        torch.manual_seed(0)
        network, _ = system(name).networks(shape)
        for parameter in network.parameters():
            parameter.data *= 2
        trained = {"dataset": Pairs(data, "test", "b7").fingerprint, "side": 32, "columns": {}}
        config = asdict(shape) | trained | {"train": {"vgg": "none"} | train}
        save_model(folder, network.state_dict(), config, "")
        return folder

    return make


@pytest.fixture(scope="session")
def measured(data, model):
    """Measure a system that knows every guide it can under every condition, each but once: folder, result."""
    params = Evaluate(lpips="none", inception="none", resamples=100, unseen="b5")

    @cache
    def once(name):
        folder = model(name, guides=", ".join(f"{guide} 1" for guide in GUIDES))
        return folder, evaluate_model(data, folder, params)

    return once
