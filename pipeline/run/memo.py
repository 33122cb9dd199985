"""What steps have made before, kept by all that decides it: whole shards, and the samples in them.

Beside each shard lies a JSON file that tells its rows, what was told of its samples and which were rejected.
A table finds the shard in which a sample was made. So nothing is made twice: neither after a kill, nor when
shards grow by a few samples, nor on the way back to an earlier parameter.
"""

import errno
import hashlib
import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import dumps, write
from pipeline.shards import tar
from pipeline.shards.column import Shard
from pipeline.shards.tar import Row

MEMO_TABLE = "made.sqlite"
TABLE_TIMEOUT = 60  # seconds to wait for another process that writes to the table
DISK_FULL_ERRORS = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)  # said of a full disk


@dataclass
class MadeShard:
    """What a step made of a shard: a shard in the memo, what is told by key, and the rejects."""

    shard: Shard
    told: dict[str, dict] = field(default_factory=dict)
    rejects: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class MadeSample:
    """A sample made before: its bytes in a shard, where they lay, what is told; or why it was rejected."""

    data: bytes = b""
    row: Row | None = None
    told: dict | None = None
    reason: str = ""


@dataclass(frozen=True)
class Memo:
    """The memo in a folder, for a step with a fingerprint."""

    folder: Path
    fingerprint: str

    def path(self, shard: Shard) -> Path:
        """Return where that is kept which is made of a shard."""
        return memo_path(self.folder, self.name(shard.sha256))

    def name(self, sha256: str) -> str:
        """Name what is made of bytes with this hash."""
        return hashlib.sha256(f"{self.fingerprint} {sha256}".encode()).hexdigest()

    def missing(self, shards: list[Shard], enough: int) -> int:
        """Count the samples that were not made before, as far as names tell; stop counting at `enough`."""
        count = 0
        with open_table(self.folder) as made:
            for shard in shards:
                if count >= enough:
                    break
                if not self.path(shard).with_suffix(".json").is_file():
                    count += len(shard) - len(self.homes(made, shard.rows))
        return count

    def recall(self, shard: Shard) -> MadeShard | None:
        """Find what was made of a shard; if its bytes have changed since, it does not count."""
        path = self.path(shard)
        if (made := load_made(path)) is None:
            return None
        with path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == made.shard.sha256
        if intact:
            os.utime(path.with_suffix(".json"))  # the least recently used go first
        return made if intact else None

    def known(self, rows: tuple[Row, ...]) -> dict[str, MadeSample]:
        """Find what was made of samples, by key, as parts of any shards."""
        homes = defaultdict(list)
        with open_table(self.folder) as made:
            for key, home in self.homes(made, rows).items():
                homes[home].append(key)
        return {
            key: old
            for home, keys in homes.items()
            for key, old in read_made_samples(memo_path(self.folder, home), keys)
        }

    def homes(self, made: sqlite3.Connection, rows: tuple[Row, ...]) -> dict[str, str]:
        """Name the shards in which samples were made, by key, as the open table tells."""
        names = {bytes.fromhex(self.name(row.sha256)): row.key for row in rows}
        marks = ",".join("?" * len(names))
        found = made.execute(f"SELECT name, shard FROM made WHERE name IN ({marks})", [*names])
        return {names[name]: shard.hex() for name, shard in found}

    def keep(self, shard: Shard, rows: tuple[Row, ...], made: MadeShard) -> None:
        """Keep what was made of a shard that has these rows."""
        entry = {"told": made.told, "rejects": made.rejects}
        entry["rows"] = [row.line("") for row in made.shard.rows]
        entry |= {name: getattr(made.shard, name) for name in ("samples", "bytes", "sha256")}
        write(made.shard.path.with_suffix(".json"), dumps(entry))
        home = bytes.fromhex(self.name(shard.sha256))
        names = [(bytes.fromhex(self.name(row.sha256)), home) for row in rows]
        with open_table(self.folder) as lines:
            lines.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", names)


def memo_path(folder: Path, name: str) -> Path:
    """Return where a shard of the memo lies."""
    return folder / name[:2] / f"{name}.tar"


def load_made(path: Path) -> MadeShard | None:
    """Read what is kept of a shard of the memo; nothing, if it is not whole."""
    try:
        entry = json.loads(path.with_suffix(".json").read_bytes())
        rows = tuple(map(Row.parse, entry["rows"]))
        path.stat()
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    shard = Shard(path, entry["samples"], entry["bytes"], entry["sha256"], known_rows=rows)
    return MadeShard(shard, entry["told"], [tuple(reject) for reject in entry["rejects"]])


def read_made_samples(path: Path, keys: list[str]) -> Iterator[tuple[str, MadeSample]]:
    """Yield samples of a shard of the memo by key; those whose bytes have changed since do not count."""
    if (made := load_made(path)) is None:
        return
    rows, reasons = {row.key: row for row in made.shard.rows}, dict(made.rejects)
    with path.open("rb") as file:
        for key in keys:
            if key in reasons:
                yield key, MadeSample(reason=reasons[key])
            elif data := tar.read_if_intact(file, rows[key]):
                yield key, MadeSample(data, rows[key], made.told[key])


@contextmanager
def open_table(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the table of samples for one transaction. Raise Halt if it is damaged, OSError on a full disk."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MEMO_TABLE
    try:
        with closing(sqlite3.connect(path, timeout=TABLE_TIMEOUT)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS made (name BLOB PRIMARY KEY, shard BLOB) WITHOUT ROWID"
            )
            with connection:
                yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in DISK_FULL_ERRORS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise Halt(f"{path} cannot be used ({error}): delete it, it is made anew") from error
    except sqlite3.DatabaseError as error:
        raise Halt(f"{path} is damaged ({error}): delete it, it is made anew") from error
