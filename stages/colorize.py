"""Sketch -> color, with a trained model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.run.process import Execution, run_step
from pipeline.shards import loose
from stages.arguments import (
    CACHE,
    Cache,
    Device,
    Force,
    LooseTarget,
    Source,
    TrainedModel,
    conclude,
    progress,
    say,
)
from stages.options import usage_errors


def colorize(
    source: Source,
    dest: LooseTarget,
    model: TrainedModel = None,
    cue: Annotated[
        Path | None,
        typer.Option(help="pix2pix, wash: colors, as a picture or strokes.", show_default="all white"),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="nerk, liu, scft, wash: a picture whose colors to use.")
    ] = None,
    palette: Annotated[
        Path | None, typer.Option(help="wash: a picture whose main colors to use, anywhere.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="mask, wash: white where to color, else black.", show_default="all white"),
    ] = None,
    size: Annotated[
        int, typer.Option(min=0, help="Color at this short side, in pixels; 0 for what the model learned.")
    ] = 0,
    lines: Annotated[
        Literal["keep", "redraw"], typer.Option(help="Keep your lines, or let the network redraw them.")
    ] = "keep",
    gap: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Strokes do not leak through gaps in the lines up to so many pixels.",
            show_default="1/128 of the short side",
        ),
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="The drawings have light lines on dark.")] = False,
    strength: Annotated[
        float,
        typer.Option(min=0, max=1, help="How much of the model's colors lies over those of your strokes."),
    ] = 1,
    tile: Annotated[
        int,
        typer.Option(min=0, help="At --size, color larger pictures in tiles of this side; 0 for none."),
    ] = 2048,
    device: Device = "auto",
    cache: Cache = CACHE,
    force: Force = False,
) -> None:
    """Color sketches or gray pictures of any size.

    The model colors at the size that it learned. Its colors are enlarged up to the lines of the drawing,
    and the lines stay as they are. The strokes of a cue lie on a transparent background; each fills its
    region with its color, and the model colors the others. A folder of guides has a picture of the name of
    each sketch.
    """
    from pipeline.models import colorize as coloring
    from pipeline.models.doubts import find_doubts
    from pipeline.models.guides import check_all_guided, check_kept, list_keys
    from pipeline.models.network import SHIPPED, find_model

    keys = list_keys(source)
    guides = {"cue": cue, "reference": reference, "palette": palette, "mask": mask}
    given = {name: path for name, path in guides.items() if path}
    if len(given) > 1:
        raise typer.BadParameter(
            f"a model takes one of --cue, --reference, --palette and --mask, got {len(given)}"
        )
    check_kept(given.values(), dest, keys)
    with usage_errors():
        options = coloring.Options(size, lines, gap, invert, tile, strength)
        chosen = model or find_model()
        colorizer = coloring.load_colorizer(chosen, given, device, options)
    if not model:
        title = "the model that ships with inkwash" if chosen.is_relative_to(SHIPPED) else chosen
        network = colorizer.network
        say(f"colorize: by {title} ({network.config['system']}, {network.engine})", err=True)
    check_all_guided(colorizer.guides, keys)
    for doubt in find_doubts(colorizer, (sample for part in loose.list_parts(source) for sample in part)):
        say(f"colorize: {doubt}", err=True)
    with progress("colorize") as tick:
        report = run_step(colorizer, source, dest, Execution(cache, tick=tick, force=force))
    conclude("colorize", report, dest, None)
