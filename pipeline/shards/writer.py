"""Writing of columns: shards, their index, and the seal at the end."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.files import hash_file, open_atomic, open_for_reading, remove_partials, write_json
from pipeline.shards import tar
from pipeline.shards.column import INDEX, SEAL, SHARD_NAME, Shard
from pipeline.shards.ledger import LEDGER
from pipeline.shards.seal import Seal, ShardEntry, add_check
from pipeline.shards.tar import StagedSample

INDEX_HEADER = "key\tshard\toffset\tsha256\tmembers\n"


def write_shard(path: Path, samples: Iterable[StagedSample]) -> Shard:
    with tar.open_writer(path) as shard:
        for sample in samples:
            shard.add(sample)
    return finished_shard(path, shard)


def copy_shard(shard: Shard, path: Path, wanted: Callable[[str], bool]) -> Shard:
    """Copy the samples of a shard whose keys are `wanted`, byte for byte. Raise Halt if one is damaged."""
    with open_for_reading(shard.path) as file, tar.open_writer(path) as out:
        for row in shard.rows:
            if wanted(row.key):
                out.copy(tar.read_sample(file, row, shard.path), row)
    return finished_shard(path, out)


def finished_shard(path: Path, shard: tar.Writer) -> Shard:
    """Describe the shard that a writer has written to `path`."""
    return Shard(path, len(shard.rows), shard.bytes, shard.whole.hexdigest(), known_rows=tuple(shard.rows))


class ColumnWriter:
    """Writes the index and the seal of a column: add its shards in order, then seal it."""

    def __init__(self, path: Path, index: BinaryIO):
        self.path, self.index = path, index
        self.digest = hashlib.sha256()
        self.place = 0
        self.entries: dict[str, ShardEntry] = {}
        self.note(INDEX_HEADER)

    def note(self, text: str) -> None:
        data = text.encode()
        self.digest.update(data)
        self.place += self.index.write(data)

    def add(self, shard: Shard) -> None:
        self.entries[shard.name] = ShardEntry(
            samples=shard.samples, bytes=shard.bytes, sha256=shard.sha256, place=self.place
        )
        self.note("".join(row.line(shard.name) for row in shard.rows))

    def seal(self, taken: int, rejected: dict[str, int]) -> None:
        """Check the counts, remove stale shards and partial files, and write the seal.

        A ledger in the column must be whole.
        """
        written = sum(entry["samples"] for entry in self.entries.values())
        assert taken == written + sum(rejected.values()), "a sample was lost"
        for stale in self.path.iterdir():
            if SHARD_NAME.fullmatch(stale.name) and stale.name not in self.entries:
                stale.unlink()
        remove_partials(self.path)
        ledger = self.path / LEDGER
        seal = Seal(
            taken=taken,
            written=written,
            rejected=dict(rejected),
            shards=self.entries,
            index=self.digest.hexdigest(),
            ledger=hash_file(ledger) if ledger.is_file() else "",
        )
        write_json(self.path / SEAL, add_check(seal))


@contextmanager
def open_column(path: Path) -> Iterator[ColumnWriter]:
    """Open a column to add shards; it gets its index at the end, and its seal by `ColumnWriter.seal`."""
    (path / SEAL).unlink(missing_ok=True)  # before anything in it changes
    with open_atomic(path / INDEX) as index:
        column = ColumnWriter(path, index)
        yield column


def seal_column(path: Path, listed: Iterable[Shard], taken: int, rejected: dict[str, int]) -> None:
    """Write the index and the seal of a column that has these shards."""
    with open_column(path) as column:
        for shard in listed:
            column.add(shard)
    column.seal(taken, rejected)
