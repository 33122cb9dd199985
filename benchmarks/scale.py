"""The cost of 10,000 pictures next to 1,000, and of a run for which most of the work was done before.

Every stage is a command as people run it, with a worker per core, from a search of a folder to the packed
dataset. Costs are CPU seconds of a command and its workers, since other work on a machine changes the time on
the clock; memory is that of all of them together. A second run finds nothing new; a grown one has 1 % more
pictures, at random among the others or after them; a killed one goes on with what the memo holds. Each may
cost the share of what is new, and 3 % of a full run.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import psutil
from crops import name_picture, write_crops
from tables import print_head, print_row

from pipeline.run.memo import MEMO_TABLE

SCALE_HOME = Path(".bench")
ROOT = Path(__file__).resolve().parent.parent
CANVAS = 256  # pixels a side on which an original is painted, before it is enlarged
GROWTH = 0.01
STAGE_COMMANDS = {  # {0} is the folder of pictures, {1} the side of the samples in pixels
    "search": "search posts.jsonl --host {0} --size 1 --metrics metrics/search.json",
    "fetch": "fetch posts.jsonl original --host {0} --ledger fetch.tsv --metrics metrics/fetch.json",
    "clean": "clean original color --side {1} --smallest 1 --tolerance 100 --blur 20 "
    "--sheet metrics/clean.png --examples metrics/rejected.png --histogram metrics/complexity.tsv "
    "--metrics metrics/clean.json",
    "sketchify": "sketchify color sketch/b7 --sheet metrics/b7.png --metrics metrics/b7.json",
    "cue": "cue color cue --sheet metrics/cue.png --metrics metrics/cue.json",
    "reference": "reference color reference --sheet metrics/reference.png --metrics metrics/reference.json",
    "pack": "pack color sketch cue reference pairs --history metrics --metrics metrics/pack.json",
}
WITHOUT_MEMO = ("search", "fetch", "pack")  # by sample

Writer = Callable[[Path, Iterable[int], bool], None]  # writes numbered pictures, late or not


@dataclass(frozen=True)
class Cost:
    """The cost of a command: CPU seconds, seconds on the clock, and bytes at the peak."""

    cpu: float
    wall: float
    peak: int


@dataclass(frozen=True)
class Bench:
    """The stages over a folder of pictures, with samples of `side` pixels, by the code of a checkout."""

    code: Path
    pictures: Path
    side: int

    def run(self, home: Path) -> dict[str, Cost]:
        return {stage: self.measure(stage, home) for stage in STAGE_COMMANDS}

    def measure(self, stage: str, home: Path, until: float = float("inf")) -> Cost:
        """Run a stage, and kill it with its workers after `until` CPU seconds."""
        home.mkdir(exist_ok=True)
        words = STAGE_COMMANDS[stage].format(self.pictures, self.side).split()
        compiled = str(home.parent / "compiled")
        environment = os.environ | {"PYTHONPATH": str(self.code), "PYTHONPYCACHEPREFIX": compiled}
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

    def kill_halfway(self, home: Path, full: dict[str, Cost]) -> tuple[dict[str, Cost], dict[str, float]]:
        """Kill every stage halfway and run it again; return the cost of that, and the share that was new."""
        costs, new, before = {}, {}, 0
        for stage, cost in full.items():
            self.measure(stage, home, until=cost.cpu / 2)
            known = count_memo(home)
            costs[stage] = self.measure(stage, home)
            after = count_memo(home)
            new[stage] = 1.0 if stage in WITHOUT_MEMO else 1 - (known - before) / max(1, after - before)
            before = after
        return costs, new


def paint_pictures(size: int, folder: Path, numbers: Iterable[int], late: bool = False) -> None:
    """Write painted pictures of `size` pixels a side below a folder."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(paint_picture, size, folder, late), numbers, chunksize=64))


def paint_picture(size: int, folder: Path, late: bool, number: int) -> None:
    """Paint discs on a slope, different for each number, quickly; encode as JPEG of `size` pixels a side."""
    random = np.random.default_rng(number)
    corners = random.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    for x, y, radius, *color in random.integers(0, 256, (24, 6)).tolist():
        cv2.circle(image, (x, y), 6 + radius // 8, color, -1, cv2.LINE_AA)
    _, data = cv2.imencode(".jpg", cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    path = folder / name_picture(number, late)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


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


def count_memo(home: Path) -> int:
    path = home / ".prep" / "steps" / MEMO_TABLE
    if not path.is_file():
        return 0
    with sqlite3.connect(path) as table:
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
    parser.add_argument("--corpus", type=Path, help="cut the pictures from those of this folder")
    parser.add_argument("--source", type=int, default=256, help="pixels a side of a picture without --corpus")
    parser.add_argument("--side", type=int, default=64, help="pixels a side of a sample")
    parser.add_argument("--code", type=Path, default=ROOT, help="the checkout to measure")
    parser.add_argument("--whole", action="store_true", help="kill no stage halfway")
    options = parser.parse_args()
    count, more = options.pictures, round(options.pictures * GROWTH)
    write: Writer = partial(paint_pictures, options.source)
    if options.corpus:
        write = partial(write_crops, options.corpus)
    SCALE_HOME.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=SCALE_HOME) as folder:
        home = Path(folder).resolve()
        write(home / "few", range(count // 10), False)
        write(home / "many", range(count), False)
        few, many = (Bench(options.code.resolve(), home / name, options.side) for name in ("few", "many"))
        few.run(home / "warm")
        full = many.run(home / "ten")
        print_costs(few.run(home / "one"), full, count / (count // 10))
        print("Percent of a full run, and by how much that exceeds the share that was new\n")
        print_head("", *STAGE_COMMANDS, "all")
        print_share("nothing new", many.run(home / "ten"), full, dict.fromkeys(full, 0.0))
        if not options.whole:
            costs, new = many.kill_halfway(home / "killed", full)
            print_share("killed halfway", costs, full, new)
            shutil.rmtree(home / "killed")
        write(many.pictures, range(count, count + more), False)
        print_share("1 % more, strewn", many.run(home / "ten"), full, dict.fromkeys(full, GROWTH))
        write(many.pictures, range(count + more, count + 2 * more), True)
        print_share("1 % more, at the end", many.run(home / "ten"), full, dict.fromkeys(full, GROWTH))


if __name__ == "__main__":
    main()
