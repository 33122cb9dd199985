"""Gradient checkpointing: keep less of a forward pass, and compute it again in backward."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def forward_only(network: nn.Module) -> Iterator[None]:
    """Run a network without keeping anything for backward, and without updating its norms."""
    with torch.no_grad(), frozen_statistics(network):
        yield


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Let BatchNorm normalize by each batch as in training, but not update its running statistics."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def recompute_blocks(network: nn.Module) -> None:
    """Let each block of a network keep only its inputs, and run again when backward needs the rest.

    Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """
    for block in find_blocks(network):
        contexts = partial(block_contexts, block)
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=contexts)


def block_contexts(block: nn.Module) -> tuple[Any, Any]:
    """Return the contexts of a block's first run and of its second, which leaves the statistics alone."""
    return nullcontext(), frozen_statistics(block)


def find_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the elements of all module lists of a network, and the sequences outside of them."""
    for child in network.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        elif isinstance(child, nn.Sequential):
            yield child
        else:
            yield from find_blocks(child)
