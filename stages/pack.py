"""Columns -> the packed dataset."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.packing.pack import keep_columns
from pipeline.packing.pack import pack_columns as join
from pipeline.params import Pack
from stages.arguments import Metrics, Target, path_argument, progress, read_params
from stages.options import unfold

ColumnFolder = Annotated[Path, path_argument("A folder of shards.")]


@unfold
def pack(
    color: ColumnFolder,
    sketch: Annotated[Path, path_argument("A folder of sketch columns.")],
    cue: ColumnFolder,
    reference: ColumnFolder,
    dest: Target,
    pack: Pack,
    params: Annotated[
        Path | None,
        typer.Option(
            help="Pack the sketches that the section `sketches` of this YAML file names, and remove other "
            "columns, left over from an earlier list.  [default: pack all]",
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
    settings = read_params(params) if params else {}
    columns = {"color": color, "cue": cue, "reference": reference}
    columns |= {f"sketch-{path.name}": path for path in sketch_columns(sketch, params, settings)}
    with progress("pack") as tick:
        counts = join(columns, dest, pack, history=read_history(history), settings=settings, tick=tick)
    if metrics:
        files.write_json(metrics, counts)
    numbers = {name: count for name, count in counts.items() if type(count) is int}
    typer.echo("pack: " + ", ".join(f"{count} {name}" for name, count in numbers.items()))


def sketch_columns(folder: Path, params: Path | None, settings: dict) -> list[Path]:
    """List the sketch columns in `folder`, or those that the parameters name."""
    if params is None:
        return sorted(path for path in folder.glob("*") if path.is_dir())
    if not settings.get("sketches"):
        raise typer.BadParameter(f"{params} names no sketches in a section `sketches`")
    return keep_columns(folder, settings["sketches"])


def read_history(history: Path | None) -> dict[str, dict]:
    """Read the metrics of search and fetch, those that there are."""
    paths = {name: history / f"{name}.json" for name in ("search", "fetch")} if history else {}
    return {name: json.loads(path.read_bytes()) for name, path in paths.items() if path.is_file()}
