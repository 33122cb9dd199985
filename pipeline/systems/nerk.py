"""nerk: a sketch is colored after an exemplar, whose texture attention carries to where it belongs.

Nerk, Generative Exemplar Based Face Sketch Colorization Using Attention for Color Transfer, 2022: a model of
a repository (Ea0011/Nerk), without a paper.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, softplus
from torch.optim import AdamW, Optimizer

from pipeline.params import Model, Reference, Train
from pipeline.systems.layers import Attention, even, frozen, normal

WIDTH = 32
COLUMNS = ("reference",)
REFERENCE = Reference(
    grid=3, strength=0.2, jitter=0.0
)  # published: the corners and the center, by 0.4 of [-1, 1]
VGG = ""  # its weight was 0
TWICE = False
LR, CLIP = 1e-4, 1.0
L1, CONSISTENCY = 100.0, 10.0


class Made(NamedTuple):
    """What the generator makes."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    texture: Tensor  # (B, 16 * width, H / 16, W / 16), what was carried from the exemplar
    structure: Tensor  # of the same size, what the sketch looks like to the attention


class Encoder(nn.Module):
    """Describe a picture by maps, each of half the side and twice the channels of the one before."""

    def __init__(self, inputs: int, width: int):
        """Build five blocks, the first of `width` channels, the last of 16 times as many."""
        super().__init__()
        channels = [inputs, *(width * 2**level for level in range(5))]
        self.blocks = nn.ModuleList(map(block, channels, channels[1:]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, the largest first."""
        maps = []
        for layers in self.blocks:
            x = layers(avg_pool2d(x, 2) if maps else x)
            maps.append(x)
        return maps


class Up(nn.Module):
    """Double the sides of a map and of the texture beside it, and join the map of the sketch."""

    def __init__(self, inputs: int, outputs: int):
        """Build the two doublings and the block that joins."""
        super().__init__()
        self.enlarge, self.texture = (nn.ConvTranspose2d(inputs, outputs, 2, stride=2) for _ in range(2))
        self.norm = norm(outputs)
        self.join = block(2 * outputs, outputs)

    def forward(self, x: Tensor, texture: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map and the texture at the size of `skip`."""
        texture = self.texture(texture)
        x = self.norm(self.enlarge(x) + texture)
        return self.join(torch.cat([x, skip], dim=1)), texture


class Generator(nn.Module):
    """Color a sketch (B, 1, H, W) after an exemplar (B, 3, H, W), in [-1, 1]; sides are multiples of 16."""

    def __init__(self, width: int):
        """Build both encoders, the transfer and the decoder; `width` is the channels of the first maps."""
        super().__init__()
        self.sketch, self.style = Encoder(1, width), Encoder(3, width)
        self.attention = Attention(16 * width, 4 * width)
        self.norm = norm(16 * width)
        self.up = nn.ModuleList(
            Up(2 * outputs, outputs) for outputs in (8 * width, 4 * width, 2 * width, width)
        )
        self.paint = nn.Conv2d(width, 3, 1)

    def forward(self, sketch: Tensor, exemplar: Tensor, structure: Tensor | None = None) -> Made | Tensor:
        """Return the picture and how it was made; given the structure of the sketch, the texture alone."""
        style = self.style(exemplar)[-1]
        if structure is not None:
            return self.attention(structure, style)[0]
        *skips, structure = self.sketch(sketch)
        carried = texture = self.attention(structure, style)[0]
        x = self.norm(carried + structure)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x, texture = up(x, texture, skip)
        return Made(self.paint(x).tanh(), carried, structure)


class Discriminator(nn.Module):
    """Judge patches of 156 pixels: (B, 4, H, W) -> logits (B, 1, H / 32, W / 32), 8 x 8 at 256."""

    def __init__(self, width: int):
        """Build the encoder, whose first convolution has `width` channels, and the judge of its last map."""
        super().__init__()
        self.encoder, self.judge = Encoder(4, width), nn.Conv2d(16 * width, 1, 1)

    def forward(self, sketch: Tensor, picture: Tensor) -> Tensor:
        """Judge a picture beside its sketch."""
        return self.judge(avg_pool2d(self.encoder(torch.cat([sketch, picture], dim=1))[-1], 2))


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Build two 3x3 convolutions, each with norm and LeakyReLU."""
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), norm(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def norm(channels: int) -> nn.GroupNorm:
    """Normalize all maps of an image together.

    Normalized each by itself (InstanceNorm), they forget the mean color of the exemplar; BatchNorm makes a
    picture depend on its neighbors in the batch.
    """
    return nn.GroupNorm(1, channels)


def multiple(model: Model) -> int:
    """Return what height and width must be multiples of: the discriminator halves five times."""
    return 32


def networks(model: Model) -> tuple[Generator, Discriminator]:
    """Build the generator and the discriminator with fresh weights."""
    width = model.width or WIDTH
    return Generator(width).apply(even), Discriminator(2 * width).apply(normal)


def optimizers(generator: nn.Module, discriminator: nn.Module, lr: float) -> tuple[Optimizer, Optimizer]:
    """Build the optimizer of each network; the discriminator learns at four times the rate."""
    return (
        AdamW(generator.parameters(), lr, betas=(0.5, 0.99), weight_decay=1e-5, fused=True),
        AdamW(discriminator.parameters(), 4 * lr, betas=(0.0, 0.99), weight_decay=1e-5, fused=True),
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
    generator: nn.Module, discriminator: nn.Module, batch: dict, output: Made, train: Train, features: None
) -> dict[str, Tensor]:
    """Be taken for real, be close to the target, and be an exemplar of the same texture.

    Only the picture learns to have that texture: the weights would learn to see the same in any exemplar. The
    softplus of a logit, or of its negative, is its binary cross entropy with a label of 0, or 1.
    """
    with frozen(generator):
        again = generator(batch["sketch"], output.picture, output.structure.detach())
    return {
        "adversarial": softplus(-discriminator(batch["sketch"], output.picture)),
        "l1": L1 * (output.picture - batch["target"]).abs(),
        "consistency": CONSISTENCY * (again - output.texture.detach()).square(),
    }


def discriminator_loss(
    discriminator: nn.Module, batch: dict, output: Made, train: Train
) -> dict[str, Tensor]:
    """Tell real from fake, each counting half."""
    real = discriminator(batch["sketch"], batch["target"])
    fake = discriminator(batch["sketch"], output.picture.detach())
    return {"real": softplus(-real) / 2, "fake": softplus(fake) / 2}
