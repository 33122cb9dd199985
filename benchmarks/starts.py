"""How long people wait for commands to start, beside another checkout.

Each lap makes a project of the sample without cache and lock, once with the code of the other checkout and
once with ours, each with the packages of its own .venv, or else with those of this script. It runs
`prep --help`, `dvc repro pack`, that again, and the command of each stage once more, which then finds nothing
new. Printed are medians of seconds on the clock and of CPU seconds, with those of all processes that a
command starts. While a machine does other work, only the CPU seconds can be compared.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML
from tables import print_head, print_row

ROOT = Path(__file__).resolve().parent.parent
STARTS_HOME = Path(".bench")
STAGES = ("code", "search", "fetch", "clean", "sketchify@b7", "cue", "reference", "pack")
CODE = ("pipeline", "stages")
FILES = (  # of a project
    "inkwash.py", "dvc.yaml", "params.yaml", "keep.tsv", "drop.tsv", ".dvcignore", ".gitignore",
    ".dvc/config",
)  # fmt: skip

Seconds = tuple[float, float]  # on the clock, and of the CPU


@dataclass(frozen=True)
class Project:
    """A project, with the code of a checkout in it, and the folder of the programs that run it."""

    home: Path
    programs: Path

    def run(self, *words: str) -> Seconds:
        """Run a command. Raise SystemExit if it fails."""
        path = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        environment = os.environ | {"PYTHONPATH": str(self.home), "PATH": path}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        quiet: dict = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        begun = time.perf_counter()
        child = subprocess.Popen(words, cwd=self.home, env=environment, **quiet)
        assert child.stderr
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"{' '.join(words)} failed:\n{said.decode()}")
        return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def begin_project(checkout: Path, home: Path) -> Project:
    """Make a project of a checkout that has made nothing yet, in a git repository of its own."""
    for name in CODE:
        shutil.copytree(checkout / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copy(checkout / name, home / name)
    subprocess.run(["git", "init", "--quiet", home], check=True)
    own = checkout / ".venv" / "bin"
    project = Project(home, own if own.is_dir() else Path(sys.executable).parent)
    project.run("python", "-m", "compileall", "-q", *CODE)  # as an installation does
    return project


def run_lap(checkout: Path, folder: Path) -> Iterator[tuple[str, Seconds]]:
    """Run everything once; yield the name and the seconds of each command."""
    with TemporaryDirectory(dir=folder) as home:
        project = begin_project(checkout, Path(home))
        repro = "dvc", "repro", "--quiet", "pack"
        yield "prep --help", project.run("prep", "--help")
        yield "dvc repro pack", project.run(*repro)
        yield "dvc repro pack, nothing new", project.run(*repro)
        stages = YAML(typ="safe").load(project.home / "dvc.lock")["stages"]
        for stage in STAGES:
            yield f"{stage}, nothing new", project.run("sh", "-c", stages[stage]["cmd"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="another checkout, to compare with")
    parser.add_argument("--laps", type=int, default=3)
    options = parser.parse_args()
    STARTS_HOME.mkdir(exist_ok=True)
    checkouts = {"before": options.before.resolve(), "now": ROOT}
    laps: dict[str, dict[str, list[Seconds]]] = defaultdict(lambda: defaultdict(list))
    with TemporaryDirectory(dir=STARTS_HOME.resolve()) as folder:
        for _ in range(options.laps):
            for name, checkout in checkouts.items():
                for command, seconds in run_lap(checkout, Path(folder)):
                    laps[command][name].append(seconds)
    print_head("command", "s before", "s now", "ratio", "CPU s before", "CPU s now", "ratio")
    for command, found in laps.items():
        cells = []
        for kind in (0, 1):
            before, now = (statistics.median(lap[kind] for lap in found[name]) for name in checkouts)
            cells += [f"{before:.2f}", f"{now:.2f}", f"{before / now:.2f}"]
        print_row(command, *cells)


if __name__ == "__main__":
    main()
