"""A learned extractor of lines: the generator of Anime2Sketch, with weights that the user names.

It is the U-Net of pix2pix (Isola et al., 2017) with eight halvings and InstanceNorm; the modules are nested
and numbered as published, so that the published weights fit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from pipeline.images.pixels import resize
from pipeline.weights import halt_on_misfit, parse_weights, read_weights

DEPTH = 8  # halvings
MULTIPLE = 2**DEPTH  # which the sides of a picture must be of, in pixels
FIRST_WEIGHT = "model.model.0.weight"  # its first axis tells the width of the network
EXTRACTOR_ADVICE = "name its netG.pth, or the same tensors as .safetensors"


class Block(nn.Module):
    """Halve a map, pass it through the blocks within, double it, and hand the map itself across."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None):
        """Take maps of `outer` channels and make them `inner`; the innermost block has none within."""
        super().__init__()
        down = [nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1)]
        middle = [nn.InstanceNorm2d(inner), within] if within else []
        doubled = nn.ConvTranspose2d(inner * (2 if within else 1), outer, 4, stride=2, padding=1)
        self.model = nn.Sequential(*down, *middle, nn.ReLU(), doubled, nn.InstanceNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        """Return the map, and beside it what was made of it: twice the channels."""
        return torch.cat([x, self.model(x)], dim=1)


class Outermost(nn.Module):
    """Halve a picture, pass it through the blocks within, and double it to one channel."""

    def __init__(self, width: int, within: nn.Module):
        """Let the first convolution have `width` channels."""
        super().__init__()
        first = nn.Conv2d(3, width, 4, stride=2, padding=1)
        last = nn.ConvTranspose2d(2 * width, 1, 4, stride=2, padding=1)
        self.model = nn.Sequential(first, within, nn.ReLU(), last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in their order."""
        return self.model(x)


class Extractor(nn.Module):
    """Draw the lines of pictures: (B, 3, H, W) -> (B, 1, H, W) in [-1, 1]; H and W are multiples of 256."""

    def __init__(self, width: int = 64):
        """Build it from the inside; `width` is 64 as published."""
        super().__init__()
        channels = [width * min(2**level, 8) for level in range(DEPTH)]
        block = None
        for level in reversed(range(1, DEPTH)):
            block = Block(channels[level - 1], channels[level], block)
        self.model = Outermost(width, block)

    def forward(self, x: Tensor) -> Tensor:
        """Draw a batch."""
        return self.model(x)


def extract_lines(image: np.ndarray, weights: str, sha256: str = "") -> np.ndarray:
    """Draw the lines (H, W) of an RGB or gray picture at the nearest multiples of 256, and resize them back.

    Raise Halt if the weights cannot be used.
    """
    network = load_extractor(weights, sha256)
    height, width = image.shape[:2]
    color = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    fitted = resize(color, *(max(1, round(side / MULTIPLE)) * MULTIPLE for side in (width, height)))
    pixels = torch.from_numpy(fitted.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
    with torch.inference_mode(), one_torch_thread():
        drawn = network(pixels)[0, 0].numpy()
    return resize(np.rint((drawn + 1) * 127.5).astype(np.uint8), width, height)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Compute in one thread meanwhile: how many there are must not change a pixel."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def hash_weights(weights: str, sha256: str = "") -> str:
    """Return the SHA-256 of a file of weights. Raise Halt if it is missing, or is not `sha256`."""
    return hashlib.sha256(read_weights(weights, sha256)).hexdigest()


@lru_cache(1)
def load_extractor(weights: str, sha256: str = "") -> Extractor:
    """Load the network once per process. Raise Halt if the file is missing, another, or does not fit."""
    data = read_weights(weights, sha256)
    with halt_on_misfit(weights, "an Anime2Sketch generator", EXTRACTOR_ADVICE):
        tensors = {
            name.removeprefix("module."): tensor for name, tensor in parse_weights(data, weights).items()
        }
        with torch.device("meta"):  # no numbers are drawn only to be replaced
            network = Extractor(tensors[FIRST_WEIGHT].shape[0])
        network.load_state_dict(tensors, assign=True)
    return network.float().eval()
