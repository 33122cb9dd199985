"""Color -> reference."""

from functools import partial

from pipeline import kin, warp
from pipeline.params import Reference
from pipeline.run import process
from pipeline.step import Step
from stages.arguments import (
    CACHE,
    WORKERS,
    Cache,
    Metrics,
    On,
    Sheet,
    Source,
    Target,
    Workers,
    conclude,
    progress,
)
from stages.options import unfold


@unfold
def reference(
    source: Source,
    dest: Target,
    reference: Reference,
    metrics: Metrics = None,
    sheet: Sheet = None,
    workers: Workers = WORKERS,
    on: On = "processes",
    cache: Cache = CACHE,
) -> None:
    """Bend, tint and perhaps mirror every picture into a reference of itself."""
    step = Step(warp.column, reference, beside="kin")
    relatives = partial(kin.pair, seed=reference.seed) if reference.subject == "family" else list
    with progress("reference") as tick:
        report = process(step, source, dest, workers=workers, on=on, cache=cache, tick=tick, view=relatives)
    conclude("reference", report, dest, metrics, sheet)
