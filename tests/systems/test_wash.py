"""wash: what is not given leaks nothing, each guide has its effect, gray pictures keep their brightness."""

from itertools import permutations

import numpy as np
import pytest
import torch
from learning import build, kind_of, learn, noise, painted, random_batch
from torch.nn.functional import avg_pool2d

from pipeline.params import GUIDES, Model
from pipeline.systems import system
from pipeline.systems.backprojection import cue_blur
from pipeline.systems.layers import ssim_map, to_yuv

WASH = system("wash")
TINY = Model("wash", 4)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def generator():
    """Build a generator whose weights are no zeros."""
    made = build(TINY).generator.eval()
    for parameter in made.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return made


def given(guide, side=64):
    """Make a batch of one with a guide, opaque in places."""
    batch = random_batch(side, 1) | {"kind": kind_of(guide)}
    batch["guide"][:, 3:] = (noise(1, 1, side, side) > 0.5).float()
    return batch


@torch.no_grad()
def colored(generator, batch):
    return WASH.picture(generator(*WASH.inputs(batch)), batch)


@pytest.mark.parametrize("guide", GUIDES)
def test_only_what_is_opaque_of_a_guide_and_nothing_of_none_is_seen(generator, guide):
    batch = given(guide)
    first = colored(generator, batch)
    hidden = dict(batch)
    opacity = batch["guide"][:, 3:]
    hidden["guide"] = torch.cat([torch.where(opacity > 0, batch["guide"][:, :3], 9.0), opacity], dim=1)
    assert torch.equal(colored(generator, hidden), first)
    other = {**batch, "guide": torch.cat([-batch["guide"][:, :3], opacity], dim=1)}
    assert torch.equal(colored(generator, other), first) == (guide in ("gray", "none"))


def test_no_guide_is_the_same_whatever_lies_in_its_place(generator):
    nothing = given("none")
    one = colored(generator, nothing)
    other = colored(generator, nothing | {"guide": torch.zeros_like(nothing["guide"])})
    assert torch.equal(one, other)


def test_a_gray_picture_keeps_its_brightness_and_outside_the_mask_its_gray(generator):
    batch = given("gray")
    found = colored(generator, batch)
    outside = batch["guide"][:, 3:] == 0
    gray = batch["sketch"].expand(-1, 3, -1, -1)
    torch.testing.assert_close(
        found[outside.expand_as(found)], gray[outside.expand_as(found)], rtol=0, atol=1e-5
    )
    inside = (found.abs() < 1).all(dim=1, keepdim=True)  # what was not clipped to the gamut
    torch.testing.assert_close(2 * to_yuv(found).gray[inside], batch["sketch"][inside], rtol=0, atol=1e-5)
    wanted = (2 * to_yuv(batch["target"]).gray).expand(-1, 3, -1, -1)
    target = WASH.target(batch)
    torch.testing.assert_close(target[outside.expand_as(found)], wanted[outside.expand_as(found)])


def test_a_flat_color_is_colored_at_once_from_its_cue():
    """A fresh network adds nothing but small details."""
    flat = torch.tensor([0.3, -0.5, 0.8]).view(1, 3, 1, 1).expand(-1, -1, 64, 64)
    batch = {"sketch": torch.ones(1, 1, 64, 64), "kind": kind_of("cue")}
    batch["guide"] = torch.cat([flat, torch.ones(1, 1, 64, 64)], dim=1)
    found = colored(build(Model("wash")).generator.eval(), batch)
    assert (found - flat).abs().max() < 0.3


def test_the_picture_blurs_to_its_cue_whatever_its_details_are():
    batch = painted(64) | {"kind": kind_of("cue")}
    cue = cue_blur(batch["color"])(batch["color"])
    batch["guide"] = torch.cat([cue, batch["mask"]], dim=1)
    generator = build(Model("wash")).generator.eval()
    generator.trunk.last.bias.data[:12] = 0.5  # all details are too light
    found, small = generator(*WASH.inputs(batch)).picture.detach(), avg_pool2d(cue, 4)
    error = cue_blur(small)(avg_pool2d(found, 4)) - small
    assert error.mean().abs() < 0.02
    assert error.abs().mean() < 0.08


def test_pictures_that_are_equal_have_a_similarity_of_one():
    one = noise(1, 3, 32, 32)
    torch.testing.assert_close(ssim_map(one, one), torch.ones(1, 3, 7, 7))


def test_the_similarity_of_a_window_is_that_of_its_mean_variance_and_covariance():
    x, y = noise(1, 1, 8, 8), noise(1, 1, 8, 8)
    a, b = (each.double().numpy().ravel() / 2 + 0.5 for each in (x, y))
    covariance = np.cov(a, b, ddof=0)
    light = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
    wanted = light * (2 * covariance[0, 1] + 9e-4) / (np.trace(covariance) + 9e-4)
    assert ssim_map(x, y).item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_channels_that_are_permuted_come_out_permuted_after_training():
    one = painted(64) | {"kind": kind_of("cue")}
    cue = cue_blur(one["color"])(one["color"])
    orders = list(permutations(range(3)))
    batch = {
        "sketch": one["sketch"].expand(6, -1, -1, -1),
        "target": torch.cat([one["color"][:, order] for order in orders]),
        "guide": torch.cat([torch.cat([cue[:, order], one["mask"]], dim=1) for order in orders]),
        "kind": kind_of("cue", 6),
    }
    generator = learn(Model("wash", 8), batch, 150, 1e-2).generator.eval()
    found = colored(generator, batch)
    wanted = torch.cat([found[:1, order] for order in orders])
    assert (found - wanted).abs().mean() < 0.05
    assert (found[1:] - found[:1]).abs().mean() > 0.2


@pytest.mark.slow
def test_one_picture_is_learned_by_heart():
    assert learn(Model("wash", 8), painted(), 600, 2e-2).psnr[-1] > 30
