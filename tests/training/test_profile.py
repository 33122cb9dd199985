"""A profile that accounts for a step, and the largest batch that fits."""

import json

import pytest
import torch
from made import packed

from pipeline.errors import Halt
from pipeline.params import Model, Train
from pipeline.training import profile
from pipeline.training.fit import open_training_split
from pipeline.training.hardware import CPU, Hardware, launch_fabric
from pipeline.training.learner import assemble

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL, TRAIN = Model(width=4, depth=4), Train(batch=2)
PHASES = [
    "load",
    "generator: forward",
    "discriminator: forward",
    "discriminator: backward",
    "discriminator: optimizer",
    "generator: losses",
    "generator: backward",
    "generator: optimizer",
]


def test_a_profile_names_every_phase_of_a_step_and_leaves_a_trace(tmp_path):
    text = profile.profile_steps(packed(tmp_path / "pairs"), MODEL, TRAIN, tmp_path / "profile")
    assert (tmp_path / "profile" / "table.md").read_text() == text
    head, _, *rows = (line.strip("| ").split(" | ") for line in text.splitlines())
    assert head[-2:] == ["host ms", "of all"]
    assert sorted(row[0] for row in rows[: len(PHASES)]) == sorted(PHASES)
    assert sum(int(row[2].rstrip("%")) for row in rows[: len(PHASES)]) == pytest.approx(100, abs=4)
    assert any("convolution" in row[0] for row in rows[len(PHASES) :])
    events = json.loads((tmp_path / "profile" / "trace.json").read_bytes())["traceEvents"]
    steps = [event for event in events if event.get("name") == "generator: losses"]
    assert len(steps) == profile.PROFILED_STEPS


@pytest.mark.parametrize("room", [1, 2, 3, 24, 100, 1000, 4096, 9999])
def test_the_largest_size_is_found_to_a_sixteenth(room):
    tried = []
    found = profile.search_size(lambda size: tried.append(size) or size <= room)
    assert min(room, profile.MAX_BATCH) * 15 / 16 <= found <= room
    assert len(tried) < 25


def test_the_largest_size_is_0_if_nothing_fits():
    assert profile.search_size(lambda size: False) == 0


def test_a_size_fits_if_an_update_does_and_a_failed_one_leaves_no_gradients(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    learner = assemble(MODEL, TRAIN, launch_fabric(CPU, "32"), CPU, print)
    pairs = open_training_split(packed(tmp_path), MODEL, TRAIN)
    one = profile.load_one_sample(pairs, torch.device("cpu"))
    sizes, update = [], profile.update_networks

    def small(learner, parts, seeds):
        sizes.append(tuple(parts[0]["color"].shape))
        update(learner, parts, seeds)
        if len(parts[0]["key"]) > 3:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(profile, "update_networks", small)
    assert profile.batch_fits(learner, one, 3)
    assert not profile.batch_fits(learner, one, 4)
    assert sizes == [(3, 3, 32, 32), (4, 3, 32, 32)]
    assert all(each.grad is None for network in learner.plain for each in network.parameters())


def test_a_cpu_cannot_find_the_largest_batch(tmp_path):
    with pytest.raises(Halt, match="--fit needs a GPU"):
        profile.largest_batch(packed(tmp_path), MODEL, TRAIN, hardware=Hardware("cpu"))
