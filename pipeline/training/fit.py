"""Train a colorizer: `train_model` yields records, and leaves a checkpoint from which a model is made."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline import systems
from pipeline.batches.dataset import AugmentationPolicy, Pairs
from pipeline.batches.loader import BatchOrder, SinglePass, endless_batches, single_pass
from pipeline.errors import Halt
from pipeline.models.folder import WEIGHTS_FILE
from pipeline.params import Model, Reference, Train
from pipeline.progress import Tick, quiet
from pipeline.systems import System
from pipeline.systems.layers import count_parameters
from pipeline.training.checkpoint import restore_checkpoint, run_identity, save_checkpoint
from pipeline.training.hardware import CPU, Hardware, Log, halt_on_full_memory, launch_fabric, log_nothing
from pipeline.training.learner import Learner, assemble
from pipeline.training.update import train_step

DECAY_POWER = 0.9  # of the polynomial decay
STEPS_PER_READ = {"cpu": 1, "cuda": 20}  # steps between two looks at the losses: each waits for the GPU
CHECKPOINT_SECONDS = 30.0  # seconds between two checkpoints, or more,
CHECKPOINT_SHARE = 0.02  # so that writing them takes at most this share of the time


@dataclass(frozen=True)
class Session:
    """A run that is ready to train: its data, and its networks where they run."""

    pairs: Pairs
    held_out: Pairs
    learner: Learner
    loaders: int  # processes that load the samples of this one

    def order(self, start: int) -> BatchOrder:
        """Return the order of the samples from step `start` on."""
        train, fabric = self.learner.train, self.learner.fabric
        keys = [entry.key for entry in self.pairs.entries]
        return BatchOrder(keys, train.batch, train.seed, start, fabric.global_rank, fabric.world_size)

    def batches(self, order: BatchOrder) -> Iterator[dict]:
        """Load the part of this process of every batch, without end."""
        return endless_batches(self.pairs, order, self.loaders, self.learner.fabric.device)

    def validation(self) -> SinglePass:
        """Load the part of this process of the samples that are held out."""
        train, fabric = self.learner.train, self.learner.fabric
        size = train.batch // fabric.world_size
        return single_pass(
            self.held_out, size, self.loaders // 4, fabric.device, fabric.global_rank, fabric.world_size
        )


def open_session(data: Path, model: Model, train: Train, hardware: Hardware, say: Log) -> Session:
    """Open the packed dataset `data`, and set up the networks. Raise Halt if a run cannot begin."""
    pairs = open_training_split(data, model, train)
    held_out = Pairs(data, "val", model.sketch, pairs.columns)
    fabric = launch_fabric(hardware, train.precision)
    loaders = hardware.workers if fabric.device.type != "cpu" else 0  # on a CPU they would slow the step
    return Session(pairs, held_out, assemble(model, train, fabric, hardware, say), loaders)


def open_training_split(data: Path, model: Model, train: Train) -> Pairs:
    """Open the training split. Raise Halt if the network does not fit the pictures."""
    system = systems.system(model.system)
    pairs = Pairs(data, "train", model.sketch, system.columns)
    pairs.fresh = augmentation(system, pairs, train)
    if pairs.side % system.multiple(model):
        raise Halt(
            f"a side of {pairs.side} is no multiple of {system.multiple(model)}, which {model.system} needs: "
            "pack another side, or choose a smaller depth"
        )
    return pairs


def train_model(
    data: Path,
    model: Model,
    train: Train,
    *,
    checkpoint: Path,
    hardware: Hardware = CPU,
    tick: Tick = quiet,
    say: Log = log_nothing,
) -> Iterator[dict[str, float]]:
    """Train on the packed dataset `data`, and yield a record every `train.validate` steps and after the last.

    A record holds the step, the mean of each weighted loss since the record before, and `val_psnr` (dB) and
    `val_l1` (of values in [-1, 1]). The checkpoint also keeps the weights of the best `val_psnr`. A killed
    run that starts again with the same `checkpoint` yields the old records first and goes on as if nothing
    had happened; a checkpoint of other data, parameters or code is ignored. After each step `tick` gets the
    number of steps done and of all; `say` gets a sentence if a run must go on more slowly than was asked. Of
    several processes, the first alone yields, ticks and writes. Raise Halt if a loss is not finite, if memory
    ends, or if the batch cannot be shared.
    """
    session = open_session(data, model, train, hardware, say)
    learner, fabric = session.learner, session.learner.fabric
    leads = fabric.is_global_zero
    steps = math.ceil(train.epochs * len(session.pairs) / train.batch) or train.steps
    if train.batch % (fabric.world_size * train.accumulate):
        raise Halt(
            f"a batch of {train.batch} cannot be shared by {fabric.world_size} processes in "
            f"{train.accumulate} parts: choose a multiple of their product"
        )

    # Resume a killed run.
    config = model_config(session, model)
    identity = run_identity(config)
    past = fabric.broadcast(restore_checkpoint(checkpoint, identity) if leads else {})
    start, records, sums, best = past["step"], past["records"], past["sums"], past["best"]
    yield from records if leads else ()
    if start == steps:
        return
    if start:
        for name, part in learner.parts.items():
            part.load_state_dict(past[name])

    order, validation = session.order(start), session.validation()
    losses, due_again = [], time.monotonic() + CHECKPOINT_SECONDS
    for step, batch in zip(range(start, steps), session.batches(order), strict=False):
        # Each step has its own seeds and learning rate, so that it does not matter where a run was cut.
        set_rates(learner, rate_share(train.decay, step / steps))
        with halt_on_full_memory(train):
            losses.append(train_step(learner, batch, step))
        done = step + 1
        due = done % train.validate == 0 or done == steps

        # Now and then add up the losses since the last record: to look at them is to wait for the GPU.
        if look := due or done % STEPS_PER_READ[fabric.device.type] == 0:
            for number, values in enumerate(read_losses(learner, losses), done - len(losses)):
                check_finite(values, number, order, session.pairs)
                sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            losses = []
            share_statistics(learner)
        if due:
            since = (done - 1) % train.validate + 1
            record = {"step": done} | {name: value / since for name, value in sums.items()}
            everyone = partial(gather_lists, learner)
            record |= validate(learner.average, learner.system, validation, everyone)
            if record["val_psnr"] > max((each["val_psnr"] for each in records), default=-math.inf):
                state = learner.average.state_dict()
                best = {name: tensor.to("cpu", copy=True) for name, tensor in state.items()}
            records, sums = [*records, record], {}

        # Write a checkpoint from time to time, and at the end.
        now = time.monotonic()
        if leads and (done == steps or (look and now > due_again)):
            state = {name: part.state_dict() for name, part in learner.parts.items()}
            state |= {"identity": identity, "config": config}
            save_checkpoint(
                checkpoint, state | {"step": done, "records": records, "sums": sums, "best": best}
            )
            took = time.monotonic() - now
            due_again = now + took + max(CHECKPOINT_SECONDS, took / CHECKPOINT_SHARE)
        if leads:
            tick(done, steps)
        if leads and due:
            yield records[-1]
    fabric.barrier()  # no process leaves before the last checkpoint is written


def augmentation(system: System, pairs: Pairs, train: Train) -> AugmentationPolicy:
    """Return what each epoch draws: references are bent as the system was published, or as the dataset's."""
    reference = system.reference if train.fresh == "published" else None
    if train.fresh == "dataset" and "reference" in system.columns:
        facts = pairs.metadata["reference"]
        reference = Reference(**{name: facts[name] for name in ("grid", "strength", "jitter", "order")})
    return AugmentationPolicy(train.seed, reference, train.flip, train.drop)


def model_config(session: Session, model: Model) -> dict:
    """Return the config of the model: its parameters, and everything that it is made from."""
    pairs, learner = session.pairs, session.learner
    start = learner.train.start
    return asdict(model) | {
        "dataset": pairs.fingerprint,
        "columns": pairs.metadata,
        "side": pairs.side,
        "parameters": {name: count_parameters(network) for name, network in learner.plain._asdict().items()},
        "train": asdict(learner.train),
        "start": hashlib.sha256(Path(start, WEIGHTS_FILE).read_bytes()).hexdigest() if start else "",
    }


def set_rates(learner: Learner, share: float) -> None:
    """Set the learning rates to a share of their first values."""
    for optimizer in learner.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def rate_share(decay: str, past: float) -> float:
    """Return the share of the learning rate after the share `past` of all steps.

    All of it, or falling linearly to 0 over the second half, or as the 0.9th power of what is left.
    """
    if decay == "polynomial":
        return (1 - past) ** DECAY_POWER
    return min(1.0, 2 * (1 - past)) if decay == "linear" else 1.0


def read_losses(learner: Learner, losses: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """Bring the losses of several steps to the host, averaged over the processes."""
    table = torch.stack([torch.stack(list(terms.values())) for terms in losses])
    rows = process_mean(learner, table).tolist()
    return [dict(zip(losses[0], row, strict=True)) for row in rows]


def check_finite(losses: dict[str, float], step: int, order: BatchOrder, pairs: Pairs) -> None:
    """Raise Halt, with the keys of the samples, if a loss of a step is not finite."""
    if broken := [name for name, value in losses.items() if not math.isfinite(value)]:
        keys = ", ".join(pairs.entries[number].key for _, number in order.at(step))
        raise Halt(f"{', '.join(broken)} at step {step + 1} is not finite on {keys}: lower lr")


def share_statistics(learner: Learner) -> None:
    """Average the running statistics of norms over the processes, each of which saw its own samples."""
    networks = dict.fromkeys([*learner.plain, learner.average])  # each once, in one order in all processes
    buffers = [each for network in networks for each in network.buffers() if each.is_floating_point()]
    if buffers and learner.fabric.world_size > 1:
        joined = torch.cat([buffer.flatten() for buffer in buffers])
        means = process_mean(learner, joined).split([each.numel() for each in buffers])
        for buffer, mean in zip(buffers, means, strict=True):
            buffer.copy_(mean.view_as(buffer))


def process_mean(learner: Learner, values: Tensor) -> Tensor:
    """Average values over the processes."""
    return learner.fabric.all_reduce(values, reduce_op="mean")  # type: ignore[return-value]


def gather_lists(learner: Learner, values: list[float]) -> list[float]:
    """Join the lists of all processes."""
    if learner.fabric.world_size == 1:
        return values
    lists: list = [None] * learner.fabric.world_size
    torch.distributed.all_gather_object(lists, values)
    return [value for each in lists for value in each]


@torch.no_grad()
def validate(
    generator: nn.Module,
    system: System,
    held_out: Iterable[dict],
    everyone: Callable[[list[float]], list[float]] = list,
) -> dict[str, float]:
    """Measure the mean PSNR (at most 100 dB) and L1 of a generator; BatchNorm and dropout as in use.

    `everyone` joins the numbers of all processes, each of which measures its own samples.
    """
    generator.eval()
    psnr: list[Tensor] = []
    l1: list[Tensor] = []
    for batch in held_out:
        difference = system.shown(generator(*system.inputs(batch)), batch) - system.goal(batch)
        psnr += [10 * torch.log10(4 / difference.square().mean((1, 2, 3)).clamp_min(4e-10))]
        l1 += [difference.abs().mean((1, 2, 3))]
    generator.train()
    return {"val_psnr": mean(psnr, everyone), "val_l1": mean(l1, everyone)}


def mean(parts: list[Tensor], everyone: Callable[[list[float]], list[float]]) -> float:
    """Average the numbers of all processes; this one has them in `parts`, which may be none."""
    values = everyone(torch.cat(parts).tolist() if parts else [])
    return math.fsum(values) / len(values)
