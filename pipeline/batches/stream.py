"""Shards behind a URL -> samples in an order that can resume at any step, each once per epoch.

The plan needs the counts of the seal alone. Every place in a batch has its own stretch of an epoch: the
shards in an order drawn by the seed, laid end to end, are cut into as many stretches as a batch has places,
and each place reads its stretch forward. It does so window by window, and the samples of a window are
shuffled. A rank, and a process that loads, takes some of the places and reads only what these need. So
neither their number nor the number of the processes changes a batch.
"""

import io
from bisect import bisect
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Any

from torch.utils.data import IterableDataset, default_collate, get_worker_info

from pipeline.batches.dataset import PackedSplit
from pipeline.batches.remote import UPLOAD_ADVICE, RemoteFile, read_remote_samples
from pipeline.chance import digest
from pipeline.errors import Halt
from pipeline.shards.column import Shard
from pipeline.shards.tar import BLOCK, END_OF_TAR, Row, Sample, member_extent

TAR_READER = "webdataset.tariterators"  # of the extra `urls`; it imports torch
MEMORY = 1 << 29  # bytes of what waits in all places of a batch: the samples of one window, and another
COPIES = 4  # of a window in memory: a part of one, and of the next the answer, the tar and the members
LARGEST_WINDOW = 1 << 24  # bytes
THREADS = 4  # of a process, which wait for a store


class PairStream(PackedSplit):
    """The samples of one split behind a URL, to be read in the order of a `StreamOrder`."""

    def __init__(self, *given: Any, **options: Any):
        """Open the dataset; say it now if webdataset is missing."""
        import_module(TAR_READER)
        super().__init__(*given, **options)

    @property
    def members(self) -> set[str]:
        """The members of a sample that `load` needs, by suffix."""
        pictures = {f"{column}.png" for column in self.packed_columns}
        return pictures | {"json"} if "reference" in self.columns else pictures


@dataclass(frozen=True)
class Window:
    """Neighbors in a shard, as numbers of rows, in the order in which an epoch takes them."""

    epoch: int
    shard: Shard
    numbers: list[int]


ReadWindow = tuple[Window, dict[int, Sample]]  # and its samples by these numbers


@dataclass(frozen=True)
class StreamOrder:
    """The batches of an endless run from `step` on.

    Of `world` ranks, which must divide the batch, this one takes the `rank`-th of as many equal parts;
    `batch` counts the samples of all ranks together. An epoch ends within a batch as in `BatchOrder`.
    """

    shards: list[Shard]
    batch: int
    seed: int
    step: int
    rank: int = 0
    world: int = 1

    @property
    def places(self) -> range:
        """The places of this rank in every batch."""
        size = self.batch // self.world
        return range(self.rank * size, (self.rank + 1) * size)

    @property
    def window_bytes(self) -> int:
        return min(LARGEST_WINDOW, MEMORY // COPIES // self.batch)

    @property
    def samples(self) -> int:
        return sum(map(len, self.shards))

    def first_step(self, epoch: int, place: int) -> int:
        """Return the first step in which a place has a sample of an epoch."""
        return -((place - epoch * self.samples) // self.batch)

    def windows(self, place: int, step: int) -> Iterator[Window]:
        """Yield what a place takes from a step on, without end."""
        epoch = (step * self.batch + place) // self.samples
        past = step - self.first_step(epoch, place)
        while True:
            for window in self.epoch_windows(epoch, place):
                if past < len(window.numbers):
                    yield Window(epoch, window.shard, window.numbers[past:])
                past = max(0, past - len(window.numbers))
            epoch += 1

    def epoch_windows(self, epoch: int, place: int) -> Iterator[Window]:
        """Yield the windows of a place in an epoch."""
        places = range(place + 1)
        sizes = [self.first_step(epoch + 1, each) - self.first_step(epoch, each) for each in places]
        start = sum(sizes[:-1]) + digest(self.seed, "start", str(epoch)) % self.samples
        shards = sorted(self.shards, key=lambda shard: digest(self.seed, "shards", str(epoch), shard.name))
        ends, first, last = list(accumulate(map(len, shards))), start, start + sizes[-1]
        while first < last:
            turn, position = divmod(first, self.samples)  # the stretches begin again at the first shard
            found = bisect(ends, position)
            shard, end = shards[found], turn * self.samples + ends[found]
            row = first - end + len(shard)
            size = max(1, self.window_bytes * shard.samples // shard.bytes)
            stop = min((row // size + 1) * size, len(shard), row + last - first)
            yield Window(epoch, shard, self.shuffle(epoch, shard, range(row, stop)))
            first += stop - row

    def shuffle(self, epoch: int, shard: Shard, numbers: range) -> list[int]:
        return sorted(numbers, key=lambda row: digest(self.seed, "order", str(epoch), shard.name, str(row)))

    def keys(self, step: int) -> list[str]:
        """List the keys of all ranks at a step."""
        found = (next(self.windows(place, step)) for place in range(self.batch))
        return [window.shard.rows[window.numbers[0]].key for window in found]


class PartReader(IterableDataset):
    """The part of every batch of a rank that one of its loading processes makes, collated."""

    def __init__(self, pairs: PairStream, order: StreamOrder):
        self.pairs, self.order = pairs, order

    def __iter__(self) -> Iterator[dict]:
        info = get_worker_info()
        part, parts = (info.id, info.num_workers) if info else (0, 1)
        places = self.order.places
        own = places[len(places) * part // parts : len(places) * (part + 1) // parts]
        with ThreadPoolExecutor(THREADS) as threads:
            reads = [read_windows(self.order, place, self.pairs.members) for place in own]
            started = [threads.submit(next, read) for read in reads]
            stretches = [take_samples(*each, threads) for each in zip(reads, started, strict=True)]
            while True:
                drawn = map(next, stretches)
                yield default_collate([self.pairs.load(sample, epoch) for epoch, sample in drawn])


def take_samples(
    read: Iterator[ReadWindow], coming: Future[ReadWindow], threads: Executor
) -> Iterator[tuple[int, Sample]]:
    """Yield samples with their epochs, in the order of each window, while a thread reads the next window."""
    while True:
        window, samples = coming.result()
        coming = threads.submit(next, read)
        for number in window.numbers:
            yield window.epoch, samples.pop(number)


def read_windows(order: StreamOrder, place: int, members: Collection[str]) -> Iterator[ReadWindow]:
    """Read what a place takes from the order's step on, and nothing earlier."""
    for shard, windows in groupby(order.windows(place, order.step), attrgetter("shard")):
        rows = cached_rows(shard)
        with closing(RemoteFile(shard.path)) as file:
            for window in windows:
                needed = sorted(window.numbers)
                samples = stream_rows(file, [rows[number] for number in needed], members)
                yield window, dict(zip(needed, samples, strict=True))


@lru_cache(maxsize=16)
def cached_rows(shard: Shard) -> tuple[Row, ...]:
    """Read the rows of a shard, which several places of a batch may need."""
    return shard.rows


def stream_rows(file: RemoteFile, rows: Sequence[Row], members: Collection[str]) -> Iterator[Sample]:
    """Yield samples of a shard in the order of the shard, with these members alone.

    Raise Halt if one differs from its row: only bytes that were compared with the index reach webdataset,
    which would take a shard that is cut off for a whole one.
    """
    reader = import_module(TAR_READER)
    parts = [part for each in read_remote_samples(file, rows) for part in cut_members(*each, members)]
    source = [{"url": str(file.path), "stream": io.BytesIO(b"".join([*parts, END_OF_TAR]))}]
    files = reader.tar_file_expander(source)
    for row, found in zip(rows, reader.group_by_keys(files), strict=True):
        if (key := found["__key__"]) != row.key:
            raise Halt(f"{file.path} holds {key} where its index says {row.key}: {UPLOAD_ADVICE}")
        yield Sample(key, {name: found[name] for name in row.sizes if name in found})


def cut_members(row: Row, data: memoryview, members: Collection[str]) -> Iterator[memoryview]:
    """Yield these members of a sample as they lie in its shard, each with its header and padding."""
    for name, (offset, size) in row.places.items():
        if name in members:
            start = offset - BLOCK - row.offset
            yield data[start : start + member_extent(size)]
