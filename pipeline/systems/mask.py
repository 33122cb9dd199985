"""mask: a gray picture gets its colors back where a mask is 1, and stays gray where it is 0.

Partial colorization with masks, IMPA 2018: the networks see Y, U and V, and Y is kept.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, leaky_relu

from pipeline.params import Model, Train
from pipeline.systems import Batch, FeatureMaps, Networks, System, Terms
from pipeline.systems.layers import Yuv, cross_entropy, lecun_init, successive_maps, to_rgb, to_yuv

SQUARED = 1000.0  # weight of the squared loss
SLOPE = 0.1  # of each LeakyReLU


def channel_counts(width: int) -> list[int]:
    """Return the channels after each of the five convolutions of stride 2."""
    return [width, 2 * width, 4 * width, 8 * width, 8 * width]


def downsample(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE))


def upsample(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))


class MaskGenerator(nn.Module):
    """Color brightness (B, 1, H, W) in [-0.5, 0.5] within a mask; H and W are multiples of 32.

    Brightness and mask begin with a quarter of `width` channels each.
    """

    def __init__(self, width: int):
        super().__init__()
        stem = max(width // 4, 1)
        self.stems = nn.ModuleList(nn.Conv2d(1, stem, 3, padding=1) for _ in range(2))
        down = [2 * stem, *channel_counts(width)]
        self.down = nn.ModuleList(downsample(inputs, outputs) for inputs, outputs in pairwise(down))
        up = channel_counts(width)[::-1]
        self.up = nn.ModuleList(upsample(inputs, outputs) for inputs, outputs in pairwise(up))
        self.paint = nn.Sequential(upsample(channel_counts(width)[0], 2)[0], nn.Tanh())

    def forward(self, gray: Tensor, mask: Tensor) -> Tensor:
        """Return U and V, (B, 2, H, W) in [-1, 1]."""
        stems = zip(self.stems, (gray, mask), strict=True)
        x = torch.cat([leaky_relu(stem(image), SLOPE) for stem, image in stems], dim=1)
        maps = successive_maps(self.down, x)
        x = maps.pop()
        for block in self.up:
            x = block(x) + maps.pop()
        return self.paint(x)


class MaskDiscriminator(nn.Module):
    """Judge a picture as a whole: Y, U and V, and the mask -> logits (B, 1, 1, 1).

    The 7x7 convolution fits the map of a picture of 224 pixels. A map of another size is first averaged to
    7x7, so that one logit always sees everything.
    """

    def __init__(self, width: int):
        super().__init__()
        channels = [4, *channel_counts(width)]
        self.down = nn.Sequential(*(downsample(inputs, outputs) for inputs, outputs in pairwise(channels)))
        self.whole = nn.Conv2d(channels[-1], channels[-1], 7)
        self.last = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, *images: Tensor) -> Tensor:
        x = self.down(torch.cat(images, dim=1))
        return self.last(leaky_relu(self.whole(adaptive_avg_pool2d(x, 7)), SLOPE))


def target_colors(batch: Batch) -> Yuv:
    """Return the target: the original, without colors outside the mask."""
    gray, colors = to_yuv(batch["color"])
    return Yuv(gray, batch["mask"] * colors)


class Mask(System):
    """The U-Net that predicts U and V, with an adversarial and a squared loss."""

    width = 64
    guides = ("gray",)
    columns = ("mask",)
    lr = 1e-4

    def networks(self, model: Model) -> Networks:
        width = model.width or self.width
        return Networks(MaskGenerator(width).apply(lecun_init), MaskDiscriminator(width).apply(lecun_init))

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return to_yuv(batch["color"]).gray, batch["mask"]

    def picture(self, output: Tensor, batch: Batch) -> Tensor:
        return to_rgb(to_yuv(batch["color"]).gray, output)

    def target(self, batch: Batch) -> Tensor:
        return to_rgb(*target_colors(batch))

    def generator_loss(
        self, networks: Networks, batch: Batch, output: Tensor, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the adversarial and the squared loss; outside the mask the target has no color."""
        gray, colors = target_colors(batch)
        logits = networks.discriminator(gray, output, batch["mask"])
        return {"adversarial": cross_entropy(logits, 1), "squared": SQUARED * (colors - output).square()}

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: Tensor) -> Terms:
        gray, colors = target_colors(batch)
        real_logits = discriminator(gray, colors, batch["mask"])
        fake_logits = discriminator(gray, output.detach(), batch["mask"])
        return {"real": cross_entropy(real_logits, 1), "fake": cross_entropy(fake_logits, 0)}


SYSTEM = Mask()
