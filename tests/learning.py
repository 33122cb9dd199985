"""Batches for the tests of every system, and a few steps of training on one of them."""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from made import picture
from torch import nn

from pipeline.operators import warp
from pipeline.params import GUIDES, Model, Train
from pipeline.systems import Networks, present, system
from pipeline.systems.layers import frozen


def noise(*shape: int) -> torch.Tensor:
    """Make a random image in [-1, 1]."""
    return torch.rand(*shape) * 2 - 1


def flow_of(points: np.ndarray, side: int, flip: bool = False) -> torch.Tensor:
    """Make the flow of a batch of one."""
    return torch.from_numpy(warp.spline_flow(points, side, side, flip).copy()).float()[None]


def still(side: int, flip: bool = False) -> torch.Tensor:
    """Make the flow of a reference that was not bent."""
    return flow_of(np.zeros((9, 2)), side, flip)


def random_batch(side: int = 32, size: int = 2) -> dict:
    """Make a random batch with every input of any system."""
    torch.manual_seed(0)
    colored = {name: noise(size, 3, side, side) for name in ("color", "cue", "reference", "target")}
    mask = (noise(size, 1, side, side) > 0).float()
    flow = still(side).expand(size, -1, -1, -1)
    guide = torch.cat([colored["cue"], torch.ones(size, 1, side, side)], dim=1)
    given = {"sketch": noise(size, 1, side, side), "mask": mask, "flow": flow}
    return given | colored | {"guide": guide, "kind": kind_of("cue", size)}


def kind_of(guide: str, size: int = 1) -> torch.Tensor:
    """Make the kind of a batch of one guide."""
    return torch.full((size,), GUIDES.index(guide))


def painted(side: int = 32) -> dict:
    """Make a batch of one picture, its darkness as a sketch, and itself, mirrored, as the reference."""
    color = torch.from_numpy(picture(1, side, side)).permute(2, 0, 1)[None] / 127.5 - 1
    given = {"sketch": color.mean(1, keepdim=True), "reference": color.flip(3), "cue": color.flip(3)}
    mask = torch.ones(1, 1, side, side)
    given |= {"target": color, "color": color, "mask": mask, "flow": still(side, flip=True)}
    return given | {"guide": torch.cat([color.flip(3), mask], dim=1), "kind": kind_of("reference")}


def build(model: Model) -> Networks:
    """Build the networks of a system, always with the same weights."""
    torch.manual_seed(1)
    return system(model.system).networks(model)


@dataclass
class Learned:
    """The PSNR in dB of the picture at each step, and the trained generator."""

    psnr: list[float]
    generator: nn.Module


def learn(model: Model, batch: dict, steps: int, lr: float) -> Learned:
    """Train on one batch with a falling rate; the discriminator learns a tenth as fast, or it is noisy."""
    colorizer, networks = system(model.system), build(model)
    generator, discriminator = networks
    optimizers = colorizer.optimizers(networks, lr)
    psnr = []
    for step in range(steps):
        for name, optimizer in present(optimizers).items():
            rate = lr if name == "generator" else lr / 10
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        output = generator(*colorizer.inputs(batch))
        difference = colorizer.picture(output, batch) - colorizer.target(batch)
        psnr.append(10 * math.log10(4 / difference.square().mean().item()))
        if discriminator is not None:
            descend(discriminator, optimizers[1], colorizer.discriminator_loss(discriminator, batch, output))
        with nullcontext() if discriminator is None else frozen(discriminator):
            terms = colorizer.generator_loss(networks, batch, output, Train(), None)
            descend(generator, optimizers[0], terms)
    return Learned(psnr, generator)


def descend(network: nn.Module, optimizer: torch.optim.Optimizer, terms: dict) -> None:
    """Take one step."""
    optimizer.zero_grad()
    sum(term.mean() for term in terms.values()).backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
