"""Metrics -> words."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.upkeep import report as reports
from stages.arguments import PARAMS, Params, read_params, say


def report(
    metrics: Annotated[Path, typer.Argument(help="The folder of metrics.")] = Path("metrics"),
    params: Params = PARAMS,
) -> None:
    """Summarize the last run: how many pictures, which rejects, which scores, which sketches."""
    sketches = read_params(params).get("sketches") if params.is_file() else None
    say(reports.report_metrics(metrics, sketches))
