"""Learned line extraction: the generator of Anime2Sketch, with weights from a file of the user's.

It is the U-Net of pix2pix (Isola et al., 2017) with eight downsamplings and InstanceNorm. The modules are
nested and numbered as published, so that the published weights fit.
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

DEPTH = 8  # downsamplings by 2
MULTIPLE = 2**DEPTH  # the network takes pictures whose sides are multiples of this, in pixels
FIRST_WEIGHT = "model.model.0.weight"  # its first axis is the width of the network
EXTRACTOR_ADVICE = "name its netG.pth, or the same tensors as .safetensors"


class Block(nn.Module):
    """A level of the U-Net: downsample, run the inner block, upsample, and append the result to the input.

    The maps have `outer` channels outside and `inner` channels inside; the innermost block has none within.
    """

    def __init__(self, outer: int, inner: int, within: nn.Module | None = None):
        super().__init__()
        down = [nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1)]
        middle = [nn.InstanceNorm2d(inner), within] if within else []
        up = nn.ConvTranspose2d(inner * (2 if within else 1), outer, 4, stride=2, padding=1)
        self.model = nn.Sequential(*down, *middle, nn.ReLU(), up, nn.InstanceNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, outer, H, W) to (B, 2 outer, H, W)."""
        return torch.cat([x, self.model(x)], dim=1)


class Outermost(nn.Module):
    """The outermost level: downsample RGB to `width` channels, run the inner block, upsample to gray."""

    def __init__(self, width: int, within: nn.Module):
        super().__init__()
        first = nn.Conv2d(3, width, 4, stride=2, padding=1)
        last = nn.ConvTranspose2d(2 * width, 1, 4, stride=2, padding=1)
        self.model = nn.Sequential(first, within, nn.ReLU(), last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Extractor(nn.Module):
    """The generator: RGB (B, 3, H, W) -> lines (B, 1, H, W), both in [-1, 1]; H and W are multiples of 256.

    `width` is the number of channels of the first convolution, 64 as published.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        channels = [width * min(2**level, 8) for level in range(DEPTH)]
        block = Block(channels[-2], channels[-1])
        for level in reversed(range(1, DEPTH - 1)):
            block = Block(channels[level - 1], channels[level], block)
        self.model = Outermost(width, block)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def extract_lines(image: np.ndarray, weights: str, sha256: str = "") -> np.ndarray:
    """Draw the lines (H, W) of an RGB or gray picture with the network in the file `weights`.

    The network sees the picture at the nearest multiples of 256 pixels; the lines are resized back. Raise
    Halt if the weights cannot be used.
    """
    network = load_extractor(weights, sha256)
    height, width = image.shape[:2]
    color = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    fitted = resize(color, nearest_multiple(width), nearest_multiple(height))
    pixels = torch.from_numpy(fitted.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
    with torch.inference_mode(), one_torch_thread():
        drawn = network(pixels)[0, 0].numpy()
    return resize(np.rint((drawn + 1) * 127.5).astype(np.uint8), width, height)


def nearest_multiple(side: int) -> int:
    """Return the multiple of 256 nearest to a side, at least 256."""
    return max(1, round(side / MULTIPLE)) * MULTIPLE


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch in one thread, since the number of threads must not change a pixel."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def hash_weights(weights: str, sha256: str = "") -> str:
    """Return the SHA-256 of a file. Raise Halt if the file is missing or its hash is not `sha256`."""
    return hashlib.sha256(read_weights(weights, sha256)).hexdigest()


@lru_cache(1)
def load_extractor(weights: str, sha256: str = "") -> Extractor:
    """Load the network, once per process.

    Raise Halt if the file is missing, has another hash than `sha256`, or holds no such network.
    """
    data = read_weights(weights, sha256)
    with halt_on_misfit(weights, "an Anime2Sketch generator", EXTRACTOR_ADVICE):
        tensors = {
            name.removeprefix("module."): tensor for name, tensor in parse_weights(data, weights).items()
        }
        with torch.device("meta"):  # skip the random initialization
            network = Extractor(tensors[FIRST_WEIGHT].shape[0])
        network.load_state_dict(tensors, assign=True)
    return network.float().eval()
