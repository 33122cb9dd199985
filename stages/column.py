"""The stages that make one column from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.images import codec, png, sheets
from pipeline.run.process import TOLERANT, Execution, Policy, run_step
from pipeline.run.report import Report
from pipeline.run.step import Transform
from pipeline.shards.draw import draw_samples
from stages.arguments import CACHE, WORKERS, Cache, Force, Metrics, On, Sheet, Workers, conclude, progress

TILES = 16  # pictures on a contact sheet, eight to a row


@dataclass(frozen=True)
class Run:
    """The options of every stage that makes one column from another."""

    metrics: Metrics = None
    sheet: Sheet = None
    workers: Workers = WORKERS
    on: On = "processes"
    cache: Cache = CACHE
    force: Force = False

    def column(
        self,
        name: str,
        step: Transform,
        source: Path,
        dest: Path,
        policy: Policy = TOLERANT,
        view: Callable[[list], list] = list,
        numbers: Sequence[str] = (),
    ) -> Report:
        """Apply a step to a column, write the metrics and the sheet, and print the counts."""
        with progress(name) as tick:
            execution = Execution(self.cache, self.workers, self.on, tick, self.force)
            report = run_step(step, source, dest, execution, policy, view)
        if self.sheet:
            write_sheet(source, dest, self.sheet)
        conclude(name, report, dest, self.metrics, numbers)
        return report


def write_sheet(source: Path, column: Path, path: Path) -> None:
    """Draw some pictures of a column side by side; the other columns of its source show the same ones."""
    tiles = [codec.decode(sample.picture) for sample in draw_samples(column, TILES, source)]
    files.write(path, png.encode_png(sheets.plain_sheet([tiles[:8], tiles[8:]])))
