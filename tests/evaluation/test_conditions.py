"""Which conditions each model is measured under, and what it is given under each."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made import SIDE, packed, sample

from pipeline.batches.dataset import Pairs, to_tensor
from pipeline.batches.loader import single_pass
from pipeline.evaluation.conditions import OtherReferences, plan_conditions
from pipeline.evaluation.labels import CONDITION_TITLES
from pipeline.operators.cue import draw_cue
from pipeline.operators.flats import fill_flats
from pipeline.params import GUIDES, Cue, Evaluate, Reference
from pipeline.shards.writer import seal_column, write_shard

PARAMS = Evaluate(unseen="b5")
ALL_GUIDES = ", ".join(f"{guide} 1" for guide in GUIDES)


def plan(data, folder, params=PARAMS):
    """Plan the conditions of a saved model."""
    return plan_conditions(data, json.loads((folder / "config.json").read_bytes()), params)


@pytest.mark.parametrize(
    ("name", "guides"),
    [
        ("pix2pix", {"paired": "cue", "unseen": "cue", "strokes": "strokes", "points": "points"}),
        ("nerk", {"paired": "reference", "unseen": "reference", "different": "reference"}),
        ("liu", {"paired": "reference", "unseen": "reference", "different": "reference"}),
        ("scft", {"paired": "reference", "unseen": "reference", "different": "reference"}),
        ("mask", {"paired": "gray"}),
    ],
)
def test_a_system_of_one_guide_has_the_conditions_that_it_allows(data, model, name, guides):
    conditions, absent = plan(data, model(name))
    assert {condition: each.guide for condition, each in conditions.items()} == guides
    assert not set(conditions) & set(absent)


def test_a_system_of_several_guides_has_a_condition_for_each_that_it_learned(data, model):
    conditions, absent = plan(data, model("wash", guides=ALL_GUIDES))
    assert {condition: each.guide for condition, each in conditions.items()} == {
        "paired": "cue", "unseen": "cue", "strokes": "strokes", "points": "points", "palette": "palette",
        "reference": "reference", "different": "reference", "gray": "gray", "none": "none",
    }  # fmt: skip
    assert absent == {}
    assert set(CONDITION_TITLES) == {"paired", "different", "unseen", *GUIDES}


def test_a_guide_without_a_share_in_training_is_absent_and_the_first_with_one_is_paired(data, model):
    conditions, absent = plan(data, model("wash", guides="strokes 0.5, none 0.5, palette 0"))
    assert {condition: each.guide for condition, each in conditions.items()} == {
        "paired": "strokes", "unseen": "strokes", "none": "none"
    }  # fmt: skip
    lacking = "the model has not learned it: give it a share in train.guides"
    assert absent == dict.fromkeys(("cue", "points", "palette", "reference", "gray"), lacking) | {
        "different": "the model takes no reference"
    }


def test_without_a_cue_is_a_condition_only_if_training_left_some_out(data, model):
    conditions, absent = plan(data, model())
    assert absent["none"] == "the model has seen no sample without a cue: raise train.drop"
    conditions, _ = plan(data, model(drop=0.1))
    assert (conditions["none"].samples[0]["cue"] == 255).all()


@pytest.mark.parametrize("guide", ["strokes", "points"])
def test_strokes_reach_a_model_of_blurred_cues_filled_up_to_the_lines_and_blurred(data, model, guide):
    condition = plan(data, model())[0][guide]
    own, packed_as = condition.samples[1], Pairs(data, "test", "b7")[1]
    assert torch.equal(own["sketch"], packed_as["sketch"])
    hints = draw_cue(own["color"].numpy(), Cue(method=guide), own["key"])
    flat = fill_flats(own["sketch"].numpy(), hints, everywhere=True)
    assert flat[..., 3].min() == 255
    assert (own["cue"].numpy() == draw_cue(flat[..., :3], Cue())).all()


@pytest.mark.parametrize("guide", ["strokes", "points"])
def test_hints_of_a_picture_are_the_same_for_every_model(data, model, guide):
    """A model of several guides gets them from the loader, and the baselines draw them by the condition."""
    condition = plan(data, model("wash", guides=ALL_GUIDES))[0][guide]
    for number in range(3):
        sample = condition.samples[number]
        hints = draw_cue(sample["color"].numpy(), condition.cue, sample["key"])
        assert (sample["guide"].numpy() == hints).all()
        assert len(np.unique(hints[..., 3])) == 2
    assert condition.cue == plan(data, model())[0][guide].cue


@pytest.mark.parametrize("name", ["liu", "wash"])
def test_a_different_reference_is_the_color_picture_of_another_sample(data, model, name):
    found = plan(data, model(name), replace(PARAMS, seed=3))[0]["different"].samples
    assert isinstance(found, OtherReferences)
    originals = [Pairs(data, "test", "b7")[number]["color"] for number in range(3)]
    (batch,) = single_pass(found, 3, 0)
    assert sorted(found.order) == [0, 1, 2]
    for number, other in enumerate(found.order):
        assert other != number
        assert torch.equal(found[number]["reference"], originals[other])
        assert torch.equal(batch["target"][number], to_tensor(originals[number].numpy()))
        assert torch.equal(batch["reference"][number], to_tensor(originals[other].numpy()))
    if name == "wash":
        assert torch.equal(batch["guide"][:, :3], batch["reference"])
        assert (batch["guide"][:, 3] == 1).all()
        assert batch["kind"].tolist() == [GUIDES.index("reference")] * 3


def test_a_sketch_is_unseen_unless_it_was_trained_on_or_not_packed(data, model):
    conditions, _ = plan(data, model())
    assert conditions["unseen"].samples[0]["sketch"].shape == (SIDE, SIDE)
    assert conditions["unseen"].samples.sketches == ["sketch-b5"]
    for sketch, unseen, reason in (
        ("b7,b5", "b5", "b5 was trained on"),
        ("b7", "b99", "the dataset has no sketches b99"),
        ("b7", "", "no sketch is named in evaluate.unseen"),
    ):
        conditions, absent = plan(data, model(sketch=sketch), Evaluate(unseen=unseen))
        assert "unseen" not in conditions
        assert absent["unseen"] == reason
    assert plan(data, model("mask"))[1]["unseen"] == "mask takes no sketch"


def test_a_test_split_of_one_picture_lends_no_reference(tmp_path, model):
    conditions, absent = plan(packed(tmp_path, test=1), model("liu"))
    assert "different" not in conditions
    assert absent["different"] == "the test split has one picture"


@pytest.mark.parametrize("name", ["scft", "wash"])
def test_a_dataset_whose_references_show_relatives_can_be_measured(tmp_path, model, name):
    """Training needs the flow of a reference, which that of another picture has not."""
    made = [sample(number, reference=Reference(order="before")) for number in range(3)]
    for each in made:
        facts = json.loads(each.members["json"])
        facts["reference"]["subject"] = "family"
        each.members["json"] = json.dumps(facts).encode()
    seal_column(tmp_path, [write_shard(tmp_path / "test-000000.tar", made)], 3, {})
    conditions, _ = plan(tmp_path, model(name))
    condition = conditions["paired" if name == "scft" else "reference"]
    (batch,) = single_pass(condition.samples, 3, 0)
    assert torch.equal(batch["target"], batch["color"])
