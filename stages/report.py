"""Metrics -> words."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.upkeep import report as reports


def report(metrics: Annotated[Path, typer.Argument(help="The folder of metrics.")] = Path("metrics")) -> None:
    """Summarize the last run: how many pictures, which rejects, which scores."""
    typer.echo(reports.report_metrics(metrics))
