"""Color -> reference."""

from functools import partial

from pipeline.operators import warp
from pipeline.params import Reference
from pipeline.run.step import Step
from pipeline.shards import relatives
from stages.arguments import Source, Target
from stages.column import Run
from stages.options import unfold


@unfold
def reference(source: Source, dest: Target, reference: Reference, run: Run) -> None:
    """Bend, tint and perhaps mirror every picture into a reference of itself."""
    view = partial(relatives.pair_relatives, seed=reference.seed) if reference.subject == "family" else list
    run.column("reference", Step(warp.make_reference, reference, extra="relative"), source, dest, view=view)
