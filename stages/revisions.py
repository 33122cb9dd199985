"""A word -> the files of a run: of a folder, or of a revision or an experiment, by DVC's cache or remote."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.evaluation.paired import Rows, read_measures
from pipeline.upkeep.changes import StageMetrics, metrics_names
from stages.arguments import PARAMS

WORKSPACE = "workspace"  # as DVC calls it
TABLE = "data/evaluate.parquet"


@dataclass(frozen=True)
class Revision:
    """The files of a run, by paths relative to `root` in a file system."""

    name: str
    root: str
    system: Any  # of fsspec

    def read(self, path: str) -> bytes | None:
        """Return a file; None if it is neither there nor in DVC's cache and remote.

        Raise Halt if the remote does not answer.
        """
        try:
            return self.system.cat_file(f"{self.root}/{path}")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except Exception as error:  # the drivers of remotes raise anything, and no code of ours runs here
            reason = f"{path} of {self.name} cannot be read ({type(error).__name__}: {error})"
            raise Halt(f"{reason}: see that its remote answers, then run the same command again") from error


@dataclass(frozen=True)
class RunResult:
    """What a run says of itself: its parameters, the metrics of its stages, and its table of measures."""

    params: dict[str, Any]
    metrics: StageMetrics
    rows: Rows


def open_revision(word: str) -> Revision:
    """Open a folder that has a params.yaml, or else a revision or an experiment of the project one stands in.

    Raise Halt if there is no such one.
    """
    folder = Path() if word == WORKSPACE else Path(word)
    if word in (WORKSPACE, ".") or (folder / PARAMS).is_file():
        return open_folder(folder)
    from dvc.api import DVCFileSystem  # takes half a second
    from dvc.exceptions import DvcException

    try:
        system = DVCFileSystem(rev=word, subrepos=True)
        root = os.path.relpath(os.getcwd(), system.repo.scm.root_dir)
    except DvcException as error:
        advice = f"name one that `dvc exp list` or `git log` shows, or a folder with a {PARAMS}"
        raise Halt(
            f"{word} is no revision, no experiment and no folder of a project ({error}): {advice}"
        ) from None
    return Revision(word, f"/{Path(root).as_posix()}", system)


def open_folder(folder: Path) -> Revision:
    """Open a folder, with what DVC's cache or remote has of it if it is a DVC project."""
    name = WORKSPACE if folder.resolve() == Path.cwd() else str(folder)
    if (folder / ".dvc").is_dir():
        from dvc.api import DVCFileSystem

        return Revision(name, "", DVCFileSystem(url=str(folder.resolve())))
    from dvc.fs import LocalFileSystem

    return Revision(name, str(folder.resolve()), LocalFileSystem())


def read_run(revision: Revision) -> RunResult:
    """Read what a run says of itself. Raise Halt if it was not evaluated, or if a file cannot be parsed."""
    if (table := revision.read(TABLE)) is None:
        advice = "run dvc repro there, or get its results by dvc fetch --all-commits"
        raise Halt(f"{revision.name} has no {TABLE} in its folder, the cache or the remote: {advice}")
    params = read_mapping(revision, str(PARAMS))
    found = {name: read_mapping(revision, f"metrics/{name}.json") for name in metrics_names(params)}
    return RunResult(params, found, read_measures(table, f"{TABLE} of {revision.name}"))


def read_mapping(revision: Revision, path: str) -> dict[str, Any]:
    """Read a file of YAML or JSON; one that is missing is empty. Raise Halt if it holds anything else."""
    from ruamel.yaml import YAML, YAMLError

    data = revision.read(path) or b"{}"
    try:
        value = json.loads(data) if path.endswith(".json") else YAML(typ="safe").load(data)
    except (ValueError, YAMLError) as error:
        raise Halt(f"{path} of {revision.name} cannot be read ({error}): correct it") from None
    if not isinstance(value, dict):
        raise Halt(f"{path} of {revision.name} has no names and values: correct it")
    return value
