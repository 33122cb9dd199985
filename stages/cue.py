"""Color -> color cue."""

from pipeline.operators import cue as cues
from pipeline.params import Cue
from pipeline.run.step import Step
from stages.arguments import LooseTarget, Source
from stages.column import Run
from stages.options import unfold


@unfold
def cue(source: Source, dest: LooseTarget, run: Run, cue: Cue) -> None:
    """Derive a color cue from every picture: a blur, strokes, points, a palette, or none."""
    run.column("cue", Step(cues.make_cue, cue), source, dest)
