"""A trained colorizer -> its scores on the test split."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.images import png
from pipeline.params import Evaluate
from pipeline.upkeep.report import describe_scores
from stages.arguments import Device, ModelFolder, PackedDataset, progress, say
from stages.options import unfold


@unfold
def evaluate(
    pairs: PackedDataset,
    model: ModelFolder,
    evaluate: Evaluate,
    metrics: Annotated[Path | None, typer.Option(help="Write the main numbers to this JSON file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write all means, intervals and baselines to this JSON file.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the scores of every picture to this Parquet file.")
    ] = None,
    scatter: Annotated[Path | None, typer.Option(help="Write PSNR by picture to this TSV file.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Draw some pictures by all guides to this PNG.")] = None,
    device: Device = "auto",
) -> None:
    """Measure a colorizer on the test split, next to baselines that need no model."""
    from pipeline.evaluation import pictures, protocol, summary

    with files.lock_files(metrics, report, table, scatter, sheet), progress("evaluate") as tick:
        result = protocol.evaluate_model(pairs, model, evaluate, device=device, tick=tick)
        if not result.summary["own"]:
            say(f"evaluate: {model} was trained on another dataset, which may have these pictures", err=True)
        if metrics:
            files.write_json(metrics, summary.headline(result.summary))
        if report:
            files.write_json(report, result.summary)
        if table:
            files.write(table, summary.to_parquet(result.rows))
        if scatter:
            files.write(scatter, summary.scatter_table(result.rows).encode())
        if sheet:
            files.write(sheet, png.encode_png(pictures.model_sheet(result)))
    say(f"evaluate: {describe_scores(result.summary)}")
