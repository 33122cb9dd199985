"""Whether columns are what their seals say, at the speed at which a disk can be read."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import Halt, samples, tars
from pipeline.samples import Shard
from pipeline.workers import spread


@dataclass
class Verdict:
    """What was looked at, and a sentence for each fault."""

    columns: int = 0
    shards: int = 0
    samples: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)


def verify(
    folder: Path, *, workers: int = 1, tick: Callable[[int, int], None] = lambda done, total: None
) -> Verdict:
    """Read every shard at or below a folder and compare it with its seal and its index.

    After each shard `tick` gets how many bytes were read, of how many. Raise Halt if there is no column.
    """
    verdict, listed = Verdict(), []
    for column in columns(folder):
        verdict.columns += 1
        try:
            entries = samples.read_seal(column)
            listed += [Shard(column / name, **entry) for name, entry in entries["shards"].items()]
            verdict.faults += outside(column, entries)
        except Halt as fault:
            verdict.faults.append(str(fault))
    total = sum(shard.bytes for shard in listed)
    for shard, found in zip(listed, spread(examine, listed, workers), strict=True):
        verdict.shards += 1
        verdict.samples += shard.samples
        verdict.bytes += shard.bytes
        verdict.faults += [found] if found else []
        tick(verdict.bytes, total)
    return verdict


def columns(folder: Path) -> list[Path]:
    """List the folders of shards at or below a folder, those without a seal too. Raise Halt if none is."""
    if found := samples.columns(folder):
        return found
    raise Halt(f"{folder} holds no shards: name a folder of shards, or one above such folders")


def outside(column: Path, entries: dict) -> list[str]:
    """Find faults of a column outside its shards: an index that was changed, shards that nobody sealed."""
    faults, index = [], column / samples.INDEX
    if not index.is_file() or hashlib.sha256(index.read_bytes()).hexdigest() != entries["index"]:
        faults.append(f"{index} is missing or differs from the seal")
    there = {path.name for path in column.iterdir() if samples.SHARD.fullmatch(path.name)}
    return faults + [f"{column / name} is not in the seal" for name in sorted(there - set(entries["shards"]))]


def examine(shard: Shard) -> str:
    """Say what is wrong with a shard, or nothing."""
    try:
        with shard.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                return f"{shard.path} differs from its seal"
            file.seek(0)
            if [(row.key, row.offset, row.sizes) for row in shard.rows] != [*tars.scan(file, shard.path)]:
                return f"{shard.path} holds other samples than its index tells"
    except FileNotFoundError:
        return f"{shard.path} is missing"
    except Halt as fault:
        return str(fault)
    return ""
