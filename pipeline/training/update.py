"""One update of a generator, and of its discriminator if it has one: the step that `fit` repeats."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.profiler import record_function

from pipeline.chance import digest
from pipeline.systems.layers import frozen
from pipeline.training.learner import Learner
from pipeline.training.recompute import forward_only


def train_step(learner: Learner, batch: dict, step: int) -> dict[str, Tensor]:
    """Take a step: update both networks on a batch, with the seeds of this step, process and part."""
    train, rank = learner.train, learner.fabric.global_rank
    seeds = [part_seed(train.seed, step, rank, part) for part in range(train.accumulate)]
    return update_networks(learner, equal_parts(batch, train.accumulate), seeds)


def part_seed(run_seed: int, step: int, rank: int, part: int) -> int:
    return digest(run_seed, "step", *map(str, (step, rank, part))) % 2**63


def update_networks(learner: Learner, parts: list[dict], seeds: list[int]) -> dict[str, Tensor]:
    """Update the discriminator, then the generator, on a batch in one or several equal parts.

    Return the mean of each weighted loss, on the device: nothing here waits for it. The random numbers of a
    part depend on its seed alone. With one part, the generator runs once for both updates. With several, it
    runs twice on each, first without keeping anything for backward, so that memory holds one part at a time.
    """
    if learner.graphs:
        torch.compiler.cudagraph_mark_step_begin()
    if learner.networks.discriminator is None:
        return update_generator(learner, parts, seeds)
    d_terms, output = update_discriminator(learner, parts, seeds)
    return update_generator(learner, parts, seeds, output) | d_terms


def update_discriminator(
    learner: Learner, parts: list[dict], seeds: list[int]
) -> tuple[dict[str, Tensor], Any]:
    """Let the discriminator learn to tell originals from fakes.

    Return its losses and, of a single part, the output of the generator, from which that can learn too.
    """
    system, fabric = learner.system, learner.fabric
    generator, discriminator = learner.networks
    last, means = len(parts) - 1, []
    learner.optimizers.discriminator.zero_grad()
    for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
        with forward_only(generator) if last else nullcontext():
            output = run_generator(learner, part, seed)
        with fabric.no_backward_sync(discriminator, enabled=number < last):
            with record_function("discriminator: forward"):
                means.append(term_means(system.discriminator_loss(discriminator, part, output)))
            with record_function("discriminator: backward"):
                fabric.backward(total(means[-1]) / len(parts))
    with record_function("discriminator: optimizer"):
        clip_gradients(learner, discriminator, learner.optimizers.discriminator)
        learner.optimizers.discriminator.step()
    return averaged(means), None if last else output


def update_generator(
    learner: Learner, parts: list[dict], seeds: list[int], output: Any = None
) -> dict[str, Tensor]:
    """Let the generator learn to come close to the target, and to fool the discriminator if there is one.

    `output` is what it gave for a single part, if it has run. Return its losses.
    """
    system, train, fabric = learner.system, learner.train, learner.fabric
    generator, discriminator = learner.networks
    last, means = len(parts) - 1, []
    learner.optimizers.generator.zero_grad()
    with nullcontext() if discriminator is None else frozen(discriminator):
        for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
            with fabric.no_backward_sync(generator, enabled=number < last):  # type: ignore[arg-type]
                given = run_generator(learner, part, seed) if output is None else output
                with record_function("generator: losses"):
                    terms = system.generator_loss(learner.networks, part, given, train, learner.features)
                    means.append(term_means(terms))
                with record_function("generator: backward"):
                    fabric.backward(total(means[-1]) / len(parts))
    with record_function("generator: optimizer"):
        clip_gradients(learner, generator, learner.optimizers.generator)
        learner.optimizers.generator.step()
        if train.ema:
            update_average(learner.average, learner.plain.generator, train.ema)
    return averaged(means)


def run_generator(learner: Learner, part: dict, seed: int) -> Any:
    torch.manual_seed(seed)
    with record_function("generator: forward"):
        return learner.networks.generator(*learner.system.inputs(part))


def term_means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: term.mean() for name, term in terms.items()}


def total(terms: dict[str, Tensor]) -> Tensor:
    return sum(terms.values())  # type: ignore[return-value]  # a sum of tensors is one


def averaged(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([terms[name].detach() for terms in parts]).mean() for name in parts[0]}


def equal_parts(batch: dict, count: int) -> list[dict]:
    size = len(batch["key"]) // count
    cuts = [slice(start, start + size) for start in range(0, size * count, size)]
    return [{name: values[cut] for name, values in batch.items()} for cut in cuts]


def clip_gradients(learner: Learner, network: nn.Module, optimizer: Optimizer) -> None:
    """Clip the gradients of a network to the norm of `train.clip`, or else to the published one."""
    if norm := learner.train.clip or learner.system.clip:
        learner.fabric.clip_gradients(network, optimizer, max_norm=norm, error_if_nonfinite=False)


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, past: float) -> None:
    """Update the moving average of the weights, of which the share `past` stays; buffers are copied."""
    get_ema_multi_avg_fn(past)(list(average.parameters()), list(generator.parameters()), None)
    for mean, now in zip(average.buffers(), generator.buffers(), strict=True):
        mean.copy_(now)
