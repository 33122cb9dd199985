"""Columns -> the packed dataset: shards by split, which any WebDataset reader opens. Bytes are copied."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.files import hash_file, lock_folder, write, write_json
from pipeline.operators.hashes import NO_HASH
from pipeline.packing.assembly import Assembler, Shards, Unpacked
from pipeline.packing.card import dataset_card
from pipeline.packing.census import Census
from pipeline.packing.columns import align_rows, align_shards, check_columns, stage_of
from pipeline.packing.croissant import croissant
from pipeline.packing.groups import LinkKeys, count_links, count_torn, find_links, name_groups
from pipeline.packing.layout import assign_shards
from pipeline.packing.split import SPLITS, assign_split
from pipeline.packing.table import ScoreTable
from pipeline.params import Pack
from pipeline.progress import Tick, quiet
from pipeline.shards.column import CARD_FILE, INDEX, SEAL, check_destination, read_seal
from pipeline.shards.metadata import Metadata
from pipeline.shards.sums import CROISSANT_FILE, SCORES_FILE, SUMS_FILE, write_sums
from pipeline.shards.writer import ColumnWriter, open_column


def pack_columns(
    columns: dict[str, Path],
    dest: Path,
    params: Pack,
    *,
    cache: Path | None = None,
    history: Mapping[str, dict] = MappingProxyType({}),
    settings: Mapping[str, dict] = MappingProxyType({}),
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Join columns into shards `dest`/SPLIT-NNNNNN.tar, write the card, and return the counts.

    `columns` maps names to folders; the first is the color column, whose metadata link samples to groups. A
    group is never split. Shards that have not changed are linked from the `cache`, if there is one. `history`
    are the counts of search and fetch, and `settings` the sections of params.yaml, both for the card. Raise
    Halt if a column is missing or not of the stage that its name says, if the columns do not have the same
    samples, or if none of these falls to the training split.
    """
    check_columns(columns)
    shards = align_shards(columns)
    for column in columns.values():
        check_destination(column, dest)
    linked, keys, contents, sizes = read_contents(shards)
    links = find_links(linked, params.near)
    groups = name_groups(linked, links)
    splits = [assign_split(group, params) for group in groups]
    unpacked = Unpacked(columns, shards, keys, contents, groups, splits)
    layout = assign_shards(groups, splits, sizes, params)
    related = {
        "groups": len(set(groups)),
        "largest": max(Counter(groups).values()),
        "linked": count_links(links),
        "torn": count_torn(links, np.array([assign_split(key.id, params) for key in linked])),
        "leaks": count_torn(links, np.array(splits)),
    }
    del linked, links  # most of the memory until here

    census, table = Census(), ScoreTable()
    with lock_folder(dest):
        (dest / SUMS_FILE).unlink(missing_ok=True)  # until all files are new
        with open_column(dest) as packed:
            for placed, made in Assembler(unpacked, dest, cache).pack(layout):
                packed.add(placed)
                for row, metadata in made.read_metadata():
                    census.add(metadata, placed.name.partition("-")[0], row.sizes)
                    table.add(row.key, metadata)
                tick(len(census), len(keys))

        counts = {split: census.splits[split] for split in SPLITS} | {"shards": len(packed.entries)}
        metrics = {**counts, **related}
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


def read_contents(shards: Sequence[Shards]) -> tuple[list[LinkKeys], list[str], list[bytes], np.ndarray]:
    """Read of each sample what links it, its key, a hash of its rows in all columns, and its size in bytes.

    Only the indexes and the metadata of the color column are read. Raise Halt if a column has other samples.
    """
    linked, keys, contents, sizes = [], [], [], array("q")
    for aligned in shards:
        rows = list(align_rows(aligned))
        color = replace(aligned[0], known_rows=tuple(first for first, *_ in rows))
        for found, (row, metadata) in zip(rows, color.read_families(), strict=True):
            linked.append(link_keys(row.key, metadata))
            keys.append(row.key)
            contents.append(hashlib.sha256("".join(each.sha256 for each in found).encode()).digest())
            sizes.append(sum(each.size for each in found))
    return linked, keys, contents, np.array(sizes)


def link_keys(key: str, metadata: Metadata) -> LinkKeys:
    return LinkKeys(
        id=str(metadata.get("id", key)),
        family=str(metadata["family"]),
        pixels=metadata.get("pixel_hash") or metadata.get("pixels", ""),
        colors=bytes.fromhex(metadata["colors"]) if "colors" in metadata else NO_HASH,
        lines=bytes.fromhex(metadata["lines"]) if "lines" in metadata else NO_HASH,
    )
