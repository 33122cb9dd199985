"""The tables of training on a GPU: every system in every way, the loader alone, an epoch, the quality."""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import canonical
import contest
import torch
from contest import FLOAT32, PLAIN, USUAL, Way
from tables import print_head, print_row
from torch.utils.data import DataLoader

from pipeline.batches.dataset import Pairs
from pipeline.batches.loader import PREFETCH, loader_options, prepare_ahead
from pipeline.params import Model, Train
from pipeline.training import fit
from pipeline.training.hardware import Hardware, Log

PUBLISHED_BATCH = 5
PICTURES, EPOCHS = 9000, 30  # of a full training
DECODED_BATCHES = 4  # batches that a row uses again and again
RESERVE = 120.0  # seconds of the budget for what follows the rows
COMPILED = Way("bf16, compiled", "bf16", True)
GRAPHS = Way("bf16, compiled, graphs", "bf16", True, True)
WAYS = [COMPILED, GRAPHS, Way("bf16", "bf16"), Way("tf32", "tf32"), FLOAT32]  # the best first

Speeds = dict[tuple[str, str, int], float]  # images per second by system, way and batch


def plan_rows(options: argparse.Namespace) -> Iterator[tuple[str, int, Way]]:
    """Yield system, batch and way of each row: pix2pix in every way, the other systems in the best."""
    ways = WAYS if options.device == "cuda" else [FLOAT32]
    if "pix2pix" in options.systems:
        yield from (("pix2pix", PUBLISHED_BATCH, Way(name)) for name in PLAIN)
    for batch in options.batches:
        for system in options.systems:
            chosen = [*ways, Way(USUAL)] if system == "pix2pix" else ways[:1]
            yield from ((system, batch, way) for way in chosen)


def print_speeds(options: argparse.Namespace, data: Path, end: float) -> Speeds:
    """Print a row for each system, batch and way that fits into the time until `end`."""
    device, speeds, work = options.device, {}, {}
    matrix_rate = contest.matrix_rate(device)
    print(
        f"\nA matrix product has {matrix_rate / 1e12:.2f} TFLOPS; MFU is the share of these that steps need."
    )
    print("No row decodes: batches wait on the host, and are moved and prepared as in training.")
    print("The plain loop is fp32 by torch's defaults, which on a GPU means TF32 in convolutions.\n")
    baseline = f"x {USUAL}, {PUBLISHED_BATCH}"
    print_head("system", "batch", "way", "images/s", baseline, "MFU", "peak GB", "remarks")
    cost = {False: 10.0, True: 45.0}  # most seconds of a row so far, without and with torch.compile
    for system, batch, way in plan_rows(options):
        begun, remarks = time.monotonic(), []
        if begun + cost[way.compile] > end:
            print_row(system, batch, way.name, *["-"] * 4, "skipped: no time is left")
            continue
        model = Model(system=system, width=options.width, depth=options.depth)
        pairs = contest.open_split(data, model)
        if system not in work:
            work[system] = attempt(partial(contest.flops_per_image, pairs, model, device), device, remarks)
        measure = partial(measure_row, pairs, model, batch, way, options, remarks.append)
        rate = attempt(measure, device, remarks)
        peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else math.nan
        speeds[system, way.name, batch] = rate
        ratio = rate / baseline_rate(speeds) if system == "pix2pix" else math.nan
        numbers = (f"{rate:.1f}", f"{ratio:.2f}", f"{rate * work[system] / matrix_rate:.1%}", f"{peak:.1f}")
        cells = ["-" if "nan" in number else number for number in numbers]
        print_row(system, batch, way.name, *cells, "; ".join(remarks))
        cost[way.compile] = max(cost[way.compile], time.monotonic() - begun)
    return speeds


def baseline_rate(speeds: Speeds) -> float:
    """Return the images per second of the plain loop at the published batch, or NaN."""
    return speeds.get(("pix2pix", USUAL, PUBLISHED_BATCH), math.nan)


def attempt(work: Callable[[], float], device: str, remarks: list[str]) -> float:
    """Return a measurement; or NaN, after a remark, if memory runs out or the library fails."""
    contest.free_memory(device)
    try:
        return work()
    except torch.OutOfMemoryError:
        remarks.append("out of memory")
    except RuntimeError as error:
        remarks.append(f"failed: {str(error).partition(chr(10))[0]}")
    return math.nan


def measure_row(
    pairs: Pairs, model: Model, batch: int, way: Way, options: argparse.Namespace, say: Log
) -> float:
    """Return images per second of a way, from decoded batches."""
    device = options.device
    if way.name in PLAIN:
        canonical.restore_defaults()
        batches = cycle(list(islice(canonical.plain_batches(pairs, batch, 0), DECODED_BATCHES)))
        networks = canonical.plain_networks(model)
        run = canonical.train_canonical(networks, batches, device, PLAIN[way.name])
    else:
        learner = contest.build_learner(model, way, batch, device, say)
        run = contest.train_ours(learner, repeat_batches(pairs, batch, device))
    return batch / contest.median_time(partial(next, run), options.seconds, device)


def repeat_batches(pairs: Pairs, batch: int, device: str) -> Iterator[dict]:
    """Yield a few decoded batches again and again, prepared as in training."""
    order = contest.batch_order(pairs, batch)
    loader = DataLoader(pairs, batch_sampler=order, **loader_options(0, device))
    return prepare_ahead(cycle(list(islice(loader, DECODED_BATCHES))), torch.device(device))


def print_loading(options: argparse.Namespace, data: Path, speeds: Speeds) -> None:
    """Print the speed of the loader alone, for the first system and that of the fastest row."""
    first = (options.systems[0], "", 0)
    measured = {row: speed for row, speed in speeds.items() if speed > 0} or {first: math.nan}
    fastest = max(measured, key=measured.get)
    print("\nThe loader alone, prepared on the device\n")
    print_head("system", "batch", "processes", "samples/s", "x the fastest row")
    for system in dict.fromkeys([options.systems[0], fastest[0]]):
        pairs = contest.open_split(data, Model(system=system, width=options.width, depth=options.depth))
        batch = max(options.batches)
        workers = contest.count_loaders(pairs, batch, options.workers)
        batches = contest.load_batches(pairs, batch, workers, options.device)
        next(batches)
        steps = max(3, 2 * PREFETCH * workers)  # batches loaded before the clock runs are a small part
        rate = batch * steps / contest.time_runs(partial(next, batches), steps, options.device)
        print_row(system, batch, workers, f"{rate:.0f}", f"{rate / measured[fastest]:.2f}")


def print_epoch(options: argparse.Namespace, data: Path, end: float) -> float:
    """Print the time of an epoch of pix2pix from shards and from one batch on the device; return images/s."""
    batch, device = options.batches[0], options.device
    model = Model(width=options.width, depth=options.depth)
    pairs = contest.open_split(data, model)
    way = COMPILED if device == "cuda" else FLOAT32
    learner = contest.build_learner(model, way, batch, device)
    run = contest.train_ours(learner, repeat(next(repeat_batches(pairs, batch, device))))
    step = contest.median_time(partial(next, run), options.seconds, device)
    steps = min(math.ceil(options.epoch / batch), max(3, int((end - time.monotonic()) / 4 / step)))
    alone = contest.time_runs(partial(next, run), steps, device)
    workers = contest.count_loaders(pairs, batch, options.workers)
    run = contest.train_ours(learner, contest.load_batches(pairs, batch, workers, device))
    next(run)
    shards = contest.time_runs(partial(next, run), steps, device)
    print(f"\nAn epoch of pix2pix, {way.name}, {steps} steps of {batch}, {workers} processes that load\n")
    print_head("from", "seconds", "images/s")
    for source, seconds in (("one batch on the device", alone), ("shards", shards)):
        print_row(source, f"{seconds:.2f}", f"{steps * batch / seconds:.1f}")
    print(f"\nFrom shards it takes {shards / alone:.3f} times as long.")
    return steps * batch / shards


def training_minutes(rate: float) -> float:
    """Return the minutes of a full training at `rate` images per second."""
    return PICTURES * EPOCHS / rate / 60


def train_pix2pix(options: argparse.Namespace, data: Path, train: Train, compiled: bool | None) -> float:
    """Train pix2pix as a user does, and return the PSNR of the validation pictures."""
    hardware = Hardware(options.device, workers=options.workers, compile=compiled)
    model = Model(width=options.width, depth=options.depth)
    with TemporaryDirectory() as folder:
        file = Path(folder, "run")
        run = fit.train_model(data, model, train, checkpoint=file, hardware=hardware, say=print)
        return list(run)[-1]["val_psnr"]


def print_tables(options: argparse.Namespace, data: Path, begun: float) -> None:
    end, batch = begun + options.budget, options.batches[0]
    speeds = print_speeds(options, data, end - min(RESERVE, options.budget / 2))
    remarks: list[str] = []
    shards = attempt(partial(print_epoch, options, data, end), options.device, remarks)
    print(*remarks, sep="\n", end="")
    print_loading(options, data, speeds)
    print(f"\nComputed, not run: {PICTURES:,} pictures, {EPOCHS} epochs of pix2pix")
    rates = {f"{USUAL}, batch {PUBLISHED_BATCH}, without its loader": baseline_rate(speeds)}
    rates[f"inkwash, batch {batch}, from shards"] = shards
    for name, rate in rates.items():
        minutes = f", {rate:.1f} images/s: {training_minutes(rate):.1f} minutes" if rate > 0 else ": unknown"
        print(f"- {name}{minutes}")
    if options.full:
        steps, begun = math.ceil(PICTURES * EPOCHS / batch), time.monotonic()
        train = Train(steps=steps, batch=batch, precision="bf16", validate=steps, vgg="none")
        train_pix2pix(options, data, train, None)
        minutes = (time.monotonic() - begun) / 60
        print(f"- run, with its start, compilation and validation: {minutes:.1f} minutes")


def compare_precisions(options: argparse.Namespace, data: Path) -> None:
    """Print the PSNR of validation pictures after equal training in fp32 and in bf16, for three seeds."""
    batch = options.batches[0]
    steps = max(1, options.samples // batch)
    print(f"\npix2pix after {steps} steps of {batch}: PSNR (dB) of validation pictures\n")
    print_head("seed", "fp32", "bf16, compiled", "difference")
    for seed in range(3):
        train = Train(steps=steps, batch=batch, decay="linear", validate=steps, vgg="none", seed=seed)
        exact = train_pix2pix(options, data, train, False)
        fast = train_pix2pix(options, data, replace(train, precision="bf16"), True)
        print_row(seed, f"{exact:.2f}", f"{fast:.2f}", f"{fast - exact:+.2f}")
