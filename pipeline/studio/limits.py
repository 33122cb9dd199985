"""GET /api/limits: the scores of all pictures, and the limits that clean sets to them.

The page decides with other limits by itself, in web/engine/limits.js, as operators/limits.py and
run/process.py do.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.files import dumps, read_lines
from pipeline.operators.limits import RULES, Rule, check_limits
from pipeline.params import Clean
from pipeline.shards.column import INDEX, SEAL, check_tables, list_shards, read_seal
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.studio.editing import clean_params, describe_choices, describe_params
from pipeline.studio.state import Studio
from pipeline.upkeep.report import all_counts


def limit_routes(studio: Studio) -> list[Route]:
    async def answer(request: Request) -> Response:
        body = await studio.run(lambda: dumps(describe_limits(studio)))
        return Response(body, media_type="application/json")

    return [Route("/api/limits", answer)]


def describe_limits(studio: Studio) -> dict[str, Any]:
    """Return what the page needs to decide about every picture as clean does.

    Raise Halt if params.yaml, a list, or the column of clean cannot be used.
    """
    params = describe_params(studio)
    clean = clean_params(params["values"].get("clean"))
    column, source = studio.data / "color", studio.data / "original"
    if not column.is_dir():
        raise Halt(f"{column} does not exist: run dvc repro clean")
    seal = read_seal(column)
    return {
        **read_scores(column, source, seal["index"] + seal["ledger"], clean.blocksize),
        "rules": [rule_document(rule, clean) for rule in RULES],
        "tolerance": clean.tolerance,
        "choices": describe_choices(studio),
        "params": {"file": params["file"], "sha256": params["sha256"]},
        "flow": describe_flow(studio),
    }


def rule_document(rule: Rule, clean: Clean) -> dict[str, Any]:
    """Return a rule, its limit as `value`, and the bounds of this parameter, None for no bound."""
    [field] = [field for field in fields(Clean) if field.name == rule.limit]
    bounds = {
        name: None if abs(field.metadata[name]) == float("inf") else field.metadata[name]
        for name in ("low", "high")
    }
    return {
        "reason": rule.reason,
        "limit": rule.limit,
        "least": rule.least,
        "score": rule.score,
        "value": getattr(clean, rule.limit),
        "help": field.metadata["help"],
        "integer": type(field.default) is int,
        **bounds,
    }


# ---------------------------------------------------------------- scores


@dataclass(frozen=True)
class Measured:
    """A picture that clean measured: whether it is in the dataset, and its metadata."""

    key: str
    kept: bool
    metadata: dict[str, Any]


@lru_cache(2)
def read_scores(column: Path, source: Path, sealed: str, blocksize: int) -> dict[str, Any]:
    """Return the scores of all pictures of clean, kept and rejected, in the order in which clean reads them.

    `keys`, `kept` (1 or 0), `twins` (a number that pictures with equal pixels share, or -1), and `scores` by
    name have one value for each picture; `unusable` counts the others by reason. `sealed` tells whether the
    column is the same as before.
    """
    check_tables(column)
    unusable: Counter[str] = Counter()
    found = [*read_kept(column), *read_rejected(column / LEDGER, unusable)]
    places = read_places(source / INDEX)
    found.sort(key=lambda each: (places.get(each.key, len(places)), each.key))
    clean = Clean(blocksizes=f"{blocksize}", blocksize=blocksize)
    try:
        verdicts = [check_limits(each.metadata, clean) for each in found]
        pixels = [each.metadata["pixels"] for each in found]
    except KeyError as missing:
        raise Halt(f"{column} has no score {missing}: run dvc repro clean") from None
    counts = Counter(pixels)
    numbers = {value: number for number, value in enumerate(value for value in counts if counts[value] > 1)}
    return {
        "keys": [each.key for each in found],
        "kept": [int(each.kept) for each in found],
        "twins": [numbers.get(value, -1) for value in pixels],
        "scores": {rule.score: [row[place].value for row in verdicts] for place, rule in enumerate(RULES)},
        "unusable": dict(sorted(unusable.items())),
    }


def read_kept(column: Path) -> Iterator[Measured]:
    for shard in list_shards(column):
        for row, metadata in shard.read_metadata():
            yield Measured(row.key, True, dict(metadata))


def read_rejected(ledger: Path, unusable: Counter[str]) -> Iterator[Measured]:
    """Yield the rejects that have scores, and count the others by reason. Raise Halt."""
    for key, reason, told in read_ledger(ledger)[1:] if ledger.is_file() else []:
        if not told:
            unusable[reason] += 1
            continue
        try:
            yield Measured(key, False, json.loads(told))
        except ValueError:
            raise Halt(f"{ledger} is damaged (sample {key}): run dvc repro clean") from None


def read_places(index: Path) -> dict[str, int]:
    """Return the place of each key in an index; {} without an index, since no count depends on the order."""
    if not index.is_file():
        return {}
    lines = islice(read_lines(index), 1, None)
    return {line.partition(b"\t")[0].decode(): place for place, line in enumerate(lines)}


# ---------------------------------------------------------------- before and after clean


def describe_flow(studio: Studio) -> dict[str, Any]:
    """Count by reason what search skipped, fetch missed and clean rejected, and the samples packed.

    `posts` and `packed` are None if unknown.
    """
    search = studio.home / "metrics" / "search.json"
    counts = all_counts(json.loads(search.read_bytes())) if search.is_file() else {}
    named = ((name, studio.data / name) for name in ("original", "color", "pairs"))
    seals = {name: read_seal(column) for name, column in named if (column / SEAL).is_file()}
    return {
        "posts": counts.get("posts"),
        "skipped": counts.get("skipped", {}),
        "missing": seals["original"]["rejected"] if "original" in seals else {},
        "rejected": seals["color"]["rejected"],
        "cleaned": seals["color"]["written"],
        "packed": seals["pairs"]["written"] if "pairs" in seals else None,
    }
