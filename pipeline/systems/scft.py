"""scft: a sketch takes the colors of a reference, by attention that learns from how the reference was bent.

Lee et al., Reference-Based Sketch Image Colorization using Augmented-Self Reference and Dense Semantic
Correspondence, CVPR 2020.
"""

from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from pipeline.params import Model, Reference, Train
from pipeline.systems import Batch, FeatureMaps, Networks, System, Terms
from pipeline.systems.features import Features
from pipeline.systems.layers import Attention, PatchGAN, gram, lecun_init, normal_init, successive_maps

L1, PERCEPTUAL, STYLE, TRIPLET = 30.0, 0.01, 50.0, 1.0  # weights of the losses
MARGIN = 12.0  # of the triplet loss
SLOPE = 0.2  # of each LeakyReLU


class Matched(NamedTuple):
    """The output of the generator."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    scores: Tensor  # (B, tokens of the sketch, tokens of the reference): their similarities


class ScftEncoder(nn.Module):
    """A picture -> ten maps, two of each size: the first have `width` channels, the last 16 times as many."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        channels = [inputs, *(width * 2 ** (number // 2) for number in range(10))]
        self.layers = nn.ModuleList(
            convolve(before, after, stride=2 if number in (2, 4, 6, 8) else 1)
            for number, (before, after) in enumerate(pairwise(channels))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return all maps pooled and stacked (B, 62 * width, H / 16, W / 16), and the ten maps."""
        maps = successive_maps(self.layers, x)
        pooled = [avg_pool2d(each, 16 >> number // 2) for number, each in enumerate(maps)]
        return torch.cat(pooled, dim=1), maps


class ResidualPair(nn.Module):
    """A residual block of two convolutions, which keeps the size and the number of channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(convolve(channels, channels), nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ScftGenerator(nn.Module):
    """Color a sketch (B, 1, H, W) after a reference (B, 3, H, W), in [-1, 1]; sides are multiples of 16.

    The first maps have `width` channels.
    """

    def __init__(self, width: int):
        super().__init__()
        all_maps = 62 * width
        self.sketch, self.reference = ScftEncoder(1, width), ScftEncoder(3, width)
        self.attention = Attention(all_maps, all_maps)
        pairs = [ResidualPair(all_maps) for _ in range(4)]
        self.blend = nn.Sequential(*pairs, convolve(all_maps, 32 * width))
        inputs, self.up = 32 * width, nn.ModuleList()
        for skip in (8 * width, 4 * width, 2 * width, width):
            self.up.append(nn.Sequential(convolve(inputs + skip, skip), convolve(skip, skip)))
            inputs = skip
        self.paint = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, sketch: Tensor, reference: Tensor) -> Matched:
        x, maps = self.sketch(sketch)
        carried, scores = self.attention(x, self.reference(reference)[0])
        x = self.blend(x + carried)
        for up, skip in zip(self.up, maps[7::-2], strict=True):
            x = interpolate(x, scale_factor=2, mode="bicubic")
            x = up(torch.cat([x, skip], dim=1))
        return Matched(self.paint(x).tanh(), scores)


def convolve(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution and its LeakyReLU; a norm would lose color."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.LeakyReLU(SLOPE))


def mean_difference(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference (B,) of each image."""
    return (a - b).abs().flatten(1).mean(dim=1)


def origins(flow: Tensor) -> Tensor:
    """Return the token of the target from which each token of the reference comes: (B, H / 16 * W / 16).

    Positions beyond the border are reflected, as they were when the reference was bent.
    """
    at = avg_pool2d(flow.permute(0, 3, 1, 2), 16)  # (B, 2, H / 16, W / 16), the center of each token
    height, width = at.shape[2:]
    at = 1 - (at % 2 - 1).abs()
    column = (at[:, 0] * width).long().clamp(0, width - 1)
    row = (at[:, 1] * height).long().clamp(0, height - 1)
    return (row * width + column).flatten(1)


def triplet(scores: Tensor, origin: Tensor) -> Tensor:
    """Return the triplet loss (B, N): a reference token should match its origin better than it does another.

    The other token is random; where it happens to have the same origin, the loss is zero.
    """
    tokens = scores.shape[2]
    shift = torch.randint(1, max(tokens, 2), origin.shape, device=origin.device)
    other = (torch.arange(tokens, device=origin.device) + shift) % tokens
    flat, row = scores.flatten(1), origin * tokens
    positive = flat.gather(1, row + torch.arange(tokens, device=origin.device))
    negative = flat.gather(1, row + other)
    return (MARGIN - positive + negative).relu() * (origin.gather(1, other) != origin)


class Scft(System):
    """The generator with attention, whose triplet loss takes from the flow which tokens belong together."""

    width = 16
    guides = ("reference",)
    columns = ("reference", "flow")
    reference = Reference(grid=3, strength=0.25, jitter=50.0, order="before")
    stride = 16
    vgg = "vgg19"
    lr = 1e-4
    discriminator_lr = 2.0

    def networks(self, model: Model) -> Networks:
        width = model.width or self.width
        generator = ScftGenerator(width).apply(partial(lecun_init, slope=SLOPE))
        nn.init.normal_(generator.paint.weight, 0.0, 0.01)  # gray at first, where tanh is steep
        return Networks(generator, PatchGAN(4, 4 * width).apply(normal_init))

    def features(self, file: str) -> Features | None:
        return None if file == "none" else Features(self.vgg, file)

    def picture(self, output: Matched, batch: Batch) -> Tensor:
        return output.picture

    def generator_loss(
        self, networks: Networks, batch: Batch, output: Matched, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the adversarial, L1 and triplet losses, and the perceptual and style losses of VGG."""
        picture, target = output.picture, batch["target"]
        terms = {
            "adversarial": (networks.discriminator(batch["sketch"], picture) - 1).square(),
            "l1": L1 * (picture - target).abs(),
            "triplet": TRIPLET * triplet(output.scores, origins(batch["flow"])),
        }
        if features is None:
            return terms
        with torch.no_grad():
            target_maps = features(target)
        pairs = list(zip(features(picture), target_maps, strict=True))
        perceptual = sum(mean_difference(fake, real) for fake, real in pairs)
        style = sum(mean_difference(gram(fake), gram(real)) for fake, real in pairs)
        return terms | {"perceptual": PERCEPTUAL * perceptual, "style": STYLE * style}

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: Matched) -> Terms:
        """Return the least-squares losses on the target and on the fake, halved."""
        real = discriminator(batch["sketch"], batch["target"])
        fake = discriminator(batch["sketch"], output.picture.detach())
        return {"real": (real - 1).square() / 2, "fake": fake.square() / 2}


SYSTEM = Scft()
