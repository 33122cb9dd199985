"""One sample -> the decision of each stage about it."""

from typing import Annotated

import typer

from pipeline.fields import parse_section
from pipeline.params import Clean
from pipeline.run.choices import read_choices
from pipeline.untrusted import safe_text
from pipeline.upkeep import explain as explaining
from stages.arguments import (
    DATA,
    AsJson,
    Data,
    ParamsFile,
    emit,
    emit_json,
    find_params,
    full_key,
    read_params,
)
from stages.options import usage_errors


def explain(
    key: Annotated[str, typer.Argument(help="The key of a sample, or the id of its post.")],
    data: Data = DATA,
    params: ParamsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what each stage decided about a sample, with the value and the limit of each rule."""
    path = find_params(params)
    with usage_errors():
        clean = parse_section(Clean, read_params(path).get("clean") if path else {})
    decisions = explaining.explain_sample(full_key(key), data, clean, read_choices(clean.keep, clean.drop))
    if as_json:
        emit_json([explaining.as_document(decision) for decision in decisions])
        return
    for decision in decisions:
        emit(f"{decision.stage:16} {decision.outcome:9} {safe_text(decision.why)}")
        for verdict in decision.rules:
            emit(f"  {explaining.describe_check(verdict)}")
