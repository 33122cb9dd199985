"""The `prep` command: one command for each stage of the pipeline, and some tools."""

import ast
import errno
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info

from pipeline.errors import Halt
from pipeline.untrusted import is_text
from stages.arguments import add_quiet, emit, report_disconnect

STAGES = ["code", "search", "fetch", "clean", "sketchify", "cue", "reference", "pack", "train", "evaluate"]
COMMANDS = {  # by panel of `prep --help`; each is a function in the file of its name
    "Begin a project": ["init"],
    "Stages": STAGES,
    "Plan and inspect": ["plan", "sheet", "explain", "ls", "show", "verify", "report", "diff"],
    "Color, and use a model": ["studio", "colorize", "flats", "compare", "export"],
    "Maintain": ["publish", "forget", "gc", "booru"],
}
PANELS = {name: panel for panel, names in COMMANDS.items() for name in names}
EXTRAS = {  # the packages of each extra of pyproject.toml, by the names under which they are imported
    "train": [
        "dvclive",
        "lightning_fabric",
        "safetensors",
        "torch",
        "torch_fidelity",
        "torchmetrics",
        "torchvision",
    ],
    "color": ["onnxruntime"],
    "onnx": ["onnx", "onnxscript"],
    "hub": ["huggingface_hub"],
    "ray": ["ray"],
    "studio": ["anyio", "starlette", "uvicorn"],
    "urls": ["s3fs", "upath", "webdataset"],
}
WRITABLE = "make it writable, or name another folder (--cache for the cache)"
OS_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EROFS: WRITABLE,
    errno.EACCES: WRITABLE,
    errno.ENAMETOOLONG: "choose a shorter name",
}
INTERRUPTED, TERMINATED = 130, 143  # exit codes after SIGINT and SIGTERM
RESUME = "interrupted; finished work is kept, run the same command to go on"


class Commands(Mapping[str, TyperCommand]):
    """The commands by name, each imported when it is asked for: one of them needs few of the packages."""

    def __getitem__(self, name: str) -> TyperCommand:
        return load_command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(PANELS)

    def __len__(self) -> int:
        return len(PANELS)


class Prep(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any):
        super().__init__(**given)
        self.commands = Commands()  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        return list(PANELS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Describe the commands by their docstrings, which need no import."""
        described = copy(self)
        described.commands = {
            name: TyperCommand(name, help=read_docstring(name), rich_help_panel=panel)
            for name, panel in PANELS.items()
        }
        TyperGroup.format_help(described, ctx, formatter)


@cache
def load_command(name: str) -> TyperCommand:
    """Import a command. Raise KeyError if there is none of this name."""
    app = typer.Typer()
    panel = PANELS[name]
    command = getattr(import_module(f"stages.{name}"), name)
    app.command(rich_help_panel=panel)(add_quiet(report_disconnect(command)))
    [info] = app.registered_commands
    made = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=app.rich_markup_mode)
    return cast(TyperCommand, made)


def read_docstring(name: str) -> str:
    """Read the docstring of a command without importing it."""
    module = ast.parse(Path(__file__).with_name(f"{name}.py").read_bytes())
    [function] = (each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == name)
    return ast.get_docstring(function) or ""


app = typer.Typer(
    cls=Prep,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn illustrations into datasets for sketch colorization, and train the networks that color.",
)


def show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # takes a while, and few commands need it

        emit(f"inkwash {version('inkwash')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
]


@app.callback()
def root(version: Version = False) -> None:
    """Hold the options of the program itself."""


def main() -> None:
    """Run a command; say in one line what stopped it.

    The exit code is 2 for bad usage, 1 for a failure outside the program, 130 and 143 for an interrupt.
    """
    use_utf8()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer returns it instead of raising KeyboardInterrupt
            raise KeyboardInterrupt
        sys.exit(code)
    except SystemExit as end:
        if end.code != TERMINATED:
            raise
        fail(RESUME, TERMINATED)
    except typer.TyperException as error:
        fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        fail(RESUME, INTERRUPTED)
    except Halt as error:
        fail(str(error), 1)
    except ModuleNotFoundError as error:
        if not (extra := extra_of(error)):
            raise
        fail(f"a package is missing ({error}): install inkwash[{extra}], then run the same command again", 1)
    except UnicodeEncodeError:
        if not (words := [word for word in sys.argv if not is_text(word)]):
            raise
        fail(f"{words[0]} is not UTF-8: give another name", 2)
    except MemoryError:  # outside of a step, which would name the sample
        fail("out of memory: use fewer --workers, or more memory, then run the same command to go on", 1)
    except OSError as error:
        advice = OS_ADVICE.get(error.errno or 0, "")
        fail(f"{error}: {advice}, then run the same command to go on" if advice else str(error), 1)


def use_utf8() -> None:
    """Start again in Python's UTF-8 mode if the locale has another encoding for the names of files.

    The same picture has the same name everywhere then, and with it the same id.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"  # for the processes that this one starts
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def extra_of(error: ModuleNotFoundError) -> str | None:
    """Return the extra that has the missing package; None means a broken installation, or a bug."""
    package = (error.name or "").partition(".")[0]
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def fail(message: str, code: int) -> None:
    emit(f"prep: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
