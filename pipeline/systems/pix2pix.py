"""pix2pix: a sketch and a color cue become a picture.

Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017, conditioned on a
color cue as well as on the sketch.
"""

import torch
from torch import Tensor, nn

from pipeline.params import Model, Train
from pipeline.systems import Batch, FeatureMaps, Networks, System, Terms
from pipeline.systems.layers import PatchGAN, cross_entropy, double, halve, normal_init, successive_maps


class UNet(nn.Module):
    """Color a sketch (B, 1, H, W) by a cue (B, 3, H, W), all in [-1, 1]; H and W are multiples of 2**depth.

    At each of `depth` halvings the channels double, from `width` up to eight times as many; skip connections
    join maps of equal size. Neither the first map nor the smallest has a norm, which would erase a batch of 1
    there.
    """

    def __init__(self, width: int, depth: int):
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
            layers = [nn.ReLU(), double(inputs, outputs, norm=level > 0)]
            if level > max(depth - 4, 0):
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))

    def forward(self, sketch: Tensor, cue: Tensor) -> Tensor:
        maps = successive_maps(self.down, torch.cat([sketch, cue], dim=1))
        x = maps.pop()
        for block in self.up[:-1]:
            x = torch.cat([block(x), maps.pop()], dim=1)
        return self.up[-1](x).tanh()


class Pix2Pix(System):
    """The U-Net against a PatchGAN, with an L1 loss."""

    width = 64
    guides = ("cue",)
    columns = ("cue",)
    lr = 2e-4

    def networks(self, model: Model) -> Networks:
        width = model.width or self.width
        return Networks(UNet(width, model.depth).apply(normal_init), PatchGAN(7, width).apply(normal_init))

    def multiple(self, model: Model) -> int:
        return 2**model.depth

    def target(self, batch: Batch) -> Tensor:
        return batch["color"]

    def generator_loss(
        self, networks: Networks, batch: Batch, output: Tensor, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the adversarial and the weighted L1 loss map."""
        logits = networks.discriminator(batch["sketch"], batch["cue"], output)
        return {"adversarial": cross_entropy(logits, 1), "l1": train.l1 * (output - batch["color"]).abs()}

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: Tensor) -> Terms:
        """Return the losses on the original and on the fake, halved so that it learns half as fast."""
        real_logits = discriminator(batch["sketch"], batch["cue"], batch["color"])
        fake_logits = discriminator(batch["sketch"], batch["cue"], output.detach())
        return {"real": cross_entropy(real_logits, 1) / 2, "fake": cross_entropy(fake_logits, 0) / 2}


SYSTEM = Pix2Pix()
