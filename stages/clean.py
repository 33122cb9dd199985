"""Original -> color picture of the dataset."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import clean as cleaning
from pipeline import files
from pipeline.params import Clean
from pipeline.run import process
from pipeline.step import Step
from stages.arguments import CACHE, WORKERS, Cache, Dest, Metrics, Sheet, Source, Workers, conclude, progress
from stages.options import unfold

SCORES = ("complexity", "gray")


@unfold
def clean(
    source: Source,
    dest: Dest,
    clean: Clean,
    metrics: Metrics = None,
    sheet: Sheet = None,
    histogram: Annotated[
        Path | None, typer.Option(help="Write the pictures per percent of complexity here.")
    ] = None,
    workers: Workers = WORKERS,
    cache: Cache = CACHE,
) -> None:
    """Decode, crop, resize and score every original; reject those of no use, each with its reason."""
    step = Step(cleaning.column, clean, carry=True, tell=(*SCORES, "pixels"), beside="sketch")
    with progress("clean") as tick:
        report = process(
            step,
            source,
            dest,
            workers=workers,
            cache=cache,
            tick=tick,
            distinct="pixels",
            tolerance=clean.tolerance,
        )
    conclude("clean", report, dest, metrics, sheet, *SCORES)
    if histogram:
        files.write(histogram, cleaning.histogram(report.counts["complexity"]).encode())
