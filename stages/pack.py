"""Columns -> the packed dataset."""

from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML

from pipeline import files
from pipeline.pack import current
from pipeline.pack import pack as join
from pipeline.params import Pack
from stages.arguments import Dest, Metrics, progress
from stages.options import unfold

Column = Annotated[Path, typer.Argument(help="A folder of shards.", show_default=False)]


@unfold
def pack(
    color: Column,
    sketch: Annotated[Path, typer.Argument(help="A folder of sketch columns.", show_default=False)],
    cue: Column,
    reference: Column,
    dest: Dest,
    pack: Pack,
    listing: Annotated[
        Path | None,
        typer.Option(
            help="Take the sketches that the section `sketches` of this YAML file names, and remove other "
            "columns, left over from an earlier list.  [default: take all]",
            show_default=False,
        ),
    ] = None,
    metrics: Metrics = None,
) -> None:
    """Join the columns into shards for training, validation and test."""
    columns = {"color": color, "cue": cue, "reference": reference}
    columns |= {f"sketch-{path.name}": path for path in sketches(sketch, listing)}
    with progress("pack") as tick:
        counts = join(columns, dest, pack, tick=tick)
    if metrics:
        files.write_json(metrics, counts)
    typer.echo("pack: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


def sketches(folder: Path, listing: Path | None) -> list[Path]:
    """List the sketch columns in `folder`, or those that `listing` names."""
    if listing is None:
        return sorted(path for path in folder.glob("*") if path.is_dir())
    names = YAML(typ="safe").load(listing).get("sketches")
    if not names:
        raise typer.BadParameter(f"{listing} names no sketches in a section `sketches`")
    return current(folder, names)
