"""Keep the cache folder within a bound: what was used least recently goes first, and can be made again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.memo import TABLE, table

DAY = 24 * 3600  # seconds after which nobody writes to a half-made file any more
MADE = ("steps", "laid", "train")  # made from other files
DOWNLOADS = ("files", "names", "rejects")  # had from a site
TWINS = (".tar", ".json")  # files of the memo that go together


@dataclass(frozen=True)
class Entry:
    """Files of the cache that are of use only together."""

    paths: tuple[Path, ...]
    bytes: int
    used: float  # seconds, as time.time()


@dataclass(frozen=True)
class Freed:
    """What became of a cache: bytes and entries that went, and bytes that stay."""

    bytes: int
    entries: int
    left: int


def collect(cache: Path, limit: int, downloads: bool = False) -> Freed:
    """Remove what was left half-made, then what was used least recently, until `limit` bytes are left.

    Downloads count only with `downloads`, and then they go too. Files that DVC or a column also hold count
    as if the cache alone held them.
    """
    shelves = MADE + (DOWNLOADS if downloads else ())
    listed = sorted(entries(cache, shelves), key=lambda entry: (entry.used, entry.paths))
    left, gone = sum(entry.bytes for entry in listed), []
    for entry in listed:
        if left > limit or stale(entry):
            left -= entry.bytes
            gone.append(entry)
            for path in entry.paths:
                path.unlink(missing_ok=True)
    tidy(cache / "steps")
    return Freed(sum(entry.bytes for entry in gone), len(gone), left)


def entries(cache: Path, shelves: tuple[str, ...]) -> Iterator[Entry]:
    """List what the cache holds on some shelves."""
    for shelf in shelves:
        groups: dict[Path, list[Path]] = {}
        for path in sorted((cache / shelf).rglob("*")):
            if path.is_file() and not path.name.startswith(TABLE):
                groups.setdefault(path.with_suffix("") if path.suffix in TWINS else path, []).append(path)
        for paths in groups.values():
            stats = [path.stat() for path in paths]
            yield Entry(tuple(paths), sum(s.st_size for s in stats), max(s.st_mtime for s in stats))


def stale(entry: Entry) -> bool:
    """Tell whether an entry was left half-made by a run that is over."""
    return entry.paths[0].name.endswith(".part") and time.time() - entry.used > DAY


def tidy(steps: Path) -> None:
    """Remove from the table of samples those whose shard is gone."""
    if not (steps / TABLE).is_file():
        return
    there = {path.stem for path in steps.glob("*/*.json")}
    with table(steps) as made:
        homes = [home for (home,) in made.execute("SELECT DISTINCT shard FROM made")]
        gone = [(home,) for home in homes if home.hex() not in there]
        made.executemany("DELETE FROM made WHERE shard = ?", gone)
    with table(steps) as made:
        made.execute("VACUUM")
