"""A trained colorizer -> what it is worth."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files, images
from pipeline.params import Evaluate
from stages.arguments import Device, Metrics, Model, Pairs, Sheet, progress
from stages.options import unfold

Table = Annotated[
    Path | None,
    typer.Option(help="Write the numbers of every picture to this TSV file.", show_default=False),
]


@unfold
def evaluate(
    pairs: Pairs,
    model: Model,
    evaluate: Evaluate,
    metrics: Metrics = None,
    table: Table = None,
    sheet: Sheet = None,
    device: Device = "auto",
) -> None:
    """Measure a colorizer on the test split, beside what needs no model: its cue or reference, or gray."""
    from pipeline import evaluation

    with progress("evaluate") as tick:
        rows, summary, pictures = evaluation.evaluate(
            pairs, model, device=device, keep=evaluate.rows, tick=tick
        )
    if metrics:
        files.write_json(metrics, summary)
    if table:
        files.write(table, evaluation.table(rows).encode())
    if sheet:
        files.write(sheet, images.encode(images.sheet(pictures, side=pictures[0][0].shape[0])))
    typer.echo(
        f"evaluate: {summary['psnr']:.2f} dB PSNR, {summary['ssim']:.3f} SSIM "
        f"on {summary['images']} pictures, {summary['gain']:+.2f} dB against the better baseline"
    )
