"""A stage killed at any moment leaves no seal on partial data, and the next run makes equal bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from project import COMMANDS, EAGER, ENVIRONMENT, OTHER, Done, command, content, folder, nursery, standing

from pipeline.shards import column
from pipeline.upkeep.verify import verify_columns

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither forks nor SIGKILL")


@pytest.fixture(scope="module")
def run():
    """Yield the function that runs a command."""
    with nursery() as started:
        yield started


@pytest.fixture(scope="module", params=[24])
def place(request, run, tmp_path_factory):
    """Yield a folder with the inputs of all stages, and the URL of a site with the pictures."""
    with standing(tmp_path_factory.mktemp("home"), request.param, run) as place:
        yield place


def check_sound(out: Path, allowed: list[dict[str, bytes]]) -> None:
    """Check that a folder holds one of the allowed results after a kill, or has no seal."""
    if (out / column.SEAL).is_file():
        verdict = verify_columns(out)
        assert verdict.faults == []
        assert (out / column.SEAL).read_bytes() in [result.get(column.SEAL) for result in allowed]
    if (out / "posts.jsonl").is_file():
        assert (out / "posts.jsonl").read_bytes() in [result.get("posts.jsonl") for result in allowed]


def result(run, stage: str, place: tuple[Path, str], path: Path, *more: str) -> dict[str, bytes]:
    """Run a stage undisturbed in a new folder; return its output."""
    home = folder(place[0], path)
    done = run([*command(stage, place[1]), *more], home)
    assert done.code == 0, done.said
    return content(home / "out")


def killed(run, stage: str, place: tuple[Path, str], tmp_path: Path, moments: int | None) -> int:
    """Kill a stage that overwrites an earlier result, before some of its file operations or before each.

    Return how often it was killed.
    """
    force = ["--force"] if stage == "clean a folder" else []  # no run made the copied files at their place
    before = result(run, stage, place, tmp_path / "before", *OTHER[COMMANDS[stage][0]])
    whole = result(run, stage, place, tmp_path / "whole")
    assert before != whole

    def run_over(kill: int) -> tuple[Path, Done]:
        home = folder(place[0], tmp_path / f"{kill}")
        shutil.copytree(tmp_path / "before" / "out", home / "out")
        return home, run([*command(stage, place[1]), *force], home, kill)

    every = range(1, run_over(0)[1].moves + 1)
    chosen = Random(stage).sample(every, min(moments, len(every))) if moments else every
    for moment in chosen:
        home, done = run_over(moment)
        assert done.code == -signal.SIGKILL
        check_sound(home / "out", [before, whole])
        done = run(command(stage, place[1]), home)
        assert done.code == 0, done.said
        assert content(home / "out") == whole
    return len(chosen)


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_stage_killed_between_two_file_operations_leaves_no_false_seal_and_resumes(
    run, place, tmp_path, stage
):
    killed(run, stage, place, tmp_path, moments=2)


@pytest.mark.slow
@pytest.mark.parametrize("stage", COMMANDS)
def test_a_stage_killed_before_each_file_operation_leaves_no_false_seal_and_resumes(
    run, place, tmp_path, stage
):
    print(stage, killed(run, stage, place, tmp_path, moments=None), "kills")


# ---------------------------------------------------------------- random moments, with workers


def start(stage: str, place: tuple[Path, str], home: Path) -> subprocess.Popen:
    """Start a command with two workers, however little there is to do, in its own process group."""
    words = [sys.executable, "-c", EAGER, *command(stage, place[1])]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    workers = {"PREP_WORKERS": "2"}
    return subprocess.Popen(words, cwd=home, env=ENVIRONMENT | workers, text=True, **quiet)


def wait_for_work(child: subprocess.Popen, home: Path) -> float:
    """Wait until a command begins to write; return the time."""
    while child.poll() is None and not any((home / name).exists() for name in ("out", ".prep")):
        time.sleep(0.001)
    return time.monotonic()


def strike(child: subprocess.Popen) -> bool:
    """Kill a command and its workers; return whether it had already succeeded."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    _, said = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL), said
    return child.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", [160], indirect=True)
@pytest.mark.parametrize("stage", COMMANDS)
def test_a_stage_killed_twelve_times_at_random_moments_ends_with_equal_bytes(run, place, tmp_path, stage):
    whole = result(run, stage, place, tmp_path / "whole")
    rng, home, kills, ends = Random(stage), folder(place[0], tmp_path / "killed"), 0, 0
    child = start(stage, place, home)
    begun = wait_for_work(child, home)
    assert child.communicate() == (None, "")
    lasts = time.monotonic() - begun
    while kills < 12:
        if kills % 4 == 0:
            shutil.rmtree(home)
            folder(place[0], home)
        child = start(stage, place, home)
        if not (home / "out").exists():
            wait_for_work(child, home)
        else:
            time.sleep(rng.random() * 2)
        time.sleep(rng.random() * lasts)
        ended = strike(child)
        kills, ends = kills + (not ended), ends + ended
        check_sound(home / "out", [whole])
    child = start(stage, place, home)
    assert (child.communicate()[1], child.returncode) == ("", 0)
    assert content(home / "out") == whole
    print(f"{stage}: {kills} kills, {ends} runs ended before")
