"""A word -> the files of a run: of a folder, or of a revision or an experiment, by DVC's cache or remote."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline import files
from pipeline.errors import Halt
from pipeline.evaluation.paired import Rows, read_measures
from pipeline.shards import tar
from pipeline.shards.column import INDEX
from pipeline.shards.sums import CONFIG_FILE, SUMS_FILE, WEIGHTS_FILE
from pipeline.shards.tar import Row, Sample
from pipeline.upkeep.changes import StageMetrics, metrics_names
from stages.arguments import PARAMS

WORKSPACE = "workspace"  # as DVC calls it
TABLE, PAIRS, TRAINED = "data/evaluate.parquet", "data/pairs", "data/model"
MODEL_FILES = (CONFIG_FILE, WEIGHTS_FILE, SUMS_FILE)


@dataclass(frozen=True)
class Revision:
    """The files of a run, by paths relative to `root` in a file system."""

    name: str
    root: str
    system: Any  # of fsspec

    def open_binary(self, path: str) -> BinaryIO:
        """Open a file for reading. Raise Halt if there is none."""
        try:
            return self.system.open(f"{self.root}/{path}", mode="rb")
        except FileNotFoundError:
            raise Halt(
                f"{self.name} has no {path} in its folder, the cache or the remote: run dvc fetch"
            ) from None

    def read(self, path: str) -> bytes | None:
        """Return a file; None if it is neither there nor in DVC's cache and remote.

        Raise Halt if the remote does not answer.
        """
        try:
            return self.system.cat_file(f"{self.root}/{path}")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except Exception as error:  # the drivers of remotes raise anything, and no code of ours runs here
            if isinstance(error.__cause__, FileNotFoundError):  # of the list of a folder that DVC tracks
                return None
            reason = f"{path} of {self.name} cannot be read ({type(error).__name__}: {error})"
            raise Halt(f"{reason}: see that its remote answers, then run the same command again") from error

    def list_files(self, path: str) -> list[str]:
        """Return the names of the files in a folder, sorted; none if there is no such folder."""
        try:
            found = self.system.ls(f"{self.root}/{path}", detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.rpartition("/")[2] for name in found)


@dataclass(frozen=True)
class RunResult:
    """What a run says of itself: its parameters, the metrics of its stages, and its table of measures."""

    params: dict[str, Any]
    metrics: StageMetrics
    rows: Rows


def open_revision(word: str, home: Path = Path()) -> Revision:
    """Open a folder that has a params.yaml, or else a revision or an experiment of the project in `home`.

    Raise Halt if there is no such one.
    """
    folder = home if word == WORKSPACE else home / word
    if word in (WORKSPACE, ".") or (folder / PARAMS).is_file():
        return open_folder(folder, WORKSPACE if folder.resolve() == home.resolve() else word)
    from dvc.api import DVCFileSystem  # takes half a second
    from dvc.exceptions import DvcException

    try:
        system = DVCFileSystem(url=str(home.resolve()), rev=word, subrepos=True)
        root = os.path.relpath(home.resolve(), system.repo.scm.root_dir)
    except DvcException as error:
        advice = f"name one that `dvc exp list` or `git log` shows, or a folder with a {PARAMS}"
        raise Halt(
            f"{word} is no revision, no experiment and no folder of a project ({error}): {advice}"
        ) from None
    return Revision(word, f"/{Path(root).as_posix()}", system)


def open_folder(folder: Path, name: str) -> Revision:
    """Open a folder, with what DVC's cache or remote has of it if it is a DVC project."""
    if (folder / ".dvc").is_dir():
        from dvc.api import DVCFileSystem

        return Revision(name, "", DVCFileSystem(url=str(folder.resolve())))
    from dvc.fs import LocalFileSystem

    return Revision(name, str(folder.resolve()), LocalFileSystem())


def read_run(revision: Revision) -> RunResult:
    """Read what a run says of itself. Raise Halt if it was not evaluated, or if a file cannot be parsed."""
    rows = read_table_of_measures(revision)
    return RunResult(*read_settings(revision), rows)


def read_table_of_measures(revision: Revision) -> Rows:
    """Read what was measured of a run. Raise Halt if it was not evaluated, or if the table is broken."""
    if (table := revision.read(TABLE)) is None:
        advice = "run dvc repro there, or get its results by dvc fetch --all-commits"
        raise Halt(f"{revision.name} has no {TABLE} in its folder, the cache or the remote: {advice}")
    return read_measures(table, f"{TABLE} of {revision.name}")


def read_settings(revision: Revision) -> tuple[dict[str, Any], StageMetrics]:
    """Read the parameters of a run and the metrics of its stages. Raise Halt if a file cannot be parsed."""
    params = read_mapping(revision, str(PARAMS))
    return params, {name: read_mapping(revision, f"metrics/{name}.json") for name in metrics_names(params)}


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


def read_test_samples(revision: Revision, keys: Collection[str]) -> list[Sample]:
    """Read some test pictures of the packed dataset of a run, and no more of it than these and its index.

    Raise Halt if one cannot be read.
    """
    index = (revision.read(f"{PAIRS}/{INDEX}") or b"").decode()
    rows = [(*line.split("\t", 2)[:2], line) for line in index.splitlines()[1:]]
    places = {key: (shard, line) for key, shard, line in rows if key in keys and shard.startswith("test-")}
    if len(places) < len(keys):
        raise Halt(f"{revision.name} has no {PAIRS} with these test pictures: run dvc fetch")
    return [
        read_packed(revision, Path(PAIRS, places[key][0]), Row.parse(places[key][1])) for key in sorted(keys)
    ]


def read_packed(revision: Revision, path: Path, row: Row) -> Sample:
    with revision.open_binary(path.as_posix()) as file:
        return tar.parse_sample(tar.read_sample(file, row, path), row, path)


def copy_model(revision: Revision, dest: Path) -> None:
    """Write the model of a run to a folder. Raise Halt if it has none."""
    for name in MODEL_FILES:
        data = revision.read(f"{TRAINED}/{name}")
        if data is None and name != SUMS_FILE:
            raise Halt(f"{revision.name} has no {TRAINED}/{name}: run dvc fetch")
        if data is not None:
            files.write(dest / name, data)
