"""Back-projection: a cue is a blur of the answer, so that the answer must blur to the cue.

What a picture lacks of its cue once it is blurred is added to it: a step of the iteration of van Cittert,
1931.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pipeline.params import Cue
from pipeline.systems.layers import enlarge

BLUR_SHARE = Cue().sigma / 256  # sigma of a cue as a share of the short side, see `operators.cue`


class Blur(NamedTuple):
    """A Gaussian blur with a reflected border, as a product with a matrix on each side."""

    rows: Tensor  # (H, H)
    columns: Tensor  # (W, W)

    def __call__(self, maps: Tensor) -> Tensor:
        return self.rows @ maps @ self.columns.mT


def cue_blur(maps: Tensor) -> Blur:
    """Build the blur that makes the cue of pictures from maps (B, C, H, W) of any resolution."""
    rows, columns = (torch.arange(side, device=maps.device) + 0.5 for side in maps.shape[2:])
    sigma = BLUR_SHARE * (torch.minimum(rows[-1], columns[-1]) + 0.5)
    return Blur(blur_matrix(rows, sigma), blur_matrix(columns, sigma))


def blur_matrix(at: Tensor, sigma: Tensor) -> Tensor:
    """Return the weights (N, N) by which a Gaussian blurs the pixels whose centers are `at`, from 0.5 on.

    Each row sums to one. A border reflects once, which is enough for a sigma below a quarter of the side.
    """
    end = at[-1] + 0.5
    images = torch.stack([at, -at, 2 * end - at])  # each pixel, and where it is seen beyond either border
    weights = (-((at[:, None] - images[:, None]) / sigma).square() / 2).exp().sum(0)
    return weights / weights.sum(dim=1, keepdim=True)


def sharpen(cue: Tensor) -> Tensor:
    """Return a cue (B, C, H, W) less blurred: with what it lacks of itself. H and W are multiples of 4."""
    small = avg_pool2d(cue, 4)
    return cue + lacking(cue, small, cue_blur(small), 4)


def lacking(colors: Tensor, cue: Tensor, blur: Blur, times: int = 2) -> Tensor:
    """Return what blurred colors lack of their cue (B, C, H, W); they are `times` as large, and so is it."""
    return enlarge(cue - blur(avg_pool2d(colors, times)), times)
