"""Removal of samples from columns, which a kill cannot leave half done.

The new files of a column are written to a folder inside it, the seal last; then they replace the old ones.
"""

import shutil
from collections import Counter
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import link_or_copy
from pipeline.shards.column import (
    CARD_FILE,
    SEAL,
    Shard,
    find_columns,
    list_shards,
    read_seal,
)
from pipeline.shards.ledger import LEDGER, read_ledger, write_ledger
from pipeline.shards.sums import CROISSANT_FILE, SCORES_FILE, SUMS_FILE
from pipeline.shards.tar import AGAIN
from pipeline.shards.writer import copy_shard, seal_column
from pipeline.upkeep.traces import shows

STAGING_FOLDER = ".forget"


def list_columns(data: Path) -> list[Path]:
    """List the columns of a project without staging folders."""
    return [column for column in find_columns(data) if column.name != STAGING_FOLDER]


def stage_column(column: Path, keys: set[str]) -> int:
    """Write the files of a column that change without the keys to its STAGING_FOLDER, the seal last.

    Samples whose reference may show one of the keys go too. Return how many samples and rejects it loses.
    """
    staged, keys = column / STAGING_FOLDER, keys | find_shown(column, keys)
    before, rejects_before = list_shards(column), Counter(read_seal(column)["rejected"])
    after = [stage_shard(shard, staged, keys) for shard in before]
    rejects_after = recount_rejects(column, rejects_before, keys)
    if (after, rejects_after) == (before, rejects_before):
        return 0
    staged.mkdir(exist_ok=True)
    if (column / LEDGER).is_file():
        link_or_copy(column / LEDGER, staged / LEDGER)
        remove_rejects(staged / LEDGER, keys)
    for name in (
        SUMS_FILE,
        CARD_FILE,
        CROISSANT_FILE,
        SCORES_FILE,
    ):  # pack writes new ones
        (column / name).unlink(missing_ok=True)
    taken = sum(map(len, after)) + rejects_after.total()
    seal_column(staged, after, taken, rejects_after)
    return sum(map(len, before)) + rejects_before.total() - taken


def stage_shard(shard: Shard, staged: Path, keys: set[str]) -> Shard:
    """Write a shard without the keys, even if it is empty then, so that columns stay aligned.

    Return a shard that has none of the keys unchanged.
    """
    if keys.isdisjoint(row.key for row in shard.rows):
        return shard
    return copy_shard(shard, staged / shard.name, lambda key: key not in keys)


def recount_rejects(column: Path, rejected: Counter[str], keys: set[str]) -> Counter[str]:
    """Count the rejects of a column by reason, without the keys."""
    rows = list_rejects(column)
    return rejected & Counter(row[1] for row in rows if row[0] not in keys) if rows else rejected


def list_rejects(column: Path) -> list[list[str]]:
    """Return the rows of the ledger of a column, which is in it or beside it.

    Raise Halt if it lists fewer rejects than the seal counts.
    """
    ledger = column / LEDGER
    tables = [ledger] if ledger.is_file() else sorted(column.parent.glob("*.tsv"))
    rows = [row for table in tables for row in read_ledger(table)[1:]]
    if rows and not Counter(read_seal(column)["rejected"]) <= Counter(row[1] for row in rows):
        names = " and ".join(map(str, tables))
        raise Halt(f"{names} lists fewer rejects than {column} counts: {AGAIN}")
    return rows


def swap_staged(column: Path) -> None:
    """Move the staged files of a column into place, the seal last; discard them if they have no seal."""
    staged = column / STAGING_FOLDER
    if (staged / SEAL).is_file():
        for path in sorted(staged.iterdir(), key=lambda path: path.name == SEAL):
            path.replace(column / path.name)
    if staged.is_dir():
        shutil.rmtree(staged)


def remove_rejects(table: Path, keys: set[str]) -> int:
    """Remove the rows of keys from a ledger and return their number; leave other tables alone."""
    header, *rows = read_ledger(table) or [[]]
    kept = [row for row in rows if row[0] not in keys]
    if len(kept) < len(rows):
        write_ledger(table, kept, *header[1:])
    return len(rows) - len(kept)


def find_shown(column: Path, keys: set[str]) -> set[str]:
    """Return the keys of the samples of a column whose reference may show another sample, one of `keys`."""
    rows = (row for shard in list_shards(column) for row in shard.read_metadata(needed=False))
    return {row.key for row, metadata in rows if shows(metadata, keys)}
