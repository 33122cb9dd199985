"""Metrics -> words."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.upkeep import report as reports
from stages.arguments import AsJson, ParamsFile, emit, emit_json, find_params, read_params


def report(
    metrics: Annotated[Path, typer.Argument(help="The folder of metrics.")] = Path("metrics"),
    params: ParamsFile = None,
    as_json: AsJson = False,
) -> None:
    """Summarize the last run: how many pictures, which rejects, which scores, which sketches."""
    path = find_params(params)
    sketches = read_params(path).get("sketches") if path else None
    results = reports.read_results(metrics, sketches)
    if as_json:
        emit_json(results)
        return
    for name, result in results.items():
        emit(reports.describe_result(name, result))
