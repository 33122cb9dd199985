"""nerk: the published size, an exemplar whose color arrives, and losses worked out by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import picture
from safetensors.torch import load, save
from torch import nn

from pipeline.params import Model, Train
from pipeline.systems import Networks, nerk, system
from pipeline.systems.layers import count

NERK = system("nerk")

TINY = Model(width=4)


def noise(*shape: int) -> torch.Tensor:
    """Make a random image in [-1, 1]."""
    return torch.rand(*shape) * 2 - 1


def batch_of(side: int = 32, size: int = 2) -> dict:
    """Make a random batch."""
    torch.manual_seed(0)
    return {
        "sketch": noise(size, 1, side, side),
        "reference": noise(size, 3, side, side),
        "target": noise(size, 3, side, side),
    }


@pytest.fixture
def tiny() -> list[nn.Module]:
    """Build both networks small, always with the same weights."""
    torch.manual_seed(1)
    return NERK.networks(TINY)


def test_the_networks_have_the_published_size():
    published = NERK.networks(SimpleNamespace(width=0))
    assert [count(network) for network in published] == pytest.approx([13.58e6, 18.88e6], rel=0.005)


def test_the_discriminator_gives_8_by_8_logits_and_each_sees_156_pixels(tiny):
    discriminator = tiny[1]
    for encoder_block in discriminator.encoder.blocks:  # what a norm sees is the whole picture
        encoder_block[1] = encoder_block[4] = nn.Identity()
    image = noise(1, 3, 256, 256).requires_grad_()
    logits = discriminator(noise(1, 1, 256, 256), image)
    assert logits.shape == (1, 1, 8, 8)
    logits[0, 0, 4, 4].backward()
    for axis in ((0, 1, 2), (0, 1, 3)):
        assert image.grad.abs().sum(axis).nonzero().numel() == 156


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
@torch.inference_mode()
def test_the_generator_gives_an_image_of_the_size_of_the_sketch(tiny, height, width):
    sides = NERK.multiple(TINY)
    assert height % sides == width % sides == 0
    made = tiny[0](noise(1, 1, height, width), noise(1, 3, height, width))
    assert made.picture.shape == (1, 3, height, width)
    assert made.picture.abs().max() <= 1
    assert made.texture.shape == made.structure.shape == (1, 16 * 4, height // 16, width // 16)
    assert NERK.shown(made, {}) is made.picture


@torch.inference_mode()
def test_the_generator_does_not_mix_a_batch_even_while_it_learns(tiny):
    batch = batch_of()
    both = tiny[0].train()(*NERK.inputs(batch)).picture
    one = tiny[0](batch["sketch"][:1], batch["reference"][:1]).picture
    torch.testing.assert_close(both[:1], one, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_generator_reads_the_sketch_and_the_reference(tiny):
    batch = batch_of()
    first = tiny[0](*NERK.inputs(batch)).picture
    for name in ("sketch", "reference"):
        assert not torch.equal(tiny[0](*NERK.inputs(batch | {name: -batch[name]})).picture, first)


@torch.inference_mode()
def test_the_color_of_an_exemplar_arrives_as_well_as_its_shapes(tiny):
    """A tint is lost where every map is centered by itself, as InstanceNorm does."""
    coarse = noise(1, 3, 8, 8)
    exemplar = nn.functional.interpolate(coarse, size=(128, 128), mode="bilinear") * 0.6
    tint = torch.tensor([0.4, -0.4, 0.0]).reshape(1, 3, 1, 1)
    sketch = noise(1, 1, 128, 128)
    plain, tinted, mirrored = (
        tiny[0](sketch, image).texture for image in (exemplar, exemplar + tint, exemplar.flip(2))
    )
    assert (tinted - plain).norm() > 0.5 * (mirrored - plain).norm()


@torch.inference_mode()
def test_the_texture_alone_is_the_texture_of_the_picture(tiny):
    batch = batch_of()
    made = tiny[0](*NERK.inputs(batch))
    assert torch.equal(tiny[0](batch["sketch"], batch["reference"], made.structure), made.texture)


def test_the_texture_is_added_at_every_size(tiny):
    generator, batch = tiny[0], batch_of()
    with torch.no_grad():
        before = generator(*NERK.inputs(batch)).picture
        for up in generator.up:
            kept = up.texture.bias.clone()
            up.texture.bias += noise(*kept.shape)
            assert not torch.allclose(generator(*NERK.inputs(batch)).picture, before)
            up.texture.bias.copy_(kept)


def test_consistency_is_zero_when_the_picture_is_the_exemplar(tiny):
    batch = batch_of()
    made = tiny[0](*NERK.inputs(batch))

    def consistency(picture: torch.Tensor) -> torch.Tensor:
        output = made._replace(picture=picture)
        return NERK.generator_loss(tiny, batch, output, Train(), None)["consistency"]

    assert not consistency(batch["reference"]).any()
    assert consistency(-batch["reference"]).mean() > 0


def test_losses_equal_those_worked_out_by_hand():
    batch = {"sketch": torch.zeros(1, 1, 2, 2), "target": torch.ones(1, 3, 2, 2)}
    output = nerk.Textured(torch.full((1, 3, 2, 2), 0.25), torch.full((1, 4, 1, 1), 0.5), torch.zeros(1))

    def judge(sketch, image):
        return torch.where(image.mean() > 0.5, 2.0, -1.0).reshape(1, 1, 1, 1)

    class Generator(nn.Module):
        def forward(self, sketch, exemplar, structure):
            assert torch.equal(structure, output.structure)
            return torch.full((1, 4, 1, 1), exemplar.mean().item())

    terms = NERK.generator_loss(Networks(Generator(), judge), batch, output, Train(), None)
    assert set(terms) == {"adversarial", "l1", "consistency"}
    assert terms["adversarial"].item() == pytest.approx(math.log(1 + math.exp(1)))
    assert terms["l1"].mean().item() == pytest.approx(100 * 0.75)
    assert terms["consistency"].mean().item() == pytest.approx(10 * 0.25**2)
    terms = NERK.discriminator_loss(judge, batch, output)
    assert terms["real"].item() == pytest.approx(math.log(1 + math.exp(-2)) / 2)
    assert terms["fake"].item() == pytest.approx(math.log(1 + math.exp(-1)) / 2)


def test_losses_are_maps_by_which_a_sample_can_be_found(tiny):
    batch = batch_of(64)
    terms = NERK.generator_loss(tiny, batch, tiny[0](*NERK.inputs(batch)), Train(), None)
    assert {name: tuple(term.shape) for name, term in terms.items()} == {
        "adversarial": (2, 1, 2, 2),
        "l1": (2, 3, 64, 64),
        "consistency": (2, 64, 4, 4),
    }


def test_gradients_reach_every_weight_and_only_of_the_network_that_learns(tiny):
    generator, discriminator = tiny
    batch = batch_of(64)
    made = generator(*NERK.inputs(batch))
    sum(term.mean() for term in NERK.discriminator_loss(discriminator, batch, made).values()).backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad.any() for parameter in discriminator.parameters())
    discriminator.requires_grad_(False)
    terms = NERK.generator_loss(Networks(generator, discriminator), batch, made, Train(), None)
    sum(term.mean() for term in terms.values()).backward()
    assert [name for name, parameter in generator.named_parameters() if not parameter.grad.any()] == []


def test_consistency_teaches_the_picture_and_not_the_attention(tiny):
    generator, discriminator = tiny
    batch = batch_of(64)
    made = generator(*NERK.inputs(batch))
    picture = made.picture.detach().requires_grad_()  # so that nothing goes on to what painted it
    terms = NERK.generator_loss(
        Networks(generator, discriminator), batch, made._replace(picture=picture), Train(), None
    )
    terms["consistency"].mean().backward()
    assert picture.grad.any()
    assert all(weight.grad is None for weight in generator.parameters())
    assert all(weight.requires_grad for weight in generator.parameters())


def test_the_optimizers_are_the_published_ones(tiny):
    groups = [optimizer.param_groups[0] for optimizer in NERK.optimizers(tiny, NERK.lr)]
    assert [group["lr"] for group in groups] == [1e-4, 4e-4]
    assert [group["betas"] for group in groups] == [(0.5, 0.99), (0.0, 0.99)]
    assert [group["weight_decay"] for group in groups] == [1e-5, 1e-5]
    assert NERK.clip == 1.0


@torch.inference_mode()
def test_saved_and_loaded_again_it_gives_equal_output(tiny):
    batch = batch_of()
    other = NERK.networks(TINY)[0]
    other.load_state_dict(load(save(tiny[0].state_dict())))
    for a, b in zip(tiny[0](*NERK.inputs(batch)), other(*NERK.inputs(batch)), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_it_compiles_whole_and_computes_in_bfloat16(tiny):
    batch = batch_of()
    exact = tiny[0](*NERK.inputs(batch)).picture
    compiled = torch.compile(tiny[0], backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        made = compiled(*NERK.inputs(batch))
        terms = NERK.generator_loss(Networks(compiled, tiny[1]), batch, made, Train(), None)
    torch.testing.assert_close(made.picture.float(), exact, rtol=0, atol=0.06)
    assert all(term.isfinite().all() for term in terms.values())


def fit(model: Model, steps: int, lr: float) -> list[float]:
    """Learn one picture of 32 x 32, ever more slowly; return its PSNR in dB at each step."""
    torch.manual_seed(0)
    color = torch.from_numpy(picture(1, 32, 32)).permute(2, 0, 1)[None] / 127.5 - 1
    batch = {"sketch": color.mean(1, keepdim=True), "reference": color.flip(3), "target": color}
    generator, discriminator = NERK.networks(model)
    g_optimizer, d_optimizer = NERK.optimizers(Networks(generator, discriminator), lr)
    found = []
    for step in range(steps):
        for optimizer, rate in ((g_optimizer, lr), (d_optimizer, 4 * lr)):
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        made = generator(*NERK.inputs(batch))
        found.append(10 * math.log10(4 / (made.picture - color).square().mean().item()))
        learn(discriminator, d_optimizer, NERK.discriminator_loss(discriminator, batch, made))
        discriminator.requires_grad_(False)
        terms = NERK.generator_loss(Networks(generator, discriminator), batch, made, Train(), None)
        learn(generator, g_optimizer, terms)
        discriminator.requires_grad_(True)
    return found


def learn(network: nn.Module, optimizer: torch.optim.Optimizer, terms: dict) -> None:
    """Take one step."""
    optimizer.zero_grad()
    sum(term.mean() for term in terms.values()).backward()
    nn.utils.clip_grad_norm_(network.parameters(), NERK.clip)
    optimizer.step()


def test_a_few_steps_bring_the_picture_closer():
    found = fit(TINY, 15, 5e-3)
    assert found[-1] > found[0] + 0.5
