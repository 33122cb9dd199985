"""Sketch and strokes -> flat color layer."""

from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import LooseTarget, Source
from stages.column import Run
from stages.options import unfold


@unfold
def flats(
    source: Source,
    dest: LooseTarget,
    strokes: Annotated[
        Path,
        typer.Option(help="Strokes or dots on a transparent background, or a folder with one per sketch."),
    ],
    run: Run,
    gap: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Close gaps in the lines up to so many pixels.",
            show_default="1/128 of the short side",
        ),
    ] = None,
) -> None:
    """Fill the regions of sketches with the colors of strokes, up to the lines; no model is needed.

    The flats are PNG files of the size of the sketches, without anti-aliasing, transparent in regions without
    a stroke. A folder of strokes has a picture of the name of each sketch.
    """
    from pipeline.models import guides
    from pipeline.models.flatting import Flatter

    keys = guides.list_keys(source)
    guides.check_kept([strokes], dest, keys)
    found = guides.find_guides(strokes)
    guides.check_all_guided(found, keys)
    run.column("flats", Flatter(found, gap), source, dest)
