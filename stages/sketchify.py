"""Color -> sketch."""

from pipeline import sketch as sketches
from pipeline.params import Sketch
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
def sketchify(
    source: Source,
    dest: Target,
    sketch: Sketch,
    metrics: Metrics = None,
    sheet: Sheet = None,
    workers: Workers = WORKERS,
    on: On = "processes",
    cache: Cache = CACHE,
) -> None:
    """Draw a sketch of every picture, or take the one that came with it."""
    step = Step(sketches.column, sketches.pin(sketch), tell=("complexity",), beside="sketch")
    with progress("sketchify") as tick:
        report = process(step, source, dest, workers=workers, on=on, cache=cache, tick=tick)
    conclude("sketchify", report, dest, metrics, sheet, "complexity")
