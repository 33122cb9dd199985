"""The guides of systems that take several, and permuted channels: drawn by seed, key and epoch alone."""

from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from made import packed, sample
from torch.utils.data import default_collate

from pipeline.batches.augment import prepare_batch
from pipeline.batches.dataset import Pairs, to_array
from pipeline.batches.policy import AugmentationPolicy
from pipeline.images import codec
from pipeline.operators.cue import draw_cue
from pipeline.params import GUIDES, Cue, Reference

COLUMNS = ("guide", "reference", "flow")
BENDS = Reference(strength=0.1, order="before")
EACH = tuple((guide, 1 / len(GUIDES)) for guide in GUIDES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


def opened(data, guides=(), *, permute=0.0, flip=0.0, reference=BENDS, columns=COLUMNS, guide="cue"):
    """Open the training split with a policy."""
    policy = AugmentationPolicy(7, reference, flip, permute=permute, guides=guides)
    return Pairs(data, "train", "b7", columns, policy, guide)


def color_of(number):
    """Decode the color picture of a sample by itself."""
    return codec.decode(sample(number).members["color.png"])


def test_guides_are_drawn_by_their_shares_and_always_the_same(data):
    pairs = opened(data, (("none", 0.75), ("strokes", 0.25)))
    drawn = [pairs[epoch, 3]["kind"] for epoch in range(200)]
    assert drawn == [pairs[epoch, 3]["kind"] for epoch in range(200)]
    counts = Counter(GUIDES[kind] for kind in drawn)
    assert counts.keys() == {"none", "strokes"}
    assert 30 < counts["strokes"] < 70


def test_the_cue_of_a_batch_is_the_blur_that_the_stage_cue_makes(data):
    batch = prepare_batch(default_collate([opened(data, EACH, guide="cue")[n] for n in (2, 5)]))
    assert (batch["guide"][:, 3] == 1).all()
    for number, found in zip((2, 5), batch["guide"][:, :3], strict=True):
        wanted = draw_cue(color_of(number), Cue(), "")
        np.testing.assert_allclose(to_array(found).astype(int), wanted, atol=1)  # where rounding ties
        assert (to_array(found) == wanted).mean() > 0.99


@pytest.mark.parametrize("guide", ["palette", "strokes", "points"])
def test_without_an_epoch_every_sample_has_the_guide_of_the_dataset_s_own_stage(data, guide):
    found = opened(data, EACH, guide=guide)[2]
    wanted = draw_cue(color_of(2), Cue(method=guide), "002")
    assert GUIDES[found["kind"]] == guide
    assert np.array_equal(found["guide"][..., : wanted.shape[2]], wanted)
    if wanted.shape[2] == 3:
        assert (found["guide"][..., 3] == 255).all()


def test_each_epoch_draws_other_strokes(data):
    pairs = opened(data, (("strokes", 1.0),))
    one, other = (pairs[epoch, 2]["guide"] for epoch in (0, 1))
    assert not torch.equal(one, other)
    strokes = one[..., 3] > 0
    assert 0.01 < strokes.float().mean() < 0.6


def test_a_gray_guide_puts_the_gray_picture_in_place_of_the_sketch_and_a_mask_in_that_of_the_guide(data):
    found = opened(data, guide="gray")[2]
    assert np.array_equal(found["sketch"], cv2.cvtColor(color_of(2), cv2.COLOR_RGB2GRAY))
    assert set(found["guide"][..., 3].unique().tolist()) == {0, 255}
    assert (found["guide"][..., :3] == 0).all()
    assert (opened(data, guide="none")[2]["guide"] == 0).all()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_batch_of_all_guides_has_each_in_its_place(data, flip):
    pairs = opened(data, EACH, flip=flip)
    places = {pairs[epoch, 1]["kind"]: (epoch, 1) for epoch in range(60)}
    assert set(places) == set(range(len(GUIDES)))
    raw = [pairs[places[kind]] for kind in range(len(GUIDES))]
    batch = prepare_batch(default_collate(raw))
    assert batch["guide"].shape == (len(GUIDES), 4, 32, 32)
    alone = prepare_batch(default_collate([raw[GUIDES.index("reference")]]))
    for number, guide in enumerate(GUIDES):
        colors, opacity = batch["guide"][number, :3], batch["guide"][number, 3]
        if guide == "cue":
            continue
        if guide == "reference":
            torch.testing.assert_close(colors, alone["reference"][0])
            assert (opacity == 1).all()
            assert not torch.equal(batch["target"][number], batch["color"][number])  # it is tinted
            continue
        levels = raw[number]["guide"].permute(2, 0, 1).float()
        levels = levels.flip(2) if flip else levels
        torch.testing.assert_close(colors, levels[:3] / 127.5 - 1)
        torch.testing.assert_close(opacity, levels[3] / 255)
        assert torch.equal(batch["target"][number], batch["color"][number])


def test_a_packed_reference_is_the_guide_where_no_epoch_bends_it(data):
    batch = prepare_batch(default_collate([opened(data, guide="reference")[2]]))
    wanted = codec.decode(sample(2).members["reference.png"])
    found = ((batch["guide"][0, :3] + 1) * 127.5).permute(1, 2, 0).round().byte()
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("guide", GUIDES)
def test_permuted_channels_are_those_of_picture_and_guide_alike_if_the_guide_has_colors(data, guide):
    plain, permuted = (opened(data, ((guide, 1.0),), permute=share, reference=None) for share in (0.0, 1.0))
    orders = set()
    for epoch in range(30):
        one, other = plain[epoch, 2], permuted[epoch, 2]
        order = next(
            order
            for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0])
            if torch.equal(one["color"][..., order], other["color"])
        )
        orders.add(tuple(order))
        assert torch.equal(one["sketch"], other["sketch"])
        if guide == "reference":
            assert torch.equal(one["reference"][..., order], other["reference"])
        elif guide != "palette":  # whose bins depend on the order of the channels
            assert torch.equal(one["guide"][..., [*order, 3]], other["guide"])
    assert len(orders) == (1 if guide in ("gray", "none") else 6)


def test_permuted_channels_are_those_of_a_packed_cue_too(data):
    plain, permuted = (opened(data, permute=share, columns=("cue",)) for share in (0.0, 1.0))
    one, other = plain[3, 2], permuted[3, 2]
    assert not torch.equal(one["color"], other["color"])
    one, other = (np.dstack([each["color"], each["cue"]]) for each in (one, other))
    assert any(
        np.array_equal(one[..., [*order, *(place + 3 for place in order)]], other)
        for order in ([0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0])
    )
