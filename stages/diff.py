"""Two runs -> what changed, and whether the model colors better."""

import json
from typing import Annotated

import typer

from stages.arguments import emit


def diff(
    before: Annotated[
        str, typer.Argument(help="A revision, an experiment, or the folder of a project.")
    ] = "HEAD",
    after: Annotated[str, typer.Argument(help="What to compare with it.")] = "workspace",
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
) -> None:
    """Compare two runs: parameters, counts, and each measure on the test pictures that both share."""
    from pipeline.evaluation import diff as differing
    from pipeline.evaluation.paired import pair_measures
    from pipeline.upkeep.changes import changed_params, pair_counts
    from stages.revisions import open_revision, read_run

    first, second = open_revision(before), open_revision(after)
    old, new = read_run(first), read_run(second)
    found = differing.Diff(
        first.name,
        second.name,
        changed_params(old.params, new.params),
        pair_counts(old.metrics, new.metrics),
        pair_measures(old.rows, new.rows),
    )
    if as_json:
        emit(json.dumps(differing.to_json(found), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        emit(differing.to_markdown(found) if as_markdown else differing.to_text(found))
