"""Removal of the least recently used entries of the cache, all of which can be made again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.run.memo import MEMO_TABLE, open_table

STALE_SECONDS = 24 * 3600  # seconds after which an unfinished file is abandoned
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
    """Remove abandoned files, then the least recently used entries until at most `limit` bytes are left.

    With `downloads`, downloads are counted and removed too. A file that DVC or a column links to counts as if
    only the cache had it.
    """
    folders = MADE_SHELVES + (DOWNLOAD_SHELVES if downloads else ())
    listed = sorted(list_entries(cache, folders), key=lambda entry: (entry.used, entry.paths))
    left, gone = sum(entry.bytes for entry in listed), []
    for entry in listed:
        if left > limit or is_stale(entry):
            left -= entry.bytes
            gone.append(entry)
            for path in entry.paths:
                path.unlink(missing_ok=True)
    tidy_table(cache / "steps")
    return Freed(sum(entry.bytes for entry in gone), len(gone), left)


def list_entries(cache: Path, folders: tuple[str, ...]) -> Iterator[CacheEntry]:
    """Yield the entries in some folders of the cache."""
    for folder in folders:
        groups: dict[Path, list[Path]] = {}
        for path in sorted((cache / folder).rglob("*")):
            if path.is_file() and not path.name.startswith(MEMO_TABLE):
                groups.setdefault(
                    path.with_suffix("") if path.suffix in PAIRED_SUFFIXES else path, []
                ).append(path)
        for paths in groups.values():
            stats = [path.stat() for path in paths]
            yield CacheEntry(tuple(paths), sum(s.st_size for s in stats), max(s.st_mtime for s in stats))


def is_stale(entry: CacheEntry) -> bool:
    """Return whether an entry is an unfinished file of a run that has ended."""
    return entry.paths[0].name.endswith(".part") and time.time() - entry.used > STALE_SECONDS


def tidy_table(steps: Path) -> None:
    """Remove the samples whose shard is gone from the table of the memo."""
    if not (steps / MEMO_TABLE).is_file():
        return
    there = {path.stem for path in steps.glob("*/*.json")}
    with open_table(steps) as made:
        homes = [home for (home,) in made.execute("SELECT DISTINCT shard FROM made")]
        gone = [(home,) for home in homes if home.hex() not in there]
        made.executemany("DELETE FROM made WHERE shard = ?", gone)
    with open_table(steps) as made:
        made.execute("VACUUM")
