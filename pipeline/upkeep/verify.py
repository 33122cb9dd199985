"""Comparison of columns with their seals, as fast as the disk delivers them."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import hash_file
from pipeline.progress import Tick, quiet
from pipeline.run.spread import spread
from pipeline.shards import tar
from pipeline.shards.column import SHARD_NAME, Shard, changed_tables, find_columns, read_seal
from pipeline.shards.seal import Seal
from pipeline.shards.sums import SUMS_FILE, changed_files, read_sums


@dataclass
class Audit:
    """How much was read, and a sentence about each fault."""

    columns: int = 0
    shards: int = 0
    samples: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)


def verify_columns(folder: Path, *, workers: int = 1, tick: Tick = quiet) -> Audit:
    """Read every shard at or below a folder and compare it with its seal and its index.

    `tick` counts the bytes that were read. Raise Halt if there is no column.
    """
    audit = Audit()
    shards: list[Shard] = []
    for column in require_columns(folder):
        audit.columns += 1
        try:
            seal = read_seal(column)
            shards += [Shard(column / name, **entry) for name, entry in seal["shards"].items()]
            audit.faults += check_outside(column, seal)
        except Halt as fault:
            audit.faults.append(str(fault))
    total = sum(shard.bytes for shard in shards)
    for shard, faults in zip(shards, spread(check_shard, shards, workers), strict=True):
        audit.shards += 1
        audit.samples += shard.samples
        audit.bytes += shard.bytes
        audit.faults += faults
        tick(audit.bytes, total)
    return audit


def require_columns(folder: Path) -> list[Path]:
    """List the columns at or below a folder, even those without a seal. Raise Halt if there is none."""
    if columns := find_columns(folder):
        return columns
    raise Halt(f"{folder} holds no shards: name a folder of shards, or one above such folders")


def check_outside(column: Path, seal: Seal) -> list[str]:
    """List the faults of a column outside its shards: other changed files, and shards that the seal lacks."""
    faults = [f"{table} is missing or differs from the seal" for table in changed_tables(column, seal)]
    if (column / SUMS_FILE).is_file():
        others = {name: sha256 for name, sha256 in read_sums(column).items() if name not in seal["shards"]}
        faults += [f"{path} is missing or differs from {SUMS_FILE}" for path in changed_files(column, others)]
    present = {path.name for path in column.iterdir() if SHARD_NAME.fullmatch(path.name)}
    return faults + [f"{column / name} is not in the seal" for name in sorted(present - set(seal["shards"]))]


def check_shard(shard: Shard) -> list[str]:
    """List the faults of a shard; no more than one is looked for."""
    try:
        if hash_file(shard.path) != shard.sha256:
            return [f"{shard.path} differs from its seal"]
        with shard.path.open("rb") as file:
            if [(row.key, row.offset, row.sizes) for row in shard.rows] != [*tar.scan(file, shard.path)]:
                return [f"{shard.path} holds other samples than its index lists"]
    except FileNotFoundError:
        return [f"{shard.path} is missing"]
    except Halt as fault:
        return [str(fault)]
    return []
