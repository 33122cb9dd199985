"""Matching: each place of a sketch takes the colors of the places of a reference whose lines look alike.

The lines of a reference are found as those of a sketch are, and compared with them; its colors are carried as
they are (as in Shi et al., Deep Line Art Video Colorization with a Few References, 2020). A palette has no
lines: its colors are compared with the lines.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu, normalize, pad, pixel_shuffle, pixel_unshuffle

from pipeline.systems.layers import SLOPE, Residual, Shrink, enlarge, tokens

LINE_BLOCKSIZE, LINE_C = 7, 2.0  # of the sketch of a reference, in pixels and levels: see `params.Sketch`
INNER = 32  # channels that are compared
TRANSPARENT = 30.0  # by how much the logit of a transparent place falls
LUMA = (0.299, 0.587, 0.114)


class LineEncoder(nn.Module):
    """Describe the lines of a sketch (B, 1, H, W) by maps (B, 2 * width, H / 8, W / 8)."""

    def __init__(self, width: int):
        super().__init__()
        fine, middle, coarse = width, 2 * width, 3 * width
        self.blocks = nn.ModuleList([
            nn.Sequential(nn.Conv2d(16, fine, 3, padding=1), Residual(fine)),
            nn.Sequential(Shrink(fine, middle), Residual(middle)),
            nn.Sequential(
                Shrink(middle, coarse), Residual(coarse), Residual(coarse), nn.Conv2d(coarse, middle, 1)
            ),
        ])  # fmt: skip
        self.last = nn.Conv2d(middle, middle, 3, padding=1)

    def forward(self, sketch: Tensor) -> Tensor:
        fine, middle, coarse = self.blocks
        x = middle(fine(pixel_unshuffle(sketch, 4)))
        return self.last(leaky_relu(x + enlarge(coarse(x)), SLOPE))


class Carried(NamedTuple):
    """What a sketch takes from a reference."""

    colors: Tensor  # (B, 3, H / 4, W / 4) in [-1, 1]
    confidence: Tensor  # (B, 1, H / 8, W / 8): 1 if all comes from one place, near 0 if from everywhere
    logits: Tensor  # (B, places of the sketch, places of the reference): a softmax over these carries


class Match(nn.Module):
    """Carry colors from a reference to a sketch, of which each has maps (B, channels, H / 8, W / 8)."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key = (nn.Conv2d(channels, INNER, 1) for _ in range(2))
        self.color_key = nn.Conv2d(12, INNER, 1)
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # the logarithm of the weight of likeness
        self.nearness = nn.Parameter(torch.tensor(3.0))  # the logarithm of the weight of the place

    def forward(
        self, sketch: Tensor, lines: Tensor, reference: Tensor, opacity: Tensor, placed: Tensor
    ) -> Carried:
        """Match the maps of a sketch with the maps `lines` of a reference (B, 3, h, w) in [-1, 1].

        Nothing is taken from where its opacity (B, 1, h, w) is 0. Where `placed` (B, 1, 1) is 0, neither
        lines nor places count, but colors alone.
        """
        values = pixel_unshuffle(avg_pool2d(reference, 4), 2)  # 2 x 2 colors of each place
        keys = placed * tokens(self.key(lines)) + tokens(self.color_key(values))
        queries = normalize(tokens(self.query(sketch)), dim=2)
        logits = self.sharpness.exp() * queries @ normalize(keys, dim=2).mT
        logits = logits - placed * self.nearness.exp() * place_distances(sketch, lines)
        logits = logits - TRANSPARENT * (1 - tokens(avg_pool2d(opacity, 8)).mT)
        shares = logits.softmax(dim=2)
        carried = (shares @ tokens(values)).mT.unflatten(2, sketch.shape[2:])
        confidence = shares.square().sum(dim=2).unflatten(1, sketch.shape[2:])[:, None]
        return Carried(pixel_shuffle(carried, 2), confidence, logits)


def place_distances(sketch: Tensor, reference: Tensor) -> Tensor:
    """Return the squared distance of all places of one map from those of another, in sides of the picture."""
    (down, right), (other_down, other_right) = (centers(maps) for maps in (sketch, reference))
    rows = (down[:, None] - other_down).square()
    columns = (right[:, None] - other_right).square()
    return (rows[:, None, :, None] + columns[None, :, None, :]).flatten(2).flatten(0, 1)


def centers(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the centers of rows and of columns are, from 0 to 1."""
    rows, columns = ((torch.arange(side, device=maps.device) + 0.5) / side for side in maps.shape[2:])
    return rows, columns


def own_sketch(picture: Tensor) -> Tensor:
    """Draw the sketch of pictures (B, 3, H, W) in [-1, 1]: -1 on lines and 1 elsewhere, (B, 1, H, W).

    It is the adaptive threshold of OpenCV, but for the rounding of its mean.
    """
    luma = torch.tensor(LUMA, device=picture.device)[:, None, None]
    gray = (picture * luma).sum(dim=1, keepdim=True)
    sigma = 0.3 * ((LINE_BLOCKSIZE - 1) / 2 - 1) + 0.8  # as cv2.getGaussianKernel chooses it
    bell = (
        -((torch.arange(LINE_BLOCKSIZE, device=picture.device) - LINE_BLOCKSIZE // 2) / sigma).square() / 2
    ).exp()
    bell = (bell / bell.sum()).to(gray.dtype)
    padded = pad(gray, 4 * (LINE_BLOCKSIZE // 2,), mode="replicate")
    mean = conv2d(conv2d(padded, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))
    return torch.where(gray > mean - LINE_C / 127.5, 1.0, -1.0)


def place_loss(logits: Tensor, flow: Tensor) -> Tensor:
    """Return the cross entropy (B, N): each place of a bent reference should match where it comes from.

    Where it comes from beyond the border, the loss is 0. `flow` is that of `augment.prepare_batch`.
    """
    at = avg_pool2d(flow.permute(0, 3, 1, 2), 8)  # (B, 2, H / 8, W / 8), the center of each place
    height, width = at.shape[2:]
    inside = ((at > 0) & (at < 1)).all(dim=1).flatten(1)
    column = (at[:, 0] * width).long().clamp(0, width - 1)
    row = (at[:, 1] * height).long().clamp(0, height - 1)
    origin = (row * width + column).flatten(1)[:, None]
    return -logits.float().log_softmax(dim=1).gather(1, origin)[:, 0] * inside
