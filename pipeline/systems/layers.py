"""What more than one network is built of, and how weights begin."""

from torch import Tensor, cat, nn


def halve(inputs: int, outputs: int, norm: bool = True) -> nn.Sequential:
    """Build a 4x4 convolution of stride 2, by default followed by BatchNorm."""
    convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not norm)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(convolution)


def double(inputs: int, outputs: int, norm: bool = True) -> nn.Sequential:
    """Build a 4x4 transposed convolution of stride 2, by default followed by BatchNorm."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=not norm)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(convolution)


class PatchGAN(nn.Module):
    """Judge every patch of 70 x 70 pixels: (B, inputs, H, W) -> logits (B, 1, H / 8 - 2, W / 8 - 2).

    Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, section 6.1.2.
    """

    def __init__(self, inputs: int, width: int):
        """Take `inputs` channels in all; the first convolution has `width`."""
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
        """Judge images that belong together, stacked along their channels."""
        return self.layers(cat(images, dim=1))


def normal(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and scales of BatchNorm from N(1, 0.02); begin biases at zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def count(network: nn.Module) -> int:
    """Count the trained numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
