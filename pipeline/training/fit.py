"""Train a colorizer: `train_model` yields records, and leaves a checkpoint to release a model from."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline import systems
from pipeline.batches.augment import halve_batch
from pipeline.batches.dataset import AugmentationPolicy, PackedSplit, Pairs
from pipeline.batches.loader import BatchOrder, SinglePass, endless_batches, single_pass
from pipeline.batches.stream import PairStream, StreamOrder
from pipeline.chance import fraction
from pipeline.errors import Halt
from pipeline.files import hash_file, is_remote
from pipeline.params import Model, Reference, Train, guide_shares
from pipeline.progress import Tick, quiet
from pipeline.shards.sums import WEIGHTS_FILE
from pipeline.systems import System, present
from pipeline.systems.layers import count_parameters
from pipeline.training.checkpoint import restore_checkpoint, run_identity, save_checkpoint
from pipeline.training.hardware import CPU, Hardware, Log, halt_on_full_memory, launch_fabric, log_nothing
from pipeline.training.learner import Learner, assemble
from pipeline.training.update import train_step

DECAY_POWER = 0.9  # of the polynomial decay
WARM_UP, FINAL_RATE = 0.05, 1e-3  # of the cosine decay: a share of all steps, and of the rate
STEPS_PER_READ = {"cpu": 1, "cuda": 20}  # how often to read the losses, which waits for the GPU
CHECKPOINT_SECONDS = 30.0  # seconds between two checkpoints; more where writing one takes long,
CHECKPOINT_SHARE = 0.02  # so that it takes at most this share of the time

Scalars = dict[str, float]  # losses and measures by name
Order = BatchOrder | StreamOrder


@dataclass(frozen=True)
class Session:
    """A run that is ready to train: its training and validation data, and its learner."""

    pairs: Pairs | PairStream
    held_out: Pairs
    learner: Learner
    loaders: int  # processes that load the samples of this rank

    def order(self, start: int) -> Order:
        train, fabric = self.learner.train, self.learner.fabric
        given = train.batch, train.seed, start, fabric.global_rank, fabric.world_size
        if isinstance(self.pairs, PairStream):
            return StreamOrder(self.pairs.shards, *given)
        return BatchOrder([entry.key for entry in self.pairs.entries], *given)

    def batches(self, order: Order) -> Iterator[dict]:
        """Load the part of every batch that is this rank's, without end."""
        return endless_batches(self.pairs, order, self.loaders, self.learner.fabric.device)

    def validation(self) -> SinglePass:
        """Load the part of the validation split that is this rank's."""
        fabric = self.learner.fabric
        rank, world = fabric.global_rank, fabric.world_size
        size = self.learner.train.batch // world
        return single_pass(self.held_out, size, self.loaders // 4, fabric.device, rank, world)


def open_session(data: Path, model: Model, train: Train, hardware: Hardware, say: Log) -> Session:
    """Open the packed dataset `data`, and set up the networks. Raise Halt if a run cannot begin."""
    pairs = open_training_split(data, model, train)
    held_out = Pairs(data, "val", model.sketch, pairs.columns, guide=pairs.guide)
    fabric = launch_fabric(hardware, train.precision)
    loaders = 0 if fabric.device.type == "cpu" else hardware.workers  # on a CPU they would slow the step
    return Session(pairs, held_out, assemble(model, train, fabric, hardware, say), loaders)


def open_training_split(data: Path, model: Model, train: Train) -> Pairs | PairStream:
    """Open the training split: a URL as a stream. Raise Halt if the network does not fit the pictures."""
    system = systems.system(model.system)
    shares, columns = trained_guides(system, train), system.columns
    if "guide" in columns and "reference" not in shares:
        columns = ("guide",)
    main_guide = max(shares, key=lambda guide: shares[guide])
    kind = PairStream if is_remote(data) else Pairs
    pairs = kind(data, "train", model.sketch, columns, guide=main_guide)
    pairs.policy = augmentation_policy(system, pairs, train)
    multiple = system.multiple(model)
    if pairs.side % multiple:
        reason = f"a side of {pairs.side} is no multiple of {multiple}, which {model.system} needs"
        raise Halt(f"{reason}: pack another side, or choose a smaller depth")
    if train.halve and pairs.side % (2 * multiple):
        reason = f"half a side of {pairs.side} is no multiple of {multiple}, which {model.system} needs"
        raise Halt(f"{reason}: set train.halve to 0, pack another side, or choose a smaller depth")
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
) -> Iterator[Scalars]:
    """Train on the packed dataset `data`, and yield a record every `train.validate` steps and after the last.

    `data` is a folder, or the path of a URL, from which the samples come in another order; see `stream`.

    A record holds the step, the mean of each weighted loss since the last record, and `val_psnr` (dB) and
    `val_l1` (of values in [-1, 1]). The checkpoint also keeps the weights of the best `val_psnr`. A killed
    run that starts again with the same `checkpoint` yields the old records first and goes on as if nothing
    had happened; a checkpoint of other data, parameters or code is ignored, and so is a damaged
    one. After each step `tick` gets the
    number of steps done and of all; `say` gets a sentence about a damaged checkpoint,
    and if a run must go on more slowly than was asked. Of
    several processes, only the first yields, ticks and writes. Raise Halt if a loss is not finite, if memory
    ends, or if the batch cannot be shared.
    """
    session = open_session(data, model, train, hardware, say)
    learner, fabric = session.learner, session.learner.fabric
    leads = fabric.is_global_zero
    steps = math.ceil(train.epochs * len(session.pairs) / train.batch) or train.steps
    if train.batch % (fabric.world_size * train.accumulate):
        reason = f"cannot be shared by {fabric.world_size} processes in {train.accumulate} parts"
        raise Halt(f"a batch of {train.batch} {reason}: choose a multiple of their product")

    # Resume a killed run.
    config = model_config(session, model)
    identity = run_identity(config)
    past = fabric.broadcast(restore_checkpoint(checkpoint, identity, say) if leads else {})
    start, records, sums, best = past["step"], past["records"], past["sums"], past["best"]
    if leads:
        yield from records
    if start == steps:
        return
    if start:
        for name, part in learner.parts.items():
            part.load_state_dict(past[name])

    order, validation = session.order(start), session.validation()
    losses, due_again = [], time.monotonic() + CHECKPOINT_SECONDS
    for step, batch in zip(range(start, steps), session.batches(order), strict=False):
        # Each step has its own seeds and learning rate, so that it does not matter where a run was killed.
        set_rates(learner, rate_share(train.decay, step / steps))
        batch = halve_batch(batch) if is_halved(train, step) else batch
        with halt_on_full_memory(train):
            losses.append(train_step(learner, batch, step))
        done = step + 1
        due = done % train.validate == 0 or done == steps

        # Add up the losses since the last record, but not at each step: reading them waits for the GPU.
        if read := due or done % STEPS_PER_READ[fabric.device.type] == 0:
            for number, values in enumerate(read_losses(learner, losses), done - len(losses)):
                check_finite(values, number, order)
                sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            losses = []
            share_statistics(learner)
        if due:
            record = make_record(learner, validation, done, sums)
            if record["val_psnr"] > max((each["val_psnr"] for each in records), default=-math.inf):
                state = learner.average.state_dict()
                best = {name: tensor.to("cpu", copy=True) for name, tensor in state.items()}
            records, sums = [*records, record], {}

        # Write a checkpoint from time to time, and at the end.
        now = time.monotonic()
        if leads and (done == steps or (read and now > due_again)):
            state = {name: part.state_dict() for name, part in learner.parts.items()}
            state |= {"identity": identity, "config": config}
            state |= {"step": done, "records": records, "sums": sums, "best": best}
            save_checkpoint(checkpoint, state)
            took = time.monotonic() - now
            due_again = now + took + max(CHECKPOINT_SECONDS, took / CHECKPOINT_SHARE)
        if leads:
            tick(done, steps)
        if leads and due:
            yield records[-1]
    fabric.barrier()  # no process leaves before the last checkpoint is written


def augmentation_policy(system: System, pairs: PackedSplit, train: Train) -> AugmentationPolicy:
    """Let each epoch bend references as the system was published, as the dataset's were, or not at all."""
    reference = system.reference if train.fresh == "published" else None
    if train.fresh == "dataset" and "reference" in system.columns:
        metadata = pairs.metadata["reference"]
        reference = Reference(**{name: metadata[name] for name in ("grid", "strength", "jitter", "order")})
    guides = tuple(trained_guides(system, train).items())
    return AugmentationPolicy(train.seed, reference, train.flip, train.drop, train.permute, guides)


def trained_guides(system: System, train: Train) -> dict[str, float]:
    """Return the share of each guide in training."""
    return guide_shares(train.guides) if len(system.guides) > 1 else {system.guides[0]: 1.0}


def model_config(session: Session, model: Model) -> dict:
    """Return the parameters of the model, and all that it is trained from."""
    pairs, train = session.pairs, session.learner.train
    networks = present(session.learner.plain)
    config = asdict(model) | {
        "dataset": pairs.fingerprint,
        "columns": pairs.metadata,
        "side": pairs.side,
        "parameters": {name: count_parameters(network) for name, network in networks.items()},
        "train": asdict(train),
        "start": hash_file(Path(train.start, WEIGHTS_FILE)) if train.start else "",
    }
    if isinstance(pairs, PairStream):
        config["streamed"] = True  # in another order
    return config


def is_halved(train: Train, step: int) -> bool:
    """Return whether the batches of all processes have half the side at a step."""
    return fraction(train.seed, "halve", str(step)) < train.halve


def set_rates(learner: Learner, share: float) -> None:
    for optimizer in present(learner.optimizers).values():
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def rate_share(decay: str, past: float) -> float:
    """Return the share of the learning rate after the share `past` of all steps.

    It is 1 throughout, or falls linearly to 0 over the second half, or is the 0.9th power of the share of the
    steps that are left, or rises to 1 over the first twentieth and falls as half a cosine to a thousandth.
    """
    if decay == "cosine":
        rest = (past - WARM_UP) / (1 - WARM_UP)
        return max(min(past / WARM_UP, (1 + math.cos(math.pi * max(rest, 0))) / 2), FINAL_RATE)
    if decay == "polynomial":
        return (1 - past) ** DECAY_POWER
    return min(1.0, 2 * (1 - past)) if decay == "linear" else 1.0


def make_record(learner: Learner, validation: SinglePass, done: int, sums: Scalars) -> Scalars:
    """Average the losses since the last record, of which `sums` are the sums, and validate."""
    since = (done - 1) % learner.train.validate + 1
    losses = {name: value / since for name, value in sums.items()}
    everyone = partial(gather_lists, learner)
    return {"step": done} | losses | validate(learner.average, learner.system, validation, everyone)


def read_losses(learner: Learner, losses: list[dict[str, Tensor]]) -> list[Scalars]:
    """Bring the losses of several steps to the host, averaged over the processes."""
    table = torch.stack([torch.stack(list(terms.values())) for terms in losses])
    rows = process_mean(learner, table).tolist()
    return [dict(zip(losses[0], row, strict=True)) for row in rows]


def check_finite(losses: Scalars, step: int, order: Order) -> None:
    """Raise Halt, naming the samples, if a loss of a step is not finite."""
    if broken := [name for name, value in losses.items() if not math.isfinite(value)]:
        keys = ", ".join(order.keys(step))
        raise Halt(f"{', '.join(broken)} at step {step + 1} is not finite on {keys}: lower lr")


def share_statistics(learner: Learner) -> None:
    """Average the running statistics of norms over the processes, each of which saw its own samples."""
    networks = dict.fromkeys(
        [*present(learner.plain).values(), learner.average]
    )  # each once, in the same order everywhere
    buffers = [each for network in networks for each in network.buffers() if each.is_floating_point()]
    if buffers and learner.fabric.world_size > 1:
        joined = torch.cat([buffer.flatten() for buffer in buffers])
        means = process_mean(learner, joined).split([each.numel() for each in buffers])
        for buffer, mean in zip(buffers, means, strict=True):
            buffer.copy_(mean.view_as(buffer))


def process_mean(learner: Learner, values: Tensor) -> Tensor:
    return learner.fabric.all_reduce(values, reduce_op="mean")  # type: ignore[return-value]


def gather_lists(learner: Learner, values: list[float]) -> list[float]:
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
) -> Scalars:
    """Measure the mean PSNR (at most 100 dB) and L1 of a generator, with BatchNorm and dropout as in use.

    Each process measures its own samples; `everyone` joins the numbers of all processes.
    """
    generator.eval()
    psnr: list[Tensor] = []
    l1: list[Tensor] = []
    for batch in held_out:
        difference = system.picture(generator(*system.inputs(batch)), batch) - system.target(batch)
        psnr += [10 * torch.log10(4 / difference.square().mean((1, 2, 3)).clamp_min(4e-10))]
        l1 += [difference.abs().mean((1, 2, 3))]
    generator.train()
    return {"val_psnr": mean(psnr, everyone), "val_l1": mean(l1, everyone)}


def mean(parts: list[Tensor], everyone: Callable[[list[float]], list[float]]) -> float:
    """Average the numbers of all processes; `parts` are those of this one, which may have none."""
    values = everyone(torch.cat(parts).tolist() if parts else [])
    return math.fsum(values) / len(values)
