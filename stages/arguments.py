"""Arguments and options that several commands share, the progress bar, and the line that ends a command.

Options that change how a command runs, but not its result, have environment variables and stay out of
params.yaml.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from tqdm import tqdm

from pipeline import files
from pipeline.errors import Halt
from pipeline.progress import Tick, quiet
from pipeline.untrusted import hide_secrets, safe_text
from pipeline.upkeep.report import summarize_counts, to_metrics

if TYPE_CHECKING:  # only a few commands need what it imports
    from pipeline.run.report import Report
    from pipeline.sources.fetch import FetchReport


def path_or_url(help: str) -> Any:
    """Declare an argument that is a path or a URL."""
    return typer.Argument(help=help, parser=files.to_path)


Source = Annotated[Path, path_or_url("A picture, a folder of pictures or of shards, or the URL of one.")]
Target = Annotated[Path, path_or_url("The folder to write, or its URL.")]
LooseTarget = Annotated[Path, path_or_url("The folder to write, its URL, or a PNG file for one picture.")]
Dest = Annotated[Path, typer.Argument(help="The folder to write.")]
Columns = Annotated[Path, typer.Argument(help="A folder of shards, or a folder of such folders.")]
DatasetFolder = Annotated[Path, typer.Argument(help="The folder of the packed dataset.")]
PackedDataset = Annotated[Path, path_or_url("The folder of the packed dataset, or its URL.")]
ModelFolder = Annotated[Path, typer.Argument(help="The folder of a trained model.")]
TrainedModel = Annotated[
    Path | None,
    typer.Option(
        help="The folder of a trained model, or an ONNX file.",
        show_default="data/model, or else the one that ships",
    ),
]
Data = Annotated[Path, typer.Option(help="The folder of the columns.")]
Params = Annotated[Path, typer.Option(help="The YAML file with the parameters of all stages.")]
ParamsFile = Annotated[
    Path | None,
    typer.Option(
        envvar="PREP_PARAMS",
        help="The YAML file with the parameters that are not on the line; none for the defaults.",
        show_default="params.yaml, if there is one",
    ),
]
Metrics = Annotated[
    Path | None, typer.Option(help="Write the numbers to compare, and all counts, to this JSON file.")
]
Sheet = Annotated[Path | None, typer.Option(help="Draw some results side by side to this PNG file.")]
Cache = Annotated[Path, typer.Option(envvar="PREP_CACHE", help="Folder of downloads and finished work.")]
Workers = Annotated[
    int, typer.Option(min=1, envvar="PREP_WORKERS", help="Processes to use.", show_default="one per core")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files of pictures that no run made.")]
On = Annotated[
    Literal["processes", "ray"], typer.Option(envvar="PREP_ON", help="Use this machine, or a Ray cluster.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(envvar="PREP_DEVICE", help="Device to compute on.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", envvar="PREP_QUIET", help="Print only errors and what was asked for.")
]
IS_QUIET = ContextVar("IS_QUIET", default=False)
MINUTE = 60.0  # seconds between two lines of progress
CACHE = Path(".prep")
DATA = Path("data")
PARAMS = Path("params.yaml")
SECTIONS = {"search", "clean", "sketches", "model"}  # of params.yaml that commands read from there
WORKERS = os.cpu_count() or 1


def report_disconnect(command: Callable) -> Callable:
    """Make a command end with one sentence if a URL among its arguments stops answering."""

    @wraps(command)
    def wrapper(**given: Any) -> None:
        with files.halt_on_disconnect(*given.values()):
            command(**given)

    return wrapper


def add_quiet(command: Callable) -> Callable:
    """Give a command the option --quiet, which keeps `say` and `progress` silent while it runs."""
    declared = signature(command)

    @wraps(command)
    def wrapper(quiet: bool, **given: Any) -> None:
        before = IS_QUIET.set(quiet)
        try:
            command(**given)
        finally:
            IS_QUIET.reset(before)

    option = Parameter("quiet", Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    parameters = [*declared.parameters.values(), option]
    wrapper.__signature__ = declared.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapper


@contextmanager
def progress(name: str, unit: str = "img") -> Iterator[Tick]:
    """Show how far a run is: by a bar on a terminal, once it takes two seconds; else by a line a minute."""
    if IS_QUIET.get():
        yield quiet
        return
    if not sys.stderr.isatty():
        yield report_each_minute(name, unit)
        return
    with tqdm(desc=name, unit=unit, delay=2, dynamic_ncols=True) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tick


def report_each_minute(name: str, unit: str, clock: Callable[[], float] = time.monotonic) -> Tick:
    """Return a tick that prints done, total, and the rate since the line before; the first only begins."""
    before: tuple[float, int] | None = None

    def tick(done: int, total: int) -> None:
        nonlocal before
        now = clock()
        began, start = before = before or (now, done)  # a run that resumes begins with what is done
        if now - began >= MINUTE:
            rate = (done - start) / (now - began)
            say(f"{name}: {unit} {done:,} of {total:,}, {rate:,.1f} a second", err=True)
            before = now, done

    return tick


def say(text: str, err: bool = False) -> None:
    """Print news, unless --quiet is given."""
    if not IS_QUIET.get():
        emit(text, err)


def emit(text: str, err: bool = False) -> None:
    """Print the lines of a text to stdout, or to stderr, without anything that a terminal obeys.

    For what was asked for, and for errors; `say` prints the rest.
    """
    for line in text.split("\n"):
        typer.echo(safe_text(line), err=err)


def emit_json(document: Any) -> None:
    """Print a document to stdout as JSON, in ASCII, so that it has nothing that a terminal obeys."""
    text = json.dumps(without_secrets(document), indent=2, default=str)
    typer.echo(text.replace("\x7f", r"\u007f"))


def without_secrets(value: Any) -> Any:
    """Hide the secrets in the texts of a document, however deep."""
    if isinstance(value, dict):
        return {name: without_secrets(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return hide_secrets(value) if isinstance(value, str) else value


def read_params(path: Path, *needed: str) -> dict[str, Any]:
    """Read the parameters of all stages.

    Raise Halt if the file is missing, is not YAML, lacks a `needed` section, or has one without names.
    """
    from ruamel.yaml import YAML, YAMLError  # takes a tenth of a second, and few commands need it

    try:
        params = YAML(typ="safe").load(path) or {}
    except FileNotFoundError:
        raise Halt(f"{path} is missing: name the parameters of all stages by --params") from None
    except YAMLError as error:
        raise Halt(f"{path} cannot be read as YAML ({error}): correct it") from None
    if not isinstance(params, dict):
        raise Halt(f"{path} has no sections of parameters: correct it")
    for name in sorted({*needed, *(SECTIONS & params.keys())}):
        if not isinstance(params.get(name), dict):
            raise Halt(f"{path} has no section {name} of names and values: correct it")
    return params


def find_params(given: Path | None) -> Path | None:
    """Return the file of parameters that is asked for, else the one of this folder; None if there is none."""
    if given is None:
        return PARAMS if PARAMS.is_file() else None
    return None if given == Path("none") else given


def full_key(text: str) -> str:
    """Return the key of a sample that is given as a key, or as the id of its post."""
    return text.zfill(9) if text.isdecimal() else text


def conclude(
    name: str, report: "Report | FetchReport", dest: Path, metrics: Path | None, numbers: Sequence[str] = ()
) -> None:
    """Write the metrics, with the mean and median of `numbers`, and print the counts on one line."""
    if metrics:
        files.write_json(metrics, to_metrics(report.summary(*numbers)))
    reasons = summarize_counts(report.rejected)
    written = f"{report.written} of {report.taken} written to {dest}"
    say(f"{name}: {written}" + (f"; rejected: {reasons}" if reasons else ""))
