"""nerk: a sketch takes the colors of an exemplar; attention carries its texture to where it belongs.

Nerk, Generative Exemplar Based Face Sketch Colorization Using Attention for Color Transfer, 2022: a model of
a repository (Ea0011/Nerk), without a paper.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, softplus
from torch.optim import AdamW

from pipeline.params import Model, Reference, Train
from pipeline.systems import Batch, FeatureMaps, Networks, Optimizers, System, Terms
from pipeline.systems.layers import Attention, frozen, lecun_init, normal_init

L1, CONSISTENCY = 100.0, 10.0  # weights of the losses


class Textured(NamedTuple):
    """The output of the generator."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    texture: Tensor  # (B, 16 * width, H / 16, W / 16): carried from the exemplar by attention
    structure: Tensor  # of the same size: the map of the sketch that attention reads


class NerkEncoder(nn.Module):
    """A picture -> five maps, the largest first, each of half the side and twice the channels of the last.

    The first has `width` channels.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        channels = [inputs, *(width * 2**level for level in range(5))]
        self.blocks = nn.ModuleList(map(block, channels, channels[1:]))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for layers in self.blocks:
            x = layers(avg_pool2d(x, 2) if maps else x)
            maps.append(x)
        return maps


class Up(nn.Module):
    """Upsample a map and a texture by 2, and join the map of the sketch by a skip connection."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.enlarge, self.texture = (nn.ConvTranspose2d(inputs, outputs, 2, stride=2) for _ in range(2))
        self.norm = norm(outputs)
        self.join = block(2 * outputs, outputs)

    def forward(self, x: Tensor, texture: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map and the texture at the size of `skip`."""
        texture = self.texture(texture)
        x = self.norm(self.enlarge(x) + texture)
        return self.join(torch.cat([x, skip], dim=1)), texture


class NerkGenerator(nn.Module):
    """Color a sketch (B, 1, H, W) after an exemplar (B, 3, H, W), in [-1, 1]; sides are multiples of 16.

    The first maps have `width` channels.
    """

    def __init__(self, width: int):
        super().__init__()
        self.sketch, self.style = NerkEncoder(1, width), NerkEncoder(3, width)
        self.attention = Attention(16 * width, 4 * width)
        self.norm = norm(16 * width)
        self.up = nn.ModuleList(Up(2 * count * width, count * width) for count in (8, 4, 2, 1))
        self.paint = nn.Conv2d(width, 3, 1)

    def forward(self, sketch: Tensor, exemplar: Tensor, structure: Tensor | None = None) -> Textured | Tensor:
        """Return the picture and its texture; given the structure of the sketch, the texture alone."""
        style = self.style(exemplar)[-1]
        if structure is not None:
            return self.attention(structure, style)[0]
        *skips, structure = self.sketch(sketch)
        carried = texture = self.attention(structure, style)[0]
        x = self.norm(carried + structure)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x, texture = up(x, texture, skip)
        return Textured(self.paint(x).tanh(), carried, structure)


class NerkDiscriminator(nn.Module):
    """Judge patches of 156 pixels: (B, 4, H, W) -> logits (B, 1, H / 32, W / 32)."""

    def __init__(self, width: int):
        super().__init__()
        self.encoder, self.judge = NerkEncoder(4, width), nn.Conv2d(16 * width, 1, 1)

    def forward(self, sketch: Tensor, picture: Tensor) -> Tensor:
        return self.judge(avg_pool2d(self.encoder(torch.cat([sketch, picture], dim=1))[-1], 2))


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Build two 3x3 convolutions, each with norm and LeakyReLU."""
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), norm(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def norm(channels: int) -> nn.GroupNorm:
    """Build a norm over all channels of an image together.

    InstanceNorm normalizes each channel and would lose the mean color of the exemplar; BatchNorm would make a
    picture depend on the others in its batch.
    """
    return nn.GroupNorm(1, channels)


class Nerk(System):
    """The generator with attention, an adversarial, an L1 and a consistency loss."""

    width = 32
    guides = ("reference",)
    columns = ("reference",)
    reference = Reference(grid=3, strength=0.2, jitter=0.0)  # corners and center, by 0.4 of [-1, 1]
    lr = 1e-4
    clip = 1.0

    def networks(self, model: Model) -> Networks:
        width = model.width or self.width
        generator = NerkGenerator(width).apply(lecun_init)
        return Networks(generator, NerkDiscriminator(2 * width).apply(normal_init))

    def optimizers(self, networks: Networks, lr: float) -> Optimizers:
        """Build the optimizer of each network; the discriminator learns at four times the rate."""
        generator, discriminator = (network.parameters() for network in networks)
        return Optimizers(
            AdamW(generator, lr, betas=(0.5, 0.99), weight_decay=1e-5, fused=True),
            AdamW(discriminator, 4 * lr, betas=(0.0, 0.99), weight_decay=1e-5, fused=True),
        )

    def picture(self, output: Textured, batch: Batch) -> Tensor:
        return output.picture

    def generator_loss(
        self, networks: Networks, batch: Batch, output: Textured, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the adversarial, the L1 and the consistency loss: the picture must give the same texture.

        The consistency loss trains the picture only; weights trained by it would learn to see the same in any
        exemplar. The softplus of a logit is its binary cross entropy with the label 0, that of its negative
        with the label 1.
        """
        with frozen(networks.generator):
            again = networks.generator(batch["sketch"], output.picture, output.structure.detach())
        return {
            "adversarial": softplus(-networks.discriminator(batch["sketch"], output.picture)),
            "l1": L1 * (output.picture - batch["target"]).abs(),
            "consistency": CONSISTENCY * (again - output.texture.detach()).square(),
        }

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: Textured) -> Terms:
        """Return the losses on the target and on the fake, halved."""
        real = discriminator(batch["sketch"], batch["target"])
        fake = discriminator(batch["sketch"], output.picture.detach())
        return {"real": softplus(-real) / 2, "fake": softplus(fake) / 2}


SYSTEM = Nerk()
