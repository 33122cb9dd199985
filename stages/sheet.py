"""Pictures -> a contact sheet of all their sketches, for people."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from pipeline import errors, files
from pipeline.errors import Halt
from pipeline.fields import describe_bounds
from pipeline.images import png, sheets
from pipeline.operators import swatches
from pipeline.operators.lines import CANON_SIDE
from pipeline.params import Sketch
from pipeline.shards import loose
from pipeline.shards.tar import Sample
from stages.arguments import Source
from stages.options import usage_errors

FIRST_PICTURES = 4  # pictures on a sheet, unless keys are given


def sheet(
    source: Source,
    dest: Annotated[Path, typer.Argument(help="The PNG file to write.", show_default=False)],
    key: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Draw this picture of a folder instead of the first {FIRST_PICTURES}; may be repeated.",
            show_default=False,
        ),
    ] = None,
    blocksizes: Annotated[
        str, typer.Option(help="Neighborhoods of the thresholds, in pixels, separated by commas.")
    ] = ",".join(map(str, swatches.BLOCKSIZES)),
    weights: Annotated[
        str, typer.Option(help="The weights of an Anime2Sketch generator, to draw its lines as well.")
    ] = "",
    side: Annotated[
        int, typer.Option(min=16, max=4096, help="Side of a sketch, in pixels; complexity is that at 256.")
    ] = CANON_SIDE,
) -> None:
    """Draw a picture by every threshold, preset and method on one sheet, with the complexity of each."""
    with usage_errors():
        if dest.suffix.lower() != ".png" or dest.resolve() == source.resolve():
            raise ValueError(f"dest must be a .png file other than the source, got {dest}")
        groups = swatches.list_methods(parse_blocksizes(blocksizes), weights)
    chosen = read_chosen(source, key or [])
    rows = [row for sample in chosen for row in draw_sample(sample, source, groups, side)]
    files.write(dest, png.encode_png(sheets.contact_sheet(rows, side)))
    typer.echo(f"sheet: {', '.join(sample.key for sample in chosen)} drawn to {dest}")


def parse_blocksizes(text: str) -> list[int]:
    """Read blocksizes, separated by commas. Raise ValueError."""
    try:
        return [int(Sketch(blocksize=int(number)).blocksize) for number in text.split(",")]
    except ValueError:
        rule = next(describe_bounds(field) for field in fields(Sketch) if field.name == "blocksize")
        raise ValueError(f"blocksizes must be a list such as 3,7,15, each {rule}, got {text!r}") from None


def read_chosen(source: Path, keys: list[str]) -> list[Sample]:
    """Read the samples of these keys, or the first few without any. Raise Halt if a key is not there."""
    held = (sample for unit in loose.list_parts(source) for sample in unit)
    if not keys:
        return list(islice(held, FIRST_PICTURES))
    found = {sample.key: sample for sample in held if sample.key in keys}
    for key in keys:
        if key not in found:
            raise Halt(f"{source} holds no picture with the key {key}: name one that it holds")
    return [found[key] for key in dict.fromkeys(keys)]


def draw_sample(
    sample: Sample, source: Path, groups: Sequence[Mapping[str, Sketch]], side: int
) -> list[sheets.Strip]:
    """Draw a sample in all ways. Raise Halt if its picture cannot be used."""
    try:
        return swatches.draw_swatches(sample.key, sample.picture, groups, side)
    except errors.BadImage as reason:
        raise Halt(f"{source}, {sample.key}: {reason}: name another picture") from None
