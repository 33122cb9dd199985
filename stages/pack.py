"""Columns -> the packed dataset."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.errors import Halt
from pipeline.packing.columns import keep_columns
from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from pipeline.upkeep.report import all_counts, to_metrics
from stages.arguments import (
    CACHE,
    PARAMS,
    Cache,
    Metrics,
    ParamsFile,
    Target,
    find_params,
    path_or_url,
    progress,
    read_params,
    say,
)
from stages.options import unfold

ColumnFolder = Annotated[Path, path_or_url("A folder of shards.")]


@unfold
def pack(
    color: ColumnFolder,
    sketch: Annotated[Path, path_or_url("A folder of sketch columns.")],
    cue: ColumnFolder,
    reference: ColumnFolder,
    dest: Target,
    pack: Pack,
    params: ParamsFile = None,
    current: Annotated[
        bool,
        typer.Option(
            "--current",
            help="The file of --params made these columns: name its parameters in the card, pack its "
            "`sketches`, and delete other sketch columns.",
        ),
    ] = False,
    history: Annotated[Path | None, typer.Option(help="The folder of metrics, for the card.")] = None,
    metrics: Metrics = None,
    cache: Cache = CACHE,
) -> None:
    """Join the columns into shards for training, validation and test, and write the dataset card.

    Without --current, all sketch columns are packed.
    """
    settings = read_params(find_params(params) or PARAMS) if current else None
    columns = {"color": color, "cue": cue, "reference": reference}
    columns |= {f"sketch-{path.name}": path for path in sketch_columns(sketch, settings)}
    past = read_history(history) if history else {}
    with progress("pack") as tick:
        counts = pack_columns(
            columns, dest, pack, cache=cache, history=past, settings=settings or {}, tick=tick
        )
    if metrics:
        files.write_json(metrics, to_metrics(counts))
    numbers = {name: count for name, count in counts.items() if type(count) is int}
    say("pack: " + ", ".join(f"{count} {name}" for name, count in numbers.items()))


def sketch_columns(folder: Path, settings: dict | None) -> list[Path]:
    """List the sketch columns in `folder`, or those that the parameters name. Raise Halt if it has none."""
    if settings is None:
        columns = sorted(path for path in folder.glob("*") if path.is_dir())
        if not columns:
            raise Halt(
                f"{folder} holds no sketch columns: name the folder above them, with a folder for each"
            )
        return columns
    if not settings.get("sketches"):
        raise typer.BadParameter("the parameters name no sketches in a section `sketches`")
    return keep_columns(folder, settings["sketches"])


def read_history(history: Path) -> dict[str, dict]:
    """Read the counts of search and fetch that exist in a folder of metrics."""
    paths = [history / "search.json", history / "fetch.json"]
    return {path.stem: all_counts(json.loads(path.read_bytes())) for path in paths if path.is_file()}
