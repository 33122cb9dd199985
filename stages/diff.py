"""Two runs -> what changed, and whether the model colors better."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import files
from pipeline.errors import Halt
from stages.arguments import AsJson, emit, emit_json, progress, say

if TYPE_CHECKING:  # what they import takes a while
    from pipeline.evaluation.diff import Diff
    from stages.revisions import Revision


def diff(
    before: Annotated[
        str, typer.Argument(help="A revision, an experiment, or the folder of a project.")
    ] = "HEAD",
    after: Annotated[str, typer.Argument(help="What to compare with it.")] = "workspace",
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write one HTML file that needs no network.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw what gained and lost most side by side to this PNG file.")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=1, max=100, help="How many that gained most, and lost most, to show.")
    ] = 3,
) -> None:
    """Compare two runs: parameters, counts, and each measure on the test pictures that both share."""
    from pipeline.evaluation import diff as differing
    from stages.revisions import open_revision

    runs = open_revision(before), open_revision(after)
    found = compare_runs(*runs)
    with files.lock_files(html, sheet):
        if html or sheet:
            write_pictures(found, runs, pictures, html, sheet)
    if as_json:
        emit_json(differing.to_json(found))
    else:
        emit(differing.to_markdown(found) if as_markdown else differing.to_text(found))


def compare_runs(before: "Revision", after: "Revision") -> "Diff":
    from pipeline.evaluation.diff import Diff
    from pipeline.evaluation.paired import pair_measures
    from pipeline.upkeep.changes import changed_params, pair_counts
    from stages.revisions import read_run

    old, new = read_run(before), read_run(after)
    params, counts = changed_params(old.params, new.params), pair_counts(old.metrics, new.metrics)
    return Diff(before.name, after.name, params, counts, pair_measures(old.rows, new.rows))


def write_pictures(
    found: "Diff", runs: Sequence["Revision"], count: int, html: Path | None, sheet: Path | None
) -> None:
    """Write the page and the sheet. Raise Halt if there is nothing to draw on a sheet."""
    from pipeline.evaluation import page
    from pipeline.images import png
    from stages.recoloring import draw_figures

    with progress("diff") as tick:
        figures, notes = draw_figures(found.main, runs, count, tick)
    shown = [figure for figure in figures if figure.tiles]
    if sheet and not shown:
        raise Halt(f"there is no picture to draw to {sheet}: {'; '.join(notes) or 'none has changed'}")
    if html:
        files.write(html, page.write_page(found, figures, notes).encode())
    if sheet:
        files.write(sheet, png.encode_png(page.draw_sheet(shown)))
    for note in notes:
        say(f"diff: {note}", err=True)
