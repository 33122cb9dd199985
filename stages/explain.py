"""One sample -> what each stage decided about it, for people."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Clean
from pipeline.upkeep import explain as explaining
from stages.options import usage_errors


def explain(
    key: Annotated[str, typer.Argument(help="The key of a sample, or the id of a post.", show_default=False)],
    data: Annotated[Path, typer.Option(help="The folder of the columns.")] = Path("data"),
    params: Annotated[Path, typer.Option(help="The YAML file with the limits.")] = Path("params.yaml"),
) -> None:
    """Say what each stage decided about a sample, with the value and the limit of each rule."""
    from ruamel.yaml import YAML  # takes a tenth of a second, which no other command should

    with usage_errors():
        clean = Clean(**YAML(typ="safe").load(params)["clean"]) if params.is_file() else Clean()
    decisions = explaining.explain_sample(key.zfill(9) if key.isdecimal() else key, data, clean)
    for decision in decisions:
        typer.echo(f"{decision.stage:16} {decision.outcome:9} {decision.why}")
        for rule in decision.rules:
            typer.echo(f"  {rule}")
