"""Layers, losses and initializations that several systems share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, autograd, cat, full_like, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, fold, interpolate, leaky_relu

SLOPE = 0.1  # of the LeakyReLUs of `Residual` and `Shrink`
WINDOW, STRIDE = 8, 4  # of the SSIM loss, in pixels
SSIM_LIGHT, SSIM_CONTRAST = 0.01**2, 0.03**2  # its constants, for values in [0, 1]
SMALL = 64  # maps of up to this many pixels are doubled faster by a matrix product on a CPU


def halve(inputs: int, outputs: int, norm: bool = True) -> nn.Sequential:
    """Build a 4x4 convolution of stride 2, by default followed by BatchNorm."""
    convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not norm)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(convolution)


def double(inputs: int, outputs: int, norm: bool = True) -> nn.Sequential:
    """Build a 4x4 transposed convolution of stride 2, by default followed by BatchNorm."""
    convolution = Doubling(inputs, outputs, bias=not norm)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(convolution)


class Doubling(nn.ConvTranspose2d):
    """A 4x4 transposed convolution of stride 2: (B, inputs, H, W) -> (B, outputs, 2 H, 2 W).

    On a CPU, small maps are trained by a matrix product and a fold, up to three times as fast: torch would
    spend its time on reordering the weights.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, 4, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # it needs no output size
        height, width = x.shape[2:]
        if not self.training or x.device.type != "cpu" or height * width > SMALL:
            return super().forward(x)
        columns = self.weight.flatten(1).t() @ x.flatten(2)  # (B, outputs * 16, H * W)
        maps = fold(columns, (2 * height, 2 * width), 4, stride=2, padding=1)
        return maps if self.bias is None else maps + self.bias[:, None, None]


def successive_maps(blocks: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """Return the output of each block on that of the one before."""
    maps: list[Tensor] = []
    for block in blocks:
        x = block(x)
        maps.append(x)
    return maps


class PatchGAN(nn.Module):
    """Judge every patch of 70 x 70 pixels: (B, inputs, H, W) -> logits (B, 1, H / 8 - 2, W / 8 - 2).

    Images that belong together are concatenated; the first convolution has `width` channels.
    Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, section 6.1.2.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            halve(inputs, width, norm=False),
            nn.LeakyReLU(0.2),
            halve(width, 2 * width),
            nn.LeakyReLU(0.2),
            halve(2 * width, 4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 8 * width, 4, padding=1, bias=False),
            nn.BatchNorm2d(8 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8 * width, 1, 4, padding=1),
        )

    def forward(self, *images: Tensor) -> Tensor:
        return self.layers(cat(images, dim=1))


def cross_entropy(logits: Tensor, label: int) -> Tensor:
    """Return the binary cross entropy of each logit with a label of 1 or 0."""
    return binary_cross_entropy_with_logits(logits, full_like(logits, label), reduction="none")


def r1(logits: Tensor, images: Tensor) -> Tensor:
    """Return the squared norm of the gradient of each image's mean logit: (B,), differentiable.

    `images` must require a gradient, and the network must not be compiled: torch.compile cannot differentiate
    twice. Mescheder et al., Which Training Methods for GANs do actually Converge?, ICML 2018.
    """
    (slope,) = autograd.grad(logits.flatten(1).mean(1).sum(), images, create_graph=True)
    return slope.square().flatten(1).sum(1)


def lecun_init(module: nn.Module, slope: float = 1.0) -> None:
    """Draw the weights of convolutions so that maps keep their scale without a norm; start biases at zero.

    LeCun et al., Efficient BackProp, 1998, section 4.6; before LeakyReLUs of a `slope`, as in He et al.,
    Delving Deep into Rectifiers, 2015.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, a=slope)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def normal_init(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and scales of BatchNorm from N(1, 0.02); start biases at zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Give the weights of a network no gradients in the body; its inputs still get theirs."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


class Attention(nn.Module):
    """Cross-attention: every position of a picture attends to every position of a reference.

    Both have `channels` and may differ in size; scaled dot products compare their projections to `inner`
    channels (Vaswani et al., Attention Is All You Need, 2017, section 3.2.1).
    """

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.query, self.key = (nn.Conv2d(channels, inner, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, picture: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attended values (B, C, H, W), and the scores (B, H * W, positions of the reference).

        The weights of the attention are the softmax of each row of scores.
        """
        query, key, value = self.query(picture), self.key(reference), self.value(reference)
        scores = tokens(query) @ tokens(key).mT / query.shape[1] ** 0.5
        carried = scores.softmax(dim=2) @ tokens(value)
        return carried.mT.unflatten(2, picture.shape[2:]), scores


def tokens(maps: Tensor) -> Tensor:
    """List the positions of maps (B, C, H, W), row by row, each with its channels: (B, H * W, C)."""
    return maps.flatten(2).transpose(1, 2)


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrix of the channels of each image: (B, C, H, W) -> (B, C, C).

    Johnson et al., Perceptual Losses, 2016, equation 3: divided by the size of the maps, C * H * W.
    """
    flat = maps.flatten(2)
    return flat @ flat.mT / flat[0].numel()


class Yuv(NamedTuple):
    """A picture in YUV (ITU-R BT.601), scaled."""

    gray: Tensor  # (B, 1, H, W): Y in [-0.5, 0.5]
    colors: Tensor  # (B, 2, H, W): U / 0.436 and V / 0.615 in [-1, 1]


def to_yuv(image: Tensor) -> Yuv:
    """Convert RGB (B, 3, H, W) in [-1, 1]."""
    red, green, blue = image.split(1, dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return Yuv(luma / 2, torch.cat([(blue - luma) / 1.772, (red - luma) / 1.402], dim=1))


def to_rgb(gray: Tensor, colors: Tensor) -> Tensor:
    """Convert back to RGB; colors outside its gamut are clipped to [-1, 1]."""
    luma, (u, v) = 2 * gray, colors.split(1, dim=1)
    red, blue = luma + 1.402 * v, luma + 1.772 * u
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.cat([red, green, blue], dim=1).clamp(-1, 1)


def enlarge(maps: Tensor, times: int = 2) -> Tensor:
    """Enlarge maps (B, C, H, W) bilinearly."""
    return interpolate(maps, scale_factor=times, mode="bilinear")


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which begin as zero; no norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(leaky_relu(self.first(leaky_relu(x, SLOPE)), SLOPE))


class Shrink(nn.Module):
    """A LeakyReLU and a 2x2 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(leaky_relu(x, SLOPE))


def ssim_map(one: Tensor, other: Tensor) -> Tensor:
    """Return the structural similarity of pictures in [-1, 1] in windows of 8 x 8 pixels, per channel.

    Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004, equation 13.
    """
    one, other = ((image.float() + 1) / 2 for image in (one, other))
    both = torch.cat([one, other, one * one, other * other, one * other])
    mean, other_mean, square, other_square, product = avg_pool2d(both, WINDOW, STRIDE).chunk(5)
    variances = square - mean * mean + other_square - other_mean * other_mean
    covariance = product - mean * other_mean
    light = (2 * mean * other_mean + SSIM_LIGHT) / (mean * mean + other_mean * other_mean + SSIM_LIGHT)
    return light * (2 * covariance + SSIM_CONTRAST) / (variances + SSIM_CONTRAST)
