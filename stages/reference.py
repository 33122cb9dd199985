"""Color -> reference."""

from pipeline import warp
from pipeline.params import Reference
from pipeline.run import process
from pipeline.step import Step
from stages.arguments import CACHE, WORKERS, Cache, Dest, Metrics, Sheet, Source, Workers, conclude, progress
from stages.options import unfold


@unfold
def reference(
    source: Source,
    dest: Dest,
    reference: Reference,
    metrics: Metrics = None,
    sheet: Sheet = None,
    workers: Workers = WORKERS,
    cache: Cache = CACHE,
) -> None:
    """Bend, tint and perhaps mirror every picture into a reference of itself."""
    with progress("reference") as tick:
        report = process(Step(warp.column, reference), source, dest, workers=workers, cache=cache, tick=tick)
    conclude("reference", report, dest, metrics, sheet)
