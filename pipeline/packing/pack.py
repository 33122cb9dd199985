"""Columns -> the packed dataset: shards by split, which any WebDataset reader opens. Bytes are copied."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.errors import Halt
from pipeline.files import dumps, hash_file, lock_folder, write, write_json
from pipeline.operators.hashes import NO_HASH
from pipeline.packing.card import dataset_card
from pipeline.packing.census import Census
from pipeline.packing.columns import align_samples, align_shards, check_columns, join_metadata, stage_of
from pipeline.packing.croissant import croissant
from pipeline.packing.groups import LinkKeys, count_links, count_torn, find_links, name_groups
from pipeline.packing.split import SPLITS, assign_split
from pipeline.packing.table import ScoreTable
from pipeline.params import Pack
from pipeline.progress import Tick, quiet
from pipeline.shards import tar
from pipeline.shards.column import CARD_FILE, INDEX, SEAL, Shard, check_destination, read_seal
from pipeline.shards.metadata import Metadata
from pipeline.shards.sums import CROISSANT_FILE, SCORES_FILE, SUMS_FILE, write_sums
from pipeline.shards.tar import Sample, Writer
from pipeline.shards.writer import ColumnWriter, finished_shard, open_column


def pack_columns(
    columns: dict[str, Path],
    dest: Path,
    params: Pack,
    *,
    history: Mapping[str, dict] = MappingProxyType({}),
    settings: Mapping[str, dict] = MappingProxyType({}),
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Join columns into shards `dest`/SPLIT-NNNNNN.tar, write the card, and return the counts.

    `columns` maps names to folders; the first is the color column, whose metadata link samples to groups. A
    group is never split. `history` are the counts of search and fetch, and `settings` the sections of
    params.yaml, both for the card. Raise Halt if a column is missing or not of the stage that its name says,
    if the columns do not have the same samples, or if none of these falls to the training split.
    """
    check_columns(columns)
    rows = align_shards(columns)
    for column in columns.values():
        check_destination(column, dest)
    keys = [link_keys(row.key, metadata) for color, *_ in rows for row, metadata in color.read_families()]
    links = find_links(keys, params.near)
    groups = name_groups(keys, links)
    splits = [assign_split(group, params) for group in groups]
    counts = Counter(splits)
    limit = samples_per_shard(rows, counts, params)

    census, table = Census(), ScoreTable()
    with lock_folder(dest):
        (dest / SUMS_FILE).unlink(missing_ok=True)  # until all files are new
        with open_column(dest) as packed, ExitStack() as stack:
            writers = {split: stack.enter_context(SplitWriter(packed, split, limit)) for split in SPLITS}
            for samples, group, split in zip(align_samples(rows), groups, splits, strict=True):
                metadata = join_metadata(columns, samples) | {"group": group, "split": split}
                names = [f"{name}.png" for name in columns]
                pictures = {name: sample.picture for name, sample in zip(names, samples, strict=True)}
                writers[split].add(Sample(samples[0].key, pictures | {"json": dumps(metadata)}))
                census.add(metadata, split, [*names, "json"])
                table.add(samples[0].key, metadata)
                tick(len(census), len(keys))

        metrics = {split: counts[split] for split in SPLITS} | {
            "shards": len(packed.entries),
            "groups": len(set(groups)),
            "largest": max(Counter(groups).values()),
            "linked": count_links(links),
            "torn": count_torn(links, np.array([assign_split(key.id, params) for key in keys])),
            "leaks": count_torn(links, np.array(splits)),
        }
        stages = {stage_of(name): dict(read_seal(path)) for name, path in columns.items()}
        card = dataset_card(census, {**history, **stages, "pack": metrics}, settings)
        write(dest / CARD_FILE, card.encode())
        sums = write_descriptions(packed, census, table, settings)
        packed.seal(len(census), {})
        write_sums(dest, sums | {SEAL: hash_file(dest / SEAL)})
    return metrics


def write_descriptions(
    packed: ColumnWriter, census: Census, table: ScoreTable, settings: Mapping[str, dict]
) -> dict[str, str]:
    """Write the table of scores and croissant.json; return the SHA-256 of all files but the seal, by name."""
    rows, scores = table.to_parquet()
    write(packed.path / SCORES_FILE, rows)
    sums = {name: entry["sha256"] for name, entry in packed.entries.items()}
    sums[SCORES_FILE] = hashlib.sha256(rows).hexdigest()
    write_json(packed.path / CROISSANT_FILE, croissant(census, settings, sums, scores))
    return sums | {CROISSANT_FILE: hash_file(packed.path / CROISSANT_FILE), INDEX: packed.digest.hexdigest()}


def link_keys(key: str, metadata: Metadata) -> LinkKeys:
    return LinkKeys(
        id=str(metadata.get("id", key)),
        family=str(metadata["family"]),
        pixels=metadata.get("pixel_hash") or metadata.get("pixels", ""),
        colors=bytes.fromhex(metadata["colors"]) if "colors" in metadata else NO_HASH,
        lines=bytes.fromhex(metadata["lines"]) if "lines" in metadata else NO_HASH,
    )


def samples_per_shard(rows: list[tuple[Shard, ...]], counts: Counter[str], params: Pack) -> int:
    """Return the largest number of samples in a shard.

    There are at least `params.shards` training shards, for loaders to share, and none is much larger than
    `params.megabytes`. Raise Halt if there are no training samples.
    """
    if not counts["train"]:
        raise Halt(f"none of {counts.total()} samples falls to the training split: search for more")
    size = sum(shard.bytes for row in rows for shard in row) * counts["train"] / counts.total()
    shards = max(params.shards, math.ceil(size / (params.megabytes * 10**6)))
    return math.ceil(counts["train"] / shards)


class SplitWriter:
    """Writes the shards of one split of a column, at most `limit` samples each."""

    def __init__(self, column: ColumnWriter, split: str, limit: int):
        self.column, self.split, self.limit = column, split, limit
        self.count, self.stack = 0, ExitStack()

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *error: Any) -> None:
        """Finish the last shard; after an error, remove it."""
        self.stack.__exit__(*error)

    def add(self, sample: Sample) -> None:
        if self.count % self.limit == 0:
            self.stack.close()
            self.shard = self.stack.enter_context(self.open())
        self.shard.add(sample)
        self.count += 1

    @contextmanager
    def open(self) -> Iterator[Writer]:
        """Open the next shard; once it is finished, add it to the column."""
        path = self.column.path / f"{self.split}-{self.count // self.limit:06d}.tar"
        with tar.open_writer(path) as shard:
            yield shard
        self.column.add(finished_shard(path, shard))
