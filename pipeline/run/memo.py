"""Earlier results of steps: whole shards and the samples in them, found by a hash of all that decides them.

Next to each shard is a note with its rows, the reported metadata and the rejects. A table finds the
shard in which a sample was made. So nothing is computed twice: not after a kill, not when shards grow by a
few samples, and not when a parameter returns to an earlier value.
"""

import errno
import hashlib
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pipeline.errors import Halt
from pipeline.files import hash_file, read_note, write_note
from pipeline.run.report import Reject
from pipeline.shards import tar
from pipeline.shards.column import Shard
from pipeline.shards.tar import Row

MEMO_TABLE = "made.sqlite"
NAMES_AT_ONCE = 10_000  # in one question: SQLite takes 32,766
TABLE_TIMEOUT = 60  # seconds to wait for another process that writes to the table
READ_ONLY_ERRORS = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
DISK_FULL_ERRORS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class MadeShard:
    """The result of a step for a shard: a shard in the memo, reported metadata by key, and the rejects."""

    shard: Shard
    reported: dict[str, dict]
    rejects: list[Reject]


@dataclass(frozen=True)
class MadeSample:
    """The result of a step for a sample: its bytes in a shard of the memo, their row, reported metadata."""

    data: bytes
    row: Row
    reported: dict


class Hashed(Protocol):
    """Anything with a hash of all its samples, such as a shard."""

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Memo:
    """The memo in a folder, for a step with a fingerprint."""

    folder: Path
    fingerprint: str

    def path(self, shard: Hashed) -> Path:
        return memo_path(self.folder, self.name(shard.sha256))

    def name(self, sha256: str) -> str:
        """Name the result for a shard or sample with this hash."""
        return hashlib.sha256(f"{self.fingerprint} {sha256}".encode()).hexdigest()

    def has_note(self, shard: Hashed) -> bool:
        """Return whether there is a result for a shard, without reading it."""
        return self.path(shard).with_suffix(".json").is_file()

    def recall_shard(self, shard: Hashed) -> MadeShard | None:
        """Return the result for a shard; None if there is none, or if its bytes have changed since."""
        path = self.path(shard)
        made = load_made(path)
        if made is None or hash_file(path) != made.shard.sha256:
            return None
        os.utime(path.with_suffix(".json"))  # the least recently used are removed first
        return made

    def recall_samples(self, rows: tuple[Row, ...]) -> dict[str, MadeSample | Reject]:
        """Return the results for samples by key, as far as any shard of the memo has them."""
        homes = defaultdict(list)
        with open_table(self.folder) as table:
            for key, home in self.find_homes(table, rows).items():
                homes[home].append(key)
        return {
            key: result
            for home, keys in homes.items()
            for key, result in read_made_samples(memo_path(self.folder, home), keys)
        }

    def locate_samples(self, rows: tuple[Row, ...]) -> dict[str, tuple[Path, Row]]:
        """Return the shard that has the result for a sample, and its row there, by key; do not read it."""
        with open_table(self.folder) as table:
            homes = self.find_homes(table, rows)
        notes = {home: load_made(memo_path(self.folder, home)) for home in set(homes.values())}
        places = {
            (home, row.key): (made.shard.path, row)
            for home, made in notes.items()
            if made
            for row in made.shard.rows
        }
        return {key: places[home, key] for key, home in homes.items() if (home, key) in places}

    def find_homes(self, table: sqlite3.Connection, rows: tuple[Row, ...]) -> dict[str, str]:
        """Return the names of the shards that have the results for samples, by key."""
        names = {bytes.fromhex(self.name(row.sha256)): row.key for row in rows}
        asked = [*names]
        homes: dict[str, str] = {}
        for start in range(0, len(asked), NAMES_AT_ONCE):
            some = asked[start : start + NAMES_AT_ONCE]
            marks = ",".join("?" * len(some))
            found = table.execute(f"SELECT name, shard FROM made WHERE name IN ({marks})", some)
            homes |= {names[name]: shard.hex() for name, shard in found}
        return homes

    def keep(self, shard: Hashed, rows: tuple[Row, ...], made: MadeShard) -> None:
        """Remember the result for a shard that has these rows."""
        entry = {"told": made.reported, "rejects": [(reject.key, reject.reason) for reject in made.rejects]}
        entry["rows"] = [row.line("") for row in made.shard.rows]
        entry |= {name: getattr(made.shard, name) for name in ("samples", "bytes", "sha256")}
        write_note(made.shard.path.with_suffix(".json"), entry, sync=False)  # one that is lost is made again
        home = bytes.fromhex(self.name(shard.sha256))
        names = [(bytes.fromhex(self.name(row.sha256)), home) for row in rows]
        with open_table(self.folder) as table:
            table.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", names)


def persist(attempt: Callable[[], Outcome]) -> Outcome:
    """Return what an attempt returns; repeat it if `prep gc` removes files of the memo meanwhile."""
    for _ in range(2):
        with suppress(FileNotFoundError):
            return attempt()
    return attempt()


def memo_path(folder: Path, name: str) -> Path:
    return folder / name[:2] / f"{name}.tar"


def load_made(path: Path) -> MadeShard | None:
    """Read the note of a shard of the memo; None if the note or the shard is missing or damaged."""
    entry = read_note(path.with_suffix(".json"))
    if entry is None or not path.is_file():
        return None
    rows = tuple(map(Row.parse, entry["rows"]))
    shard = Shard(path, entry["samples"], entry["bytes"], entry["sha256"], known_rows=rows)
    return MadeShard(shard, entry["told"], [Reject(*reject) for reject in entry["rejects"]])


def read_made_samples(path: Path, keys: list[str]) -> Iterator[tuple[str, MadeSample | Reject]]:
    """Yield results from a shard of the memo by key; skip those whose bytes have changed since."""
    if (made := load_made(path)) is None:
        return
    rows = {row.key: row for row in made.shard.rows}
    rejects = {reject.key: reject for reject in made.rejects}
    with path.open("rb") as file:
        for key in keys:
            if key in rejects:
                yield key, rejects[key]
            elif key in rows and (data := tar.read_if_intact(file, rows[key])):
                yield key, MadeSample(data, rows[key], made.reported[key])


@contextmanager
def open_table(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the table of samples for one transaction.

    Raise Halt if it is damaged, OSError on a full disk or in a read-only folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MEMO_TABLE
    try:
        with closing(sqlite3.connect(path, timeout=TABLE_TIMEOUT)) as connection:
            log_ahead(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS made (name BLOB PRIMARY KEY, shard BLOB) WITHOUT ROWID"
            )
            with connection:
                yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in DISK_FULL_ERRORS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.sqlite_errorcode & 0xFF in READ_ONLY_ERRORS:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from error
        raise Halt(f"{path} cannot be used ({error}): delete it, the next run makes it again") from error
    except sqlite3.DatabaseError as error:
        raise Halt(f"{path} is damaged ({error}): delete it, the next run makes it again") from error


def log_ahead(connection: sqlite3.Connection) -> None:
    """Let others read the table while one writes. For this, SQLite waits for no other process, so we do."""
    end = time.monotonic() + TABLE_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)
