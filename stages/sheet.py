"""Pictures -> a contact sheet of all their sketches."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.fields import describe_bounds
from pipeline.images import png
from pipeline.images.sheets import Strip, contact_sheet
from pipeline.operators import swatches
from pipeline.operators.lines import CANON_SIDE
from pipeline.params import Sketch
from pipeline.shards import loose
from pipeline.shards.draw import draw_samples
from pipeline.shards.tar import Sample
from stages.arguments import Source, full_key, say
from stages.options import usage_errors

COUNT = 4  # pictures on a sheet, unless keys are given


def sheet(
    source: Source,
    dest: Annotated[Path, typer.Argument(help="The PNG file to write.")],
    key: Annotated[
        list[str] | None,
        typer.Option(help=f"A picture to draw, not {COUNT} at random; may be repeated."),
    ] = None,
    blocksizes: Annotated[
        str, typer.Option(help="Neighborhoods of the thresholds, in pixels, separated by commas.")
    ] = ",".join(map(str, swatches.BLOCKSIZES)),
    weights: Annotated[str, typer.Option(help="An Anime2Sketch generator, to draw its lines too.")] = "",
    side: Annotated[
        int, typer.Option(min=16, max=4096, help="Side of a sketch, in pixels; complexity is that at 256.")
    ] = CANON_SIDE,
) -> None:
    """Draw a picture by every threshold, preset and method on one sheet, with their complexity."""
    with usage_errors():
        if dest.suffix.lower() != ".png" or dest.resolve() == source.resolve():
            raise ValueError(f"dest must be a .png file other than the source, got {dest}")
        groups = swatches.list_methods(parse_blocksizes(blocksizes), weights)
    samples = read_chosen(source, key or [])
    rows = [row for sample in samples for row in draw_sample(sample, source, groups, side)]
    files.write(dest, png.encode_png(contact_sheet(rows, side)))
    say(f"sheet: {', '.join(sample.key for sample in samples)} drawn to {dest}")


def parse_blocksizes(text: str) -> list[int]:
    """Read blocksizes separated by commas. Raise ValueError."""
    try:
        return [int(Sketch(blocksize=int(number)).blocksize) for number in text.split(",")]
    except ValueError:
        rule = describe_bounds(Sketch.__dataclass_fields__["blocksize"])
        raise ValueError(f"blocksizes must be a list such as 3,7,15, each {rule}, got {text!r}") from None


def read_chosen(source: Path, keys: list[str]) -> list[Sample]:
    """Read the samples with these keys, or a few if there are none. Raise Halt if one is missing."""
    if not keys:
        return draw_samples(source, COUNT)
    wanted = {*keys, *map(full_key, keys)}
    chosen = {sample.key: sample for part in loose.list_parts(source) for sample in part.pick(wanted)}
    samples = []
    for key in dict.fromkeys(keys):
        if not (sample := chosen.get(key) or chosen.get(full_key(key))):
            raise Halt(f"{source} holds no picture with the key {key}: name one that it holds")
        samples.append(sample)
    return samples


def draw_sample(sample: Sample, source: Path, groups: list[dict[str, Sketch]], side: int) -> list[Strip]:
    """Draw one sample by every method. Raise Halt if its picture cannot be used."""
    try:
        return swatches.draw_swatches(sample.key, sample.picture, groups, side)
    except BadImage as reason:
        raise Halt(f"{source}, {sample.key}: {reason}: name another picture") from None
