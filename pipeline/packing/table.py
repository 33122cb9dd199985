"""The scores of all samples as one table, for people who look with pandas or DuckDB."""

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pipeline.files import dumps

if TYPE_CHECKING:
    import pyarrow

TEXT_FIELDS = ("split", "group", "artist", "source", "license", "rating")  # of the JSON members
NOT_SCORES = ("id", "family")  # numbers that name something
CHUNK_ROWS = 10_000  # that wait as dictionaries, which are larger than columns


class ScoreTable:
    """A row for each sample: key, split, names, the numbers of its JSON, and how complex each sketch is."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.chunks: list[pyarrow.Table] = []

    def add(self, key: str, metadata: Mapping[str, Any]) -> None:
        self.rows.append({"key": key} | texts_of(metadata) | scores_of(metadata))
        if len(self.rows) == CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        import pyarrow  # takes a tenth of a second, and every command imports this module
        from pyarrow import json  # its own lists of Python objects would import pandas

        kinds = {name: pyarrow.string() for name in ("key", *TEXT_FIELDS)}
        kinds |= {name: pyarrow.float64() for row in self.rows for name in row if name not in kinds}
        lines = b"\n".join(map(dumps, self.rows))
        whole = json.ReadOptions(use_threads=False, block_size=len(lines))
        typed = json.ParseOptions(explicit_schema=pyarrow.schema(kinds.items()))
        self.chunks.append(json.read_json(BytesIO(lines), whole, typed))
        self.rows = []

    def to_parquet(self) -> tuple[bytes, list[str]]:
        """Return the table as Parquet, and the names of its scores, sorted; a missing score is null."""
        import pyarrow
        from pyarrow import parquet

        if self.rows:
            self.flush()
        table = pyarrow.concat_tables(self.chunks, promote_options="default")
        scores = sorted({*table.column_names} - {"key", *TEXT_FIELDS})
        file = BytesIO()
        parquet.write_table(table.select(["key", *TEXT_FIELDS, *scores]).combine_chunks(), file)
        return file.getvalue(), scores


def texts_of(metadata: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: None if (value := metadata.get(name)) is None else str(value) for name in TEXT_FIELDS}


def scores_of(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a sample, and as `COLUMN.complexity` that of each sketch."""
    found = {name: value for name, value in metadata.items() if name not in NOT_SCORES}
    found |= {
        f"{name}.complexity": column["complexity"]
        for name, column in metadata.items()
        if isinstance(column, dict) and "complexity" in column
    }
    return {name: float(value) for name, value in found.items() if type(value) in (int, float)}
