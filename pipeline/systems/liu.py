"""liu: a sketch takes the colors of a reference, through the statistics of its maps.

Liu et al., Reference-guided structure-aware deep sketch colorization for cartoons, Computational Visual
Media 2022; `finetune` goes on from a trained `main` with a deeper look at the reference.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, instance_norm, leaky_relu, relu
from torch.optim import Adam, Optimizer

from pipeline import Halt
from pipeline.params import Model, Reference, Train
from pipeline.systems.layers import even, r1

WIDTH = 64
COLUMNS = ("reference",)
REFERENCE = Reference(grid=3, strength=0.25, jitter=0.0)  # published: the target itself
VGG = "vgg16"
TWICE = True  # the penalty differentiates the discriminator twice, which torch.compile cannot
LRS = {"main": 1e-4, "finetune": 1e-3}
LR = LRS["main"]
DECAY = 0.9  # the power of the polynomial by which the learning rate falls to zero
CLIP = 0.0

SCALES = (1.0, 2.0, 3.0, 10.0)  # of the pictures at 1/8, 1/4, 1/2 and all of the side
PIXEL = 5.0
PERCEPTUAL = 1.0
R1 = 10.0

Style = tuple[Tensor, Tensor]  # the scale and the shift of each channel, both (B, C, 1, 1)


class Residual(nn.Module):
    """Halve a map: two 3x3 convolutions beside one of 1x1, without a norm, which would take the color."""

    def __init__(self, inputs: int, outputs: int, slope: float = 0.0):
        """Let negative values through by `slope`."""
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.past = nn.Conv2d(inputs, outputs, 1, stride=2)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / 2, W / 2)."""
        return leaky_relu(self.past(x) + self.second(leaky_relu(self.first(x), self.slope)), self.slope)


def residuals(width: int, blocks: int, slope: float = 0.0) -> nn.ModuleList:
    """Build blocks that turn a picture into `width` channels, and then double them."""
    channels = [3, *(width * 2**block for block in range(blocks))]
    return nn.ModuleList(Residual(inputs, outputs, slope) for inputs, outputs in pairwise(channels))


def encode(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Build a convolution, InstanceNorm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU())


class Decode(nn.Module):
    """Restyle a map twice, join it with the map from across, and double its sides."""

    def __init__(self, inputs: int):
        """Make half as many channels of `inputs`."""
        super().__init__()
        self.first, self.second = (nn.Conv2d(inputs, inputs, 3, padding=1, bias=False) for _ in range(2))
        self.grow = nn.ConvTranspose2d(2 * inputs, inputs // 2, 4, stride=2, padding=1)

    def forward(self, x: Tensor, across: Tensor, first: Style, second: Style) -> Tensor:
        """Return (B, inputs / 2, 2 H, 2 W) of two maps (B, inputs, H, W)."""
        x = relu(adain(self.first(x), first))
        x = adain(self.second(x), second)
        return relu(self.grow(torch.cat([across, x], dim=1)))


def adain(x: Tensor, style: Style) -> Tensor:
    """Give each channel of a map a new deviation and mean (Huang and Belongie, ICCV 2017)."""
    scale, shift = style
    return instance_norm(x) * scale + shift


class Code(nn.Module):
    """Extract the styles of main: from one code of the whole reference, by a linear layer for each AdaIN."""

    def __init__(self, width: int):
        """Make a code of 256 numbers at the published width."""
        super().__init__()
        self.blocks = residuals(width, 4)
        self.code = nn.Linear(8 * width, 4 * width)
        channels = [level * width for level in (16, 16, 8, 8, 4, 4, 2, 2)]
        self.styles = nn.ModuleList(nn.Linear(4 * width, 2 * count) for count in channels)

    def forward(self, reference: Tensor) -> list[Style]:
        """Return eight styles; a scale differs from 1 by what the linear layer says."""
        for block in self.blocks:
            reference = block(reference)
        code = self.code(reference.mean((2, 3)))
        pairs = [linear(code)[..., None, None].chunk(2, dim=1) for linear in self.styles]
        return [(1 + scale, shift) for scale, shift in pairs]


class Maps(nn.Module):
    """Extract the styles of finetune: the statistics of the last four of five maps of the reference."""

    def __init__(self, width: int):
        """Build what main has and a fifth block, but no code."""
        super().__init__()
        self.blocks = residuals(width, 5)

    def forward(self, reference: Tensor) -> list[Style]:
        """Return eight styles, two alike for each block of the decoder; the deepest map comes first."""
        styles = []
        for block in self.blocks:
            reference = block(reference)
            styles = [statistics(reference)] * 2 + styles
        return styles[:8]


def statistics(x: Tensor) -> Style:
    """Return the deviation and mean of each channel; a constant channel still has a gradient."""
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (variance + 1e-5).sqrt(), mean


class Colorizer(nn.Module):
    """Color a sketch (B, 1, H, W) by a reference (B, 3, ., .) of any size; H and W are multiples of 32.

    Sixteen would do for the halvings, but a norm needs more than one value.
    """

    def __init__(self, width: int, extractor: nn.Module):
        """Build the U-Net; the first map has `width` channels, the smallest sixteen times as many."""
        super().__init__()
        self.extractor = extractor
        channels = [width * 2**level for level in range(5)]
        halvings = [encode(*pair, 4, 2) for pair in pairwise(channels)]
        self.down = nn.ModuleList([encode(1, width, 3, 1), *halvings])
        self.up = nn.ModuleList(Decode(inputs) for inputs in channels[:0:-1])
        self.side = nn.ModuleList(nn.Conv2d(inputs, 3, 1) for inputs in channels[-2:0:-1])
        self.last = nn.Conv2d(2 * width, 3, 1)

    def forward(self, sketch: Tensor, reference: Tensor) -> list[Tensor]:
        """Return pictures (B, 3, ., .) in [-1, 1] of 1/8, 1/4, 1/2 and all of the side."""
        styles = self.extractor(reference)
        x, maps, pictures = sketch, [], []
        for block in self.down:
            x = block(x)
            maps.append(x)
        for level, block in enumerate(self.up):
            x = block(x, maps.pop(), *styles[2 * level : 2 * level + 2])
            if level < len(self.side):
                pictures.append(self.side[level](x).tanh())
        return [*pictures, self.last(torch.cat([maps.pop(), x], dim=1)).tanh()]


class Patches(nn.Module):
    """Judge patches of 59 x 59 pixels: (B, 3, H, W) -> logits (B, 1, H / 8, W / 8).

    Without a norm, for by its statistics every patch would see the whole picture.
    """

    def __init__(self, width: int):
        """Give the first block `width` channels."""
        super().__init__()
        self.layers = nn.Sequential(*residuals(width, 3, 0.2), nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Judge a picture of any size."""
        return self.layers(image)


def multiple(model: Model) -> int:
    """Return what height and width must be multiples of."""
    return 32


def networks(model: Model) -> tuple[Colorizer, Patches]:
    """Build the generator, main or finetune, and the discriminator with fresh weights."""
    width = model.width or WIDTH
    extractor = {"main": Code, "finetune": Maps}[model.variant](width)
    return Colorizer(width, extractor).apply(even), Patches(width).apply(even)


def adopt(finetune_generator: Colorizer, main_state: dict[str, Tensor]) -> None:
    """Start finetune from the state of a trained main: all but the fifth block, which main has not.

    Raise Halt if the state is of another network or width.
    """
    own = finetune_generator.state_dict()
    fifth = {name: tensor for name, tensor in own.items() if name.startswith("extractor.blocks.4.")}
    shared = {name: tensor for name, tensor in main_state.items() if name in own}
    try:
        finetune_generator.load_state_dict(fifth | shared)
    except RuntimeError:  # a name is missing, or a shape differs
        raise Halt(
            "the model to start from is no liu of the same width: train main with this width first"
        ) from None


def optimizers(generator: nn.Module, discriminator: nn.Module, lr: float) -> tuple[Optimizer, Optimizer]:
    """Build the optimizer of each network."""
    return tuple(Adam(network.parameters(), lr, fused=True) for network in (generator, discriminator))


def inputs(batch: dict) -> tuple[Tensor, Tensor]:
    """Return what the generator takes of a batch."""
    return batch["sketch"], batch["reference"]


def shown(output: list[Tensor], batch: dict) -> Tensor:
    """Return the largest picture."""
    return output[-1]


def goal(batch: dict) -> Tensor:
    """Return the picture that should be shown."""
    return batch["target"]


def pace(model: Model) -> float:
    """Return the published learning rate of the generator."""
    return LRS[model.variant]


def generator_loss(
    generator: nn.Module, discriminator: nn.Module, batch: dict, output: list[Tensor], train: Train, features
) -> dict[str, Tensor]:
    """Be taken for real, and be close to the target, in pixels and in features, at each scale."""
    reals = pyramid(batch["target"])
    terms = {
        "adversarial": scaled([-discriminator(fake) for fake in output]),
        "pixel": PIXEL * scaled([(fake - real).square() for fake, real in zip(output, reals, strict=True)]),
    }
    if features is not None:
        differences = [
            features(fake)[0] - features(real)[0] for fake, real in zip(output, reals, strict=True)
        ]
        terms["perceptual"] = PERCEPTUAL * scaled([difference.square() for difference in differences])
    return terms


def discriminator_loss(
    discriminator: nn.Module, batch: dict, output: list[Tensor], train: Train
) -> dict[str, Tensor]:
    """Tell real from fake by a margin, and be flat around what is real, at each scale."""
    reals = [real.detach().requires_grad_() for real in pyramid(batch["target"])]
    logits = [discriminator(real) for real in reals]
    return {
        "real": scaled([relu(1 - logit) for logit in logits]),
        "fake": scaled([relu(1 + discriminator(fake.detach())) for fake in output]),
        "penalty": R1 * scaled([r1(*pair) for pair in zip(logits, reals, strict=True)]),
    }


def pyramid(image: Tensor) -> list[Tensor]:
    """Shrink a picture to 1/8, 1/4, 1/2 and all of its side."""
    return [avg_pool2d(image, 8), avg_pool2d(image, 4), avg_pool2d(image, 2), image]


def scaled(maps: list[Tensor]) -> Tensor:
    """Weigh the mean of each sample at each scale and add them up, over four: (B,)."""
    means = [term.flatten(1).mean(1) if term.ndim > 1 else term for term in maps]
    return sum(weight * mean for weight, mean in zip(SCALES, means, strict=True)) / len(SCALES)
