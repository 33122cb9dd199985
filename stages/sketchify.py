"""Color -> sketch."""

from pipeline.operators import sketch as sketches
from pipeline.params import Sketch
from pipeline.run.step import Step
from stages.arguments import Source, Target
from stages.column import Run
from stages.options import unfold


@unfold
def sketchify(source: Source, dest: Target, sketch: Sketch, run: Run) -> None:
    """Draw a sketch of every picture, or take the one that came with it."""
    modules = sketches.extra_modules(sketch)
    step = Step(
        sketches.make_sketch,
        sketches.pin_weights(sketch),
        report=("complexity",),
        extra="sketch",
        modules=modules,
    )
    run.column("sketchify", step, source, dest, numbers=["complexity"])
