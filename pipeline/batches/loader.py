"""Samples -> batches on the device: every sample once per epoch, in an order that can resume at any step.

The epochs form one stream of samples, and each batch takes the next of them: it may hold the end of one epoch
and the beginning of the next. Each of several ranks takes its own part of every batch.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline.batches.augment import prepare_batch
from pipeline.batches.dataset import PackedSplit, Pairs
from pipeline.batches.stream import PairStream, PartReader, StreamOrder
from pipeline.chance import digest
from pipeline.errors import Halt
from pipeline.memory import keep_freed_memory

PREFETCH = 2  # batches that each process prefetches


class BatchOrder:
    """The batches of an endless run from `step` on, as lists of (epoch, number of the sample).

    Of `world` ranks, which must divide the batch, this one takes the `rank`-th of as many equal parts.
    """

    def __init__(self, keys: list[str], batch: int, seed: int, step: int, rank: int = 0, world: int = 1):
        """Order the samples of these keys; `batch` counts those of all ranks together."""
        self.names, self.samples, self.batch, self.step = keys, len(keys), batch, step
        self.rank, self.world = rank, world
        # Two epochs stay, since a batch may reach into the next.
        self.shuffled = lru_cache(maxsize=2)(partial(shuffle_epoch, keys, seed))

    def at(self, step: int) -> list[tuple[int, int]]:
        """List the samples of all ranks at a step, as (epoch, number)."""
        first = step * self.batch
        places = (divmod(place, self.samples) for place in range(first, first + self.batch))
        return [(epoch, self.shuffled(epoch)[place]) for epoch, place in places]

    def keys(self, step: int) -> list[str]:
        """List the keys of all ranks at a step."""
        return [self.names[number] for _, number in self.at(step)]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        size = self.batch // self.world
        for step in count(self.step):
            yield self.at(step)[self.rank * size : (self.rank + 1) * size]


def shuffle_epoch(keys: list[str], seed: int, epoch: int) -> list[int]:
    """Order the numbers of the samples by a hash of seed, epoch and key."""
    return sorted(range(len(keys)), key=lambda number: digest(seed, "order", str(epoch), keys[number]))


def endless_batches(
    pairs: PackedSplit, order: BatchOrder | StreamOrder, workers: int, device: torch.device | str = "cpu"
) -> Iterator[dict]:
    """Yield prepared batches without end, in the given order; they are equal for any number of workers.

    Raise Halt if there are fewer samples than fill a batch.
    """
    if len(pairs) < order.batch:
        advice = "lower batch, or pack more"
        raise Halt(f"{len(pairs)} training samples do not fill a batch of {order.batch}: {advice}")
    if isinstance(order, StreamOrder):
        parts = min(workers, len(order.places))
        reader = PartReader(cast(PairStream, pairs), order)
        loader = DataLoader(reader, batch_size=None, **loader_options(parts, device))
        yield from prepare_ahead(loader, device, parts or 1)
        return
    loader = DataLoader(cast(Pairs, pairs), batch_sampler=order, **loader_options(workers, device))
    yield from prepare_ahead(loader, device)


class SinglePass:
    """The prepared batches of a loader, all of them each time it is iterated."""

    def __init__(self, loader: DataLoader, device: torch.device | str):
        self.loader, self.device = loader, device

    def __iter__(self) -> Iterator[dict]:
        return prepare_ahead(self.loader, self.device)


def single_pass(
    samples: Dataset,
    batch: int,
    workers: int,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
) -> SinglePass:
    """Load the `rank`-th of `world` equal parts of the samples, in the order of the shards.

    The last batch may be smaller. The worker processes stay from one pass to the next.
    """
    count = len(samples)  # type: ignore[arg-type]  # ours have a length
    own = range(count * rank // world, count * (rank + 1) // world)
    return SinglePass(DataLoader(samples, batch, sampler=own, **loader_options(workers, device)), device)


def loader_options(workers: int, device: torch.device | str) -> dict:
    """Return the options of a DataLoader; it does not fork, which hangs after threads have run."""
    # With its own generator, the loader draws no random numbers from that of training.
    options = {"num_workers": workers, "generator": torch.Generator()}
    if workers:
        options |= {"multiprocessing_context": "spawn", "persistent_workers": True}
        options |= {"prefetch_factor": PREFETCH, "worker_init_fn": start_loader}
    return options | {"pin_memory": torch.device(device).type == "cuda"}


def start_loader(worker: int) -> None:
    keep_freed_memory()


def prepare_ahead(loader: DataLoader, device: torch.device | str, parts: int = 1) -> Iterator[dict]:
    """Prepare the batches of a loader, each of which comes in so many parts.

    A GPU does so in a second stream, while the first computes.
    """
    device = torch.device(device)
    side = torch.cuda.Stream(device) if device.type == "cuda" else None
    for raw in zip(*[watch_loader(loader)] * parts, strict=False):
        with torch.cuda.stream(side):  # None changes nothing
            batch = prepare_batch(join_parts(raw, device), device)
        if side:
            synchronize_stream(batch, side)
        yield batch


def join_parts(parts: Sequence[dict], device: torch.device) -> dict:
    """Join the parts of a batch, on the device."""
    if len(parts) == 1:
        return parts[0]
    joined: dict = {"key": [key for part in parts for key in part["key"]]}
    for name in parts[0].keys() - {"key"}:
        joined[name] = torch.cat([part[name].to(device, non_blocking=True) for part in parts])
    return joined


def watch_loader(loader: DataLoader) -> Iterator[dict]:
    """Yield the batches of a loader. Raise Halt if one of its processes was killed, or itself raised Halt."""
    try:
        yield from loader
    except Halt as error:  # torch puts the traceback of the process before its sentence
        raise Halt(str(error).rpartition(f"{Halt.__module__}.{Halt.__name__}: ")[2].strip()) from error
    except RuntimeError as error:
        signs = ("exited unexpectedly", "is killed by signal", "shared memory")
        if not any(sign in str(error) for sign in signs):
            raise
        reason = "as where memory or /dev/shm ends"
        raise Halt(f"a process that loads samples was killed, {reason}: use fewer --workers") from error


def synchronize_stream(batch: dict, side: torch.cuda.Stream) -> None:
    """Let the current stream of the GPU wait for a batch, and keep its memory until that has used it."""
    now = torch.cuda.current_stream(side.device)
    now.wait_stream(side)
    for values in batch.values():
        if isinstance(values, Tensor):
            values.record_stream(now)
