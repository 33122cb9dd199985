"""Sketch -> color, with a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.run.process import Execution, run_step
from stages.arguments import CACHE, Cache, Device, Source, Target, conclude, progress
from stages.options import usage_errors


def colorize(
    source: Source,
    dest: Target,
    model: Annotated[Path, typer.Option(help="The folder of a trained model.")] = Path("data/model"),
    cue: Annotated[
        Path | None,
        typer.Option(
            help="The colors, where they belong: any picture, or strokes on transparent ground; for pix2pix, "
            "all white without it.",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="A picture whose colors to take; for nerk, liu and scft.", show_default=False),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="White where to color, black where to stay gray; for mask, all white without it.",
            show_default=False,
        ),
    ] = None,
    tile: Annotated[
        int,
        typer.Option(
            min=0,
            help="Color larger pictures in tiles of this many pixels a side; 0 always colors all at once.",
        ),
    ] = 2048,
    device: Device = "auto",
    cache: Cache = CACHE,
) -> None:
    """Color sketches or gray pictures of any size: a picture, a folder of pictures or a folder of shards."""
    from pipeline.models import colorize as coloring

    guides = {"cue": cue, "reference": reference, "mask": mask}
    given = {name: path for name, path in guides.items() if path}
    if len(given) > 1:
        raise typer.BadParameter(f"a model takes one of --cue, --reference and --mask, got {len(given)}")
    with usage_errors():
        colorizer = coloring.load_colorizer(model, given, device, tile)
    with progress("colorize") as tick:
        report = run_step(colorizer, source, dest, Execution(cache, tick=tick))
    conclude("colorize", report, dest, None)
