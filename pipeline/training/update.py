"""One update of a generator and its discriminator: the step that `fit` repeats."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.profiler import record_function

from pipeline.chance import digest
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
    system, train, fabric = learner.system, learner.train, learner.fabric
    generator, discriminator = learner.networks
    last, d_terms, g_terms = len(parts) - 1, [], []
    if learner.graphs:
        torch.compiler.cudagraph_mark_step_begin()

    # The discriminator learns to tell originals from fakes.
    learner.optimizers.discriminator.zero_grad()
    for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
        torch.manual_seed(seed)
        with record_function("generator: forward"), forward_only(generator) if last else nullcontext():
            output = generator(*system.inputs(part))
        with fabric.no_backward_sync(discriminator, enabled=number < last):  # type: ignore[arg-type]
            with record_function("discriminator: forward"):
                d_terms.append(term_means(system.discriminator_loss(discriminator, part, output)))
            with record_function("discriminator: backward"):
                fabric.backward(total(d_terms[-1]) / len(parts))
    with record_function("discriminator: optimizer"):
        clip_gradients(learner, discriminator, learner.optimizers.discriminator)
        learner.optimizers.discriminator.step()

    # The generator learns to fool it, and to come close to the target.
    learner.optimizers.generator.zero_grad()
    discriminator.requires_grad_(False)
    for number, (part, seed) in enumerate(zip(parts, seeds, strict=True)):
        with fabric.no_backward_sync(generator, enabled=number < last):  # type: ignore[arg-type]
            if last:
                torch.manual_seed(seed)
                with record_function("generator: forward"):
                    output = generator(*system.inputs(part))
            with record_function("generator: losses"):
                terms = system.generator_loss(learner.networks, part, output, train, learner.features)
                g_terms.append(term_means(terms))
            with record_function("generator: backward"):
                fabric.backward(total(g_terms[-1]) / len(parts))
    discriminator.requires_grad_(True)
    with record_function("generator: optimizer"):
        clip_gradients(learner, generator, learner.optimizers.generator)
        learner.optimizers.generator.step()
        if train.ema:
            update_average(learner.average, learner.plain.generator, train.ema)
    return averaged(g_terms) | averaged(d_terms)


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
