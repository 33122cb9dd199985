"""Metrics -> words."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.upkeep import report as reports
from stages.arguments import ParamsFile, find_params, read_params, say


def report(
    metrics: Annotated[Path, typer.Argument(help="The folder of metrics.")] = Path("metrics"),
    params: ParamsFile = None,
) -> None:
    """Summarize the last run: how many pictures, which rejects, which scores, which sketches."""
    path = find_params(params)
    sketches = read_params(path).get("sketches") if path else None
    say(reports.report_metrics(metrics, sketches))
