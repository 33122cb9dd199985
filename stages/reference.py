"""Color -> reference."""

from functools import partial

from pipeline.operators import warp
from pipeline.params import Reference
from pipeline.run.step import Step
from pipeline.shards import relatives
from stages.arguments import LooseTarget, Source
from stages.column import Run
from stages.options import unfold


@unfold
def reference(source: Source, dest: LooseTarget, run: Run, reference: Reference) -> None:
    """Warp, tint and perhaps flip every picture into a reference for itself."""
    view = partial(relatives.pair_relatives, seed=reference.seed) if reference.subject == "family" else list
    run.column("reference", Step(warp.make_reference, reference, extra="relative"), source, dest, view=view)
