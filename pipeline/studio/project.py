"""GET /api/project: the columns of a dataset, the parameters and the metrics, as far as they are there."""

import re
from collections import Counter
from functools import lru_cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.shards.tar import Row
from pipeline.studio.columns import MOST_INDEXES
from pipeline.studio.safety import answer_json
from pipeline.studio.state import Studio
from pipeline.upkeep.report import read_results


def project_routes(studio: Studio) -> list[Route]:
    async def answer(request: Request) -> Response:
        return answer_json(await studio.run(describe_project, studio))

    return [Route("/api/project", answer)]


def describe_project(studio: Studio) -> dict[str, Any]:
    """Describe what the studio can show; `why` says what is missing, in a sentence."""
    columns, why = [], []
    try:
        columns = [count_column(studio, name) for name in studio.columns.find()]
    except (Halt, OSError) as error:
        why.append(str(error))
    if not columns and not why:
        why.append(f"{studio.data} has no columns: run dvc repro, or name a folder of shards")
    params = {}
    try:
        params = studio.read_params()
    except Halt as error:
        why.append(str(error))
    try:
        metrics = read_results(studio.home / "metrics")
    except (Halt, OSError, ValueError):
        metrics = {}
    found = {"data": str(studio.data), "columns": columns, "params": plain(params), "metrics": metrics}
    return found | {"why": "; ".join(why)}


def count_column(studio: Studio, name: str) -> dict[str, Any]:
    """Count the samples of a column, by member and by split; `fault` says why it cannot be read."""
    try:
        seal = studio.columns.seal(name)
        members = count_members(studio.columns.index(name))
    except (Halt, HTTPException, ValueError) as fault:
        return {"path": name, "fault": getattr(fault, "detail", str(fault))}
    splits: Counter[str] = Counter()
    for shard, entry in seal["shards"].items():
        splits[shard.rpartition("-")[0]] += entry["samples"]
    return {
        "path": name,
        "samples": seal["written"],
        "bytes": sum(entry["bytes"] for entry in seal["shards"].values()),
        "shards": list(seal["shards"]),
        "members": members,
        "splits": {} if "" in splits else dict(splits),
        "rejects": seal["rejected"],
    }


@lru_cache(MOST_INDEXES)
def count_members(index: bytes) -> dict[str, int]:
    """Count the members of all samples by suffix. Raise ValueError for one that may not be a member.

    Most samples have the same suffixes, so few lines are parsed.
    """
    lines = re.sub(r"=\d+", "=0", index.decode()).split("\n")[1:-1]
    counts: Counter[str] = Counter()
    for members, count in Counter(line.rpartition("\t")[2] for line in lines).items():
        counts.update(dict.fromkeys(Row.parse(f"key\t\t0\t\t{members}").sizes, count))
    return dict(counts)


def plain(value: Any) -> Any:
    """Make JSON of what YAML can hold, such as days and numbers that are not finite."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each) for each in value]
    finite = isinstance(value, str | bool | int | None) or (
        isinstance(value, float) and abs(value) < float("inf")
    )
    return value if finite else str(value)
