"""A trained colorizer -> what it is worth."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.images import png, sheets
from pipeline.params import Evaluate
from pipeline.upkeep import report
from stages.arguments import DatasetFolder, Device, Metrics, ModelFolder, Sheet, progress
from stages.options import unfold

Table = Annotated[
    Path | None,
    typer.Option(help="Write the numbers of every picture to this Parquet file.", show_default=False),
]
Scatter = Annotated[
    Path | None,
    typer.Option(
        help="Write the PSNR of every picture, and of its best baseline, to this TSV file.",
        show_default=False,
    ),
]


@unfold
def evaluate(
    pairs: DatasetFolder,
    model: ModelFolder,
    evaluate: Evaluate,
    metrics: Metrics = None,
    table: Table = None,
    scatter: Scatter = None,
    sheet: Sheet = None,
    device: Device = "auto",
) -> None:
    """Measure a colorizer on the test split, beside what needs no model: its cue or reference, or gray."""
    from pipeline.evaluation import protocol

    with progress("evaluate") as tick:
        found = protocol.evaluate_model(pairs, model, evaluate, device=device, tick=tick)
    if metrics:
        files.write_json(metrics, found.summary)
    if table:
        files.write(table, protocol.to_parquet(found.rows))
    if scatter:
        files.write(scatter, protocol.scatter_table(found.rows).encode())
    if sheet:
        rows = [
            sheets.Strip("", [(p, name) for name, p in shown.items()]) for shown in found.pictures.values()
        ]
        files.write(sheet, png.encode_png(sheets.contact_sheet(rows, side=found.summary["side"])))
    typer.echo(f"evaluate: {report.describe_scores(found.summary)}")
