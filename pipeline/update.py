"""One update of a generator and its discriminator: the step that `fit` repeats."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.profiler import record_function

from pipeline import Halt
from pipeline.chance import digest
from pipeline.hardware import Hardware, Say, compiled
from pipeline.params import Model, Train
from pipeline.recompute import recompute, unseen
from pipeline.systems import SYSTEMS

if TYPE_CHECKING:
    from lightning_fabric import Fabric

GPU_LAYOUT = torch.channels_last  # what tensor cores read; on a CPU it made training slower


@dataclass
class Learner:
    """Both networks, where they run, and all that an update needs.

    `generator` and `discriminator` are what is called, `plain` the same networks without what distributes
    and converts; `average` is the generator that becomes the model.
    """

    system: ModuleType
    train: Train
    fabric: "Fabric"
    plain: tuple[nn.Module, nn.Module]
    generator: nn.Module
    discriminator: nn.Module
    g_optimizer: Any
    d_optimizer: Any
    average: nn.Module
    features: Callable[[Tensor], list[Tensor]] | None
    graphs: bool

    @property
    def parts(self) -> dict[str, Any]:
        """Name all that has a state."""
        names = ("generator", "discriminator", "g_optimizer", "d_optimizer", "average")
        return {name: getattr(self, name) for name in names}


def assemble(
    networks: tuple[nn.Module, nn.Module],
    features: nn.Module | None,
    model: Model,
    train: Train,
    fabric: "Fabric",
    hardware: Hardware,
    say: Say,
) -> Learner:
    """Put fresh networks where they run, with their optimizers. Raise Halt if norms cannot be shared."""
    system, device = SYSTEMS[model.system], fabric.device
    if train.norm == "all" and fabric.world_size > 1:
        if device.type == "cpu":
            raise Halt("BatchNorm over all processes needs GPUs: set train.norm to each, or use one process")
        networks = tuple(map(nn.SyncBatchNorm.convert_sync_batchnorm, networks))
    if device.type == "cuda":
        networks = tuple(network.to(memory_format=GPU_LAYOUT) for network in networks)
    average = deepcopy(networks[0]) if train.ema else networks[0]
    optimizers = system.optimizers(*networks, train.lr or system.pace(model))
    ready = [fabric.setup(*pair) for pair in zip(networks, optimizers, strict=True)]
    if hardware.recompute:
        recompute(networks[0])
    if hardware.compiles(device.type):
        for network, whole in zip(networks, (not hardware.recompute, not system.TWICE), strict=True):
            if whole:
                compiled(network, hardware, say)
    (generator, g_optimizer), (discriminator, d_optimizer) = ready
    for optimizer in (g_optimizer, d_optimizer):
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return Learner(
        system,
        train,
        fabric,
        networks,
        generator,
        discriminator,
        g_optimizer,
        d_optimizer,
        fabric.to_device(average),
        features and within(fabric, fabric.to_device(features)),
        hardware.graphs,
    )


def within(fabric: "Fabric", features: nn.Module) -> Callable[[Tensor], list[Tensor]]:
    """Let a fixed network describe images in the arithmetic of the run."""

    def describe(image: Tensor) -> list[Tensor]:
        with fabric.autocast():
            return [maps.float() for maps in features(image)]

    return describe


def advance(learner: Learner, batch: dict, step: int) -> dict[str, Tensor]:
    """Take a step: update both networks on a batch, with the seeds of this step, process and part."""
    train, rank = learner.train, learner.fabric.global_rank
    seeds = [seed(train.seed, step, rank, part) for part in range(train.accumulate)]
    return update(learner, split(batch, train.accumulate), seeds)


def seed(run: int, step: int, rank: int, part: int) -> int:
    """Return the seed of what is drawn at random in one part of a batch."""
    return digest(run, "step", *map(str, (step, rank, part))) % 2**63


def update(learner: Learner, parts: list[dict], seeds: list[int]) -> dict[str, Tensor]:
    """Update the discriminator, then the generator, on a batch in one or several equal parts.

    Return the mean of each weighted loss, on the device: nothing here waits for it. What is drawn at random
    for a part depends on its seed alone. With one part, the generator colors once for both updates. Several
    are colored twice, first without what backward needs, so that memory holds one part at a time.
    """
    system, train, fabric = learner.system, learner.train, learner.fabric
    generator, discriminator = learner.generator, learner.discriminator
    last, d_terms, g_terms = len(parts) - 1, [], []
    if learner.graphs:
        torch.compiler.cudagraph_mark_step_begin()

    # The discriminator learns to tell the original from the fake.
    learner.d_optimizer.zero_grad()
    for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
        torch.manual_seed(seed)
        with record_function("generator: forward"), unseen(generator) if last else nullcontext():
            output = generator(*system.inputs(part))
        with fabric.no_backward_sync(discriminator, enabled=number < last):
            with record_function("discriminator: forward"):
                d_terms.append(means(system.discriminator_loss(discriminator, part, output, train)))
            with record_function("discriminator: backward"):
                fabric.backward(sum(d_terms[-1].values()) / len(parts))
    with record_function("discriminator: optimizer"):
        clip(learner, discriminator, learner.d_optimizer)
        learner.d_optimizer.step()

    # The generator learns to pass, and to come close to the original.
    learner.g_optimizer.zero_grad()
    discriminator.requires_grad_(False)
    for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
        with fabric.no_backward_sync(generator, enabled=number < last):
            if last:
                torch.manual_seed(seed)
                with record_function("generator: forward"):
                    output = generator(*system.inputs(part))
            with record_function("generator: losses"):
                terms = system.generator_loss(generator, discriminator, part, output, train, learner.features)
                g_terms.append(means(terms))
            with record_function("generator: backward"):
                fabric.backward(sum(g_terms[-1].values()) / len(parts))
    discriminator.requires_grad_(True)
    with record_function("generator: optimizer"):
        clip(learner, generator, learner.g_optimizer)
        learner.g_optimizer.step()
        if train.ema:
            follow(learner.average, learner.plain[0], train.ema)
    return over(g_terms) | over(d_terms)


def means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reduce each term of a loss to its mean."""
    return {name: term.mean() for name, term in terms.items()}


def over(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Average each loss over the parts of a batch."""
    return {name: torch.stack([terms[name].detach() for terms in parts]).mean() for name in parts[0]}


def split(batch: dict, count: int) -> list[dict]:
    """Cut a batch into equal parts."""
    size = len(batch["key"]) // count
    return [
        {name: values[start : start + size] for name, values in batch.items()}
        for start in range(0, size * count, size)
    ]


def clip(learner: Learner, network: nn.Module, optimizer: Any) -> None:
    """Shorten the gradients of a network to the norm asked for, or published."""
    if norm := learner.train.clip or learner.system.CLIP:
        learner.fabric.clip_gradients(network, optimizer, max_norm=norm, error_if_nonfinite=False)


@torch.no_grad()
def follow(average: nn.Module, generator: nn.Module, past: float) -> None:
    """Move the mean of the weights towards the present ones; statistics of norms are taken as they are."""
    get_ema_multi_avg_fn(past)(list(average.parameters()), list(generator.parameters()), None)
    for mean, now in zip(average.buffers(), generator.buffers(), strict=True):
        mean.copy_(now)
