"""scft: a sketch is colored after a reference by attention that learns from how the reference was bent.

Lee et al., Reference-Based Sketch Image Colorization using Augmented-Self Reference and Dense Semantic
Correspondence, CVPR 2020.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.optim import Adam, Optimizer

from pipeline.params import Model, Reference, Train
from pipeline.systems.features import Features
from pipeline.systems.layers import Attention, PatchGAN, gram, normal

WIDTH = 16
COLUMNS = ("reference", "flow")
REFERENCE = Reference(grid=3, strength=0.25, jitter=50.0, order="before")
VGG = "vgg19"
TWICE = False
LR, CLIP = 1e-4, 0.0
L1, PERCEPTUAL, STYLE, TRIPLET, MARGIN = 30.0, 0.01, 50.0, 1.0, 12.0


class Made(NamedTuple):
    """What the generator makes."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    scores: Tensor  # (B, tokens of the sketch, tokens of the reference), how alike they are


class Encoder(nn.Module):
    """Describe a picture by ten maps, two of each size."""

    def __init__(self, inputs: int, width: int):
        """Build ten convolutions, the first of `width` channels, the last of 16 times as many."""
        super().__init__()
        channels = [inputs, *(width * 2 ** (number // 2) for number in range(10))]
        self.layers = nn.ModuleList(
            convolve(before, after, stride=2 if number in (2, 4, 6, 8) else 1)
            for number, (before, after) in enumerate(pairwise(channels))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return all maps pooled and stacked (B, 62 * width, H / 16, W / 16), and the ten maps."""
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        pooled = [avg_pool2d(x, 16 >> number // 2) for number, x in enumerate(maps)]
        return torch.cat(pooled, dim=1), maps


class Residual(nn.Module):
    """Add to a map what two convolutions make of it."""

    def __init__(self, channels: int):
        """Build two convolutions of `channels`."""
        super().__init__()
        self.layers = nn.Sequential(convolve(channels, channels), nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same size."""
        return x + self.layers(x)


class Generator(nn.Module):
    """Color a sketch (B, 1, H, W) after a reference (B, 3, H, W), in [-1, 1]; sides are multiples of 16."""

    def __init__(self, width: int):
        """Build both encoders, the attention and the decoder; `width` is the channels of the first maps."""
        super().__init__()
        all_maps = 62 * width
        self.sketch, self.reference = Encoder(1, width), Encoder(3, width)
        self.attention = Attention(all_maps, all_maps)
        self.blend = nn.Sequential(*(Residual(all_maps) for _ in range(4)), convolve(all_maps, 32 * width))
        self.up = nn.ModuleList(
            nn.Sequential(convolve(before + skip, skip), convolve(skip, skip))
            for before, skip in ((32 * width, 8 * width), *((2 * n * width, n * width) for n in (4, 2, 1)))
        )
        self.paint = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, sketch: Tensor, reference: Tensor) -> Made:
        """Return the picture, and how alike the parts of the sketch and of the reference are."""
        x, maps = self.sketch(sketch)
        carried, scores = self.attention(x, self.reference(reference)[0])
        x = self.blend(x + carried)
        for up, skip in zip(self.up, maps[7::-2], strict=True):
            x = interpolate(x, scale_factor=2, mode="bicubic")
            x = up(torch.cat([x, skip], dim=1))
        return Made(self.paint(x).tanh(), scores)


def convolve(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution and its LeakyReLU; no norm, which would take from the color."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.LeakyReLU(0.2))


def begin(module: nn.Module) -> None:
    """Draw weights so that maps keep their size through layers without norm; begin biases at zero.

    He et al., Delving Deep into Rectifiers, 2015.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def multiple(model: Model) -> int:
    """Return what height and width must be multiples of."""
    return 16


def networks(model: Model) -> tuple[Generator, PatchGAN]:
    """Build the generator and the discriminator with fresh weights."""
    width = model.width or WIDTH
    generator = Generator(width).apply(begin)
    nn.init.normal_(generator.paint.weight, 0.0, 0.01)  # gray at first, where tanh is steep
    return generator, PatchGAN(4, 4 * width).apply(normal)


def optimizers(generator: nn.Module, discriminator: nn.Module, lr: float) -> tuple[Optimizer, Optimizer]:
    """Build the optimizer of each network; the discriminator learns at twice the rate."""
    return tuple(
        Adam(network.parameters(), rate, betas=(0.5, 0.999), fused=True)
        for network, rate in ((generator, lr), (discriminator, 2 * lr))
    )


def inputs(batch: dict) -> tuple[Tensor, Tensor]:
    """Return what the generator takes of a batch."""
    return batch["sketch"], batch["reference"]


def shown(output: Made, batch: dict) -> Tensor:
    """Return the picture (B, 3, H, W) in [-1, 1]."""
    return output.picture


def goal(batch: dict) -> Tensor:
    """Return the picture that should be shown."""
    return batch["target"]


def pace(model: Model) -> float:
    """Return the published learning rate of the generator."""
    return LR


def generator_loss(
    generator: nn.Module,
    discriminator: nn.Module,
    batch: dict,
    output: Made,
    train: Train,
    features: Features | None,
) -> dict[str, Tensor]:
    """Be taken for real, be close to the target, to VGG too, and find what was bent where."""
    picture, target = output.picture, batch["target"]
    terms = {
        "adversarial": (discriminator(batch["sketch"], picture) - 1).square(),
        "l1": L1 * (picture - target).abs(),
        "triplet": TRIPLET * triplet(output.scores, origins(batch["flow"])),
    }
    if features is None:
        return terms
    with torch.no_grad():
        goals = features(target)
    pairs = list(zip(features(picture), goals, strict=True))
    perceptual = sum(distance(made, goal) for made, goal in pairs)
    style = sum(distance(gram(made), gram(goal)) for made, goal in pairs)
    return terms | {"perceptual": PERCEPTUAL * perceptual, "style": STYLE * style}


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference (B,) of each image."""
    return (a - b).abs().flatten(1).mean(dim=1)


def origins(flow: Tensor) -> Tensor:
    """Return which token of the target each token of the reference comes from: (B, H / 16 * W / 16).

    What lies beyond the border is reflected there, as it was when the reference was bent.
    """
    at = avg_pool2d(flow.permute(0, 3, 1, 2), 16)  # (B, 2, H / 16, W / 16), the center of each token
    height, width = at.shape[2:]
    at = 1 - (at % 2 - 1).abs()
    column = (at[:, 0] * width).long().clamp(0, width - 1)
    row = (at[:, 1] * height).long().clamp(0, height - 1)
    return (row * width + column).flatten(1)


def triplet(scores: Tensor, origin: Tensor) -> Tensor:
    """Ask that each token of the reference (B, N) resembles where it comes from, and another does so less.

    The other is drawn from all that come from elsewhere: one that by chance comes from the same place asks
    for nothing.
    """
    tokens = scores.shape[2]
    shift = torch.randint(1, max(tokens, 2), origin.shape, device=origin.device)
    other = (torch.arange(tokens, device=origin.device) + shift) % tokens
    flat, row = scores.flatten(1), origin * tokens
    positive = flat.gather(1, row + torch.arange(tokens, device=origin.device))
    negative = flat.gather(1, row + other)
    return (MARGIN - positive + negative).relu() * (origin.gather(1, other) != origin)


def discriminator_loss(
    discriminator: nn.Module, batch: dict, output: Made, train: Train
) -> dict[str, Tensor]:
    """Tell real from fake by least squares, each counting half."""
    real = discriminator(batch["sketch"], batch["target"])
    fake = discriminator(batch["sketch"], output.picture.detach())
    return {"real": (real - 1).square() / 2, "fake": fake.square() / 2}
