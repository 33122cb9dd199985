"""Color -> color cue."""

from pipeline import cue as cues
from pipeline.params import Cue
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
def cue(
    source: Source,
    dest: Target,
    cue: Cue,
    metrics: Metrics = None,
    sheet: Sheet = None,
    workers: Workers = WORKERS,
    on: On = "processes",
    cache: Cache = CACHE,
) -> None:
    """Make a color cue of every picture: a blur, strokes, points, a palette, or none."""
    with progress("cue") as tick:
        report = process(Step(cues.column, cue), source, dest, workers=workers, on=on, cache=cache, tick=tick)
    conclude("cue", report, dest, metrics, sheet)
