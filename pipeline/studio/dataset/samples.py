"""The samples of a column: searched by tags, names and scores, and what is known about one of them."""

from functools import partial
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import BadImage, Halt
from pipeline.fields import parse_section
from pipeline.files import halt_on_disconnect
from pipeline.params import Clean
from pipeline.run.choices import read_choices
from pipeline.shards.column import SEAL
from pipeline.shards.tar import AGAIN
from pipeline.studio.columns import DataFolder
from pipeline.studio.dataset.background import Background, Busy, Say, answer_when_ready
from pipeline.studio.dataset.table import SearchTable, words_of
from pipeline.studio.state import Studio
from pipeline.upkeep.explain import as_document, explain_sample

HELD_TABLES = 2  # columns whose metadata are in memory
MAX_SAMPLES = 2_000_000  # in a table, which takes about 500 bytes for each
MAX_QUERY = 1000  # characters
EACH = 1000  # samples between two sentences that say how many are read


def read_table(columns: DataFolder, name: str, say: Say) -> SearchTable:
    """Read the metadata of all samples of a column. Raise Halt if it is not whole, or too large."""
    shards = columns.shards(name)
    total = sum(map(len, shards))
    if total > MAX_SAMPLES:
        raise Halt(f"{name} has {total:,} samples, too many to search: scroll, or open one by its key")
    table = SearchTable()
    for shard in shards:
        for row, metadata in shard.read_metadata(needed=False):
            try:
                table.add(row.key, {"split": split_of(shard.name), **metadata})
            except (OverflowError, ValueError):
                raise Halt(
                    f"{shard.path} has JSON of the sample {row.key} that cannot be used: {AGAIN}"
                ) from None
            if len(table.keys) % EACH == 0:
                say(f"Reading tags, artists and scores: {len(table.keys):,} of {total:,} samples.")
    return table


def split_of(shard: str) -> str:
    """Return the split of a shard by its name; "" if it names none."""
    return shard.rpartition("-")[0]


class Samples:
    """Searches of columns, whose tables are read in the background."""

    def __init__(self) -> None:
        self.tables: Background[SearchTable] = Background(HELD_TABLES)

    def key(self, columns: DataFolder, name: str) -> tuple[str, str]:
        return name, columns.seal(name)["index"]

    def table(self, columns: DataFolder, name: str) -> SearchTable:
        """Return the table of a column. Raise Busy while it is read."""
        read = halt_on_disconnect(columns.folder)(partial(read_table, columns, name))
        return self.tables.get(self.key(columns, name), read)

    def search(self, columns: DataFolder, name: str, query: str, split: str = "") -> dict[str, Any]:
        """Return the rows that a search finds in a column, and words that may complete it.

        `index` is the SHA-256 of the index whose rows are meant. Raise ValueError if the search cannot be
        read, and Busy.
        """
        if len(query) > MAX_QUERY:
            raise ValueError(f"the search is longer than {MAX_QUERY} characters")
        table = self.table(columns, name)
        return {
            "index": columns.seal(name)["index"],
            "rows": table.search(f"{query} split:{split}" if split else query),
            "words": table.suggest(query),
            "scores": sorted(table.scores),
        }

    def describe(self, columns: DataFolder, name: str, key: str) -> dict[str, Any]:
        """Return what is known of a sample. `mates` are the rows of its group, None while they are not known.

        `busy` says how far they are; it is empty if the column is behind a URL and nobody has searched it,
        since that reads all of it.
        """
        row, sample = columns.sample(name, key)
        try:
            metadata = sample.metadata
        except BadImage:
            raise Halt(f"{name} has no readable JSON of the sample {key}: {AGAIN}") from None
        found = {"key": key, "sha256": row.sha256, "members": row.sizes, "metadata": metadata}
        if columns.is_remote and self.key(columns, name) not in self.tables:
            return found | {"mates": None, "busy": ""}
        groups = [word for word in words_of(metadata) if word.startswith("group:")]
        try:
            mates = np.flatnonzero(self.table(columns, name).having(groups)).tolist()
            return found | {"mates": mates, "busy": ""}
        except Busy as busy:
            return found | {"mates": None, "busy": str(busy)}


def explain_key(studio: Studio, key: str) -> list[dict[str, Any]]:
    """Return the decision of each stage about a sample; none if the studio shows a single column.

    Raise Halt if no stage knows it, or ValueError if the parameters are wrong.
    """
    if (studio.data / SEAL).is_file():
        return []
    clean = parse_section(Clean, studio.read_params().get("clean"))
    lists = [str(studio.home / name) if name else "" for name in (clean.keep, clean.drop)]
    decisions = explain_sample(key, studio.data, clean, read_choices(*lists))
    return [as_document(decision) for decision in decisions]


def sample_routes(studio: Studio) -> list[Route]:
    samples = Samples()

    async def search(request: Request) -> Response:
        column, query, split = (request.query_params.get(name, "") for name in ("column", "q", "split"))
        return await answer_when_ready(studio, samples.search, studio.columns, column, query, split)

    async def describe(request: Request) -> Response:
        column, key = (request.query_params.get(name, "") for name in ("column", "key"))
        return await answer_when_ready(studio, samples.describe, studio.columns, column, key)

    async def explain(request: Request) -> Response:
        return await answer_when_ready(studio, explain_key, studio, request.query_params.get("key", ""))

    return [Route("/api/samples", search), Route("/api/sample", describe), Route("/api/explain", explain)]
