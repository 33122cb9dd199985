"""Packed shards: the memo gives those that it has, and the others are made from its samples and the columns.

A packed sample is decided by the rows of its key in all columns, by its group and by its split. So a shard is
made again only if one of its samples has come, gone or changed, and then most of it is copied.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.codehash import code_hashes
from pipeline.files import dumps, is_remote, link_or_copy, open_for_reading
from pipeline.packing.columns import align_rows, join_samples
from pipeline.packing.layout import Layout
from pipeline.run.memo import MadeShard, Memo, persist
from pipeline.shards import tar
from pipeline.shards.column import Shard
from pipeline.shards.tar import Row
from pipeline.shards.writer import finished_shard

AT_ONCE = 32  # shards that are written while the columns are read once

Shards = tuple[Shard, ...]  # of equal name, one for each column
Home = tuple[Path, Row]  # a shard of the memo, and a sample in it


@dataclass(frozen=True)
class Unpacked:
    """The samples to pack (N): their columns, the shards of these by name, keys, groups and splits.

    `contents` are hashes of their rows in all columns.
    """

    columns: Mapping[str, Path]
    shards: Sequence[Shards]
    keys: Sequence[str]
    contents: Sequence[bytes]
    groups: Sequence[str]
    splits: Sequence[str]

    def rows(self, numbers: np.ndarray) -> tuple[Row, ...]:
        """Return a row that stands for each of the packed samples with these numbers (n,)."""
        return tuple(Row(self.keys[number], 0, self.digest(number), {}) for number in numbers.tolist())

    def digest(self, number: int) -> str:
        """Return a hash of all that decides a packed sample."""
        names = f"{self.groups[number]}\0{self.splits[number]}\0".encode()
        return hashlib.sha256(names + self.contents[number]).hexdigest()


@dataclass(frozen=True)
class PlannedShard:
    """A shard to pack: its name, the numbers of its samples (n,), and a hash of all that decides them."""

    name: str
    numbers: np.ndarray
    sha256: str


@dataclass(frozen=True)
class Assembler:
    """Packs samples into the folder `dest`, by a cache if there is one."""

    unpacked: Unpacked
    dest: Path
    cache: Path | None

    @cached_property
    def memo(self) -> Memo | None:
        code = [list(self.unpacked.columns), code_hashes("pipeline.packing.columns")]
        fingerprint = hashlib.sha256(dumps(code)).hexdigest()
        return Memo(self.cache / "steps", fingerprint) if self.cache else None

    def pack(self, layout: Layout) -> Iterator[tuple[Shard, Shard]]:
        """Write the shards of a layout, and yield each: in `dest`, and where it was made, which is near."""
        order = np.argsort(layout.positions, kind="stable")
        ends = np.bincount(layout.positions).cumsum()
        members = np.split(order, ends[:-1])
        for start in range(0, len(members), AT_ONCE):
            planned = [
                self.plan(name, numbers)
                for name, numbers in zip(layout.names[start:], members[start : start + AT_ONCE], strict=False)
            ]
            made = self.make([shard for shard in planned if not (self.memo and self.memo.has_note(shard))])
            for shard in planned:
                yield persist(partial(self.place, shard, made))

    def plan(self, name: str, numbers: np.ndarray) -> PlannedShard:
        digests = "".join(map(self.unpacked.digest, numbers.tolist()))
        return PlannedShard(name, numbers, hashlib.sha256(digests.encode()).hexdigest())

    def place(self, planned: PlannedShard, made: dict[str, Shard]) -> tuple[Shard, Shard]:
        """Return a shard in `dest`, and where it is near; it is taken from `made`, or the memo has it."""
        name = planned.name
        found = made.pop(name, None) or self.recall(planned) or self.make([planned])[name]
        path = self.dest / name
        if found.path != path:
            link_or_copy(found.path, path)
        placed = replace(found, path=path)
        return placed, found if is_remote(path) else placed

    def recall(self, planned: PlannedShard) -> Shard | None:
        found = self.memo and self.memo.recall_shard(planned)
        return found.shard if found else None

    def make(self, planned: Sequence[PlannedShard]) -> dict[str, Shard]:
        """Make shards in one reading of the columns, and remember them."""
        if not planned:
            return {}
        target = np.full(len(self.unpacked.keys), -1)  # the position of each sample's shard
        homes: dict[str, Home] = {}
        for position, shard in enumerate(planned):
            target[shard.numbers] = position
            homes |= self.memo.locate_samples(self.unpacked.rows(shard.numbers)) if self.memo else {}
        paths = [self.memo.path(shard) if self.memo else self.dest / shard.name for shard in planned]
        with ExitStack() as stack:
            writers = [stack.enter_context(tar.open_writer(path)) for path in paths]
            known = MemoReader(homes, stack)
            first = 0
            for shards in self.unpacked.shards:
                places = np.flatnonzero(target[first : first + len(shards[0])] >= 0)
                wanted = {place: writers[target[first + place]] for place in places.tolist()}
                self.write_samples(shards, first, wanted, known)
                first += len(shards[0])
        made = {}
        for shard, path, writer in zip(planned, paths, writers, strict=True):
            made[shard.name] = finished_shard(path, writer)
            if self.memo:
                rows = self.unpacked.rows(shard.numbers)
                self.memo.keep(shard, rows, MadeShard(made[shard.name], {}, []))
        return made

    def write_samples(
        self, shards: Shards, first: int, wanted: Mapping[int, tar.Writer], known: "MemoReader"
    ) -> None:
        """Write samples of the shards of one name, whose first is the sample `first`, each to its writer."""
        unpacked = self.unpacked
        rows: list[tuple[Row, ...]] = []
        files: list[BinaryIO] = []
        with ExitStack() as stack:
            for place, writer in wanted.items():
                number = first + place
                if found := known.read(unpacked.keys[number]):
                    writer.copy(*found)
                    continue
                rows = rows or list(align_rows(shards))
                files = files or [stack.enter_context(open_for_reading(shard.path)) for shard in shards]
                samples = tuple(
                    tar.parse_sample(tar.read_sample(file, row, shard.path), row, shard.path)
                    for file, row, shard in zip(files, rows[place], shards, strict=True)
                )
                names = {"group": unpacked.groups[number], "split": unpacked.splits[number]}
                writer.add(join_samples(unpacked.columns, samples, names))


@dataclass(frozen=True)
class MemoReader:
    """Reads samples of the memo; its files stay open as long as the stack."""

    homes: Mapping[str, Home]
    stack: ExitStack
    files: dict[Path, BinaryIO] = field(default_factory=dict)

    def read(self, key: str) -> tuple[bytes, Row] | None:
        """Return the bytes of a sample and their row; None if the memo has none, or damaged ones."""
        if key not in self.homes:
            return None
        path, row = self.homes[key]
        if path not in self.files:
            self.files[path] = self.stack.enter_context(path.open("rb"))
        data = tar.read_if_intact(self.files[path], row)
        return (data, row) if data else None
