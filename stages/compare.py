"""Trained colorizers -> one table and one picture."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Evaluate
from stages.arguments import DatasetFolder, Device, progress, say
from stages.options import unfold


@unfold
def compare(
    pairs: DatasetFolder,
    models: Annotated[list[Path], typer.Argument(help="The folders of trained models.")],
    evaluate: Evaluate,
    trained_on: Annotated[
        list[Path] | None,
        typer.Option(
            help="The dataset of a model, if it is another: what it saw is left out; may be repeated."
        ),
    ] = None,
    to: Annotated[Path, typer.Option(help="The folder for the tables and the picture.")] = Path("comparison"),
    device: Device = "auto",
) -> None:
    """Measure several colorizers on the same test split; write table.md, table.json and pictures.png."""
    from pipeline.evaluation import compare as comparing

    with progress("compare") as tick:
        results = comparing.compare_models(
            pairs, models, evaluate, trained_on=trained_on or [], device=device, tick=tick
        )
    comparing.write_comparison(results, to)
    if unknown := [result.name for result in results if result.seen is None]:
        doubt = f"compare: {', '.join(unknown)}: trained on another dataset, which may have these pictures"
        say(f"{doubt}; name that dataset by --trained-on", err=True)
    paired = {each.name: each.evaluation.summary["conditions"]["paired"] for each in results}
    gains = ", ".join(f"{name} {scored['gain']['mean']:+.2f} dB" for name, scored in paired.items())
    left_out = f" ({results[0].left_out} left out that one has seen)" if results[0].left_out else ""
    pictures = f"{results[0].evaluation.summary['images']} test pictures{left_out}"
    say(f"compare: {len(results)} models on {pictures} against their best baselines: {gains}; see {to}")
