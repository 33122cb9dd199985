"""The cost of 10,000 pictures next to 1,000, and of a run for which most of the work was done before.

Every stage is a command as people run it, with a worker per core. Costs are CPU seconds of a command and its
workers, since other work on a machine changes the time on the clock; memory is that of all of them together.
A second run finds nothing new; a killed one goes on with what the memo holds; a grown one has 1 % more
pictures, at random among the others or after them. Each may cost the share of what is new, and 3 % of a full
run.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import psutil
from tables import print_head, print_row

from pipeline import files
from pipeline.run.memo import MEMO_TABLE
from pipeline.shards import column
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.sources.fetch import cut_batches

SCALE_HOME = Path(".bench")
ROOT = Path(__file__).resolve().parent.parent
CANVAS = 256  # pixels a side on which an original is painted, before it is enlarged
SHARD_SIZE = 64  # pictures, on average
GROWTH = 0.01
STAGE_COMMANDS = {  # {0} is the folder of originals, {1} the side of the samples in pixels
    "clean": "clean {0} color --side {1} --smallest 1 --tolerance 100 --blur 20",
    "sketchify": "sketchify color sketch/b7",
    "cue": "cue color cue",
    "reference": "reference color reference",
    "pack": "pack color sketch cue reference pairs",
}

Originals = tuple[Path, int]  # their folder, and the side to which they are cleaned


@dataclass(frozen=True)
class Cost:
    """The cost of a command: CPU seconds, seconds on the clock, and bytes at the peak."""

    cpu: float
    wall: float
    peak: int


def paint_original(number: int, size: int) -> Sample:
    """Paint discs on a slope, different for each number, quickly; encode as JPEG of `size` pixels a side."""
    random = np.random.default_rng(number)
    corners = random.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    for x, y, radius, *color in random.integers(0, 256, (24, 6)).tolist():
        cv2.circle(image, (x, y), 6 + radius // 8, color, -1, cv2.LINE_AA)
    _, data = cv2.imencode(".jpg", cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    metadata = {"id": number, "family": number}
    return Sample(f"{number:09d}", {"jpg": data.tobytes(), "json": files.dumps(metadata)})


def write_originals(folder: Path, numbers: Sequence[int], size: int) -> None:
    """Write and seal a column of originals of `size` pixels a side, cut into shards as fetch cuts them."""
    batches = list(cut_batches(({"id": number} for number in numbers), SHARD_SIZE))
    with ProcessPoolExecutor() as pool:
        shards = pool.map(partial(write_batch, folder, size), range(len(batches)), batches, chunksize=8)
        seal_column(folder, list(shards), len(numbers), {})


def write_batch(folder: Path, size: int, place: int, posts: list[dict]) -> column.Shard:
    return write_shard(folder / f"{place:06d}.tar", (paint_original(post["id"], size) for post in posts))


def run_stages(home: Path, originals: Originals) -> dict[str, Cost]:
    home.mkdir(exist_ok=True)
    return {stage: measure_stage(stage, home, originals) for stage in STAGE_COMMANDS}


def measure_stage(stage: str, home: Path, originals: Originals, until: float = float("inf")) -> Cost:
    """Run a stage, and kill it with its workers after `until` CPU seconds."""
    words = STAGE_COMMANDS[stage].format(*originals).split()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(home.parent / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "inkwash", *words],
        cwd=home, env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    cpu, peak = 0.0, 0
    while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
        seconds, memory = measure_processes(child.pid)
        cpu, peak = max(cpu, seconds), max(peak, memory)
        if cpu > until:
            os.killpg(child.pid, signal.SIGKILL)
            os.wait4(child.pid, 0)
            return Cost(cpu, time.monotonic() - begun, peak)
        time.sleep(0.05)
    if os.waitstatus_to_exitcode(ended[1]):
        raise SystemExit(f"{' '.join(words)} failed")
    return Cost(ended[2].ru_utime + ended[2].ru_stime, time.monotonic() - begun, peak)


def measure_processes(pid: int) -> tuple[float, int]:
    """Return the CPU seconds and the bytes of memory that a process and its workers have taken so far."""
    seconds, memory = 0.0, 0
    with suppress(psutil.NoSuchProcess):  # one that ended meanwhile; the next look counts the others
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            times = process.cpu_times()
            seconds += times.user + times.system
            memory += process.memory_info().rss
    return seconds, memory


def kill_halfway(
    home: Path, originals: Originals, full: dict[str, Cost]
) -> tuple[dict[str, Cost], dict[str, float]]:
    """Kill every stage halfway and run it again; return the cost of that, and the share that was new."""
    home.mkdir()
    costs, new, before = {}, {}, 0
    for stage, cost in full.items():
        measure_stage(stage, home, originals, until=cost.cpu / 2)
        known = count_memo(home)
        costs[stage] = measure_stage(stage, home, originals)
        after = count_memo(home)
        new[stage] = 1.0 if stage == "pack" else 1 - (known - before) / max(1, after - before)
        before = after
    return costs, new


def count_memo(home: Path) -> int:
    with sqlite3.connect(home / ".prep" / "steps" / MEMO_TABLE) as table:
        return table.execute("SELECT COUNT(*) FROM made").fetchone()[0]


def print_share(name: str, costs: dict[str, Cost], full: dict[str, Cost], new: dict[str, float]) -> None:
    """Print the cost of a run in percent of a full one, and by how much it exceeds the share that was new."""
    spent = {stage: cost.cpu for stage, cost in costs.items()}
    whole = {stage: cost.cpu for stage, cost in full.items()}
    due = {stage: new[stage] * cpu for stage, cpu in whole.items()}
    for each in (spent, whole, due):
        each["all"] = sum(each.values())
    print_row(name, *(
        f"{100 * spent[stage] / cpu:.1f} ({100 * (spent[stage] - due[stage]) / cpu:+.1f})"
        for stage, cpu in whole.items()
    ))  # fmt: skip


def print_costs(few: dict[str, Cost], many: dict[str, Cost], times: float) -> None:
    """Print the costs of many pictures next to those of few."""
    print_head("stage", "CPU s, few", "many", "ratio", "wall s, few", "many", "peak MB, few", "many")
    for stage, cost in few.items():
        more = many[stage]
        cpu = f"{cost.cpu:.1f}", f"{more.cpu:.1f}", f"{more.cpu / cost.cpu:.2f}"
        peaks = f"{cost.peak / 1e6:.0f}", f"{more.peak / 1e6:.0f}"
        print_row(stage, *cpu, f"{cost.wall:.1f}", f"{more.wall:.1f}", *peaks)
    ratio = sum(cost.cpu for cost in many.values()) / sum(cost.cpu for cost in few.values())
    print(f"\n{times:g} times as many pictures take {ratio:.2f} times the CPU seconds.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--source", type=int, default=256, help="pixels a side of an original")
    parser.add_argument("--side", type=int, default=64, help="pixels a side of a sample")
    parser.add_argument("--last", action="store_true", help="grow at the end, as a site does")
    options = parser.parse_args()
    count = options.pictures
    numbers = range(1, round(count * (1 + GROWTH)) + 1)
    most = numbers[:count] if options.last else sorted(Random(0).sample(numbers, count))
    SCALE_HOME.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=SCALE_HOME) as folder:
        home = Path(folder).resolve()
        columns = {"grown": numbers, "many": most, "few": most[: count // 10]}
        for name, chosen in columns.items():
            write_originals(home / name, chosen, options.source)
        grown, many, few = ((home / name, options.side) for name in columns)
        run_stages(home / "warm", few)
        tenth = run_stages(home / "one", few)
        full = run_stages(home / "ten", many)
        print_costs(tenth, full, count / len(columns["few"]))
        print("Percent of a full run, and by how much that exceeds the share that was new\n")
        print_head("", *STAGE_COMMANDS, "all")
        print_share("nothing new", run_stages(home / "ten", many), full, dict.fromkeys(full, 0.0))
        more = dict.fromkeys(full, GROWTH)
        print_share(f"{100 * GROWTH:g} % more pictures", run_stages(home / "ten", grown), full, more)
        shutil.rmtree(home / "ten")
        costs, new = kill_halfway(home / "killed", many, full)
        print_share("killed halfway", costs, full, new)


if __name__ == "__main__":
    main()
