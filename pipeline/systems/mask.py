"""mask: a gray picture gets its colors back where a mask is 1, and stays gray where it is 0.

Partial colorization with masks, IMPA 2018; the colors are U and V, the brightness Y is kept.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, leaky_relu
from torch.optim import Adam, Optimizer

from pipeline.params import Model, Train
from pipeline.systems.layers import cross_entropy, even

WIDTH = 64
COLUMNS = ("mask",)
REFERENCE = None
VGG = ""
TWICE = False
LR = 1e-4
CLIP = 0.0

SQUARED = 1000.0
SLOPE = 0.1


def levels(width: int) -> list[int]:
    """Return the channels after each of the five halvings."""
    return [width, 2 * width, 4 * width, 8 * width, 8 * width]


def halve(inputs: int, outputs: int) -> nn.Sequential:
    """Build a 3x3 convolution of stride 2, and its LeakyReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE))


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Build a transposed 3x3 convolution of stride 2, and its LeakyReLU."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))


class Colorizer(nn.Module):
    """Color brightness (B, 1, H, W) in [-0.5, 0.5] within a mask; H and W are multiples of 32."""

    def __init__(self, width: int):
        """Begin with a quarter of `width` for the brightness and as much for the mask."""
        super().__init__()
        stem = max(width // 4, 1)
        self.stems = nn.ModuleList(nn.Conv2d(1, stem, 3, padding=1) for _ in range(2))
        down = [2 * stem, *levels(width)]
        self.down = nn.ModuleList(halve(inputs, outputs) for inputs, outputs in pairwise(down))
        self.up = nn.ModuleList(double(inputs, outputs) for inputs, outputs in pairwise(levels(width)[::-1]))
        self.paint = nn.Sequential(double(levels(width)[0], 2)[0], nn.Tanh())

    def forward(self, gray: Tensor, mask: Tensor) -> Tensor:
        """Return U and V, (B, 2, H, W) in [-1, 1]."""
        x = torch.cat(
            [leaky_relu(stem(x), SLOPE) for stem, x in zip(self.stems, (gray, mask), strict=True)], 1
        )
        maps = []
        for block in self.down:
            x = block(x)
            maps.append(x)
        x = maps.pop()
        for block in self.up:
            x = block(x) + maps.pop()
        return self.paint(x)


class Judge(nn.Module):
    """Judge a picture as a whole: Y, U and V, and the mask -> logits (B, 1, 1, 1).

    The 7x7 convolution fits the 7x7 map that a side of 224 leaves. At any other size the map is averaged to
    7x7 first, so that there is always one logit that sees everything.
    """

    def __init__(self, width: int):
        """Give the first of five halvings `width` channels."""
        super().__init__()
        channels = [4, *levels(width)]
        self.down = nn.Sequential(*(halve(inputs, outputs) for inputs, outputs in pairwise(channels)))
        self.whole = nn.Conv2d(channels[-1], channels[-1], 7)
        self.last = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, *images: Tensor) -> Tensor:
        """Judge images that belong together, stacked along their channels."""
        x = self.down(torch.cat(images, dim=1))
        return self.last(leaky_relu(self.whole(adaptive_avg_pool2d(x, 7)), SLOPE))


def multiple(model: Model) -> int:
    """Return what height and width must be multiples of."""
    return 32


def networks(model: Model) -> tuple[Colorizer, Judge]:
    """Build the generator and the discriminator with fresh weights."""
    width = model.width or WIDTH
    return Colorizer(width).apply(even), Judge(width).apply(even)


def optimizers(generator: nn.Module, discriminator: nn.Module, lr: float) -> tuple[Optimizer, Optimizer]:
    """Build the optimizer of each network."""
    return tuple(
        Adam(network.parameters(), lr, betas=(0.5, 0.999), fused=True)
        for network in (generator, discriminator)
    )


def inputs(batch: dict) -> tuple[Tensor, Tensor]:
    """Return what the generator takes of a batch: brightness and mask."""
    return to_yuv(batch["color"])[0], batch["mask"]


def shown(output: Tensor, batch: dict, composite: bool = False) -> Tensor:
    """Return the picture of the brightness and the colors; `composite` takes away those outside the mask."""
    return to_rgb(to_yuv(batch["color"])[0], batch["mask"] * output if composite else output)


def goal(batch: dict) -> Tensor:
    """Return the picture that should be shown."""
    return to_rgb(*wanted(batch))


def pace(model: Model) -> float:
    """Return the published learning rate of the generator."""
    return LR


def generator_loss(
    generator: nn.Module, discriminator: nn.Module, batch: dict, output: Tensor, train: Train, features
) -> dict[str, Tensor]:
    """Be taken for real, and be close to the colors within the mask and to none outside."""
    gray, colors = wanted(batch)
    logits = discriminator(gray, output, batch["mask"])
    return {"adversarial": cross_entropy(logits, 1), "squared": SQUARED * (colors - output).square()}


def discriminator_loss(
    discriminator: nn.Module, batch: dict, output: Tensor, train: Train
) -> dict[str, Tensor]:
    """Tell the picture that is colored within the mask alone from the fake."""
    gray, colors = wanted(batch)
    real_logits = discriminator(gray, colors, batch["mask"])
    fake_logits = discriminator(gray, output.detach(), batch["mask"])
    return {"real": cross_entropy(real_logits, 1), "fake": cross_entropy(fake_logits, 0)}


def wanted(batch: dict) -> tuple[Tensor, Tensor]:
    """Return the brightness (B, 1, H, W), and U and V (B, 2, H, W), which are zero outside the mask."""
    gray, colors = to_yuv(batch["color"])
    return gray, batch["mask"] * colors


def leakage(output: Tensor, batch: dict) -> Tensor:
    """Measure the mean of |U| and |V| outside the mask, (B,); 0 where nothing is outside."""
    outside = 1 - batch["mask"]
    area = 2 * outside.sum((1, 2, 3))
    return (outside * output.abs()).sum((1, 2, 3)) / area.clamp_min(1)


def to_yuv(image: Tensor) -> tuple[Tensor, Tensor]:
    """Part RGB in [-1, 1] into Y in [-0.5, 0.5], and U / 0.436 and V / 0.615 in [-1, 1] (ITU-R BT.601)."""
    red, green, blue = image.split(1, dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma / 2, torch.cat([(blue - luma) / 1.772, (red - luma) / 1.402], dim=1)


def to_rgb(gray: Tensor, colors: Tensor) -> Tensor:
    """Join what `to_yuv` parted; what no screen can show is clipped to [-1, 1]."""
    luma, (u, v) = 2 * gray, colors.split(1, dim=1)
    red, blue = luma + 1.402 * v, luma + 1.772 * u
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.cat([red, green, blue], dim=1).clamp(-1, 1)
