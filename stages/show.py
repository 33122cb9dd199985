"""One sample of a column -> its members and its JSON."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import Halt
from pipeline.shards import column, loose
from stages.arguments import AsJson, Force, emit, emit_json, full_key, say


def show(
    key: Annotated[str, typer.Argument(help="The key of a sample, or the id of its post.")],
    folder: Annotated[Path, typer.Argument(help="A folder of shards.")] = Path("data/pairs"),
    to: Annotated[Path | None, typer.Option(help="Also write the members as files to this folder.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Show the members and the JSON of a sample, reading only its own bytes."""
    key = full_key(key)
    if (found := column.find_sample(folder, key)) is None:
        raise Halt(f"{folder} holds no sample with the key {key}: `prep ls {folder}` lists its samples")
    shard, row = found
    [sample] = shard.read([row])
    members = {suffix: {"bytes": size, "offset": offset} for suffix, (offset, size) in row.places.items()}
    if as_json:
        emit_json({"key": key, "shard": str(shard.path), "members": members, "metadata": sample.metadata})
    else:
        emit(f"{key} in {shard.path}")
        for suffix, place in members.items():
            emit(f"  {suffix:16} {place['bytes']} bytes from {place['offset']}")
        emit(json.dumps(sample.metadata, ensure_ascii=False, indent=2))
    if to:
        with loose.claim_files(to, {f"{key}.{suffix}" for suffix in sample.members}, force) as written:
            written |= loose.write_loose(to, [sample])
        say(f"show: {len(sample.members)} files written to {to}", err=as_json)
