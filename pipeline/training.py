"""Train a colorizer: `fit` yields numbers, and leaves a checkpoint from which a model is made."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pipeline import Halt
from pipeline.checkpoint import identify, keep, restore
from pipeline.dataset import Fresh, Pairs
from pipeline.feed import Order, batches, once
from pipeline.hardware import CPU, Hardware, Say, launch, roomy, silent
from pipeline.models import CONFIG, WEIGHTS
from pipeline.params import Model, Reference, Train
from pipeline.progress import Tick, quiet
from pipeline.systems import SYSTEMS, liu
from pipeline.systems.layers import count
from pipeline.update import Learner, advance, assemble
from pipeline.weights import UNUSABLE, parse

if TYPE_CHECKING:
    from lightning_fabric import Fabric

POWER = 0.9  # of the polynomial decay
LOOK = {"cpu": 1, "cuda": 20}  # steps between two looks at the losses: a look waits for the GPU
EVERY = 30.0  # seconds between two checkpoints, or more,
WRITING = 0.02  # so that this share of the time is spent on writing them at most


def fit(
    data: Path,
    model: Model,
    train: Train,
    *,
    checkpoint: Path,
    hardware: Hardware = CPU,
    tick: Tick = quiet,
    say: Say = silent,
) -> Iterator[dict[str, float]]:
    """Train on the packed dataset `data`, and yield a record every `train.validate` steps and after the last.

    A record holds the step, the mean of each weighted loss since the record before, and `val_psnr` (dB) and
    `val_l1` (of values in [-1, 1]). The checkpoint also keeps the weights of the best `val_psnr`. A killed
    run that starts again with the same `checkpoint` yields the old records first and goes on as if nothing
    had happened; a checkpoint of other data, parameters or code is ignored. After each step `tick` gets the
    number of steps done and of all; `say` gets a sentence if a run cannot go on as fast as was asked. Of
    several processes, the first alone yields, ticks and writes. Raise Halt if a loss is not finite, if memory
    ends, or if the batch cannot be shared.
    """
    system, pairs, held_out = SYSTEMS[model.system], *opened(data, model, train)
    steps = math.ceil(train.epochs * len(pairs) / train.batch) or train.steps
    fabric = launch(hardware, train.precision)
    leads, rank, world = fabric.is_global_zero, fabric.global_rank, fabric.world_size
    if train.batch % (world * train.accumulate):
        raise Halt(
            f"a batch of {train.batch} cannot be shared by {world} processes in {train.accumulate} parts: "
            "choose a multiple of their product"
        )
    learner, config = prepared(pairs, model, train, fabric, hardware, say)

    # Where a killed run left off.
    identity = identify(config)
    past = fabric.broadcast(restore(checkpoint, identity) if leads else None)
    for name, part in learner.parts.items() if past["step"] else ():
        part.load_state_dict(past[name])
    start, records, sums, best = past["step"], past["records"], past["sums"], past["best"]
    yield from records if leads else ()

    # What flows in.
    order, endless = feed(pairs, train, fabric, hardware, start)
    workers = loaders(hardware, fabric) // 4
    validation = once(held_out, train.batch // world, workers, fabric.device, rank, world)

    losses, due_again = [], time.monotonic() + EVERY
    for step, batch in zip(range(start, steps), endless, strict=False):
        # Each step has its own seeds and learning rate, so that it does not matter where a run was cut.
        pace(learner, share(train.decay, step / steps))
        with roomy(train):
            losses.append(advance(learner, batch, step))
        done = step + 1
        due = done % train.validate == 0 or done == steps

        # Now and then the losses join those since the last record: to look at them is to wait for the GPU.
        if look := due or done % LOOK[fabric.device.type] == 0:
            for number, values in enumerate(read(fabric, losses), done - len(losses)):
                if broken := [name for name, value in values.items() if not math.isfinite(value)]:
                    keys = ", ".join(pairs.entries[place].key for _, place in order.at(number))
                    raise Halt(f"{', '.join(broken)} at step {number + 1} is not finite on {keys}: lower lr")
                sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            losses = []
            share_statistics(learner)
        if due:
            since = (done - 1) % train.validate + 1
            record = {"step": done} | {name: value / since for name, value in sums.items()}
            everyone = partial(gather, fabric)
            records = [*records, record | validate(learner.average, system, validation, everyone)]
            sums = {}
            if records[-1]["val_psnr"] > max((each["val_psnr"] for each in records[:-1]), default=-math.inf):
                state = learner.average.state_dict()
                best = {name: tensor.to("cpu", copy=True) for name, tensor in state.items()}

        # All of it is kept from time to time, and at the end.
        now = time.monotonic()
        if leads and (done == steps or (look and now > due_again)):
            state = {name: part.state_dict() for name, part in learner.parts.items()}
            state |= {"identity": identity, "config": config}
            keep(checkpoint, state | {"step": done, "records": records, "sums": sums, "best": best})
            took = time.monotonic() - now
            due_again = now + took + max(EVERY, took / WRITING)
        if leads:
            tick(done, steps)
        if leads and due:
            yield records[-1]
    fabric.barrier()  # no process leaves before the last checkpoint is written


def opened(data: Path, model: Model, train: Train) -> tuple[Pairs, Pairs]:
    """Open what is trained on and what is held out. Raise Halt if the network does not fit the pictures."""
    system = SYSTEMS[model.system]
    pairs, held_out = (Pairs(data, split, model.sketch, system.COLUMNS) for split in ("train", "val"))
    pairs.fresh = freshly(system, pairs, train)
    if pairs.side % system.multiple(model):
        raise Halt(
            f"a side of {pairs.side} is no multiple of {system.multiple(model)}, which {model.system} needs: "
            "pack another side, or choose a smaller depth"
        )
    return pairs, held_out


def prepared(
    pairs: Pairs, model: Model, train: Train, fabric: "Fabric", hardware: Hardware, say: Say
) -> tuple[Learner, dict]:
    """Build the networks and put them where they run; say what they are and are made from."""
    system = SYSTEMS[model.system]
    torch.manual_seed(train.seed)
    networks = system.networks(model)
    begin(networks[0], model, train.start)
    features = perceptual(system, train.vgg)
    config = describe(pairs, model, train, networks)
    return assemble(networks, features, model, train, fabric, hardware, say), config


def feed(
    pairs: Pairs, train: Train, fabric: "Fabric", hardware: Hardware, start: int
) -> tuple[Order, Iterator[dict]]:
    """Say which samples come from step `start` on, and load the part of this process."""
    keys = [entry.key for entry in pairs.entries]
    order = Order(keys, train.batch, train.seed, start, fabric.global_rank, fabric.world_size)
    return order, batches(pairs, order, loaders(hardware, fabric), fabric.device)


def loaders(hardware: Hardware, fabric: "Fabric") -> int:
    """Count the processes that load: none where the cores compute, as both would wait."""
    return hardware.workers if fabric.device.type != "cpu" else 0


def pace(learner: Learner, share: float) -> None:
    """Set the learning rates to a share of what they were at first."""
    for optimizer in (learner.g_optimizer, learner.d_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def read(fabric: "Fabric", losses: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """Bring the losses of several steps to the host, averaged over the processes."""
    table = torch.stack([torch.stack(list(terms.values())) for terms in losses])
    rows = fabric.all_reduce(table, reduce_op="mean").tolist()
    return [dict(zip(losses[0], row, strict=True)) for row in rows]


def share_statistics(learner: Learner) -> None:
    """Average the running statistics of norms over the processes, each of which saw its own samples."""
    networks = dict.fromkeys([*learner.plain, learner.average])  # in one order in all processes
    buffers = [each for network in networks for each in network.buffers() if each.is_floating_point()]
    if buffers and learner.fabric.world_size > 1:
        joined = torch.cat([buffer.flatten() for buffer in buffers])
        means = learner.fabric.all_reduce(joined, reduce_op="mean").split([each.numel() for each in buffers])
        for buffer, mean in zip(buffers, means, strict=True):
            buffer.copy_(mean.view_as(buffer))


def gather(fabric: "Fabric", values: list[float]) -> list[float]:
    """Join what each process has listed."""
    if fabric.world_size == 1:
        return values
    lists = [None] * fabric.world_size
    torch.distributed.all_gather_object(lists, values)
    return [value for each in lists for value in each]


def share(decay: str, past: float) -> float:
    """Return the share of the learning rate that is left when the share `past` of all steps is done.

    All of it, or falling linearly to 0 over the second half, or as the 0.9th power of what is to come.
    """
    if decay == "polynomial":
        return (1 - past) ** POWER
    return min(1.0, 2 * (1 - past)) if decay == "linear" else 1.0


def freshly(system: ModuleType, pairs: Pairs, train: Train) -> Fresh:
    """Say what is drawn anew each epoch: references as the system was published, or as the dataset's."""
    reference = system.REFERENCE if train.fresh == "published" else None
    if train.fresh == "dataset" and "reference" in system.COLUMNS:
        facts = pairs.facts["reference"]
        reference = Reference(**{name: facts[name] for name in ("grid", "strength", "jitter", "order")})
    return Fresh(train.seed, reference, train.flip, train.drop)


def perceptual(system: ModuleType, file: str) -> nn.Module | None:
    """Load the network whose features a system compares; None if it compares none, or shall go without."""
    if not system.VGG or file == "none":
        return None
    from pipeline.systems.features import Features

    return Features(system.VGG, file)


def begin(generator: nn.Module, model: Model, folder: str) -> None:
    """Start from the weights of a saved model, if one is named. Raise Halt if they do not fit."""
    if not folder:
        return
    try:
        tensors = parse(Path(folder, WEIGHTS).read_bytes(), WEIGHTS)
        main = json.loads(Path(folder, CONFIG).read_bytes())["variant"] == "main"
        if model.variant == "finetune" and main:
            liu.adopt(generator, tensors)
        else:
            generator.load_state_dict(tensors)
    except FileNotFoundError:
        raise Halt(f"{folder} holds no model: name the folder of a trained one in train.start") from None
    except UNUSABLE as error:
        raise Halt(
            f"the model in {folder} has other parts than the one to train: name another start"
        ) from error


@torch.no_grad()
def validate(
    generator: nn.Module,
    system: ModuleType,
    held_out: Iterable[dict],
    everyone: Callable[[list[float]], list[float]] = list,
) -> dict[str, float]:
    """Measure the mean PSNR (at most 100 dB) and L1 of a generator; BatchNorm and dropout as in use.

    `everyone` joins the numbers of all processes, of which each measures its own samples.
    """
    generator.eval()
    psnr, l1 = [], []
    for batch in held_out:
        difference = system.shown(generator(*system.inputs(batch)), batch) - system.goal(batch)
        psnr += [10 * torch.log10(4 / difference.square().mean((1, 2, 3)).clamp_min(4e-10))]
        l1 += [difference.abs().mean((1, 2, 3))]
    generator.train()
    psnr, l1 = (everyone(torch.cat(values).tolist() if values else []) for values in (psnr, l1))
    return {"val_psnr": math.fsum(psnr) / len(psnr), "val_l1": math.fsum(l1) / len(l1)}


def describe(pairs: Pairs, model: Model, train: Train, networks: tuple[nn.Module, nn.Module]) -> dict:
    """Say what a model is and what it was made from."""
    sizes = dict(zip(("generator", "discriminator"), map(count, networks), strict=True))
    made = {"dataset": pairs.fingerprint, "columns": pairs.facts, "side": pairs.side}
    begun = hashlib.sha256(Path(train.start, WEIGHTS).read_bytes()).hexdigest() if train.start else ""
    return asdict(model) | made | {"parameters": sizes, "train": asdict(train), "start": begun}
