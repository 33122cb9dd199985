"""Files of records -> rows: tables separated by commas, semicolons or tabs, JSON lines, and Parquet."""

import csv
import gzip
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import Halt
from pipeline.local.records import ALIASES, FIELD_PARSERS, BadRecord
from pipeline.untrusted import is_text

DELIMITERS = ",;\t|"
MAX_SHOWN = 12  # names of columns in a message


@dataclass(frozen=True)
class TableRow:
    """A row: its number from 1, its values by column, and why it cannot be used."""

    number: int
    values: dict[str, Any]
    bad: BadRecord | None = None

    def read(self) -> dict[str, Any]:
        """Return the values. Raise BadRecord."""
        if self.bad:
            raise self.bad
        return self.values


def read_delimited(path: Path, wanted: Collection[str]) -> Iterator[TableRow]:
    """Yield the rows of a table, with the names of its columns in small letters.

    The mark that its first line has most divides the columns. Raise Halt for a file that is no table, or has
    none of the columns `wanted`.
    """
    try:
        with open_text(path, "surrogateescape") as file:  # so that a bad byte spoils its row alone
            delimiter = max(DELIMITERS, key=file.readline().count)
            file.seek(0)
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            names = [name.strip().lower() for name in next(lines, [])]
            require_column(path, names, wanted)
            yield from number_rows(names, lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Halt(f"{path} is not a table in UTF-8 or UTF-16 ({error}): repair it") from error


def open_text(path: Path, errors: str = "strict") -> TextIO:
    """Open a text in UTF-8, or in UTF-16 if it begins with the mark of that."""
    with path.open("rb") as file:
        wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    return path.open(newline="", encoding="utf-16" if wide else "utf-8-sig", errors=errors)


def number_rows(names: list[str], lines: Iterator[list[str]]) -> Iterator[TableRow]:
    """Yield the rows that are not empty; a quote that is never closed, or too long a value, spoils one."""
    number = 0
    while True:
        try:
            values = next(lines, None)
        except csv.Error as error:
            number += 1
            yield TableRow(number, {}, BadRecord("bad row", str(error)))
            continue
        if values is None:
            return
        if values:
            number += 1
            yield TableRow(number, dict(zip(names, values, strict=False)), fault_of(names, values))


def fault_of(names: list[str], values: list[str]) -> BadRecord | None:
    """Return why a row cannot be used; None if it can. A row may be shorter than the header, not longer."""
    if any(values[len(names) :]):
        return BadRecord("bad row", f"{len(values)} values for {len(names)} columns: quote those with commas")
    if not all(map(is_text, values)):
        return BadRecord("bad text", "not UTF-8")
    return None


def read_json_lines(path: Path) -> Iterator[TableRow]:
    """Yield the lines of a file, which may be gzipped, that are not empty, by their numbers. Raise Halt."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield from (parse_line(number, line) for number, line in enumerate(file, 1) if line.strip())
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Halt(f"{path} is damaged ({error}): get it again") from error


def parse_line(number: int, line: bytes) -> TableRow:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return TableRow(number, {}, BadRecord("bad JSON", str(error)))
    if not isinstance(record, dict):
        return TableRow(number, {}, BadRecord("bad JSON", "not an object"))
    return TableRow(number, record)


def read_parquet(path: Path, wanted: Collection[str]) -> Iterator[TableRow]:
    """Yield the rows of a Parquet file, without the columns that no post has. Raise Halt."""
    from pyarrow.parquet import ParquetFile  # takes half a second

    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            require_column(path, [name.lower() for name in names], wanted)
            known = {"hash", "artist", "author", *wanted, *ALIASES, *FIELD_PARSERS}
            columns = [name for name in names if name.lower() in known or name.lower().startswith("tag")]
            rows = (row for batch in file.iter_batches(columns=columns) for row in batch.to_pylist())
            yield from (TableRow(number, row) for number, row in enumerate(rows, 1))
    except (ValueError, OSError) as error:
        raise Halt(f"{path} is not a Parquet file ({error}): repair it") from error


def require_column(path: Path, names: Iterable[str], wanted: Collection[str]) -> None:
    """Raise Halt unless a table has one of the columns `wanted`."""
    names = list(names)
    if not set(names) & set(wanted):
        shown = ", ".join(names[:MAX_SHOWN]) or "no column at all"
        first = next(iter(wanted))
        raise Halt(f"{path} has no column {' or '.join(wanted)}, but {shown}: name the column {first}")


def lower_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the names of its columns in small letters, and the author as the artist."""
    lower = {str(name).strip().lower(): value for name, value in row.items()}
    if not lower.get("artist") and "author" in lower:
        lower["artist"] = lower["author"]
    return lower
