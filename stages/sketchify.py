"""Color -> sketch."""

from pipeline.operators import sketch as sketches
from pipeline.params import Sketch
from pipeline.run.step import Step
from stages.arguments import LooseTarget, Source
from stages.column import Run
from stages.options import unfold


@unfold
def sketchify(source: Source, dest: LooseTarget, run: Run, sketch: Sketch) -> None:
    """Draw a sketch of every picture, or use the one that came with it.

    Where a number may be a range such as 5..11, it is drawn for each picture.
    """
    params, modules = sketches.pin_weights(sketch), sketches.extra_modules(sketch)
    step = Step(sketches.make_sketch, params, report=("complexity",), extra="sketch", modules=modules)
    run.column("sketchify", step, source, dest, numbers=["complexity"])
