"""Columns -> the packed dataset."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.pack import current
from pipeline.pack import pack as join
from pipeline.params import Pack
from stages.arguments import Metrics, Target, folder, progress
from stages.options import unfold

Column = Annotated[Path, folder("A folder of shards.")]


@unfold
def pack(
    color: Column,
    sketch: Annotated[Path, folder("A folder of sketch columns.")],
    cue: Column,
    reference: Column,
    dest: Target,
    pack: Pack,
    listing: Annotated[
        Path | None,
        typer.Option(
            help="Take the sketches that the section `sketches` of this YAML file names, and remove other "
            "columns, left over from an earlier list.  [default: take all]",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(help="The folder of the metrics of search and fetch, for the card.", show_default=False),
    ] = None,
    metrics: Metrics = None,
) -> None:
    """Join the columns into shards for training, validation and test, and write the card of the dataset."""
    columns = {"color": color, "cue": cue, "reference": reference}
    columns |= {f"sketch-{path.name}": path for path in sketches(sketch, listing)}
    with progress("pack") as tick:
        counts = join(columns, dest, pack, history=told(history), settings=read(listing), tick=tick)
    if metrics:
        files.write_json(metrics, counts)
    numbers = {name: count for name, count in counts.items() if type(count) is int}
    typer.echo("pack: " + ", ".join(f"{count} {name}" for name, count in numbers.items()))


def sketches(folder: Path, listing: Path | None) -> list[Path]:
    """List the sketch columns in `folder`, or those that `listing` names."""
    if listing is None:
        return sorted(path for path in folder.glob("*") if path.is_dir())
    names = read(listing).get("sketches")
    if not names:
        raise typer.BadParameter(f"{listing} names no sketches in a section `sketches`")
    return current(folder, names)


def read(listing: Path | None) -> dict:
    """Read the parameters of all stages."""
    from ruamel.yaml import YAML  # takes a tenth of a second, which no other command should

    return YAML(typ="safe").load(listing) if listing else {}


def told(history: Path | None) -> dict[str, dict]:
    """Read the metrics of the stages before columns begin, those that are there."""
    paths = {name: history / f"{name}.json" for name in ("search", "fetch")} if history else {}
    return {name: json.loads(path.read_bytes()) for name, path in paths.items() if path.is_file()}
