"""One sample -> the decision of each stage about it."""

from typing import Annotated

import typer

from pipeline.params import Clean
from pipeline.untrusted import safe_text
from pipeline.upkeep import explain as explaining
from stages.arguments import DATA, Data, ParamsFile, find_params, full_key, read_params, say
from stages.options import parse_section, usage_errors


def explain(
    key: Annotated[str, typer.Argument(help="The key of a sample, or the id of its post.")],
    data: Data = DATA,
    params: ParamsFile = None,
) -> None:
    """Print what each stage decided about a sample, with the value and the limit of each rule."""
    path = find_params(params)
    with usage_errors():
        clean = parse_section(Clean, read_params(path).get("clean") if path else {})
    for decision in explaining.explain_sample(full_key(key), data, clean):
        say(f"{decision.stage:16} {decision.outcome:9} {safe_text(decision.why)}")
        for rule in decision.rules:
            say(f"  {rule}")
