"""Arguments and options that several commands share, the progress bar, and the line that ends a command.

Options that change how a command runs, and not its result, have environment variables and stay out of
params.yaml.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from tqdm import tqdm

from pipeline import files, gallery, images, samples
from pipeline.parts import Report
from pipeline.report import summarize_counts
from pipeline.run import TOLERANT, Execution, Policy, process
from pipeline.step import Step

if TYPE_CHECKING:  # it imports what only a few commands need
    from pipeline.fetch import Tally


def folder(help: str) -> Any:
    """Declare an argument that is a path or a URL."""
    return typer.Argument(help=help, show_default=False, parser=files.locate)


def connected(command: Callable) -> Callable:
    """Make a command end with one sentence if a URL among its arguments stops answering."""

    @wraps(command)
    def wrapper(**given: Any) -> None:
        with files.reaching(*given.values()):
            command(**given)

    return wrapper


Source = Annotated[Path, folder("A picture, a folder of pictures, or a folder of shards; or a URL of one.")]
Target = Annotated[Path, folder("The folder to write, or its URL.")]
Dest = Annotated[Path, typer.Argument(help="The folder to write.", show_default=False)]
Columns = Annotated[Path, typer.Argument(help="A folder of shards, or one above such folders.")]
Metrics = Annotated[
    Path | None, typer.Option(help="Write the counts and means to this JSON file.", show_default=False)
]
Sheet = Annotated[
    Path | None,
    typer.Option(help="Draw the first results side by side to this PNG file.", show_default=False),
]
Workers = Annotated[
    int, typer.Option(min=1, envvar="PREP_WORKERS", help="Processes to use.", show_default="one per core")
]
On = Annotated[
    Literal["processes", "ray"],
    typer.Option(envvar="PREP_ON", help="Compute in processes of this machine, or on a Ray cluster."),
]
Cache = Annotated[
    Path, typer.Option(envvar="PREP_CACHE", help="Folder of downloads, finished shards and checkpoints.")
]
Pairs = Annotated[Path, typer.Argument(help="The folder of the packed dataset.", show_default=False)]
Model = Annotated[Path, typer.Argument(help="The folder of a trained model.", show_default=False)]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(envvar="PREP_DEVICE", help="Where to compute.")
]
CACHE = Path(".prep")
WORKERS = os.cpu_count() or 1
TILES = 16  # pictures on a contact sheet, eight to a row


@contextmanager
def progress(name: str, unit: str = "img") -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal once a run takes longer than two seconds."""
    with tqdm(desc=name, unit=unit, delay=2, disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tick


@dataclass(frozen=True)
class Run:
    """The options of every stage that makes one column from another."""

    metrics: Metrics = None
    sheet: Sheet = None
    workers: Workers = WORKERS
    on: On = "processes"
    cache: Cache = CACHE

    def column(
        self,
        name: str,
        step: Step,
        source: Path,
        dest: Path,
        policy: Policy = TOLERANT,
        view: Callable[[list], list] = list,
        numbers: Sequence[str] = (),
    ) -> Report:
        """Apply a step to a column, write the metrics and the sheet, and print the counts."""
        with progress(name) as tick:
            execution = Execution(self.cache, self.workers, self.on, tick)
            report = process(step, source, dest, execution, policy, view)
        if self.sheet:
            draw_sheet(dest, self.sheet)
        conclude(name, report, dest, self.metrics, numbers)
        return report


def conclude(
    name: str, report: "Report | Tally", dest: Path, metrics: Path | None, numbers: Sequence[str] = ()
) -> None:
    """Write the metrics, with mean and median of `numbers`, and print the counts on one line."""
    if metrics:
        files.write_json(metrics, report.metrics(*numbers))
    reasons = summarize_counts(report.rejected)
    written = f"{report.written} of {report.taken} written to {dest}"
    typer.echo(f"{name}: {written}" + (f"; rejected: {reasons}" if reasons else ""))


def draw_sheet(column: Path, path: Path) -> None:
    """Draw the first pictures of a column side by side."""
    first = islice((sample for unit in samples.parts(column) for sample in unit), TILES)
    tiles = [images.decode(sample.picture) for sample in first]
    files.write(path, images.encode(gallery.sheet([tiles[:8], tiles[8:]])))
