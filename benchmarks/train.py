"""Speed of training compared with the loop of tutorials, from the same weights and the same shards.

On a CPU all take turns, step by step, in one process, and the medians are printed; `--check` compares the
losses too. On a GPU (`--device cuda`) there is a row for each system, way and batch, then the speed of the
loader, of an epoch, and of a full training. `--quality` trains in fp32 and in bf16.
"""

import argparse
import os
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
import contest
import torch
import train_gpu
from contest import FLOAT32, PLAIN
from portraits import pack_portraits
from tables import print_head, print_row

from pipeline.params import Model
from pipeline.systems import SYSTEMS
from pipeline.training.update import part_seed

Losses = list[tuple[float, float]]  # of each step: the plain loop's and ours

STEPS, SINGLE_STEPS = 50, 10  # steps whose losses are compared; the first of them count singly in fp32
TOLERANCE, EXACT = 1e-3, 1e-9  # relative, of fp32 and of float64
TINY = {"width": 4, "depth": 4, "side": 32, "batches": [1, 2], "epoch": 8, "seconds": 0.01}


def race_steps(runs: dict[str, Iterator], steps: int, warm: int = 1) -> dict[str, float]:
    """Let all runs take turns, step by step, and return the median seconds of a step of each."""
    seconds: dict = {name: [] for name in runs}
    for _ in range(warm + steps):
        for name, run in runs.items():
            seconds[name].append(contest.time_runs(partial(next, run), 1, "cpu"))
    return {name: statistics.median(each[warm:]) for name, each in seconds.items()}


def compare_speed(options: argparse.Namespace, data: Path) -> None:
    model = Model(width=options.width, depth=options.depth)
    pairs = contest.open_split(data, model)
    rate, work = contest.matrix_rate("cpu"), contest.flops_per_image(pairs, model, "cpu")
    print(f"\nA matrix product has {rate / 1e9:.0f} GFLOPS; MFU is the share of these that a step needs.\n")
    print_head("pix2pix, side", "batch", "way", "s/step", "images/s", *(f"x {name}" for name in PLAIN), "MFU")
    for batch in options.batches:
        runs = {}
        for name in PLAIN:
            batches = canonical.plain_batches(pairs, batch, options.workers)
            networks = canonical.plain_networks(model)
            runs[name] = canonical.train_canonical(networks, batches, "cpu", PLAIN[name])
        learner = contest.build_learner(model, FLOAT32, batch, "cpu")
        runs["inkwash"] = contest.train_ours(learner, contest.load_batches(pairs, batch, 0, "cpu"))
        seconds = race_steps(runs, options.steps)
        for name, each in seconds.items():
            ratios = [f"{seconds[other] / each:.2f}" for other in PLAIN]
            mfu = f"{work * batch / each / rate:.0%}"
            print_row(pairs.side, batch, name, f"{each:.3f}", f"{batch / each:.2f}", *ratios, mfu)


def compare_losses(
    data: Path, model: Model, kind: torch.dtype = torch.float32, batch: int = 4, steps: int = STEPS
) -> dict[str, Losses]:
    """Train both ways on the same batches, and list each loss step by step: theirs and ours.

    Both draw the same dropout, because on a CPU both lay out their maps alike.
    """
    pairs = contest.open_split(data, model)
    loaded = islice(contest.load_batches(pairs, batch, 0, "cpu"), steps)
    batches = [cast_batch(each, kind) for each in loaded]
    networks = [network.to(kind) for network in canonical.plain_networks(model)]
    triples = ((each["sketch"], each["cue"], each["color"]) for each in batches)
    theirs = canonical.train_canonical(networks, triples, "cpu", freeze=True)
    learner = contest.build_learner(model, FLOAT32, batch, "cpu")
    for network in learner.plain:
        network.to(kind)
    ours, losses = contest.train_ours(learner, iter(batches)), {}
    for step in range(steps):
        torch.manual_seed(part_seed(0, step, 0, 0))
        expected, actual = next(theirs), next(ours)
        for name, value in expected.items():
            losses.setdefault(name, []).append((value, float(actual[name])))
    return losses


def cast_batch(batch: dict, kind: torch.dtype) -> dict:
    return {name: values if name == "key" else values.to(kind) for name, values in batch.items()}


def worst_error(losses: Losses) -> float:
    return max(abs(actual - expected) / abs(expected) for expected, actual in losses)


def mean_error(losses: Losses) -> float:
    return worst_error([tuple(map(statistics.fmean, zip(*losses, strict=True)))])


def losses_agree(data: Path, model: Model, steps: int = STEPS) -> bool:
    """Print how far the losses are apart, and return whether they are the same.

    In float32 the last bits differ, and the competing networks amplify that at every step: so the first steps
    count, and the mean of all. In float64 every step counts.
    """
    single, double = (
        compare_losses(data, model, kind, steps=steps) for kind in (torch.float32, torch.float64)
    )
    print(f"\n{steps} steps of plain, D frozen, and of inkwash: the relative difference of each loss\n")
    print_head(
        "loss", "fp32: mean", f"worst of the first {SINGLE_STEPS}", "worst of all", "float64: worst of all"
    )
    same = True
    for name, losses in single.items():
        mean, early = mean_error(losses), worst_error(losses[:SINGLE_STEPS])
        late, exact = worst_error(losses), worst_error(double[name])
        print_row(name, *(f"{value:.1e}" for value in (mean, early, late, exact)))
        same = same and max(mean, early) <= TOLERANCE and exact <= EXACT
    return same


def describe_machine(device: str) -> str:
    """Return the date, the command, the versions and the device."""
    parts = [f"{date.today()}: {' '.join(sys.argv)}", f"torch {torch.__version__}"]
    if device != "cuda":
        return "; ".join([*parts, f"{torch.get_num_threads()} threads"])
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()
    return "; ".join([*parts, f"CUDA {torch.version.cuda}, driver {driver}", torch.cuda.get_device_name()])


def alias_fabric() -> None:
    """Use `lightning.fabric` as `lightning_fabric`, the same code, where only the larger package is there."""
    if find_spec("lightning_fabric"):
        return
    for name in ("", ".strategies", ".plugins.precision"):
        sys.modules[f"lightning_fabric{name}"] = import_module(f"lightning.fabric{name}")


def train_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--pairs", type=Path, help="a packed dataset; by default portraits are drawn")
    add("--device", default="cpu", help="cpu or cuda")
    add("--side", type=int, default=256, help="pixels a side of the portraits")
    add("--width", type=int, default=0, help="as model.width; 0 is published")
    add("--depth", type=int, default=8, help="as model.depth")
    add("--batches", type=lambda text: [*map(int, text.split(","))], help="1,4; 64,16,128,1 on a GPU")
    add("--workers", type=int, help="processes that load; 0, or all cores on a GPU")
    add("--steps", type=int, default=5, help="CPU: turns that are timed; 0 for no table")
    add("--threads", type=int, default=os.cpu_count(), help="CPU: threads that compute")
    add("--check", action="store_true", help="CPU: compare the losses too; exit code 1 if they differ")
    add("--systems", type=lambda text: text.split(","), default=SYSTEMS, help="GPU: separated by commas")
    add("--budget", type=float, default=500.0, help="GPU: seconds for everything; later rows are skipped")
    add("--seconds", type=float, default=0.7, help="GPU: length of each of three blocks of steps")
    add("--epoch", type=int, default=train_gpu.PICTURES, help="GPU: samples of an epoch")
    add("--full", action="store_true", help="GPU: run the full training instead of estimating it")
    add("--quick", action="store_true", help="the tables of a GPU with tiny networks, on any device")
    add("--quality", action="store_true", help="compare the quality of fp32 and bf16, and nothing else")
    add("--samples", type=int, default=4800, help="quality: how many samples each run sees")
    return parser


def parse_options(words: list[str] | None) -> argparse.Namespace:
    """Read the command line, and fill in the defaults that depend on the device."""
    options = train_parser().parse_args(words)
    if options.quick:
        vars(options).update(TINY)
    gpu = options.device == "cuda"
    options.batches = options.batches or ([64, 16, 128, 1] if gpu else [1, 4])
    if options.workers is None:
        options.workers = os.cpu_count() if gpu else 0
    return options


def main(words: list[str] | None = None) -> int:
    """Print the tables; return 1 if the losses were compared and differ."""
    options, begun = parse_options(words), time.monotonic()
    torch.set_num_threads(options.threads)
    alias_fabric()
    print(describe_machine(options.device))
    with TemporaryDirectory() as folder:
        samples = max(16, 2 * max(options.batches))
        data = options.pairs or pack_portraits(Path(folder), samples, options.side)
        if options.quality:
            train_gpu.compare_precisions(options, data)
        elif options.quick or options.device == "cuda":
            train_gpu.print_tables(options, data, begun)
        elif options.steps:
            compare_speed(options, data)
    if not options.check:
        return 0
    torch.set_num_threads(1)  # on small maps threads wait for each other
    with TemporaryDirectory() as folder:
        return int(not losses_agree(pack_portraits(Path(folder), 12, 64), Model(width=8, depth=5)))


if __name__ == "__main__":
    sys.exit(main())
