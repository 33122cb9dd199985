"""liu: styles that reach every channel, and losses worked out by hand."""

import pytest
import torch
from learning import random_batch

from pipeline.errors import Halt
from pipeline.params import Model, Train
from pipeline.systems import Networks, liu, system
from pipeline.systems.layers import count_parameters

LIU = system("liu")

VARIANTS = ("main", "finetune")
SIDES = (8, 4, 2, 1)


def build(variant: str = "main", width: int = 4):
    """Build both networks from one seed."""
    torch.manual_seed(0)
    return LIU.networks(Model(width=width, variant=variant))


def test_main_has_the_published_size_plus_a_linear_layer_for_each_norm():
    """The published 63.5 M know no such layers: there two numbers of the code style all channels alike."""
    generator, discriminator = LIU.networks(Model("liu"))
    assert count_parameters(generator) - count_parameters(generator.extractor.styles) == pytest.approx(
        63.5e6, rel=0.005
    )
    assert count_parameters(generator.extractor.styles) == sum(
        2 * (256 + 1) * 2 * c for c in (1024, 512, 256, 128)
    )
    assert count_parameters(discriminator) == pytest.approx(1.19e6, rel=0.005)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("side", [32, 64])
def test_pictures_are_given_at_four_scales_and_the_largest_is_shown(variant, side):
    batch = random_batch(side, size=1)
    output = build(variant)[0](*LIU.inputs(batch))
    assert [tuple(made.shape) for made in output] == [(1, 3, side // s, side // s) for s in SIDES]
    assert all(made.abs().max() <= 1 for made in output)
    assert LIU.picture(output, batch) is output[-1]


def test_a_picture_need_not_be_square_nor_the_reference_as_large():
    sketch, reference = torch.rand(1, 1, 32, 64), torch.rand(1, 3, 96, 33)
    for variant in VARIANTS:
        assert build(variant)[0](sketch, reference)[-1].shape == (1, 3, 32, 64)


@pytest.mark.parametrize("side", [32, 256])
def test_the_discriminator_sees_patches_of_59_pixels(side):
    image = torch.rand(1, 3, side, side, requires_grad=True)
    logits = build()[1](image)
    assert logits.shape == (1, 1, side // 8, side // 8)
    logits[0, 0, side // 16, side // 16].backward()
    for axis in ((0, 1, 2), (0, 1, 3)):
        assert image.grad.abs().sum(axis).nonzero().numel() == min(side, 59)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_channel_of_the_reference_changes_each_channel_of_every_picture(variant):
    generator, _ = build(variant)
    batch = random_batch(size=1)
    before = generator(*LIU.inputs(batch))
    for channel in range(3):
        reference = batch["reference"].clone()
        reference[:, channel] = -reference[:, channel]
        for old, new in zip(before, generator(batch["sketch"], reference), strict=True):
            assert ((old - new).abs().amax((0, 2, 3)) > 1e-4).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_another_reference_moves_scale_and_shift_of_each_channel_by_its_own_amount(variant):
    """A style of two numbers for all channels alike would move them all by the same."""
    generator, _ = build(variant, width=8)
    one, other = torch.rand(1, 3, 64, 64) * 2 - 1, torch.rand(1, 3, 64, 64) - 1
    for old, new in zip(generator.extractor(one), generator.extractor(other), strict=True):
        for before, after in zip(old, new, strict=True):
            moved = (after - before).flatten()
            alive = moved[moved != 0]  # behind a ReLU a channel may be dead
            assert alive.numel() > 0.75 * moved.numel()
            assert alive.unique().numel() > 0.9 * alive.numel()


def test_finetune_gives_the_statistics_of_a_map_of_the_reference_to_each_decoder_block():
    generator, _ = build("finetune")
    x = random_batch()["reference"]
    styles = generator.extractor(x)
    for number, block in enumerate(generator.extractor.blocks):
        x = block(x)
        for scale, shift in styles[8 - 2 * number :][:2]:
            torch.testing.assert_close(shift[..., 0, 0], x.mean((2, 3)))
            expected = torch.from_numpy(x.detach().numpy().std(axis=(2, 3)))
            torch.testing.assert_close(scale[..., 0, 0], expected, atol=4e-3, rtol=1e-3)


def test_a_styled_map_has_the_mean_and_deviation_of_its_style():
    x, scale, shift = torch.randn(2, 3, 16, 16) * 5 + 2, torch.rand(2, 3, 1, 1) + 1, torch.randn(2, 3, 1, 1)
    made = liu.adain(x, (scale, shift))
    torch.testing.assert_close(made.mean((2, 3), keepdim=True), shift)
    torch.testing.assert_close(made.std((2, 3), keepdim=True, correction=0), scale)


def stand_in(image: torch.Tensor) -> list[torch.Tensor]:
    """Return features that are easily worked out: three times the mean of the channels, at half the side."""
    return [3 * torch.nn.functional.avg_pool2d(image.mean(1, keepdim=True), 2)]


def test_losses_equal_those_worked_out_by_hand():
    target = torch.full((1, 3, 32, 32), 0.5)
    output = [
        torch.full((1, 3, 32 // s, 32 // s), v) for s, v in zip(SIDES, (0.1, 0.2, 0.3, 0.4), strict=True)
    ]
    weights, distances = (1, 2, 3, 10), (0.4, 0.3, 0.2, 0.1)

    def judge(image):
        return 4 * image.mean((1, 2, 3)).reshape(1, 1, 1, 1) - 1.2

    terms = LIU.generator_loss(Networks(None, judge), {"target": target}, output, Train(), stand_in)
    squares = sum(w * d**2 for w, d in zip(weights, distances, strict=True)) / 4
    assert terms["pixel"].item() == pytest.approx(5 * squares, rel=1e-5)
    assert terms["perceptual"].item() == pytest.approx(9 * squares, rel=1e-5)
    logits = [4 * v - 1.2 for v in (0.1, 0.2, 0.3, 0.4)]
    mean = sum(w * v for w, v in zip(weights, logits, strict=True)) / 4
    assert terms["adversarial"].item() == pytest.approx(-mean, abs=1e-5)
    terms = LIU.discriminator_loss(judge, {"target": target}, output)
    assert terms["real"].item() == pytest.approx(0.2 * 16 / 4, rel=1e-5)
    fake = sum(w * max(0, 1 + v) for w, v in zip(weights, logits, strict=True)) / 4
    assert terms["fake"].item() == pytest.approx(fake, rel=1e-5)
    # The slope of the mean by each of n values is 4 / n, the sum of squares 16 / n.
    slopes = sum(w * 16 / (3 * (32 // s) ** 2) for w, s in zip(weights, SIDES, strict=True)) / 4
    assert terms["penalty"].item() == pytest.approx(10 * slopes, rel=1e-5)


def test_without_features_there_is_no_perceptual_loss():
    generator, discriminator = build()
    batch = random_batch()
    output = generator(*LIU.inputs(batch))
    terms = LIU.generator_loss(Networks(generator, discriminator), batch, output, Train(), None)
    assert set(terms) == {"adversarial", "pixel"}
    assert all(term.shape == (2,) for term in terms.values())


def test_generator_and_discriminator_pull_in_opposite_directions():
    generator, discriminator = build()
    batch = random_batch()
    output = generator(*LIU.inputs(batch))
    bias = discriminator.layers[-1].bias
    passing = LIU.generator_loss(Networks(generator, discriminator), batch, output, Train(), None)[
        "adversarial"
    ]
    telling = LIU.discriminator_loss(discriminator, batch, output)["fake"]
    up, down = (torch.autograd.grad(term.mean(), bias, retain_graph=True)[0] for term in (passing, telling))
    assert up < 0 < down
    fakes = [fake.detach().requires_grad_() for fake in output]
    terms = LIU.generator_loss(Networks(generator, discriminator), batch, fakes, Train(), None)
    slopes = torch.autograd.grad(terms["adversarial"].mean(), fakes)
    moved = [fake - 10 * slope for fake, slope in zip(fakes, slopes, strict=True)]
    harder = LIU.discriminator_loss(discriminator, batch, moved)["fake"]
    assert harder.mean() > telling.mean()


def test_finetune_starts_from_all_that_main_has_and_a_fresh_fifth_block():
    main, _ = build()
    torch.manual_seed(9)
    finetune, _ = LIU.networks(Model(width=4, variant="finetune"))
    fresh = finetune.extractor.blocks[4].first.weight.clone()
    liu.load_main(finetune, main.state_dict())
    theirs, mine = main.state_dict(), finetune.state_dict()
    assert {name for name in mine if name not in theirs} == {n for n in mine if "blocks.4." in n}
    assert {name.split(".")[1] for name in theirs if name not in mine} == {"code", "styles"}
    assert all(torch.equal(mine[name], theirs[name]) for name in mine if name in theirs)
    assert torch.equal(finetune.extractor.blocks[4].first.weight, fresh)


def test_finetune_does_not_start_from_another_network_or_width():
    finetune, discriminator = build("finetune")
    before = {name: tensor.clone() for name, tensor in finetune.state_dict().items()}
    for network in (build(width=8)[0], discriminator):
        with pytest.raises(Halt, match="no liu of the same width"):
            liu.load_main(finetune, network.state_dict())
    assert all(torch.equal(tensor, before[name]) for name, tensor in finetune.state_dict().items())
