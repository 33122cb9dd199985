"""Original -> color picture of the dataset."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline import clean as cleaning
from pipeline import files, gallery, images
from pipeline.params import Clean
from pipeline.run import Report, process
from pipeline.step import Step
from stages.arguments import (
    CACHE,
    WORKERS,
    Cache,
    Metrics,
    On,
    Sheet,
    Source,
    Target,
    Workers,
    conclude,
    progress,
)
from stages.options import unfold


@unfold
def clean(
    source: Source,
    dest: Target,
    clean: Clean,
    metrics: Metrics = None,
    sheet: Sheet = None,
    examples: Annotated[
        Path | None,
        typer.Option(help="Draw ten rejected pictures per reason to this PNG file.", show_default=False),
    ] = None,
    histogram: Annotated[
        Path | None, typer.Option(help="Write the pictures per percent of complexity here.")
    ] = None,
    workers: Workers = WORKERS,
    on: On = "processes",
    cache: Cache = CACHE,
) -> None:
    """Decode, crop, resize and score every original; reject those of no use, each with its reason."""
    step = Step(
        cleaning.column, cleaning.Take.of(clean), carry=True, tell=cleaning.told(clean), beside="sketch"
    )
    with progress("clean") as tick:
        report = process(
            step,
            source,
            dest,
            workers=workers,
            on=on,
            cache=cache,
            tick=tick,
            judge=partial(cleaning.judge, params=clean),
            distinct="pixels",
            tolerance=clean.tolerance,
        )
    complexity = f"complexity{clean.blocksize}"
    conclude("clean", report, dest, metrics, sheet, complexity, "gray", "colorfulness")
    if histogram:
        files.write(histogram, cleaning.histogram(report.counts[complexity]).encode())
    if examples:
        files.write(examples, images.encode(gallery.page(shown(report), side=96)))


def shown(report: Report) -> list[gallery.Row]:
    """Make a row of the examples of each reason, with their keys; what cannot be decoded has none."""
    rows = []
    for reason, count in report.rejected.items():
        tiles = [(images.decode(data), key) for key, data in report.examples.get(reason, ())]
        rows += [gallery.Row(f"{reason}: {count}", tiles)] if tiles else []
    return rows
