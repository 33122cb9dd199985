"""A trained colorizer -> its scores on the test split."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.images import png, sheets
from pipeline.params import Evaluate
from pipeline.upkeep import report
from stages.arguments import DatasetFolder, Device, Metrics, ModelFolder, Sheet, progress
from stages.options import unfold


@unfold
def evaluate(
    pairs: DatasetFolder,
    model: ModelFolder,
    evaluate: Evaluate,
    metrics: Metrics = None,
    table: Annotated[Path | None, typer.Option(help="Write all scores to this Parquet file.")] = None,
    scatter: Annotated[Path | None, typer.Option(help="Write PSNR by picture to this TSV file.")] = None,
    sheet: Sheet = None,
    device: Device = "auto",
) -> None:
    """Measure a colorizer on the test split, next to baselines that need no model."""
    from pipeline.evaluation import protocol, summary

    with files.lock_files(metrics, table, scatter, sheet), progress("evaluate") as tick:
        result = protocol.evaluate_model(pairs, model, evaluate, device=device, tick=tick)
        if not result.summary["own"]:
            typer.echo(
                f"evaluate: {model} was trained on another dataset, which may have these pictures", err=True
            )
        if metrics:
            files.write_json(metrics, result.summary)
        if table:
            files.write(table, summary.to_parquet(result.rows))
        if scatter:
            files.write(scatter, summary.scatter_table(result.rows).encode())
        if sheet:
            shown = ([(picture, name) for name, picture in row.items()] for row in result.pictures.values())
            rows = [sheets.Strip("", tiles) for tiles in shown]
            files.write(sheet, png.encode_png(sheets.contact_sheet(rows, side=result.summary["side"])))
    typer.echo(f"evaluate: {report.describe_scores(result.summary)}")
