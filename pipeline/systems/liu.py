"""liu: a sketch takes the colors of a reference, through the statistics of its feature maps.

Liu et al., Reference-guided structure-aware deep sketch colorization for cartoons, Computational Visual
Media 2022. The variant `finetune` starts from a trained `main` and reads the reference by a deeper network.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, instance_norm, leaky_relu, pad, relu

from pipeline.errors import Halt
from pipeline.params import Model, Reference, Train
from pipeline.systems import Batch, FeatureMaps, Networks, System, Terms
from pipeline.systems.features import Features
from pipeline.systems.layers import lecun_init, r1, successive_maps

SCALES = (1.0, 2.0, 3.0, 10.0)  # of the pictures at 1/8, 1/4, 1/2 and all of the side
PIXEL, PERCEPTUAL, R1 = 5.0, 1.0, 10.0  # weights of the losses

Style = tuple[Tensor, Tensor]  # the scale and the shift of each channel, both (B, C, 1, 1)


class HalvingResidual(nn.Module):
    """A residual block of stride 2, with a 1x1 convolution as its shortcut; a norm would lose color.

    (B, inputs, H, W) -> (B, outputs, H / 2, W / 2); `slope` is that of both LeakyReLUs.
    """

    def __init__(self, inputs: int, outputs: int, slope: float = 0.0):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.past = nn.Conv2d(inputs, outputs, 1, stride=2)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(self.past(x) + self.second(leaky_relu(self.first(x), self.slope)), self.slope)


def residuals(width: int, blocks: int, slope: float = 0.0) -> nn.ModuleList:
    """Build blocks: the first turns a picture into `width` channels, each other doubles them."""
    channels = [3, *(width * 2**block for block in range(blocks))]
    return nn.ModuleList(HalvingResidual(inputs, outputs, slope) for inputs, outputs in pairwise(channels))


def encoder_block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU())


class LiuDecoder(nn.Module):
    """Restyle a map twice, concatenate the map of the encoder, and double the sides."""

    def __init__(self, inputs: int):
        super().__init__()
        self.first, self.second = (nn.Conv2d(inputs, inputs, 3, padding=1, bias=False) for _ in range(2))
        self.grow = nn.ConvTranspose2d(2 * inputs, inputs // 2, 4, stride=2, padding=1)

    def forward(self, x: Tensor, across: Tensor, first: Style, second: Style) -> Tensor:
        """Return (B, inputs / 2, 2 H, 2 W) of two maps (B, inputs, H, W)."""
        x = relu(adain(self.first(x), first))
        x = adain(self.second(x), second)
        return relu(self.grow(torch.cat([across, x], dim=1)))


def adain(x: Tensor, style: Style) -> Tensor:
    """Give each channel of a map a new deviation and mean (AdaIN: Huang and Belongie, ICCV 2017)."""
    scale, shift = style
    return instance_norm(x) * scale + shift


class CodeStyles(nn.Module):
    """The styles of main: one code of the whole reference, and a linear layer for each AdaIN.

    The code has 4 * width numbers, 256 as published.
    """

    def __init__(self, width: int):
        super().__init__()
        self.blocks = residuals(width, 4)
        self.code = nn.Linear(8 * width, 4 * width)
        channels = [level * width for level in (16, 16, 8, 8, 4, 4, 2, 2)]
        self.styles = nn.ModuleList(nn.Linear(4 * width, 2 * count) for count in channels)

    def forward(self, reference: Tensor) -> list[Style]:
        """Return eight styles; a linear layer gives the scale as its difference from 1."""
        code = self.code(successive_maps(self.blocks, reference)[-1].mean((2, 3)))
        pairs = [linear(code)[..., None, None].chunk(2, dim=1) for linear in self.styles]
        return [(1 + scale, shift) for scale, shift in pairs]


class MapStyles(nn.Module):
    """The styles of finetune: the statistics of the last four of five maps of the reference."""

    def __init__(self, width: int):
        super().__init__()
        self.blocks = residuals(width, 5)

    def forward(self, reference: Tensor) -> list[Style]:
        """Return eight styles, two alike for each block of the decoder; the deepest map comes first."""
        styles: list[Style] = []
        for block in self.blocks:
            reference = block(reference)
            styles = [statistics(reference)] * 2 + styles
        return styles[:8]


def statistics(x: Tensor) -> Style:
    """Return the deviation and mean of each channel; an epsilon keeps the gradients of a constant finite."""
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (variance + 1e-5).sqrt(), mean


class LiuGenerator(nn.Module):
    """Color a sketch (B, 1, H, W) by a reference (B, 3, ., .) of any size: a U-Net.

    The first map has `width` channels, the smallest sixteen times as many. H and W are multiples of 32: the
    halvings need multiples of 16 only, but a norm needs more than one value.
    """

    def __init__(self, width: int, extractor: nn.Module):
        super().__init__()
        self.extractor = extractor
        channels = [width * 2**level for level in range(5)]
        halvings = [encoder_block(*pair, 4, 2) for pair in pairwise(channels)]
        self.down = nn.ModuleList([encoder_block(1, width, 3, 1), *halvings])
        self.up = nn.ModuleList(LiuDecoder(inputs) for inputs in channels[:0:-1])
        self.side = nn.ModuleList(nn.Conv2d(inputs, 3, 1) for inputs in channels[-2:0:-1])
        self.last = nn.Conv2d(2 * width, 3, 1)

    def forward(self, sketch: Tensor, reference: Tensor) -> list[Tensor]:
        """Return pictures (B, 3, ., .) in [-1, 1] of 1/8, 1/4, 1/2 and all of the side."""
        styles = self.extractor(reference)
        maps, pictures = successive_maps(self.down, sketch), []
        x = maps[-1]
        for level, block in enumerate(self.up):
            x = block(x, maps.pop(), *styles[2 * level : 2 * level + 2])
            if level < len(self.side):
                pictures.append(self.side[level](x).tanh())
        return [*pictures, self.last(torch.cat([maps.pop(), x], dim=1)).tanh()]


class LiuDiscriminator(nn.Module):
    """Judge patches of 59 x 59 pixels: (B, 3, H, W) -> logits (B, 1, H / 8, W / 8).

    It has no norm: through the statistics of one, every patch would see the whole picture.
    """

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(*residuals(width, 3, 0.2), nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        *blocks, last = self.layers
        for block in blocks:
            image = block(widened(image))
        return last(image)


def widened(x: Tensor) -> Tensor:
    """Put a column of zeros beside a single one, which changes nothing that a convolution of stride 2 gives.

    For a single column, oneDNN's gradient of its weights in bfloat16 takes 0 times memory that nobody wrote:
    NaN, wherever that memory happens to hold NaN.
    """
    return pad(x, (0, 1)) if x.shape[-1] == 1 else x


def load_main(finetune_generator: nn.Module, main_state: dict[str, Tensor]) -> None:
    """Start finetune from the state of a trained main; only the fifth block, which main lacks, stays fresh.

    Raise Halt if it is the state of another network or width.
    """
    own = finetune_generator.state_dict()
    fifth = {name: tensor for name, tensor in own.items() if name.startswith("extractor.blocks.4.")}
    shared = {name: tensor for name, tensor in main_state.items() if name in own}
    try:
        finetune_generator.load_state_dict(fifth | shared)
    except RuntimeError:  # a name is missing, or a shape differs
        advice = "train main with this width first"
        raise Halt(f"the model to start from is no liu of the same width: {advice}") from None


def pyramid(image: Tensor) -> list[Tensor]:
    """Return a picture at 1/8, 1/4, 1/2 and all of its side."""
    return [avg_pool2d(image, 8), avg_pool2d(image, 4), avg_pool2d(image, 2), image]


def scaled(maps: list[Tensor]) -> Tensor:
    """Average the mean of each sample over the four scales, weighted by SCALES: (B,)."""
    means = [term.flatten(1).mean(1) if term.ndim > 1 else term for term in maps]
    total = sum(weight * mean for weight, mean in zip(SCALES, means, strict=True))
    return total / len(SCALES)  # type: ignore[return-value]  # sum of tensors is a tensor


class Liu(System):
    """The U-Net with AdaIN at four scales, a hinge loss with R1, and a perceptual loss."""

    width = 64
    guides = ("reference",)
    columns = ("reference",)
    reference = Reference(grid=3, strength=0.25, jitter=0.0)  # published: the target itself
    vgg = "vgg16"
    lr = 1e-4
    finetune_lr = 1e-3
    betas = (0.9, 0.999)
    double_backward = True

    def networks(self, model: Model) -> Networks:
        width = model.width or self.width
        extractor = {"main": CodeStyles, "finetune": MapStyles}[model.variant](width)
        generator = LiuGenerator(width, extractor).apply(lecun_init)
        return Networks(generator, LiuDiscriminator(width).apply(lecun_init))

    def features(self, file: str) -> Features | None:
        return None if file == "none" else Features(self.vgg, file)

    def load(self, generator: nn.Module, tensors: dict[str, Tensor]) -> None:
        """Start from a saved model; finetune may start from main. Raise RuntimeError or Halt if it cannot."""
        if isinstance(generator.extractor, MapStyles) and "extractor.code.weight" in tensors:
            load_main(generator, tensors)
        else:
            super().load(generator, tensors)

    def learning_rate(self, model: Model) -> float:
        return self.finetune_lr if model.variant == "finetune" else self.lr

    def picture(self, output: list[Tensor], batch: Batch) -> Tensor:
        return output[-1]

    def generator_loss(
        self, networks: Networks, batch: Batch, output: list[Tensor], train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the adversarial, the squared and the perceptual loss (B,), each summed over the scales."""
        pairs = list(zip(output, pyramid(batch["target"]), strict=True))
        terms = {
            "adversarial": scaled([-networks.discriminator(fake) for fake in output]),
            "pixel": PIXEL * scaled([(fake - real).square() for fake, real in pairs]),
        }
        if features is not None:
            differences = [features(fake)[0] - features(real)[0] for fake, real in pairs]
            terms["perceptual"] = PERCEPTUAL * scaled([difference.square() for difference in differences])
        return terms

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: list[Tensor]) -> Terms:
        """Return the hinge losses on target and fake, and the R1 penalty on the target, over all scales."""
        reals = [real.detach().requires_grad_() for real in pyramid(batch["target"])]
        logits = [discriminator(real) for real in reals]
        return {
            "real": scaled([relu(1 - logit) for logit in logits]),
            "fake": scaled([relu(1 + discriminator(fake.detach())) for fake in output]),
            "penalty": R1 * scaled([r1(*pair) for pair in zip(logits, reals, strict=True)]),
        }


SYSTEM = Liu()
