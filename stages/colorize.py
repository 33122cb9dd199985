"""Sketch -> color, with a trained model."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pipeline.run.process import Execution, run_step
from pipeline.shards import loose
from stages.arguments import CACHE, Cache, Device, Force, LooseTarget, Source, conclude, progress
from stages.options import usage_errors

DOUBTED = 16  # pictures that are looked at before all are colored


def colorize(
    source: Source,
    dest: LooseTarget,
    model: Annotated[
        Path | None,
        typer.Option(
            help="The folder of a trained model, or an ONNX file.",
            show_default="data/model, or else the one that ships",
        ),
    ] = None,
    cue: Annotated[
        Path | None, typer.Option(help="pix2pix: colors, as a picture or strokes.", show_default="all white")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="nerk, liu, scft: a picture whose colors to use.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="mask: white where to color, else black.", show_default="all white")
    ] = None,
    tile: Annotated[
        int, typer.Option(min=0, help="Color larger pictures in tiles of this side; 0 for one piece.")
    ] = 2048,
    device: Device = "auto",
    cache: Cache = CACHE,
    force: Force = False,
) -> None:
    """Color sketches or gray pictures of any size.

    The strokes of a cue lie on a transparent background. A folder of guides has a picture
    of the name of each sketch.
    """
    from pipeline.models import colorize as coloring
    from pipeline.models.network import SHIPPED, find_model

    guides = {"cue": cue, "reference": reference, "mask": mask}
    given = {name: path for name, path in guides.items() if path}
    if len(given) > 1:
        raise typer.BadParameter(f"a model takes one of --cue, --reference and --mask, got {len(given)}")
    with usage_errors():
        chosen = model or find_model()
        colorizer = coloring.load_colorizer(chosen, given, device, tile)
    if not model:
        title = "the model that ships with inkwash" if chosen.is_relative_to(SHIPPED) else chosen
        network = colorizer.network
        typer.echo(f"colorize: by {title} ({network.config['system']}, {network.engine})", err=True)
    samples = (sample for part in loose.list_parts(source) for sample in part)
    for doubt in coloring.find_doubts(colorizer, islice(samples, DOUBTED)):
        typer.echo(f"colorize: {doubt}", err=True)
    with progress("colorize") as tick:
        report = run_step(colorizer, source, dest, Execution(cache, tick=tick, force=force))
    conclude("colorize", report, dest, None)
