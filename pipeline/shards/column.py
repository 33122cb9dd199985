"""Columns: folders of shards, each with a seal and an index.

`seal.json` marks a finished column. It lists the shards with their sizes and hashes, and counts the rejects.
It has the hashes of the index and of the ledger in the folder too, and one of its own content.
`index.tsv` has a row for each sample.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, cast

from pipeline.errors import Halt
from pipeline.files import (
    hash_file,
    list_sizes,
    open_for_reading,
    read_lines,
)
from pipeline.shards import tar
from pipeline.shards.ledger import LEDGER
from pipeline.shards.metadata import Metadata
from pipeline.shards.seal import Seal, parse_seal
from pipeline.shards.tar import AGAIN, DELETE_ADVICE, END_OF_TAR, Row, Sample

SHARD_NAME = re.compile(r"([a-z]+-)?\d{6}\.tar")
SEAL = "seal.json"
INDEX = "index.tsv"
CARD_FILE = "README.md"
COLUMN_ADVICE = f"name a column of fetch or clean, or {AGAIN}"
TABLES: dict[Literal["index", "ledger"], str] = {"index": INDEX, "ledger": LEDGER}  # by their field of a seal


@dataclass(frozen=True)
class Shard:
    """A finished tar file of a column, as its seal describes it.

    Its rows begin `place` bytes into the index of its column, unless they are here as `known_rows`.
    """

    path: Path
    samples: int
    bytes: int
    sha256: str
    place: int = 0
    known_rows: tuple[Row, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the file; shards of the same name in other columns have the same samples."""
        return self.path.name

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row for each sample. Raises Halt if the index does not fit the shard."""
        return tuple(read_rows(self)) if self.known_rows is None else self.known_rows

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[Sample]:
        """Yield all samples. Raise Halt at the first that differs from its row, or if the end is cut off."""
        with open_for_reading(self.path) as file:
            for row in self.rows:
                yield tar.parse_sample(tar.read_sample(file, row, self.path), row, self.path)
            file.seek(self.bytes - len(END_OF_TAR))
            if file.read() != END_OF_TAR:
                raise Halt(f"{self.path} differs from its seal: {DELETE_ADVICE}")

    def read_metadata(self, needed: bool = True) -> Iterator[tuple[Row, Metadata]]:
        """Yield each row with the metadata of its sample; read no other members and check no hash.

        Raise Halt if a sample has none, unless none is `needed`: colored pictures and flats have no JSON.
        """
        with open_for_reading(self.path) as file:
            for row in self.rows:
                if not needed and "json" not in row.places:
                    yield row, cast(Metadata, {})
                    continue
                try:
                    offset, size = row.places["json"]
                    file.seek(offset)
                    metadata = json.loads(file.read(size))
                except (ValueError, KeyError, RecursionError):
                    metadata = None
                if not isinstance(metadata, dict):
                    raise Halt(f"{self.path} has no metadata of the sample {row.key}: {COLUMN_ADVICE}")
                yield row, cast(Metadata, metadata)

    def read_families(self) -> Iterator[tuple[Row, Metadata]]:
        """Do the same as `read_metadata`. Raise Halt also if a sample has no family."""
        for row, metadata in self.read_metadata():
            if "family" not in metadata:
                raise Halt(f"{self.path} gives no family for the sample {row.key}: {COLUMN_ADVICE}")
            yield row, metadata

    @property
    def keys(self) -> list[str]:
        return [row.key for row in self.rows]

    def pick(self, keys: Collection[str]) -> Iterator[Sample]:
        """Yield the samples with these keys, as far as the shard has them; read no others."""
        return self.read(row for row in self.rows if row.key in keys)

    def read(self, rows: Iterable[Row]) -> Iterator[Sample]:
        """Yield the samples of `rows`; read no others. Raise Halt if one differs from its row."""
        with open_for_reading(self.path) as file:
            for row in rows:
                yield tar.parse_sample(tar.read_sample(file, row, self.path), row, self.path)


def list_shards(column: Path) -> list[Shard]:
    """List the shards of a column by its seal. Raise Halt if it is missing or does not fit the files."""
    if not column.is_dir():
        raise Halt(f"{column} does not exist: run the stage that writes it")
    listed = [Shard(column / name, **entry) for name, entry in read_seal(column)["shards"].items()]
    found = list_sizes(column)
    for shard in listed:
        if found.get(shard.name) != shard.bytes:
            raise Halt(f"{shard.path} is missing or not as long as its seal says: {AGAIN}")
    return listed


def read_seal(column: Path) -> Seal:
    """Read the seal of a column. Raise Halt if there is none, or if it is not as this program writes it."""
    try:
        return parse_seal((column / SEAL).read_bytes())
    except FileNotFoundError:
        raise Halt(f"{column} has no {SEAL}, so it is not whole: {AGAIN}") from None
    except ValueError as error:
        raise Halt(f"{column / SEAL} is no seal of this program ({error}): {AGAIN}") from error


def check_tables(column: Path) -> None:
    """Raise Halt if the index or the ledger of a column is not the one that was sealed."""
    for table in changed_tables(column, read_seal(column)):
        raise Halt(f"{table} is missing or differs from the seal: {AGAIN}")


def changed_tables(column: Path, seal: Seal) -> list[Path]:
    """List the index and the ledger of a column, as far as they are not the ones that were sealed."""
    sealed = {column / name: seal[field] for field, name in TABLES.items() if seal[field]}
    return [path for path, sha256 in sealed.items() if not path.is_file() or hash_file(path) != sha256]


def find_columns(folder: Path) -> list[Path]:
    """List the folders of shards at or below a folder, even those without a seal."""
    ours = [path for path in folder.rglob("*") if path.name == SEAL or SHARD_NAME.fullmatch(path.name)]
    return sorted({path.parent for path in ours})


def read_rows(shard: Shard) -> Iterator[Row]:
    """Read the rows of a shard from the index of its column.

    Raise Halt if they do not account for every byte of the shard, or if a key comes twice.
    """
    index, end, seen = shard.path.parent / INDEX, 0, set()
    try:
        for line in islice(read_lines(index, shard.place), shard.samples):
            row = Row.parse(line.decode())
            if row.offset != end or row.key in seen:
                raise ValueError(f"sample {row.key} is out of its place")
            seen.add(row.key)
            end += row.size
            yield row
        if (len(seen), end + len(END_OF_TAR)) != (shard.samples, shard.bytes):
            raise ValueError("some samples are missing")
    except (FileNotFoundError, ValueError) as error:
        raise Halt(f"{index} does not fit {shard.name} ({error}): {AGAIN}") from error


def find_sample(column: Path, key: str) -> tuple[Shard, Row] | None:
    """Find a sample in the index by its key; None if it is not there. Raise Halt if there is no index."""
    listed = {shard.name: shard for shard in list_shards(column)}
    try:
        for line in islice(read_lines(column / INDEX), 1, None):
            if line.startswith(f"{key}\t".encode()):
                return listed[line.split(b"\t", 2)[1].decode()], Row.parse(line.decode())
    except FileNotFoundError:
        raise Halt(f"{column} has no {INDEX}: {AGAIN}") from None
    except (ValueError, LookupError) as error:
        raise Halt(f"{column / INDEX} does not fit the seal (sample {key}): {AGAIN}") from error
    return None


def check_destination(source: Path, dest: Path) -> None:
    """Raise Halt if writing to `dest` could change files that are read from `source`."""
    home = source.resolve().parent if source.is_file() else source.resolve()
    inside = not source.is_file() and home in dest.resolve().parents
    if dest.resolve() == home or inside:
        raise Halt(f"{dest} is where the pictures come from: name another folder to write to")
