"""What 10,000 pictures cost beside 1,000, and what a run costs that finds most of its work done before.

Every stage is a command as people run it, with a worker per core. Costs are CPU seconds of a command and its
workers, since other work on a machine changes the time on the clock; memory is that of all of them together.
A second run finds nothing new; a killed one goes on from what the memo holds; a grown one has 1 % more
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
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import psutil

from pipeline import files
from pipeline.run.memo import MEMO_TABLE
from pipeline.shards import column
from pipeline.shards.tar import Sample
from pipeline.sources import fetch

SCALE_HOME = Path(".bench")
ROOT = Path(__file__).resolve().parent.parent
CANVAS = 256  # pixels on which an original is painted, before it is enlarged
SHARD = 64  # pictures, on average
GROWTH = 0.01
LIMITS = {"10 times as many": 10.5, "3 % of a full run": 0.03}
STAGE_COMMANDS = {
    "clean": "clean {given.path} color --side {given.side} --smallest 1 --tolerance 100 --blur 20",
    "sketchify": "sketchify color sketch/b7",
    "cue": "cue color cue",
    "pack": "pack color sketch cue cue pairs",
}


@dataclass(frozen=True)
class Given:
    """A column of originals, and to how many pixels a side they are cleaned."""

    path: Path
    side: int


@dataclass(frozen=True)
class Cost:
    """What a command took: CPU seconds, seconds on the clock, and bytes at the peak."""

    cpu: float
    wall: float
    peak: int


# ---------------------------------------------------------------- originals


def paint(number: int, size: int) -> Sample:
    """Paint discs on a slope, different for each number, quickly; encode as JPEG of `size` pixels a side."""
    random = np.random.default_rng(number)
    corners = random.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    for x, y, radius, *color in random.integers(0, 256, (24, 6)).tolist():
        cv2.circle(image, (x, y), 6 + radius // 8, color, -1, cv2.LINE_AA)
    _, data = cv2.imencode(".jpg", cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    facts = {"id": number, "family": number}
    return Sample(f"{number:09d}", {"jpg": data.tobytes(), "json": files.dumps(facts)})


def originals(folder: Path, numbers: Iterable[int], size: int, side: int) -> Given:
    """Write and seal a column of originals of `size` pixels a side, cut into shards as fetch cuts them."""
    groups = [[post["id"] for post in batch] for batch in fetch.cut_batches(map(post, numbers), SHARD)]
    with ProcessPoolExecutor() as pool:
        work = partial(shard, folder, size)
        listed = list(pool.map(work, range(len(groups)), groups, chunksize=8))
    column.seal_column(folder, listed, sum(map(len, groups)), {})
    return Given(folder, side)


def post(number: int) -> dict:
    """Make what decides where shards are cut."""
    return {"id": number}


def shard(folder: Path, size: int, place: int, numbers: list[int]) -> column.Shard:
    """Write one shard of originals."""
    return column.write_shard(folder / f"{place:06d}.tar", (paint(number, size) for number in numbers))


# ---------------------------------------------------------------- commands


def measure(stage: str, home: Path, given: Given, until: float = float("inf")) -> Cost:
    """Run a stage, and kill it with its workers after `until` CPU seconds."""
    words = STAGE_COMMANDS[stage].format(given=given).split()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(home.parent / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "stages.prep", *words],
        cwd=home, env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    cpu, peak = 0.0, 0
    while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
        seconds, memory = look(psutil.Process(child.pid))
        cpu, peak = max(cpu, seconds), max(peak, memory)
        if cpu > until:
            os.killpg(child.pid, signal.SIGKILL)
            os.wait4(child.pid, 0)
            return Cost(cpu, time.monotonic() - begun, peak)
        time.sleep(0.05)
    if os.waitstatus_to_exitcode(ended[1]):
        raise SystemExit(f"{' '.join(words)} failed")
    return Cost(ended[2].ru_utime + ended[2].ru_stime, time.monotonic() - begun, peak)


def look(process: psutil.Process) -> tuple[float, int]:
    """Return the CPU seconds and the bytes of memory that a process and its workers have taken so far."""
    seconds, memory = 0.0, 0
    for each in tree(process):
        try:
            times = each.cpu_times()
            seconds, memory = seconds + times.user + times.system, memory + each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return seconds, memory


def tree(process: psutil.Process) -> Iterator[psutil.Process]:
    """Yield a process and its workers, if it still runs."""
    try:
        yield from (process, *process.children(recursive=True))
    except psutil.NoSuchProcess:
        return


def chain(home: Path, given: Given) -> dict[str, Cost]:
    """Run all stages."""
    home.mkdir(exist_ok=True)
    return {stage: measure(stage, home, given) for stage in STAGE_COMMANDS}


def killed(home: Path, given: Given, whole: dict[str, Cost]) -> tuple[dict[str, Cost], dict[str, float]]:
    """Kill every stage halfway and run it again; return what that cost, and the share that was new."""
    home.mkdir()
    costs, shares, before = {}, {}, 0
    for stage, cost in whole.items():
        measure(stage, home, given, until=cost.cpu / 2)
        known = made(home)
        costs[stage] = measure(stage, home, given)
        shares[stage] = 1 - (known - before) / max(1, made(home) - before) if stage != "pack" else 1.0
        before = made(home)
    return costs, shares


def made(home: Path) -> int:
    """Count the samples that the memo holds."""
    with sqlite3.connect(home / ".prep" / "steps" / MEMO_TABLE) as table:
        return table.execute("SELECT COUNT(*) FROM made").fetchone()[0]


# ---------------------------------------------------------------- the table


def line(name: str, costs: dict[str, Cost], full: dict[str, Cost], new: dict[str, float] | float) -> None:
    """Print what a run cost beside a full one, in percent, and how much more that is than what was new."""
    shares = new if isinstance(new, dict) else dict.fromkeys(costs, new)
    cells = []
    for stage in STAGE_COMMANDS:
        part = costs[stage].cpu / full[stage].cpu
        cells.append(f"{100 * part:7.1f} {100 * (part - shares[stage]):+6.1f}")
    total = sum(cost.cpu for cost in full.values())
    due = sum(shares[stage] * full[stage].cpu for stage in STAGE_COMMANDS)
    spent = sum(cost.cpu for cost in costs.values())
    print(f"{name:22}", *cells, f"{100 * spent / total:7.1f} {100 * (spent - due) / total:+6.1f}")


def compare_costs(few: dict[str, Cost], many: dict[str, Cost], times: float) -> None:
    """Print what many pictures cost beside few."""
    print(
        f"{'':10} {'CPU s':>8} {'CPU s':>8} {'ratio':>6}   {'wall s':>7} {'wall s':>7}   {'MB':>6} {'MB':>6}"
    )
    for stage in STAGE_COMMANDS:
        one, ten = few[stage], many[stage]
        print(
            f"{stage:10} {one.cpu:8.1f} {ten.cpu:8.1f} {ten.cpu / one.cpu:6.2f}   {one.wall:7.1f} "
            f"{ten.wall:7.1f}   {one.peak / 1e6:6.0f} {ten.peak / 1e6:6.0f}"
        )
    ratio = sum(cost.cpu for cost in many.values()) / sum(cost.cpu for cost in few.values())
    peaks = [max(cost.peak for cost in costs.values()) / 1e6 for costs in (few, many)]
    print(
        f"{times:g} times as many take {ratio:.2f} times the CPU; peak {peaks[0]:.0f} and {peaks[1]:.0f} MB\n"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--source", type=int, default=256, help="pixels a side of an original")
    parser.add_argument("--side", type=int, default=64, help="pixels a side of a sample")
    parser.add_argument("--last", action="store_true", help="grow at the end, as a site does")
    asked = parser.parse_args()
    count, sizes = asked.pictures, (asked.source, asked.side)
    SCALE_HOME.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=SCALE_HOME) as folder:
        home = Path(folder).resolve()
        numbers = range(1, round(count * (1 + GROWTH)) + 1)
        most = numbers[:count] if asked.last else sorted(Random(0).sample(numbers, count))
        grown = originals(home / "grown", numbers, *sizes)
        many = originals(home / "many", most, *sizes)
        few = originals(home / "few", most[: count // 10], *sizes)
        chain(home / "warm", few)
        first = chain(home / "one", few)
        full = chain(home / "ten", many)
        compare_costs(first, full, count / len(most[: count // 10]))
        print("% of a full run, and how much more than what was new")
        print(f"{'':22}", *(f"{stage:>14}" for stage in STAGE_COMMANDS), f"{'all':>14}")
        line("again, nothing new", chain(home / "ten", many), full, 0.0)
        line(f"{100 * GROWTH:g} % more pictures", chain(home / "ten", grown), full, GROWTH)
        shutil.rmtree(home / "ten")
        line("killed halfway", *reordered(killed(home / "killed", many, full), full))


def reordered(told: tuple, full: dict[str, Cost]) -> tuple:
    """Put what `killed` tells in the order in which `line` takes it."""
    return told[0], full, told[1]


if __name__ == "__main__":
    main()
