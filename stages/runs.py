"""The runs of a project as the studio shows them: which there are, and what changed from one to another."""

import hashlib
import json
import math
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.evaluation.diff import to_page
from pipeline.evaluation.page import list_figures
from pipeline.progress import Tick
from pipeline.shards.column import SEAL
from pipeline.untrusted import is_number
from pipeline.upkeep.changes import changed_params, pair_counts
from stages.diff import compare_runs
from stages.recoloring import draw_figures
from stages.revisions import (
    MODEL_FILES,
    PAIRS,
    TABLE,
    TRAINED,
    WORKSPACE,
    Revision,
    open_revision,
    read_settings,
)

EVALUATION_METRICS = "metrics/evaluate.json"
CURVES = "metrics/train/plots/metrics"
MOST_COMMITS = 40  # to choose from
MOST_POINTS = 1000  # of a curve
DECIDING = (TABLE, f"{PAIRS}/{SEAL}", *(f"{TRAINED}/{name}" for name in MODEL_FILES))  # about the pictures
Curves = Mapping[str, list[tuple[float, float]]]


def list_runs(home: Path) -> dict[str, Any]:
    """List the runs of a project: its files as they are, experiments, and commits that changed metrics.

    Each has the word that opens it, and what tells it from the others. `why` is a sentence if git or DVC
    cannot say which there are.
    """
    runs: list[dict[str, Any]] = [{"word": WORKSPACE, "kind": "workspace"}]
    metrics, why = [read_file(home / EVALUATION_METRICS)], ""
    try:
        found = [*list_experiments(home), *list_commits(home)]
        metrics += read_objects(home, [f"{run['commit']}:./{EVALUATION_METRICS}" for run in found])
        runs += found
    except Halt as halt:
        why = str(halt)
    told = [run | {"psnr": psnr_of(data)} for run, data in zip(runs, metrics, strict=True)]
    return {"runs": told, "why": why}


def list_experiments(home: Path) -> list[dict[str, Any]]:
    """List the experiments of DVC, of all commits, by name. Raise Halt if the folder is no project of DVC."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError

    try:
        with Repo(str(home)) as repo:
            found = repo.experiments.ls(all_commits=True)
    except (DvcException, SCMError) as error:
        raise Halt(
            f"{home.resolve()} has no runs that DVC could list ({error}): set it up by prep init, "
            "or compare folders by their paths"
        ) from None
    pairs = sorted((name, commit) for experiments in found.values() for name, commit in experiments)
    names = Counter(name for name, _ in pairs)
    return [
        {"word": commit if names[name] > 1 else name, "kind": "experiment", "title": name, "commit": commit}
        for name, commit in pairs
    ]


def list_commits(home: Path) -> list[dict[str, Any]]:
    """List HEAD, and then the last commits that changed metrics, with their tags, the latest first."""
    form = ("log", "-z", "--decorate-refs=refs/tags", "--format=%h%x1f%D%x1f%cs%x1f%s")
    said = run_git(home, *form, "-1") + run_git(home, *form, f"-{MOST_COMMITS}", "--", "metrics")
    runs: list[dict[str, Any]] = []
    for line in dict.fromkeys(said.decode(errors="replace").split("\0")):
        if line:
            commit, names, day, title = line.split("\x1f", 3)
            tags = [name.removeprefix("tag: ") for name in names.split(", ") if name]
            word = commit if runs else "HEAD"
            runs.append(
                {"word": word, "kind": "commit", "title": title, "commit": commit, "day": day, "tags": tags}
            )
    return runs


def run_git(home: Path, *words: str, given: bytes = b"") -> bytes:
    """Return what git prints. Raise Halt if it cannot."""
    command = ["git", "-C", str(home), *words]
    try:
        return subprocess.run(command, input=given, capture_output=True, timeout=60, check=True).stdout
    except FileNotFoundError:
        raise Halt("git is not installed, so that no commits can be listed: install it") from None
    except subprocess.TimeoutExpired:
        raise Halt(f"git does not answer in {home.resolve()}: see that its disk does") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
        raise Halt(f"git lists no commits of {home.resolve()} ({reason}): commit a run first") from None


def read_objects(home: Path, names: Sequence[str]) -> list[bytes | None]:
    """Read files of commits from git, each by `COMMIT:./PATH`; None for one that is not there."""
    rest = run_git(home, "cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode())
    found: list[bytes | None] = []
    for _ in names:
        head, _, rest = rest.partition(b"\n")
        size = -1 if head.endswith(b" missing") else int(head.rpartition(b" ")[2])
        found.append(rest[:size] if size >= 0 else None)
        rest = rest[size + 1 :]
    return found


def read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def psnr_of(metrics: bytes | None) -> float | None:
    """Return the PSNR among the metrics of an evaluation, in dB; None if they do not tell it."""
    try:
        psnr = json.loads(metrics or b"{}")["psnr_db"]
    except (ValueError, LookupError, TypeError):
        return None
    return psnr if is_number(psnr) else None


def compare_words(home: Path, before: str, after: str) -> dict[str, Any]:
    """Compare two runs by the words that open them: parameters, counts, curves and measures.

    `measured` is None if the measures cannot be compared; `why` is a sentence that tells the reason. `id` is
    a hash of what decides the pictures. Raise Halt if there is no such run.
    """
    with opened(home, before, after) as runs:
        (old_params, old_metrics), (new_params, new_metrics) = map(read_settings, runs)
        try:
            measured, why = to_page(compare_runs(*runs)), ""
        except Halt as halt:
            measured, why = None, str(halt)
        return {
            "before": runs[0].name,
            "after": runs[1].name,
            "id": hash_runs(runs),
            "params": [[name, *pair] for name, pair in changed_params(old_params, new_params).items()],
            "stages": list_stages(pair_counts(old_metrics, new_metrics)),
            "curves": pair_curves(*map(read_curves, runs)),
            "measured": measured,
            "why": why,
        }


def draw_words(home: Path, before: str, after: str, pair: str, count: int, tick: Tick) -> dict[str, Any]:
    """Draw the test pictures that changed most, as `draw_figures`.

    Raise Halt if the runs are not those whose comparison had the id `pair`.
    """
    with opened(home, before, after) as runs:
        if hash_runs(runs) != pair:
            raise Halt("the runs have changed since they were compared: compare them again")
        figures, notes = draw_figures(compare_runs(*runs).main, runs, count, tick)
        return {"figures": list_figures(figures), "notes": notes}


@contextmanager
def opened(home: Path, *words: str) -> Iterator[list[Revision]]:
    """Open runs, and let go of their repositories in the end."""
    with ExitStack() as stack:
        runs = []
        for word in words:
            runs.append(open_revision(word, home))
            stack.callback(getattr(runs[-1].system, "close", bool))
        yield runs


def hash_runs(runs: Sequence[Revision]) -> str:
    """Hash the test pictures, models and measures of runs, by the files that stand for them."""
    found = hashlib.sha256()
    for run in runs:
        for path in DECIDING:
            with suppress(Halt):  # of a remote that does not answer; drawing will say so
                found.update(hashlib.sha256(run.read(path) or b"").digest())
    return found.hexdigest()


def list_stages(counts: Mapping[str, tuple[int | None, int | None]]) -> list[dict[str, Any]]:
    """List the counts of each stage before and after, and under it the reasons of its rejects."""
    stages: dict[str, dict[str, Any]] = {}
    for name, (before, after) in counts.items():
        stage, _, reason = name.partition(", rejected: ")
        row = stages.setdefault(stage, {"name": stage, "before": None, "after": None, "reasons": []})
        if reason:
            row["reasons"].append({"name": reason, "before": before, "after": after})
        else:
            row |= {"before": before, "after": after}
    return list(stages.values())


def read_curves(run: Revision) -> dict[str, list[tuple[float, float]]]:
    """Read the curves of the training of a run by name, as (step, value); long ones have fewer points."""
    curves = {}
    for name in run.list_files(CURVES):
        points = list(parse_points((run.read(f"{CURVES}/{name}") or b"").decode(errors="replace")))
        every = math.ceil(len(points) / MOST_POINTS) or 1
        curves[name.removesuffix(".tsv")] = points[::-every][::-1]  # the last stays
    return curves


def parse_points(table: str) -> Iterator[tuple[float, float]]:
    """Yield the points of a table that DVCLive wrote; a value may be no number, where training went wrong."""
    for line in table.splitlines()[1:]:
        try:
            step, value = map(float, line.split("\t"))
        except ValueError:
            continue
        if math.isfinite(step) and math.isfinite(value):
            yield step, value


def pair_curves(before: Curves, after: Curves) -> list[dict[str, Any]]:
    return [
        {"name": name, "before": before.get(name, []), "after": after.get(name, [])}
        for name in dict.fromkeys([*after, *before])
    ]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "list_runs": list_runs,
    "compare_runs": compare_words,
    "draw_runs": draw_words,
}
