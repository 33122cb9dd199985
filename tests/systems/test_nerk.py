"""nerk: the color of the exemplar arrives, and losses worked out by hand."""

import math

import pytest
import torch
from learning import noise, random_batch
from torch import nn

from pipeline.params import Model, Train
from pipeline.systems import Networks, nerk, system

NERK = system("nerk")

TINY = Model(width=4)


@pytest.fixture
def tiny() -> list[nn.Module]:
    """Build both networks small, always with the same weights."""
    torch.manual_seed(1)
    return NERK.networks(TINY)


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


@torch.inference_mode()
def test_texture_and_structure_are_maps_of_a_sixteenth_of_the_side(tiny):
    made = tiny[0](noise(1, 1, 64, 96), noise(1, 3, 64, 96))
    assert made.texture.shape == made.structure.shape == (1, 16 * 4, 4, 6)
    assert NERK.picture(made, {}) is made.picture


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
    batch = random_batch()
    made = tiny[0](*NERK.inputs(batch))
    assert torch.equal(tiny[0](batch["sketch"], batch["reference"], made.structure), made.texture)


def test_the_texture_is_added_at_every_size(tiny):
    generator, batch = tiny[0], random_batch()
    with torch.no_grad():
        before = generator(*NERK.inputs(batch)).picture
        for up in generator.up:
            kept = up.texture.bias.clone()
            up.texture.bias += noise(*kept.shape)
            assert not torch.allclose(generator(*NERK.inputs(batch)).picture, before)
            up.texture.bias.copy_(kept)


def test_consistency_is_zero_when_the_picture_is_the_exemplar(tiny):
    batch = random_batch()
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


def test_consistency_teaches_the_picture_and_not_the_attention(tiny):
    generator, discriminator = tiny
    batch = random_batch(64)
    made = generator(*NERK.inputs(batch))
    picture = made.picture.detach().requires_grad_()  # so that nothing goes on to what painted it
    terms = NERK.generator_loss(
        Networks(generator, discriminator), batch, made._replace(picture=picture), Train(), None
    )
    terms["consistency"].mean().backward()
    assert picture.grad.any()
    assert all(weight.grad is None for weight in generator.parameters())
    assert all(weight.requires_grad for weight in generator.parameters())
