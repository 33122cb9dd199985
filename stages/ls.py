"""Columns -> their contents, read from the indexes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.shards.column import SEAL, list_shards
from pipeline.upkeep import verify
from stages.arguments import DATA, AsJson, Columns, emit, emit_json


def ls(folder: Columns = DATA, as_json: AsJson = False) -> None:
    """List the samples of a column, or the columns in a folder, without opening a shard."""
    one = (folder / SEAL).is_file()
    found = list_samples(folder) if one else map(measure_column, verify.require_columns(folder))
    if as_json:
        emit_json({"samples" if one else "columns": list(found)})
        return
    for each in found:
        emit(describe_sample(each) if one else describe_column(each))


def list_samples(column: Path) -> Iterator[dict[str, Any]]:
    """Yield key, shard and sizes in bytes of each sample."""
    for shard in list_shards(column):
        for row in shard.rows:
            yield {"key": row.key, "shard": shard.name, "sizes": row.sizes}


def measure_column(column: Path) -> dict[str, Any]:
    """Return the size of a column, or its fault."""
    try:
        shards = list_shards(column)
    except Halt as fault:
        return {"column": str(column), "fault": str(fault)}
    counts = {"samples": sum(map(len, shards)), "shards": len(shards)}
    return {"column": str(column), **counts, "bytes": sum(shard.bytes for shard in shards)}


def describe_sample(found: dict[str, Any]) -> str:
    sizes = "  ".join(f"{suffix} {size}" for suffix, size in found["sizes"].items())
    return f"{found['key']}  {found['shard']}  {sizes}"


def describe_column(found: dict[str, Any]) -> str:
    if "fault" in found:
        return f"{found['column']}  {found['fault']}"
    size = f"{found['bytes'] / 1e6:.1f} MB"
    return f"{found['column']}  {found['samples']} samples  {found['shards']} shards  {size}"
