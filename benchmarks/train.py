"""Speed of training beside the loop that everybody writes, from the same weights and the same shards.

On a CPU all take turns, step by step, in one process, and the medians are printed; `--check` compares the
losses too. On a GPU (`--device cuda`) there is a row for each system, way and batch, then what the loader
delivers, what an epoch takes, and what a full training would. `--quality` trains by fp32 and by bf16.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import canonical
import torch
import train_gpu
from contest import (
    EXACTLY,
    PLAIN,
    feeding,
    head,
    learner,
    matrix_rate,
    needed,
    opened,
    row,
    timed,
    train_ours,
    train_plain,
)

from pipeline.params import Model
from pipeline.training.update import part_seed

STEPS, FIRST = 50, 10  # whose losses are compared: in float64, and in fp32
TOLERANCE, EXACT = 1e-3, 1e-9  # relative, of fp32 and of float64
TINY = {"width": 4, "depth": 4, "side": 32, "batches": [1, 2], "epoch": 8, "seconds": 0.01}


def race_steps(runs: dict[str, Iterator], steps: int, warm: int = 1) -> dict[str, float]:
    """Let all take turns, step by step, and return the median seconds of a step of each."""
    spent: dict = {name: [] for name in runs}
    for number in range(warm + steps):
        for name, run in runs.items():
            seconds = timed(partial(next, run), 1, "cpu")
            if number >= warm:
                spent[name].append(seconds)
    return {name: statistics.median(each) for name, each in spent.items()}


def compare_speed(given: argparse.Namespace, data: Path) -> None:
    """Print a row for each batch and way of a CPU."""
    model = Model(width=given.width, depth=given.depth)
    pairs = opened(data, model)
    rate, work = matrix_rate("cpu"), needed(pairs, model, "cpu")
    print(
        f"\nA product of matrices has {rate / 1e9:.0f} GFLOPS; MFU is the share of these that a step needs.\n"
    )
    head("pix2pix, side", "batch", "way", "s/step", "images/s", *(f"x {name}" for name in PLAIN), "MFU")
    for batch in given.batches:
        runs = {name: train_plain(pairs, model, name, batch, given.workers, "cpu") for name in PLAIN}
        feed = feeding(pairs, batch, 0, "cpu")
        runs["inkwash"] = train_ours(learner(model, EXACTLY, batch, "cpu"), feed)
        seconds = race_steps(runs, given.steps)
        for name, each in seconds.items():
            times = [f"{seconds[other] / each:.2f}" for other in PLAIN]
            share = f"{work * batch / each / rate:.0%}"
            row(pairs.side, batch, name, f"{each:.3f}", f"{batch / each:.2f}", *times, share)


def check(
    data: Path, model: Model, kind: torch.dtype = torch.float32, batch: int = 4, steps: int = STEPS
) -> dict[str, list[tuple[float, float]]]:
    """Train both ways on the same batches, and list what each loss was step by step: theirs and ours.

    Both draw the same dropout: on a CPU maps are laid out alike.
    """
    pairs = opened(data, model)
    feed = [cast(each, kind) for each in islice(feeding(pairs, batch, 0, "cpu"), steps)]
    networks = [network.to(kind) for network in canonical.plain_networks(model)]
    given = ((each["sketch"], each["cue"], each["color"]) for each in feed)
    theirs = canonical.train_canonical(networks, given, "cpu", freeze=True)
    made = learner(model, EXACTLY, batch, "cpu")
    for network in made.plain:
        network.to(kind)
    own, listed = train_ours(made, iter(feed)), {}
    for step in range(steps):
        torch.manual_seed(part_seed(0, step, 0, 0))
        expected, found = next(theirs), next(own)
        for name, value in expected.items():
            listed.setdefault(name, []).append((value, float(found[name])))
    return listed


def cast(batch: dict, kind: torch.dtype) -> dict:
    """Turn the pictures of a batch into another kind of numbers."""
    return {name: values if name == "key" else values.to(kind) for name, values in batch.items()}


def relative(losses: list[tuple[float, float]]) -> float:
    """Return the largest difference, as a share of what is expected."""
    return max(abs(found - expected) / abs(expected) for expected, found in losses)


def overall(losses: list[tuple[float, float]]) -> float:
    """Return the difference of the means, as a share of what is expected."""
    return relative([tuple(map(statistics.fmean, zip(*losses, strict=True)))])


def checked(data: Path, model: Model, steps: int = STEPS) -> bool:
    """Print how far the losses are apart, and tell whether they are the same.

    In float32 the last bits differ, and the networks, which compete, make more of that at every step: so the
    first steps count, and the mean of all; in float64 each of all.
    """
    single, double = (check(data, model, kind, steps=steps) for kind in (torch.float32, torch.float64))
    print(f"\n{steps} steps of plain, D frozen, and of inkwash: how far each loss is off, as a share of it\n")
    head("loss", "fp32: mean of all", f"worst of the first {FIRST}", "worst of all", "float64: worst of all")
    same = True
    for name, losses in single.items():
        mean, (early, late, exact) = overall(losses), map(relative, (losses[:FIRST], losses, double[name]))
        row(name, *(f"{value:.1e}" for value in (mean, early, late, exact)))
        same = same and max(mean, early) <= TOLERANCE and exact <= EXACT
    return same


def machine(device: str) -> str:
    """Say on what, with what and how this was measured."""
    told = [f"{date.today()}: {' '.join(sys.argv)}", f"torch {torch.__version__}"]
    if device == "cuda":
        driver = "unknown"
        if tool := shutil.which("nvidia-smi"):
            asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
            driver = subprocess.run(asked, capture_output=True, text=True).stdout.strip() or driver
        return "; ".join([*told, f"CUDA {torch.version.cuda}, driver {driver}", torch.cuda.get_device_name()])
    return "; ".join([*told, f"{torch.get_num_threads()} threads"])


def alias_fabric() -> None:
    """Let `lightning` stand for `lightning_fabric`, which is the same where only the larger is installed."""
    if find_spec("lightning_fabric"):
        return
    for name in ("", ".strategies", ".plugins.precision"):
        sys.modules[f"lightning_fabric{name}"] = import_module(f"lightning.fabric{name}")


def train_parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, many = parser.add_argument, {"type": lambda text: text.split(",")}
    add("--pairs", type=Path, help="a packed dataset; portraits are drawn without")
    add("--device", default="cpu", help="cpu or cuda")
    add("--side", type=int, default=256, help="of what is drawn")
    add("--width", type=int, default=0, help="as model.width; 0 is published")
    add("--depth", type=int, default=8, help="as model.depth")
    add("--batches", type=lambda text: [*map(int, text.split(","))], help="1,4; 64,16,128,1 on a GPU")
    add("--workers", type=int, help="processes that load; 0, or all cores on a GPU")
    add("--steps", type=int, default=5, help="CPU: turns that are timed; 0 for no table")
    add("--threads", type=int, default=os.cpu_count(), help="CPU: threads that compute")
    add("--check", action="store_true", help="CPU: compare the losses too; exit code 1 if they differ")
    add("--systems", default=["pix2pix", "nerk", "liu", "scft", "mask"], help="GPU: by commas", **many)
    add("--budget", type=float, default=500.0, help="GPU: seconds for all; rows beyond are skipped")
    add("--seconds", type=float, default=0.7, help="GPU: length of each of three blocks of steps")
    add("--epoch", type=int, default=train_gpu.TRAINED[0], help="GPU: samples of an epoch")
    add("--full", action="store_true", help="GPU: run what is otherwise computed")
    add("--quick", action="store_true", help="the tables of a GPU with tiny networks, on any device")
    add("--quality", action="store_true", help="compare the quality of fp32 and bf16, and nothing else")
    add("--samples", type=int, default=4800, help="quality: how many samples each run sees")
    return parser


def settled(words: list[str] | None) -> argparse.Namespace:
    """Read the command line, and fill in what depends on the device."""
    given = train_parser().parse_args(words)
    if given.quick:
        vars(given).update(TINY)
    gpu = given.device == "cuda"
    given.batches = given.batches or ([64, 16, 128, 1] if gpu else [1, 4])
    given.workers = (os.cpu_count() if gpu else 0) if given.workers is None else given.workers
    return given


def main(words: list[str] | None = None) -> int:
    """Print the tables; return 1 if the losses were compared and differ."""
    given, begun = settled(words), time.monotonic()
    torch.set_num_threads(given.threads)
    alias_fabric()
    print(machine(given.device))
    with TemporaryDirectory() as folder:
        data = given.pairs or canonical.drawn(Path(folder), max(16, 2 * max(given.batches)), given.side)
        if given.quality:
            train_gpu.quality(given, data)
        elif given.quick or given.device == "cuda":
            train_gpu.tables(given, data, begun)
        elif given.steps:
            compare_speed(given, data)
    if not given.check:
        return 0
    torch.set_num_threads(1)  # several wait for each other on small maps
    with TemporaryDirectory() as folder:
        return int(not checked(canonical.drawn(Path(folder), 12, 64), Model(width=8, depth=5)))


if __name__ == "__main__":
    sys.exit(main())
