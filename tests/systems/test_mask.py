"""mask: colors as scikit-image has them, color inside and gray outside."""

import math

import numpy as np
import pytest
import torch
from learning import learn
from made import picture
from skimage.color import rgb2yuv, yuv2rgb

from pipeline.batches.mask import MASK_NAMES, make_mask
from pipeline.params import Model, Train
from pipeline.systems import Networks, mask, system

MASK = system("mask")


def build(width: int = 4):
    """Build both networks from one seed."""
    torch.manual_seed(0)
    return MASK.networks(Model(width=width))


def masks(side: int) -> torch.Tensor:
    """Make the ten masks (10, 1, side, side)."""
    made = np.stack([make_mask(number, side, side) for number in range(len(MASK_NAMES))])
    return torch.from_numpy(made)[:, None].float()


def painted(side: int = 32) -> dict:
    """Make a batch of one picture under each of the ten masks."""
    color = torch.from_numpy(picture(1, side, side)).permute(2, 0, 1)[None] / 127.5 - 1
    return {"color": color.expand(10, -1, -1, -1), "mask": masks(side)}


def is_gray(image: torch.Tensor) -> bool:
    """Tell whether red, green and blue of each pixel are alike."""
    return bool((image.amax(1) - image.amin(1)).max() < 1e-5)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_the_generator_gives_two_colors_for_each_pixel(height, width):
    made = build()[0](torch.rand(1, 1, height, width) - 0.5, torch.ones(1, 1, height, width))
    assert made.shape == (1, 2, height, width)
    assert made.abs().max() <= 1


@pytest.mark.parametrize("side", [32, 224, 256])
def test_the_discriminator_gives_one_logit_that_sees_every_pixel(side):
    image = torch.rand(1, 4, side, side, requires_grad=True)
    logits = build()[1](image[:, :1], image[:, 1:3], image[:, 3:])
    assert logits.shape == (1, 1, 1, 1)
    logits.backward()
    assert (image.grad != 0).all()


def test_at_224_pixels_the_last_layers_see_the_map_as_it_is():
    """Pooling to 7x7 leaves a map of 7x7 alone: this is the published discriminator."""
    _, discriminator = build()
    image = torch.rand(1, 4, 224, 224)
    x = torch.nn.functional.leaky_relu(discriminator.whole(discriminator.down(image)), 0.1)
    torch.testing.assert_close(discriminator(image), discriminator.last(x))


def test_brightness_and_colors_are_those_of_scikit_image():
    rgb = np.random.default_rng(0).random((16, 16, 3))
    rgb[0, :8] = [[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    expected = (rgb2yuv(rgb) - [0.5, 0, 0]) / [1, 0.436, 0.615]
    gray, colors = mask.to_yuv(torch.from_numpy(rgb).permute(2, 0, 1)[None] * 2 - 1)
    made = torch.cat([gray, colors], 1)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-4)
    assert np.abs(made).max(axis=(0, 1)) == pytest.approx([0.5, 1, 1])
    back = mask.to_rgb(gray, colors)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(back, rgb * 2 - 1, atol=1e-12)
    np.testing.assert_allclose(back, yuv2rgb(rgb2yuv(rgb)) * 2 - 1, atol=1e-6)


def test_colors_that_no_screen_can_show_are_clipped():
    made = mask.to_rgb(torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 2, 2, 2))
    assert made.abs().max() == 1


def test_complementary_masks_ask_for_complementary_colors():
    batch = painted()
    _, colors = mask.target_colors(batch)
    whole = mask.to_yuv(batch["color"])[1]
    for one in range(0, 10, 2):
        torch.testing.assert_close(colors[one] + colors[one + 1], whole[one])
        assert not (colors[one] * colors[one + 1]).any()


def test_a_composite_is_colored_in_the_mask_alone_and_its_complement_elsewhere():
    """Whatever the generator gives: half a picture under a mask, the other half under its complement."""
    batch = painted()
    output = torch.rand(10, 2, 32, 32) * 2 - 1
    made = MASK.picture(batch["mask"] * output, batch)
    full, gray = MASK.picture(output, batch), MASK.picture(torch.zeros_like(output), batch)
    inside = batch["mask"].bool().expand_as(made)
    assert torch.equal(made[inside], full[inside])
    assert torch.equal(made[~inside], gray[~inside])
    assert is_gray(gray)
    assert not is_gray(full)
    assert torch.equal(inside[0::2], ~inside[1::2])


def test_a_mask_of_zeros_asks_for_gray_and_is_composed_gray():
    batch = painted() | {"mask": torch.zeros(10, 1, 32, 32)}
    gray, colors = mask.target_colors(batch)
    assert not colors.any()
    assert is_gray(mask.to_rgb(gray, colors))
    assert is_gray(MASK.picture(batch["mask"] * torch.rand(10, 2, 32, 32), batch))


def test_the_true_colors_under_a_whole_mask_are_the_picture():
    batch = painted() | {"mask": torch.ones(10, 1, 32, 32)}
    _, colors = mask.target_colors(batch)
    torch.testing.assert_close(MASK.picture(colors, batch), batch["color"], atol=1e-5, rtol=0)


def test_losses_equal_those_worked_out_by_hand():
    color = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)  # red
    batch = {"color": color, "mask": torch.tensor([[1.0, 1.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)}
    output = torch.full((1, 2, 2, 2), 0.5)

    def judge(gray, colors, mask):
        assert gray.mean().item() == pytest.approx(0.299 - 0.5, abs=1e-6)
        assert mask is batch["mask"]
        return colors[:, 1:].mean().reshape(1, 1, 1, 1)

    u, v = -0.299 / 0.886, 1.0
    terms = MASK.generator_loss(Networks(None, judge), batch, output, Train(), None)
    assert terms["adversarial"].item() == pytest.approx(math.log(1 + math.exp(-0.5)))
    squares = ((u - 0.5) ** 2 + (v - 0.5) ** 2 + 0.25 + 0.25) / 4
    assert terms["squared"].mean().item() == pytest.approx(1000 * squares, rel=1e-5)
    terms = MASK.discriminator_loss(judge, batch, output)
    assert terms["real"].item() == pytest.approx(math.log(1 + math.exp(-v / 2)))  # half of it is masked
    assert terms["fake"].item() == pytest.approx(math.log(1 + math.exp(0.5)))


@pytest.mark.slow
def test_one_picture_is_learned_by_heart_and_the_masks_are_obeyed():
    batch = painted()
    generator = learn(Model("mask", 16), batch, 600, 4e-3).generator
    with torch.no_grad():
        output = generator(*MASK.inputs(batch))
    gray, colors = mask.target_colors(batch)
    difference = MASK.picture(output, batch) - mask.to_rgb(gray, colors)
    assert 10 * torch.log10(4 / difference.square().mean()) > 30
    outside = (1 - batch["mask"]) * output.abs()
    area = 2 * (1 - batch["mask"]).sum((1, 2, 3))
    assert (outside.sum((1, 2, 3)) / area.clamp_min(1)).max() < 0.05
    halves = output[0::2] + output[1::2]  # of complementary masks
    whole = mask.to_yuv(batch["color"])[1][::2]
    assert (halves - whole).abs().mean() < 0.2 * whole.abs().mean()
