"""Removal of the least recently used entries from the cache; all of them can be made again."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.run.memo import MEMO_TABLE, open_table

STALE_SECONDS = 24 * 3600  # an unfinished file that is older is abandoned
MADE_SHELVES = ("steps", "laid", "train")  # made from other files
DOWNLOAD_SHELVES = ("files", "names", "rejects")  # fetched from a site
PAIRED_SUFFIXES = (".tar", ".json")  # files of the memo that belong together


@dataclass(frozen=True)
class CacheEntry:
    """Files of the cache that are useful only together."""

    paths: tuple[Path, ...]
    bytes: int
    used: float  # seconds, as time.time()


@dataclass(frozen=True)
class Freed:
    """The bytes and entries that were removed from a cache, and the bytes that are left."""

    bytes: int
    entries: int
    left: int


def collect_garbage(cache: Path, limit: int, downloads: bool = False) -> Freed:
    """Remove abandoned files, and the least recently used entries until at most `limit` bytes are left.

    The files that a running command has not finished stay. With `downloads`, downloads are counted and
    removed too. A file that DVC or a column links to counts as if only the cache had it.
    """
    shelves = MADE_SHELVES + (DOWNLOAD_SHELVES if downloads else ())
    entries = sorted(list_entries(cache, shelves), key=lambda entry: (entry.used, entry.paths))
    left, removed = sum(entry.bytes for entry in entries), []
    for entry in entries:
        if is_abandoned(entry) if is_unfinished(entry) else left > limit:
            left -= entry.bytes
            removed.append(entry)
            for path in entry.paths:
                path.unlink(missing_ok=True)
    tidy_table(cache / "steps")
    return Freed(sum(entry.bytes for entry in removed), len(removed), left)


def list_entries(cache: Path, shelves: tuple[str, ...]) -> Iterator[CacheEntry]:
    for shelf in shelves:
        groups: defaultdict[Path, dict[Path, os.stat_result]] = defaultdict(dict)
        for path in sorted((cache / shelf).rglob("*")):
            if path.is_file() and not path.name.startswith(MEMO_TABLE):
                with suppress(FileNotFoundError):  # a run has just given it its name
                    status = path.stat()
                    groups[path.with_suffix("") if path.suffix in PAIRED_SUFFIXES else path][path] = status
        for files in groups.values():
            sizes, times = zip(*((status.st_size, status.st_mtime) for status in files.values()), strict=True)
            yield CacheEntry(tuple(files), sum(sizes), max(times))


def is_unfinished(entry: CacheEntry) -> bool:
    """Return whether an entry is a file that a run still writes, or has left."""
    return entry.paths[0].name.endswith((".part", ".validator"))


def is_abandoned(entry: CacheEntry) -> bool:
    """Return whether nothing was written to an entry for so long that its run has ended."""
    return time.time() - entry.used > STALE_SECONDS


def tidy_table(steps: Path) -> None:
    """Remove the samples whose shard is gone from the table of the memo."""
    if not (steps / MEMO_TABLE).is_file():
        return
    present = {path.stem for path in steps.glob("*/*.json")}
    with open_table(steps) as table:
        shards = [shard for (shard,) in table.execute("SELECT DISTINCT shard FROM made")]
        stale = [(shard,) for shard in shards if shard.hex() not in present]
        table.executemany("DELETE FROM made WHERE shard = ?", stale)
    with open_table(steps) as table:
        table.execute("VACUUM")
