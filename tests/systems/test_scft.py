"""scft: attention over true tokens, positives where the flow says, losses by hand."""

import math

import numpy as np
import pytest
import torch
from learning import flow_of, noise, random_batch
from torch import nn
from torch.nn.functional import interpolate

from pipeline.operators import warp
from pipeline.params import Model, Train
from pipeline.systems import Networks, scft, system

SCFT = system("scft")

TINY = Model(width=2)


@pytest.fixture
def tiny() -> list[nn.Module]:
    """Build both networks small, always with the same weights."""
    torch.manual_seed(1)
    return SCFT.networks(TINY)


def test_the_discriminator_sees_70_pixels_of_sketch_and_picture(tiny):
    sketch, image = (noise(1, channels, 256, 256).requires_grad_() for channels in (1, 3))
    logits = tiny[1].eval()(sketch, image)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    for seen in (sketch.grad, image.grad):
        for axis in ((0, 1, 2), (0, 1, 3)):
            assert seen.abs().sum(axis).nonzero().numel() == 70


@torch.inference_mode()
def test_an_encoder_gives_256_tokens_of_992_channels_and_the_ten_maps():
    stacked, maps = scft.ScftEncoder(3, SCFT.width)(noise(1, 3, 256, 256))
    assert stacked.shape == (1, 992, 16, 16)
    assert [x.shape[1] for x in maps] == [16, 16, 32, 32, 64, 64, 128, 128, 256, 256]
    assert [x.shape[2] for x in maps] == [256, 256, 128, 128, 64, 64, 32, 32, 16, 16]
    start = 0
    for x in maps:
        pooled = nn.functional.adaptive_avg_pool2d(x, 16)
        torch.testing.assert_close(stacked[:, start : start + x.shape[1]], pooled)
        start += x.shape[1]


@torch.inference_mode()
def test_scores_compare_all_tokens_of_16_pixels(tiny):
    assert SCFT.multiple(TINY) == 16
    made = tiny[0](noise(1, 1, 48, 64), noise(1, 3, 48, 64))
    assert made.picture.shape == (1, 3, 48, 64)
    assert made.scores.shape == (1, 12, 12)
    assert SCFT.picture(made, {}) is made.picture


@torch.inference_mode()
def test_the_last_convolution_reaches_dark_as_well_as_light(tiny):
    for bias in (-2.0, 2.0):
        nn.init.zeros_(tiny[0].paint.weight)
        nn.init.constant_(tiny[0].paint.bias, bias)
        made = tiny[0](*SCFT.inputs(random_batch())).picture
        torch.testing.assert_close(made, torch.full_like(made, math.tanh(bias)))


def test_tokens_that_were_not_moved_come_from_their_own_place():
    assert scft.origins(flow_of(np.zeros((9, 2)), 64))[0].tolist() == list(range(16))


def test_moved_by_one_token_they_come_from_the_next_and_at_the_border_from_the_reflection():
    right, down = (flow_of(np.tile(by, (9, 1)), 64) for by in ((0.25, 0.0), (0.0, 0.25)))
    assert scft.origins(right)[0].reshape(4, 4)[1].tolist() == [5, 6, 7, 7]
    assert scft.origins(down)[0].reshape(4, 4)[:, 1].tolist() == [5, 9, 13, 13]
    left = flow_of(np.tile((-0.25, 0.0), (9, 1)), 64)
    assert scft.origins(left)[0].reshape(4, 4)[1].tolist() == [4, 4, 5, 6]


def test_mirrored_tokens_come_from_the_other_side():
    assert scft.origins(flow_of(np.zeros((9, 2)), 64, flip=True))[0].reshape(4, 4)[1].tolist() == [7, 6, 5, 4]


def test_the_flow_gives_the_positive():
    """Each token has its own color; the pixel in the middle of a bent token tells where it came from."""
    side, parts = 256, 8
    levels = np.random.default_rng(0).permutation(256)[: parts * parts].astype(np.uint8)
    flat = np.repeat(levels, 3).reshape(parts, parts, 3)
    target = np.kron(flat, np.ones((side // parts, side // parts, 1), np.uint8))
    points = np.random.default_rng(1).uniform(-0.25, 0.25, (9, 2))
    at = warp.spline_flow(points, side, side)
    reference = warp.warp(target, at)
    origin = scft.origins(torch.from_numpy(at[None]).float())[0].reshape(16, 16)
    agreed = [
        target[16 * (origin[y, x] // 16) + 8, 16 * (origin[y, x] % 16) + 8, 0]
        == reference[16 * y + 8, 16 * x + 8, 0]
        for y in range(16)
        for x in range(16)
    ]
    assert np.mean(agreed) > 0.9  # the rest lies on the border of two colors


def test_the_triplet_compares_the_positive_with_any_other():
    torch.manual_seed(3)
    scores = 8 * torch.randn(1, 4, 4)
    origin = torch.tensor([[2, 0, 3, 1]])
    drawn = torch.cat([scft.triplet(scores, origin) for _ in range(200)])
    for j, i in enumerate(origin[0].tolist()):
        possible = {
            round(max(0.0, 12 - scores[0, i, j].item() + scores[0, i, n].item()), 3)
            for n in range(4)
            if n != j
        }
        assert {round(value, 3) for value in drawn[:, j].tolist()} == possible


def test_the_triplet_is_the_margin_for_equal_scores_and_zero_for_sure_ones():
    origin = torch.arange(16).expand(2, -1)
    assert (scft.triplet(torch.zeros(2, 16, 16), origin) == 12).all()
    assert not scft.triplet(12 * torch.eye(16).expand(2, -1, -1), origin).any()


def test_a_token_from_the_same_place_is_no_negative():
    origin = torch.zeros(1, 4, dtype=torch.long)
    assert not scft.triplet(torch.zeros(1, 4, 4), origin).any()
    assert scft.triplet(torch.zeros(1, 1, 1), torch.zeros(1, 1, dtype=torch.long)).tolist() == [[0]]


def judge(sketch, image):
    """Judge a light picture as 2, another as -1."""
    return torch.where(image.mean() > 0.5, 2.0, -1.0).reshape(1, 1, 1, 1)


def test_losses_equal_those_worked_out_by_hand():
    batch = {"sketch": torch.zeros(1, 1, 32, 32), "target": torch.ones(1, 3, 32, 32)}
    batch["flow"] = flow_of(np.zeros((9, 2)), 32)
    output = scft.Matched(torch.full((1, 3, 32, 32), 0.25), 5 * torch.eye(4)[None])
    terms = SCFT.generator_loss(Networks(None, judge), batch, output, Train(), None)
    assert set(terms) == {"adversarial", "l1", "triplet"}
    assert terms["adversarial"].item() == 4
    assert terms["l1"].mean().item() == pytest.approx(30 * 0.75)
    assert terms["triplet"].tolist() == [[7, 7, 7, 7]]
    terms = SCFT.discriminator_loss(judge, batch, output)
    assert terms["real"].item() == 0.5
    assert terms["fake"].item() == 0.5


def test_perceptual_and_style_losses_equal_those_worked_out_by_hand():
    batch = random_batch()
    output = scft.Matched(noise(2, 3, 32, 32).requires_grad_(), torch.zeros(2, 4, 4))

    def features(image):
        return [2 * image, image[:, :2, ::2, ::2]]

    terms = SCFT.generator_loss(Networks(None, judge), batch, output, Train(), features)
    perceptual, style = torch.zeros(2), torch.zeros(2)
    for image in range(2):
        for a, b in zip(features(output.picture), features(batch["target"]), strict=True):
            a, b = a[image].reshape(a.shape[1], -1), b[image].reshape(b.shape[1], -1)
            perceptual[image] += 0.01 * (a - b).abs().mean()
            style[image] += 50 * (a @ a.T - b @ b.T).abs().mean() / a.numel()
    torch.testing.assert_close(terms["perceptual"], perceptual)
    torch.testing.assert_close(terms["style"], style)
    assert terms["style"].requires_grad


def test_the_triplet_loss_alone_trains_the_attention_to_match(tiny):
    points = np.random.default_rng(5).uniform(-0.2, 0.2, (9, 2))
    batch = random_batch(64, 1) | {"flow": flow_of(points, 64)}
    at = batch["flow"] * 2 - 1
    target = interpolate(noise(1, 3, 16, 16), size=(64, 64), mode="bilinear")
    batch["reference"] = nn.functional.grid_sample(target, at, padding_mode="reflection", align_corners=False)
    batch["sketch"], origin = target.mean(1, keepdim=True), scft.origins(batch["flow"])
    optimizer = SCFT.optimizers(tiny, 3e-3)[0]
    for _ in range(60):
        scores = tiny[0](*SCFT.inputs(batch)).scores
        optimizer.zero_grad()
        scft.triplet(scores, origin).mean().backward()
        optimizer.step()
    found = scores[0, origin[0]].argmax(dim=1)
    right = origin[0, found] == origin[0]
    assert right.float().mean() > 0.8


@torch.no_grad()
def test_the_loss_compiles_whole(tiny):
    batch = random_batch()
    loss = torch.compile(SCFT.generator_loss, backend="eager", fullgraph=True)
    terms = loss(tiny, batch, tiny[0](*SCFT.inputs(batch)), Train(), None)
    assert all(term.isfinite().all() for term in terms.values())
