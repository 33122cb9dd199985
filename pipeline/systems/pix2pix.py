"""pix2pix: a sketch and a color cue become a picture.

Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017, with a color cue
beside the sketch; the discriminator sees both.
"""

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pipeline.params import Model, Train
from pipeline.systems.layers import PatchGAN, cross_entropy, double, halve, normal

WIDTH = 64
COLUMNS = ("cue",)
REFERENCE = None  # it reads none
VGG = ""  # nor does it compare features
TWICE = False
LR = 2e-4
CLIP = 0.0  # none


class UNet(nn.Module):
    """Color a sketch (B, 1, H, W) by a cue (B, 3, H, W), all in [-1, 1]; H and W are multiples of 2**depth.

    At each halving the channels double, up to eight times `width`; every map is handed across to the map of
    its size on the way up. There is no norm on the first map, nor on the smallest, where it would erase a
    batch of one.
    """

    def __init__(self, width: int, depth: int):
        """Build `depth` halvings and as many doublings; `width` is the channels of the first map."""
        super().__init__()
        channels = [width * min(2**level, 8) for level in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, outputs in enumerate(channels):
            inputs = channels[level - 1] if level else 4
            block = halve(inputs, outputs, norm=0 < level < depth - 1)
            self.down.append(nn.Sequential(nn.LeakyReLU(0.2), block) if level else block)
        for level in reversed(range(depth)):
            inputs = channels[level] * (1 if level == depth - 1 else 2)
            outputs = channels[level - 1] if level else 3
            block = [nn.ReLU(), double(inputs, outputs, norm=level > 0)]
            if level > max(depth - 4, 0):
                block.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*block))

    def forward(self, sketch: Tensor, cue: Tensor) -> Tensor:
        """Return the picture (B, 3, H, W) in [-1, 1]."""
        x = torch.cat([sketch, cue], dim=1)
        maps = []
        for block in self.down:
            x = block(x)
            maps.append(x)
        x = maps.pop()
        for block in self.up[:-1]:
            x = torch.cat([block(x), maps.pop()], dim=1)
        return self.up[-1](x).tanh()


def multiple(model: Model) -> int:
    """Return what height and width must be multiples of."""
    return 2**model.depth


def networks(model: Model) -> tuple[UNet, PatchGAN]:
    """Build the generator and the discriminator with fresh weights."""
    width = model.width or WIDTH
    return UNet(width, model.depth).apply(normal), PatchGAN(7, width).apply(normal)


def optimizers(generator: nn.Module, discriminator: nn.Module, lr: float) -> tuple[Optimizer, Optimizer]:
    """Build the optimizer of each network."""
    return tuple(
        Adam(network.parameters(), lr, betas=(0.5, 0.999), fused=True)
        for network in (generator, discriminator)
    )


def inputs(batch: dict) -> tuple[Tensor, Tensor]:
    """Return what the generator takes of a batch."""
    return batch["sketch"], batch["cue"]


def shown(output: Tensor, batch: dict) -> Tensor:
    """Return the picture in what the generator returns."""
    return output


def goal(batch: dict) -> Tensor:
    """Return the picture that should be shown."""
    return batch["color"]


def pace(model: Model) -> float:
    """Return the published learning rate of the generator."""
    return LR


def generator_loss(
    generator: nn.Module, discriminator: nn.Module, batch: dict, output: Tensor, train: Train, features: None
) -> dict[str, Tensor]:
    """Be taken for real, and be close to the original."""
    logits = discriminator(batch["sketch"], batch["cue"], output)
    return {"adversarial": cross_entropy(logits, 1), "l1": train.l1 * (output - batch["color"]).abs()}


def discriminator_loss(
    discriminator: nn.Module, batch: dict, output: Tensor, train: Train
) -> dict[str, Tensor]:
    """Tell real from fake; halved, so that the discriminator learns at half the pace of the generator."""
    real_logits = discriminator(batch["sketch"], batch["cue"], batch["color"])
    fake_logits = discriminator(batch["sketch"], batch["cue"], output.detach())
    return {"real": cross_entropy(real_logits, 1) / 2, "fake": cross_entropy(fake_logits, 0) / 2}
