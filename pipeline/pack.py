"""Columns -> shards by split, which any WebDataset reader opens. Bytes are copied, nothing is encoded."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline import Halt, groups, samples, tars
from pipeline.card import card
from pipeline.census import Census
from pipeline.files import dumps, remove, write
from pipeline.groups import Look
from pipeline.looks import NOTHING
from pipeline.params import Pack
from pipeline.samples import Column, Shard
from pipeline.split import SPLITS, split
from pipeline.tars import Sample, Writer


def pack(
    columns: dict[str, Path],
    dest: Path,
    params: Pack,
    *,
    history: Mapping[str, dict] = MappingProxyType({}),
    settings: Mapping[str, dict] = MappingProxyType({}),
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> dict:
    """Join columns into `dest`/SPLIT-NNNNNN.tar and return the counts.

    `columns` maps a name to its folder; the first is the color column, whose facts tell what links samples to
    groups, which are never split. A card is written too: `history` are the metrics of search and fetch, and
    `settings` the sections of params.yaml, for it to tell. Raise Halt if the columns do not hold the same
    samples.
    """
    rows = aligned(columns)
    for column in columns.values():
        samples.keep_apart(column, dest)
    seen = [look(row.key, facts) for shard, *_ in rows for row, facts in shard.facts()]
    found = groups.links(seen, params.near)
    names = groups.group(seen, found)
    splits = [split(name, params) for name in names]
    counts = Counter(splits)
    if not counts["train"]:
        raise Halt(f"none of {len(seen)} samples falls to the training split: search for more")
    limit = math.ceil(counts["train"] / shards_needed(rows, counts, params))
    census = Census()
    with samples.making(dest) as made, ExitStack() as stack:
        outputs = {name: stack.enter_context(Output(made, name, limit)) for name in SPLITS}
        told = zip(names, splits, strict=True)
        for row in rows:
            for sample, facts in joined(columns, row, told):
                outputs[facts["split"]].add(sample)
                census.add(facts, facts["split"], sample.members)
            tick(sum(output.count for output in outputs.values()), len(seen))
    alone = np.array([split(each.id, params) for each in seen])
    metrics = {name: counts[name] for name in SPLITS} | {
        "shards": len(made.entries),
        "groups": len(set(names)),
        "largest": max(Counter(names).values()),
        "linked": groups.count(found),
        "torn": groups.torn(found, alone),
        "leaks": groups.torn(found, np.array(splits)),
    }
    steps = {stage(name): samples.read_seal(path) for name, path in columns.items()}
    write(dest / samples.CARD, card(census, {**history, **steps, "pack": metrics}, settings).encode())
    made.seal(len(seen), {})
    return metrics


def stage(column: str) -> str:
    """Name the stage that makes a column."""
    return "clean" if column == "color" else column.replace("sketch-", "sketchify-")


def look(key: str, facts: dict) -> Look:
    """Read what links a sample from the facts of its color column."""
    return Look(
        id=str(facts.get("id", key)),
        family=str(facts["family"]),
        pixels=facts.get("pixel_hash") or facts.get("pixels", ""),
        colors=bytes.fromhex(facts["colors"]) if "colors" in facts else NOTHING,
        lines=bytes.fromhex(facts["lines"]) if "lines" in facts else NOTHING,
    )


def current(folder: Path, names: Iterable[str]) -> list[Path]:
    """List the columns `names` in `folder`, and remove the others; nothing, if one of them is not whole."""
    columns = [folder / name for name in sorted(names)]
    for column in columns:
        samples.shards(column)
    for stale in {path for path in folder.iterdir() if path.is_dir()} - set(columns):
        remove(stale)
    return columns


class Output:
    """The shards of one split: each takes `limit` samples, one is open at a time."""

    def __init__(self, column: Column, name: str, limit: int):
        """Write NAME-NNNNNN.tar, to be added to a column."""
        self.column, self.name, self.limit = column, name, limit
        self.count, self.stack = 0, ExitStack()

    def __enter__(self) -> "Output":
        """Begin with no shard."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the last shard, or leave nothing of it after an error."""
        self.stack.__exit__(*error)

    def add(self, sample: Sample) -> None:
        """Write a sample, to the next shard if this one is full."""
        if self.count % self.limit == 0:
            self.stack.close()
            self.shard = self.stack.enter_context(self.open())
        self.shard.add(sample)
        self.count += 1

    @contextmanager
    def open(self) -> Iterator[Writer]:
        """Open the next shard; once whole, it joins the column."""
        path = self.column.path / f"{self.name}-{self.count // self.limit:06d}.tar"
        with tars.writing(path) as shard:
            yield shard
        self.column.add(samples.finished(path, shard))


def aligned(columns: dict[str, Path]) -> list[tuple[Shard, ...]]:
    """List the shards of all columns side by side. Raise Halt if their names differ."""
    for name in columns:
        if not re.fullmatch("[a-z0-9-]+", name):
            raise Halt(
                f"a column must be named in lower case letters, digits and hyphens, got {name!r}: rename it"
            )
    rows = list(zip_longest(*map(samples.shards, columns.values())))
    for row in rows:
        if None in row or len({shard.name for shard in row}) > 1:
            raise Halt(
                f"the columns {', '.join(columns)} do not hold the same shards: run their stages again"
            )
    return rows


def shards_needed(rows: list[tuple[Shard, ...]], counts: Counter, params: Pack) -> int:
    """Count the training shards: enough for loaders to share, and none larger than asked for."""
    size = sum(shard.bytes for row in rows for shard in row) * counts["train"] / counts.total()
    return max(params.shards, math.ceil(size / (params.megabytes * 10**6)))


def joined(
    columns: dict[str, Path], row: tuple[Shard, ...], told: Iterator[tuple[str, str]]
) -> Iterator[tuple[Sample, dict]]:
    """Yield the samples of a row of shards, each with its facts; `told` are their groups and splits."""
    for cells in zip_longest(*row):
        if None in cells or len({cell.key for cell in cells}) > 1:
            raise Halt(
                f"{' and '.join(str(shard.path) for shard in row)} hold other samples: run their stages again"
            )
        group, name = next(told)
        facts = cells[0].facts | {"group": group, "split": name}
        facts |= {
            column: cell.facts for column, cell in zip(columns, cells, strict=True) if cell is not cells[0]
        }
        members = {f"{column}.png": cell.picture for column, cell in zip(columns, cells, strict=True)}
        yield Sample(cells[0].key, members | {"json": dumps(facts)}), facts
