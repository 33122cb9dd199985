"""Ledgers: tables of rejected samples, with the key, the reason and, in some, more columns."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import open_atomic, remove_partials
from pipeline.untrusted import safe_text

LEDGER = "rejects.tsv"  # name of the ledger in a column


@contextmanager
def open_ledger(
    path: Path, *columns: str, subject: str = "key"
) -> Iterator[Callable[[Iterable[Sequence[str]]], object]]:
    """Open a ledger for writing and return the function that adds rows: the subject, then a value per column.

    Texts may come from outside: they are escaped. The file takes its name once all of it is written.
    """
    with open_atomic(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        rows = csv.writer(text, delimiter="\t", lineterminator="\n")
        rows.writerow((subject, *columns))
        yield lambda table: rows.writerows(map(safe_row, table))
        text.detach()
    remove_partials(path.parent, path.name)


def safe_row(row: Sequence[str]) -> list[str]:
    return [safe_text(cell) if isinstance(cell, str) else cell for cell in row]


def write_ledger(path: Path, rejects: Iterable[Sequence[str]], *columns: str) -> None:
    """Write a ledger whose rows are the key, then a value per column."""
    with open_ledger(path, *columns) as add:
        add(rejects)


def read_ledger(path: Path) -> list[list[str]]:
    """Return the rows of a ledger, its header first; [] if the file is another kind of table.

    Raise Halt if it is damaged.
    """
    if not (data := path.read_bytes()).startswith((b"key\t", b"key\n")):
        return []
    try:
        rows = [*csv.reader(io.StringIO(data.decode(), newline=""), delimiter="\t", strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Halt(f"{path} is damaged ({error}): run the stage that writes it again") from error
    if len({*map(len, rows)}) > 1:
        raise Halt(
            f"{path} is damaged (a row has not one value per column): run the stage that writes it again"
        )
    return rows


def find_reject(path: Path, key: str) -> list[str]:
    """Return the row of a key in a ledger; [] if the file does not exist or does not list the key."""
    rows = read_ledger(path)[1:] if path.is_file() else []
    return next((row for row in rows if row[0] == safe_text(key)), [])
