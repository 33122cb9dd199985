"""Muon: momentum whose singular values become one, for weights that are matrices; AdamW for all others.

Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024. torch.optim.Muon takes matrices
alone, one at a time and in bfloat16, which a CPU computes slowly: here a convolution is a matrix with a row
for each output, and matrices of equal shape are computed together, in float32.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

LEAST = 8  # rows and columns that a matrix must have
MOMENTUM = 0.95
OTHER_RATE = 0.2  # learning rate of all other weights, as a share of that of the matrices
BETAS = (0.9, 0.99)  # of AdamW
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the polynomial that is applied five times


class Muon(AdamW):
    """Update the matrices among weights by Muon, at the rate `lr`, and the others by AdamW."""

    def __init__(self, weights: Iterable[nn.Parameter], lr: float):
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for weight in weights:
            groups[is_matrix(weight)].append(weight)
        both: list[dict[str, Any]] = [
            {"params": groups[True], "lr": lr, "matrices": True},
            {"params": groups[False], "lr": lr * OTHER_RATE, "matrices": False},
        ]
        super().__init__(both, betas=BETAS, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update the matrices, and hide their gradients from AdamW, which skips weights without one."""
        groups = [group for group in self.param_groups if group["matrices"]]
        matrices = [(each, each.grad, group["lr"]) for group in groups for each in group["params"]]
        self.update_matrices([(weight, slope, rate) for weight, slope, rate in matrices if slope is not None])
        for weight, _, _ in matrices:
            weight.grad = None
        loss = super().step(closure)
        for weight, slope, _ in matrices:
            weight.grad = slope
        return loss

    def update_matrices(self, matrices: list[tuple[Tensor, Tensor, float]]) -> None:
        """Take a step of Nesterov momentum along the orthogonalized gradients."""
        shapes = defaultdict(list)
        for weight, slope, rate in matrices:
            shapes[weight.flatten(1).shape].append((weight, slope, rate))
        for (rows, columns), members in shapes.items():
            scale = max(1.0, rows / columns) ** 0.5
            ahead = torch.stack([self.nesterov(weight, slope).flatten(1) for weight, slope, _ in members])
            for (weight, _, rate), step in zip(members, orthogonalize(ahead), strict=True):
                weight.sub_(step.view_as(weight), alpha=rate * scale)

    def nesterov(self, weight: Tensor, slope: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:  # the step is what AdamW asks of every state that is loaded
            state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(weight)}
        momentum = state["momentum"]
        momentum.lerp_(slope, 1 - MOMENTUM)
        return slope.lerp(momentum, MOMENTUM)


def is_matrix(weight: Tensor) -> bool:
    return weight.ndim > 1 and min(weight.flatten(1).shape) >= LEAST


def orthogonalize(matrices: Tensor) -> Tensor:
    """Bring the singular values of matrices (N, rows, columns) close to one: between 0.7 and 1.2."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
