"""Arguments and options that several commands share, the progress bar, and the line that ends a command.

Options that change how a command runs, and not its result, have environment variables and stay out of
params.yaml.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from tqdm import tqdm

from pipeline import files
from pipeline.errors import Halt
from pipeline.progress import Tick
from pipeline.upkeep.report import summarize_counts

if TYPE_CHECKING:  # it imports what only a few commands need
    from pipeline.run.report import Report
    from pipeline.sources.fetch import FetchReport


def path_argument(help: str) -> Any:
    """Declare an argument that is a path or a URL."""
    return typer.Argument(help=help, show_default=False, parser=files.to_path)


def connected(command: Callable) -> Callable:
    """Make a command end with one sentence if a URL among its arguments stops answering."""

    @wraps(command)
    def wrapper(**given: Any) -> None:
        with files.halt_on_disconnect(*given.values()):
            command(**given)

    return wrapper


Source = Annotated[
    Path, path_argument("A picture, a folder of pictures, or a folder of shards; or a URL of one.")
]
Target = Annotated[Path, path_argument("The folder to write, or its URL.")]
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
DatasetFolder = Annotated[Path, typer.Argument(help="The folder of the packed dataset.", show_default=False)]
ModelFolder = Annotated[Path, typer.Argument(help="The folder of a trained model.", show_default=False)]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(envvar="PREP_DEVICE", help="Where to compute.")
]
Params = Annotated[Path, typer.Option(help="The YAML file with the parameters of all stages.")]
CACHE = Path(".prep")
WORKERS = os.cpu_count() or 1


@contextmanager
def progress(name: str, unit: str = "img") -> Iterator[Tick]:
    """Show a progress bar on a terminal once a run takes longer than two seconds."""
    with tqdm(desc=name, unit=unit, delay=2, disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tick


def read_params(path: Path) -> dict:
    """Read the parameters of all stages. Raise Halt if the file is missing or is no YAML."""
    from ruamel.yaml import YAML, YAMLError  # takes a tenth of a second, which few commands need

    try:
        return YAML(typ="safe").load(path) or {}
    except FileNotFoundError:
        raise Halt(
            f"{path} is missing: name the file with the parameters of all stages by --params"
        ) from None
    except YAMLError as error:
        raise Halt(f"{path} cannot be read as YAML ({error}): correct it") from None


def conclude(
    name: str, report: "Report | FetchReport", dest: Path, metrics: Path | None, numbers: Sequence[str] = ()
) -> None:
    """Write the metrics, with mean and median of `numbers`, and print the counts on one line."""
    if metrics:
        files.write_json(metrics, report.metrics(*numbers))
    reasons = summarize_counts(report.rejected)
    written = f"{report.written} of {report.taken} written to {dest}"
    typer.echo(f"{name}: {written}" + (f"; rejected: {reasons}" if reasons else ""))
