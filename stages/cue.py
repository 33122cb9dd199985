"""Color -> color cue."""

from pipeline import cue as cues
from pipeline.params import Cue
from pipeline.run import process
from pipeline.step import Step
from stages.arguments import CACHE, WORKERS, Cache, Dest, Metrics, Sheet, Source, Workers, conclude, progress
from stages.options import unfold


@unfold
def cue(
    source: Source,
    dest: Dest,
    cue: Cue,
    metrics: Metrics = None,
    sheet: Sheet = None,
    workers: Workers = WORKERS,
    cache: Cache = CACHE,
) -> None:
    """Make a color cue of every picture: a blur, strokes, points, a palette, or none."""
    with progress("cue") as tick:
        report = process(Step(cues.column, cue), source, dest, workers=workers, cache=cache, tick=tick)
    conclude("cue", report, dest, metrics, sheet)
