"""The `prep` command: one command per stage of the pipeline, and a few for people."""

import errno
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from pipeline.errors import Halt
from stages.arguments import connected
from stages.booru import booru
from stages.clean import clean
from stages.code import code
from stages.colorize import colorize
from stages.compare import compare
from stages.cue import cue
from stages.evaluate import evaluate
from stages.explain import explain
from stages.export import export
from stages.fetch import fetch
from stages.forget import forget
from stages.gc import gc
from stages.ls import ls
from stages.pack import pack
from stages.plan import plan
from stages.reference import reference
from stages.report import report
from stages.search import search
from stages.sheet import sheet
from stages.show import show
from stages.sketchify import sketchify
from stages.train import train
from stages.verify import verify

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn illustrations into datasets for sketch colorization, and train the networks that color.",
)
EXTRAS = {  # what commands import of each extra of pyproject.toml
    "train": (
        "dvclive",
        "lightning_fabric",
        "safetensors",
        "torch",
        "torch_fidelity",
        "torchmetrics",
        "torchvision",
    ),
    "onnx": ("onnx", "onnxscript"),
    "ray": ("ray",),
    "urls": ("s3fs", "upath"),
}
STAGES = (code, search, fetch, clean, sketchify, cue, reference, pack, train, evaluate)
for command in STAGES:
    app.command(rich_help_panel="Stages")(connected(command))
for command in (plan, sheet, explain, ls, show, verify, colorize, compare, export, report, booru, forget, gc):
    app.command(rich_help_panel="For people")(connected(command))


def show_version(asked: bool) -> None:
    """Print the version and exit, if asked."""
    if asked:
        typer.echo(f"inkwash {version('inkwash')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Hold the options of the program itself."""


def main() -> None:
    """Run a command; say in one line what stopped it.

    The exit code is 2 for bad usage, 1 for what the world did, 130 and 143 for an interrupt.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted; what was finished is kept, run the same command to go on", 130)
    except Halt as error:
        fail(str(error), 1)
    except ModuleNotFoundError as error:
        if not (extra := extra_of(error)):
            raise
        fail(f"a package is missing ({error}): install inkwash[{extra}], then run the same command again", 1)
    except MemoryError:  # anywhere but in a step, which names the sample
        fail("out of memory: use fewer --workers, or more memory, then run the same command to go on", 1)
    except OSError as error:
        hint = ": free some space, then run the same command to go on" if error.errno == errno.ENOSPC else ""
        fail(f"{error}{hint}", 1)


def extra_of(error: ModuleNotFoundError) -> str | None:
    """Return the extra that has the missing package; None means a broken installation, or a bug."""
    package = (error.name or "").partition(".")[0]
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def fail(message: str, code: int) -> None:
    """Say on one line of stderr what went wrong, and exit."""
    typer.echo(f"prep: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
