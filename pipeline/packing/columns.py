"""The columns to pack: each is of the stage that its name says, and all have the same samples."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.files import dumps, remove_folder
from pipeline.shards.column import Shard, list_shards
from pipeline.shards.tar import Row, Sample

STAGE_FIELDS = {  # of metadata: the first that a sample has tells of which stage it is
    "color": "pixels",
    "sketch": "blocksize",
    "reference": "shift",
    "cue": "method",
}


def keep_columns(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the columns `names` in `folder` and remove all others; raise Halt first if one is not whole."""
    columns = [folder / name for name in sorted(names)]
    for column in columns:
        list_shards(column)
    for stale in {path for path in folder.iterdir() if path.is_dir()} - set(columns):
        remove_folder(stale)
    return columns


def check_columns(columns: Mapping[str, Path]) -> None:
    """Raise Halt unless color comes first, a sketch is among the others, and each is of its stage.

    Only the first sample of each column is read; `join_metadata` checks the others.
    """
    for name in columns:
        if not re.fullmatch("[a-z0-9-]+", name):
            form = "lower case letters, digits and hyphens"
            raise Halt(f"a column must be named in {form}, got {name!r}: rename it")
    for name, path in columns.items():
        samples = (found for shard in list_shards(path) for found in shard.read_metadata())
        for row, metadata in islice(samples, 1):
            check_stage(name, path, row.key, metadata)
    names, paths = list(columns), list(columns.values())
    if names[:1] != ["color"] or not any(name.startswith("sketch-") for name in names):
        raise Halt(f"the columns must be color, a sketch-NAME and others, got {', '.join(names)}: add these")
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise Halt(f"{twice[0]} is named for two columns: name another for one of them")


def check_stage(column: str, path: Path, key: str, metadata: Mapping) -> None:
    """Raise Halt if the metadata of a sample are not those of the stage that its column is named for."""
    wanted = column.partition("-")[0]
    made = next((stage for stage, field in STAGE_FIELDS.items() if field in metadata), "")
    if wanted in STAGE_FIELDS and made != wanted:
        found = f"a {made}" if made else "no picture of clean, sketchify, cue or reference"
        raise Halt(
            f"{path} holds {found} in the place of a {wanted} (sample {key}): "
            "name the columns of color, sketch, cue and reference in this order, or run their stages again"
        )


def align_shards(columns: Mapping[str, Path]) -> list[tuple[Shard, ...]]:
    """Return the shards of equal name of all columns, row by row. Raise Halt if their names differ."""
    rows = list(zip_longest(*map(list_shards, columns.values())))
    for row in rows:
        if None in row or len({shard.name for shard in row}) > 1:
            names = ", ".join(columns)
            raise Halt(f"the columns {names} do not hold the same shards: run their stages again")
    return rows


def align_rows(shards: tuple[Shard, ...]) -> Iterator[tuple[Row, ...]]:
    """Yield the rows of equal key of a shard of each column. Raise Halt if one has other samples."""
    for rows in zip_longest(*(shard.rows for shard in shards)):
        if None in rows or len({row.key for row in rows}) > 1:
            paths = " and ".join(str(shard.path) for shard in shards)
            raise Halt(f"{paths} hold other samples: run their stages again")
        yield rows


def join_samples(
    columns: Mapping[str, Path], samples: tuple[Sample, ...], added: Mapping[str, Any]
) -> Sample:
    """Join the samples of a key in all columns; `added` goes into its metadata."""
    pictures = {f"{name}.png": sample.picture for name, sample in zip(columns, samples, strict=True)}
    metadata = {**join_metadata(columns, samples), **added}
    return Sample(samples[0].key, pictures | {"json": dumps(metadata)})


def join_metadata(columns: Mapping[str, Path], samples: tuple[Sample, ...]) -> dict[str, Any]:
    """Return the metadata of the color column, with those of each other column under its name.

    Raise Halt if one of the samples is of another stage than its column.
    """
    joined: dict[str, Any] = {}
    for (name, path), sample in zip(columns.items(), samples, strict=True):
        metadata = sample.metadata
        check_stage(name, path, sample.key, metadata)
        joined |= {name: metadata} if joined else metadata
    return joined


def stage_of(column: str) -> str:
    """Return the name of the stage that makes a column."""
    return "clean" if column == "color" else column.replace("sketch-", "sketchify-")
