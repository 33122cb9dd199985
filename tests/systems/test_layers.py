"""Layers and losses that several systems share: equal to torch's, or to another way to compute them."""

import math

import pytest
import torch
from learning import noise
from torch.nn.functional import scaled_dot_product_attention

from pipeline.params import Model
from pipeline.systems import system
from pipeline.systems.layers import SMALL, Attention, Doubling, gram, r1, tokens


@pytest.mark.parametrize("sides", [(1, 1), (5, 3), (8, 8), (8, 9)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_map_of_any_size_is_doubled_as_the_library_does_it(sides, bias):
    torch.manual_seed(0)
    layer = Doubling(6, 4, bias).double()
    image = torch.randn(2, 6, *sides, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.conv_transpose2d(image, layer.weight, layer.bias, stride=2, padding=1)
    slope, given = torch.randn_like(expected), [image, *layer.parameters()]
    made = layer(image)
    torch.testing.assert_close(made, expected)
    for ours, theirs in zip(
        *(torch.autograd.grad(each, given, slope) for each in (made, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_only_small_maps_in_training_are_doubled_by_a_product(monkeypatch):
    called = []
    monkeypatch.setattr(torch.nn.ConvTranspose2d, "forward", lambda layer, x: called.append(x.shape[3]))
    layer = Doubling(1, 1, bias=False)
    layer(torch.zeros(1, 1, 1, SMALL))
    assert not called
    layer(torch.zeros(1, 1, 1, SMALL + 1))
    layer.eval()(torch.zeros(1, 1, 1, 1))
    assert called == [SMALL + 1, 1]


def test_torch_and_torchvision_are_a_pair_that_imports_together():
    import torchvision

    assert torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5).tolist() == [0]


def test_a_token_is_the_channels_of_one_position():
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    listed = tokens(maps)
    assert listed.shape == (1, 12, 2)
    assert listed[0, 4 * 1 + 2].tolist() == maps[0, :, 1, 2].tolist()


@torch.inference_mode()
def test_attention_is_the_scaled_dot_product_and_its_rows_sum_to_one():
    torch.manual_seed(2)
    attention, x, reference = Attention(6, 3), noise(2, 6, 3, 5), noise(2, 6, 4, 2)
    carried, scores = attention(x, reference)
    alpha = scores.softmax(dim=2)
    torch.testing.assert_close(alpha.sum(dim=2), torch.ones(2, 15))
    query, key, value = (
        torch.einsum("oc,bchw->bhwo", layer.weight[:, :, 0, 0], maps).flatten(1, 2)
        for layer, maps in ((attention.query, x), (attention.key, reference), (attention.value, reference))
    )
    expected = scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(carried, expected.reshape(2, 3, 5, 6).permute(0, 3, 1, 2))
    torch.testing.assert_close(scores, torch.einsum("bic,bjc->bij", query, key) / math.sqrt(3))


@torch.inference_mode()
def test_permuting_the_reference_permutes_the_columns_and_keeps_the_values():
    torch.manual_seed(2)
    attention, x, reference = Attention(6, 6), noise(2, 6, 4, 4), noise(2, 6, 4, 4)
    order = torch.randperm(16)
    carried, scores = attention(x, reference)
    same, permuted = attention(x, reference.flatten(2)[:, :, order].unflatten(2, (4, 4)))
    torch.testing.assert_close(permuted.softmax(dim=2), scores.softmax(dim=2)[:, :, order])
    torch.testing.assert_close(same, carried)
    assert scores.softmax(dim=2).std(dim=2).min() > 1e-3


@torch.inference_mode()
def test_permuting_the_sketch_permutes_the_rows():
    torch.manual_seed(2)
    attention, x, reference = Attention(6, 6), noise(1, 6, 4, 4), noise(1, 6, 4, 4)
    order = torch.randperm(16)
    carried, scores = attention(x, reference)
    moved, permuted = attention(x.flatten(2)[:, :, order].unflatten(2, (4, 4)), reference)
    torch.testing.assert_close(permuted, scores[:, order])
    torch.testing.assert_close(moved.flatten(2), carried.flatten(2)[:, :, order])


def test_gram_multiplies_the_channels_of_each_image_by_itself():
    maps = noise(2, 3, 4, 5)
    expected = torch.einsum("bchw,bdhw->bcd", maps, maps) / (3 * 4 * 5)
    torch.testing.assert_close(gram(maps), expected)
    torch.testing.assert_close(gram(maps)[1:], gram(maps[1:]))
    assert gram(torch.full((1, 2, 2, 2), 3.0)).tolist() == [[[4.5, 4.5], [4.5, 4.5]]]


def test_r1_is_the_squared_slope_of_each_image_and_can_be_descended():
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4, requires_grad=True)
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    logits = (images * weight).sum((1, 2, 3)) ** 2
    penalty = r1(logits[:, None], images)
    expected = 4 * logits * weight.square().sum()
    torch.testing.assert_close(penalty, expected)
    (slope,) = torch.autograd.grad(penalty.sum(), weight, retain_graph=True)
    torch.testing.assert_close(slope, torch.autograd.grad(expected.sum(), weight)[0])


def test_r1_of_patches_equals_finite_differences():
    torch.manual_seed(0)
    _, discriminator = system("liu").networks(Model("liu", 4))
    discriminator.double()
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    penalty = r1(discriminator(image), image)
    direction = torch.autograd.grad(discriminator(image).mean(), image)[0]
    step = 1e-4 * direction / direction.norm()
    with torch.no_grad():
        slope = (discriminator(image + step).mean() - discriminator(image - step).mean()) / 2e-4
    assert penalty.item() == pytest.approx(slope.item() ** 2, rel=1e-2)
