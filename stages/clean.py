"""Original -> color picture of the dataset."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.images import codec, png, sheets
from pipeline.operators import clean as cleaning
from pipeline.operators import limits
from pipeline.params import Clean
from pipeline.run.process import Policy
from pipeline.run.report import Report
from pipeline.run.step import Step
from stages.arguments import LooseTarget, Source
from stages.column import Run
from stages.options import unfold


@unfold
def clean(
    source: Source,
    dest: LooseTarget,
    run: Run,
    clean: Clean,
    examples: Annotated[Path | None, typer.Option(help="Draw ten rejects per reason to this PNG.")] = None,
    histogram: Annotated[Path | None, typer.Option(help="Write a histogram of complexity here.")] = None,
) -> None:
    """Decode, crop, resize and score every original; reject unusable ones, each with its reason."""
    take, scores = cleaning.PixelParams.of(clean), cleaning.reported_scores(clean)
    step = Step(cleaning.make_color, take, carry=True, report=scores, extra="sketch")
    policy = Policy(partial(limits.rejection_reason, params=clean), "pixels", clean.tolerance)
    complexity = f"complexity{clean.blocksize}"
    report = run.column("clean", step, source, dest, policy, numbers=[complexity, "gray", "colorfulness"])
    if histogram:
        files.write(histogram, cleaning.complexity_histogram(report.counts[complexity]).encode())
    if examples:
        files.write(examples, png.encode_png(sheets.contact_sheet(example_rows(report), side=96)))


def example_rows(report: Report) -> list[sheets.Strip]:
    """Make a row of captioned examples for each reason whose pictures can be decoded."""
    rows = []
    for reason, count in report.rejected.items():
        tiles = [(codec.decode(data), key) for key, data in report.examples.get(reason, ())]
        if tiles:
            rows.append(sheets.Strip(f"{reason}: {count}", tiles))
    return rows
