"""Propagation: each pixel becomes a mean of its neighbors, by weights that a network predicts.

A network that gives no weight across a line lets colors flow within a region and not beyond. Weighted colors
and their weights, propagated alike and divided, fill a region from the few places where a color is given
(Knutsson and Westin, Normalized and Differential Convolution, 1993).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

NEIGHBORS = 9  # of a pixel: the 3 x 3 around it, with gaps


def neighbor_weights(logits: Tensor, passes: int) -> tuple[Tensor, ...]:
    """Turn logits (B, 9 * passes, H, W) into the weights of each pass, (B, 9, H, W) with a sum of one."""
    return logits.unflatten(1, (passes, NEIGHBORS)).softmax(dim=2).unbind(1)


def propagate(maps: Tensor, weights: tuple[Tensor, ...], distances: tuple[int, ...]) -> Tensor:
    """Average maps (B, C, H, W) over the neighbors at each distance in turn, in pixels."""
    step = Pass.apply if torch.is_grad_enabled() else average_neighbors
    for each, distance in zip(weights, distances, strict=True):
        maps = step(maps, each, distance)
    return maps


def average_neighbors(maps: Tensor, weights: Tensor, distance: int) -> Tensor:
    """Average maps (B, C, H, W) over 3 x 3 neighbors, row by row, by weights (B, 9, H, W).

    Beyond the border lie the pixels of the border.
    """
    padded = pad(maps, 4 * (distance,), mode="replicate")
    neighbors = shifted(padded, distance, maps.shape[2:])
    return sum(weight * each for weight, each in zip(weights.split(1, dim=1), neighbors, strict=True))  # type: ignore[return-value]


def shifted(padded: Tensor, distance: int, size: torch.Size) -> list[Tensor]:
    """Return views of the nine neighbors of all pixels."""
    height, width = size
    offsets = (0, distance, 2 * distance)
    return [padded[:, :, y : y + height, x : x + width] for y in offsets for x in offsets]


class Pass(torch.autograd.Function):
    """`average_neighbors`, in half the time: it adds in place and keeps no product."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weights: Tensor, distance: int) -> Tensor:
        padded = pad(maps, 4 * (distance,), mode="replicate")
        ctx.save_for_backward(padded, weights)
        ctx.distance = distance
        result = torch.zeros_like(maps)
        for weight, each in zip(
            weights.split(1, dim=1), shifted(padded, distance, maps.shape[2:]), strict=True
        ):
            result.addcmul_(weight, each)
        return result

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, None]:
        padded, weights = ctx.saved_tensors
        distance, size = ctx.distance, slope.shape[2:]
        to_padded, to_weights = torch.zeros_like(padded), []
        places = shifted(to_padded, distance, size)
        for weight, each, place in zip(
            weights.split(1, dim=1), shifted(padded, distance, size), places, strict=True
        ):
            to_weights.append((slope * each).sum(dim=1))
            place.addcmul_(weight, slope)
        return fold_border(fold_border(to_padded, distance, 2), distance, 3), torch.stack(to_weights, 1), None


def fold_border(padded: Tensor, distance: int, dim: int) -> Tensor:
    """Add what lies beyond both ends of an axis to the pixels there: the transpose of replicating them."""
    side = padded.shape[dim] - 2 * distance
    before, inside, after = padded.split([distance, side, distance], dim=dim)
    inside = inside.clone()
    inside.select(dim, 0).add_(before.sum(dim))
    inside.select(dim, side - 1).add_(after.sum(dim))
    return inside
