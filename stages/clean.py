"""Original -> color picture of the dataset."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.images import codec, png, sheets
from pipeline.operators import clean as cleaning
from pipeline.operators import limits
from pipeline.params import Clean
from pipeline.run.choices import read_choices
from pipeline.run.process import Policy
from pipeline.run.report import Report
from pipeline.run.step import Step
from pipeline.shards.loose import list_parts
from stages.arguments import LooseTarget, Source, say
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
    """Decode, crop, resize and score every original; reject unusable ones, each with its reason.

    A person who has seen a picture may decide otherwise than the limits: see --keep and --drop. The first of
    several duplicates stays, also where another one is to be kept; drop the first to have the other.
    """
    take, scores = cleaning.PixelParams.of(clean), cleaning.reported_scores(clean)
    step = Step(cleaning.make_color, take, carry=True, report=scores, extra="sketch")
    choices = read_choices(clean.keep, clean.drop)
    policy = Policy(partial(limits.rejection_reason, params=clean), "pixels", clean.tolerance, choices)
    complexity = f"complexity{clean.blocksize}"
    report = run.column("clean", step, source, dest, policy, numbers=[complexity, "gray", "colorfulness"])
    say_unknown(source, {clean.keep: choices.keep, clean.drop: choices.drop})
    if histogram:
        files.write(histogram, cleaning.complexity_histogram(report.counts[complexity]).encode())
    if examples:
        files.write(examples, png.encode_png(sheets.contact_sheet(example_rows(report), side=96)))


def say_unknown(source: Path, lists: Mapping[str, Mapping[str, str]]) -> None:
    """Say how many keys of each list, by the name of its file, are of no picture."""
    if any(lists.values()):
        known = {key for part in list_parts(source) for key in part.keys}
        for name, listed in lists.items():
            if unknown := listed.keys() - known:
                count = f"{len(unknown)} of the {len(listed)} keys in {name}"
                say(f"clean: {source} has no picture for {count}, such as {min(unknown)}", err=True)


def example_rows(report: Report) -> list[sheets.Strip]:
    """Make a row of captioned examples for each reason whose pictures can be decoded."""
    rows = []
    for reason, count in report.rejected.items():
        tiles = [(codec.decode(data), key) for key, data in report.examples.get(reason, ())]
        if tiles:
            rows.append(sheets.Strip(f"{reason}: {count}", tiles))
    return rows
