"""pix2pix: what each logit and pixel sees, fresh weights, and losses worked out by hand."""

import math

import pytest
import torch

from pipeline.params import Model, Train
from pipeline.systems import Networks, system

PIX2PIX = system("pix2pix")

TINY = Model(width=4, depth=4)


def images(*channels: int, side: int = 32) -> list[torch.Tensor]:
    """Make random images of one batch of two."""
    torch.manual_seed(0)
    return [torch.rand(2, c, side, side) * 2 - 1 for c in channels]


@pytest.fixture(scope="module")
def full():
    """Build pix2pix at its full size, in use."""
    return [network.eval() for network in PIX2PIX.networks(Model())]


def test_the_discriminator_gives_30_by_30_logits_and_each_sees_70_pixels(full):
    image = torch.rand(1, 7, 256, 256, requires_grad=True)
    logits = full[1](image)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    for axis in ((0, 1, 2), (0, 1, 3)):
        assert image.grad.abs().sum(axis).nonzero().numel() == 70


def test_weights_begin_small_and_normal(full):
    weights = full[0].down[5][1][0].weight
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)


def test_every_pixel_of_a_small_generator_depends_on_every_other_and_on_the_cue():
    sketch, cue = (image.requires_grad_() for image in images(1, 3, side=16))
    generator = PIX2PIX.networks(Model(width=16, depth=4))[0].eval()
    generator(sketch, cue)[0, 0, 8, 8].backward()
    assert (sketch.grad[0] != 0).all()
    assert (cue.grad[0] != 0).all()
    assert not sketch.grad[1].any()


def test_only_the_first_three_doublings_drop_out():
    def drops(depth: int) -> list[bool]:
        generator = PIX2PIX.networks(Model(width=1, depth=depth))[0]
        return [any(isinstance(layer, torch.nn.Dropout) for layer in block) for block in generator.up]

    assert drops(8) == [True] * 3 + [False] * 5
    assert drops(3) == [True, True, False]


def test_a_batch_of_one_can_be_trained_on_down_to_a_single_pixel():
    sketch, cue = (image[:1] for image in images(1, 3, side=16))
    made = PIX2PIX.networks(TINY)[0].train()(sketch, cue)
    assert made.isfinite().all()
    assert made.std() > 0


def test_losses_equal_those_worked_out_by_hand():
    batch = {
        "sketch": torch.zeros(1, 1, 2, 2),
        "cue": torch.zeros(1, 3, 2, 2),
        "color": torch.ones(1, 3, 2, 2),
    }
    fake = torch.full((1, 3, 2, 2), 0.25)

    def judge(sketch, cue, image):
        return torch.where(image.mean() > 0.5, 2.0, -1.0).reshape(1, 1, 1, 1)

    terms = PIX2PIX.generator_loss(Networks(None, judge), batch, fake, Train(l1=10.0), None)
    assert terms["adversarial"].item() == pytest.approx(math.log(1 + math.exp(1)))
    assert terms["l1"].mean().item() == pytest.approx(10 * 0.75)
    terms = PIX2PIX.discriminator_loss(judge, batch, fake)
    assert terms["real"].item() == pytest.approx(math.log(1 + math.exp(-2)) / 2)
    assert terms["fake"].item() == pytest.approx(math.log(1 + math.exp(-1)) / 2)
