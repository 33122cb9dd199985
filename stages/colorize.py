"""Sketch -> color, with a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.run import process
from stages.arguments import CACHE, Cache, Device, Source, Target, conclude, progress


def colorize(
    source: Source,
    dest: Target,
    model: Annotated[Path, typer.Option(help="The folder of a trained model.")] = Path("data/model"),
    cue: Annotated[
        Path | None,
        typer.Option(help="A picture of the colors, where they belong.  [default: none]", show_default=False),
    ] = None,
    device: Device = "auto",
    cache: Cache = CACHE,
) -> None:
    """Color sketches of any size: a picture, a folder of pictures, or a folder of shards."""
    from pipeline import colorize as coloring

    colorizer = coloring.load(model, cue, device)
    with progress("colorize") as tick:
        report = process(colorizer, source, dest, cache=cache, tick=tick)
    conclude("colorize", report, dest, None, None)
