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
    to: Annotated[Path, typer.Option(help="The folder for the tables and the picture.")] = Path("comparison"),
    device: Device = "auto",
) -> None:
    """Measure several colorizers on the same test split; write table.md, table.json and pictures.png."""
    from pipeline.evaluation import compare as comparing

    with progress("compare") as tick:
        results = comparing.compare_models(pairs, models, evaluate, device=device, tick=tick)
    comparing.write_comparison(results, to)
    paired = {each.name: each.evaluation.summary["conditions"]["paired"] for each in results}
    gains = ", ".join(f"{name} {scored['gain']['mean']:+.2f} dB" for name, scored in paired.items())
    say(f"compare: {len(results)} models against their best baselines: {gains}; see {to}")
