"""Columns -> the packed dataset: shards by split, which any WebDataset reader opens. Bytes are copied."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.errors import Halt
from pipeline.files import dumps, remove_folder, write
from pipeline.operators.hashes import NO_HASH
from pipeline.packing import groups
from pipeline.packing.card import dataset_card
from pipeline.packing.census import Census
from pipeline.packing.groups import LinkKeys
from pipeline.packing.split import SPLITS, assign_split
from pipeline.params import Pack
from pipeline.progress import Tick, quiet
from pipeline.shards import tar
from pipeline.shards.column import (
    CARD_FILE,
    ColumnWriter,
    Shard,
    check_destination,
    finished_shard,
    list_shards,
    open_column,
    read_seal,
)
from pipeline.shards.metadata import Metadata
from pipeline.shards.tar import Sample, Writer


def pack_columns(
    columns: dict[str, Path],
    dest: Path,
    params: Pack,
    *,
    history: Mapping[str, dict] = MappingProxyType({}),
    settings: Mapping[str, dict] = MappingProxyType({}),
    tick: Tick = quiet,
) -> dict:
    """Join columns into shards `dest`/SPLIT-NNNNNN.tar, write the card, and return the counts.

    `columns` maps names to folders; the first is the color column, whose metadata link samples to groups. A
    group is never split. `history` are the metrics of search and fetch, and `settings` the sections of
    params.yaml, both for the card. Raise Halt if the columns do not have the same samples.
    """
    rows = align_shards(columns)
    for column in columns.values():
        check_destination(column, dest)
    looks = [links_of(row.key, metadata) for shard, *_ in rows for row, metadata in shard.read_metadata()]
    found = groups.find_links(looks, params.near)
    names = groups.name_groups(looks, found)
    splits = [assign_split(name, params) for name in names]
    counts = Counter(splits)
    if not counts["train"]:
        raise Halt(f"none of {len(looks)} samples falls to the training split: search for more")
    limit = math.ceil(counts["train"] / shards_needed(rows, counts, params))
    census = Census()
    with open_column(dest) as made, ExitStack() as stack:
        outputs = {name: stack.enter_context(SplitWriter(made, name, limit)) for name in SPLITS}
        assigned = zip(names, splits, strict=True)
        for row in rows:
            for sample, facts in join_samples(columns, row, assigned):
                outputs[facts["split"]].add(sample)
                census.add(facts, facts["split"], sample.members)
            tick(len(census), len(looks))
    metrics = {name: counts[name] for name in SPLITS} | {
        "shards": len(made.entries),
        "groups": len(set(names)),
        "largest": max(Counter(names).values()),
        "linked": groups.count_links(found),
        "torn": groups.count_torn(found, np.array([assign_split(look.id, params) for look in looks])),
        "leaks": groups.count_torn(found, np.array(splits)),
    }
    steps = {stage_of(name): read_seal(path) for name, path in columns.items()}
    write(dest / CARD_FILE, dataset_card(census, {**history, **steps, "pack": metrics}, settings).encode())
    made.seal(len(looks), {})
    return metrics


def stage_of(column: str) -> str:
    """Return the name of the stage that makes a column."""
    return "clean" if column == "color" else column.replace("sketch-", "sketchify-")


def links_of(key: str, metadata: Metadata) -> LinkKeys:
    """Return the properties that link a sample to others, from the metadata of its color column."""
    return LinkKeys(
        id=str(metadata.get("id", key)),
        family=str(metadata["family"]),
        pixels=metadata.get("pixel_hash") or metadata.get("pixels", ""),
        colors=bytes.fromhex(metadata["colors"]) if "colors" in metadata else NO_HASH,
        lines=bytes.fromhex(metadata["lines"]) if "lines" in metadata else NO_HASH,
    )


def keep_columns(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the columns `names` in `folder` and remove all others, but only if each of `names` is whole."""
    columns = [folder / name for name in sorted(names)]
    for column in columns:
        list_shards(column)
    for stale in {path for path in folder.iterdir() if path.is_dir()} - set(columns):
        remove_folder(stale)
    return columns


class SplitWriter:
    """A writer of the shards of one split, at most `limit` samples each."""

    def __init__(self, column: ColumnWriter, name: str, limit: int):
        """Write shards NAME-NNNNNN.tar and add them to a column."""
        self.column, self.name, self.limit = column, name, limit
        self.count, self.stack = 0, ExitStack()

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the last shard; after an error, remove it."""
        self.stack.__exit__(*error)

    def add(self, sample: Sample) -> None:
        """Write a sample; start a new shard if the current one is full."""
        if self.count % self.limit == 0:
            self.stack.close()
            self.shard = self.stack.enter_context(self.open())
        self.shard.add(sample)
        self.count += 1

    @contextmanager
    def open(self) -> Iterator[Writer]:
        """Open the next shard; once it is finished, add it to the column."""
        path = self.column.path / f"{self.name}-{self.count // self.limit:06d}.tar"
        with tar.open_writer(path) as shard:
            yield shard
        self.column.add(finished_shard(path, shard))


def align_shards(columns: dict[str, Path]) -> list[tuple[Shard, ...]]:
    """Return the shards of equal number of all columns, row by row. Raise Halt if their names differ."""
    for name in columns:
        if not re.fullmatch("[a-z0-9-]+", name):
            raise Halt(
                f"a column must be named in lower case letters, digits and hyphens, got {name!r}: rename it"
            )
    rows = list(zip_longest(*map(list_shards, columns.values())))
    for row in rows:
        if None in row or len({shard.name for shard in row}) > 1:
            raise Halt(
                f"the columns {', '.join(columns)} do not hold the same shards: run their stages again"
            )
    return rows


def shards_needed(rows: list[tuple[Shard, ...]], counts: Counter, params: Pack) -> int:
    """Return the number of training shards: enough for loaders to share, none larger than `megabytes`."""
    size = sum(shard.bytes for row in rows for shard in row) * counts["train"] / counts.total()
    return max(params.shards, math.ceil(size / (params.megabytes * 10**6)))


def join_samples(
    columns: dict[str, Path], row: tuple[Shard, ...], assigned: Iterator[tuple[str, str]]
) -> Iterator[tuple[Sample, dict]]:
    """Yield the joined samples of a row of shards with their metadata; `assigned` yields group and split."""
    for cells in zip_longest(*row):
        if None in cells or len({cell.key for cell in cells}) > 1:
            raise Halt(
                f"{' and '.join(str(shard.path) for shard in row)} hold other samples: run their stages again"
            )
        group, name = next(assigned)
        facts = cells[0].metadata | {"group": group, "split": name}
        facts |= {
            column: cell.metadata for column, cell in zip(columns, cells, strict=True) if cell is not cells[0]
        }
        members = {f"{column}.png": cell.picture for column, cell in zip(columns, cells, strict=True)}
        yield Sample(cells[0].key, members | {"json": dumps(facts)}), facts
