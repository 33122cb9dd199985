"""The tables of training on a GPU: every system in every way, the loader alone, an epoch, the quality."""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import canonical
import torch
from contest import (
    EXACTLY,
    PLAIN,
    USUAL,
    Way,
    clear,
    feeding,
    head,
    learner,
    loaders,
    matrix_rate,
    median,
    needed,
    opened,
    row,
    timed,
    train_ours,
)
from torch.utils.data import DataLoader

from pipeline.batches.dataset import Pairs
from pipeline.batches.loader import PREFETCH, BatchOrder, loader_options, prepare_ahead
from pipeline.params import Model, Train
from pipeline.training import fit
from pipeline.training.hardware import Hardware, Log

PUBLISHED, TRAINED = 5, (9000, 30)  # samples per step; pictures and epochs of a full training
KEPT = 4  # decoded batches that a row uses
REST = 120.0  # seconds of the budget for what comes after the rows
COMPILED = Way("bf16, compiled", "bf16", True)
GRAPHS = Way("bf16, compiled, graphs", "bf16", True, True)
WAYS = [COMPILED, GRAPHS, Way("bf16", "bf16"), Way("tf32", "tf32"), EXACTLY]  # in the order of the rows


@dataclass(frozen=True)
class Found:
    """What was measured of a row."""

    system: str
    way: str
    batch: int
    rate: float  # images per second


def plan_rows(given: argparse.Namespace) -> Iterator[tuple[str, int, str | Way]]:
    """Say what is measured, batch by batch: pix2pix in every way, and the others in the best."""
    ways, best = (WAYS, COMPILED) if given.device == "cuda" else ([EXACTLY], EXACTLY)
    if "pix2pix" in given.systems:
        yield from (("pix2pix", PUBLISHED, name) for name in PLAIN)
    for batch in given.batches:
        for system in given.systems:
            yield from ((system, batch, way) for way in ((*ways, USUAL) if system == "pix2pix" else [best]))


def contest(given: argparse.Namespace, data: Path, end: float) -> list[Found]:
    """Print a row for each system, batch and way that fits into the time until `end`."""
    device, found, work = given.device, [], {}
    rate = matrix_rate(device)
    print(f"\nA product of matrices has {rate / 1e12:.2f} TFLOPS; MFU is the share of these that steps need.")
    print("No row decodes: batches wait on the host, and are moved and prepared as in training.")
    print("The plain loop is fp32 by torch's defaults, which on a GPU means TF32 in convolutions.\n")
    head("system", "batch", "way", "images/s", f"x {USUAL}, {PUBLISHED}", "MFU", "peak GB", "remarks")
    cost = {False: 10.0, True: 45.0}  # seconds that a row took at most so far, without and with torch.compile
    for system, batch, way in plan_rows(given):
        name, heavy = (way, False) if isinstance(way, str) else (way.name, way.compile)
        begun, said = time.monotonic(), []
        if begun + cost[heavy] > end:
            row(system, batch, name, *["-"] * 4, "skipped: no time is left")
            continue
        model = Model(system=system, width=given.width, depth=given.depth)
        pairs = opened(data, model)
        if system not in work:
            work[system] = attempt(partial(needed, pairs, model, device), device, said)
        speed = attempt(partial(measure_row, pairs, model, batch, way, given, said.append), device, said)
        peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else math.nan
        found.append(Found(system, name, batch, speed))
        base = usual(found) if system == "pix2pix" else math.nan
        shown = (f"{speed:.1f}", f"{speed / base:.2f}", f"{speed * work[system] / rate:.1%}", f"{peak:.1f}")
        row(system, batch, name, *("-" if "nan" in cell else cell for cell in shown), "; ".join(said))
        cost[heavy] = max(cost[heavy], time.monotonic() - begun)
    return found


def usual(found: list[Found]) -> float:
    """Return the images per second of the plain loop at its own batch, or NaN."""
    return next((each.rate for each in found if (each.way, each.batch) == (USUAL, PUBLISHED)), math.nan)


def attempt(work: Callable[[], float], device: str, said: list[str]) -> float:
    """Return what is measured, or NaN where memory ends or the library fails: the other rows still count."""
    clear(device)
    try:
        return work()
    except torch.OutOfMemoryError:
        said.append("out of memory")
    except RuntimeError as error:
        said.append(f"failed: {str(error).partition(chr(10))[0]}")
    return math.nan


def measure_row(
    pairs: Pairs, model: Model, batch: int, way: str | Way, given: argparse.Namespace, say: Log
) -> float:
    """Return images per second of a way, from batches that are decoded."""
    if isinstance(way, str):
        canonical.defaults()
        feed = cycle(list(islice(canonical.loader(pairs, batch, 0), KEPT)))
        run = canonical.train_canonical(canonical.plain_networks(model), feed, given.device, PLAIN[way])
    else:
        run = train_ours(learner(model, way, batch, given.device, say), decoded(pairs, batch, given.device))
    return batch / median(partial(next, run), given.seconds, given.device)


def decoded(pairs: Pairs, batch: int, device: str) -> Iterator[dict]:
    """Yield a few batches again and again, as the real feed does once they are decoded."""
    order = BatchOrder([entry.key for entry in pairs.entries], batch, 0, 0)
    loader = DataLoader(pairs, batch_sampler=order, **loader_options(0, device))
    return prepare_ahead(cycle(list(islice(loader, KEPT))), torch.device(device))


def loading(given: argparse.Namespace, data: Path, found: list[Found]) -> None:
    """Print what the loader alone delivers, from its first batch on, beside what the fastest row takes."""
    fastest = max((each for each in found if each.rate > 0), key=lambda each: each.rate, default=None)
    print("\nThe loader alone, prepared on the device\n")
    head("system", "batch", "processes", "samples/s", "x the fastest row")
    for system in dict.fromkeys([given.systems[0], fastest.system if fastest else given.systems[0]]):
        pairs = opened(data, Model(system=system, width=given.width, depth=given.depth))
        batch = max(given.batches)
        count = loaders(pairs, batch, given.workers)
        feed = feeding(pairs, batch, count, given.device)
        next(feed)
        steps = max(3, 2 * PREFETCH * count)  # what was loaded while the first came is a small part
        speed = batch * steps / timed(partial(next, feed), steps, given.device)
        row(system, batch, count, f"{speed:.0f}", f"{speed / fastest.rate:.2f}" if fastest else "-")


def epoch(given: argparse.Namespace, data: Path, end: float) -> float:
    """Print what an epoch of pix2pix takes from shards and from one batch on the device; return images/s."""
    batch, device = given.batches[0], given.device
    model = Model(width=given.width, depth=given.depth)
    pairs = opened(data, model)
    way = COMPILED if device == "cuda" else EXACTLY
    made = learner(model, way, batch, device)
    run = train_ours(made, repeat(next(decoded(pairs, batch, device))))
    one = median(partial(next, run), given.seconds, device)
    steps = min(math.ceil(given.epoch / batch), max(3, int((end - time.monotonic()) / 4 / one)))
    alone = timed(partial(next, run), steps, device)
    count = loaders(pairs, batch, given.workers)
    run = train_ours(made, feeding(pairs, batch, count, device))
    next(run)
    shards = timed(partial(next, run), steps, device)
    print(f"\nAn epoch of pix2pix, {way.name}, {steps} steps of {batch}, {count} processes that load\n")
    head("from", "seconds", "images/s")
    row("one batch on the device", f"{alone:.2f}", f"{steps * batch / alone:.1f}")
    row("shards", f"{shards:.2f}", f"{steps * batch / shards:.1f}")
    print(f"\nFrom shards it takes {shards / alone:.3f} times as long.")
    return steps * batch / shards


def whole(rate: float) -> float:
    """Compute how many minutes a full training takes at a number of images per second."""
    return math.prod(TRAINED) / rate / 60


def full(given: argparse.Namespace, data: Path, batch: int) -> float:
    """Train pix2pix in full, and return the minutes."""
    steps = math.ceil(math.prod(TRAINED) / batch)
    begun = time.monotonic()
    fitted(given, data, Train(steps=steps, batch=batch, precision="bf16", validate=steps, vgg="none"), None)
    return (time.monotonic() - begun) / 60


def fitted(given: argparse.Namespace, data: Path, train: Train, compiled: bool | None) -> float:
    """Train pix2pix as a user does, and return the PSNR on the held out pictures."""
    hardware = Hardware(given.device, workers=given.workers, compile=compiled)
    model = Model(width=given.width, depth=given.depth)
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder, "run")
        records = list(
            fit.train_model(data, model, train, checkpoint=checkpoint, hardware=hardware, say=print)
        )
    return records[-1]["val_psnr"]


def tables(given: argparse.Namespace, data: Path, begun: float) -> None:
    """Print all tables of a GPU."""
    end = begun + given.budget
    found = contest(given, data, end - min(REST, given.budget / 2))
    rates = {f"{USUAL}, batch {PUBLISHED}, without its loader": usual(found)}
    said: list[str] = []
    shards = attempt(partial(epoch, given, data, end), given.device, said)
    rates[f"inkwash, batch {given.batches[0]}, from shards"] = shards
    print(*said, sep="\n", end="")
    loading(given, data, found)
    print(f"\nComputed, not run: {TRAINED[0]:,} pictures, {TRAINED[1]} epochs of pix2pix")
    for name, rate in rates.items():
        print(
            f"- {name}, {rate:.1f} images/s: {whole(rate):.1f} minutes" if rate > 0 else f"- {name}: unknown"
        )
    if given.full:
        minutes = full(given, data, given.batches[0])
        print(f"- run, with its start, compilation and validation: {minutes:.1f} minutes")


def quality(given: argparse.Namespace, data: Path) -> None:
    """Print the PSNR of held out pictures after equal training in fp32 and in bf16, for three seeds."""
    batch = given.batches[0]
    steps = max(1, given.samples // batch)
    print(f"\npix2pix after {steps} steps of {batch}: PSNR (dB) of held out pictures\n")
    head("seed", "fp32", "bf16, compiled", "difference")
    for seed in range(3):
        train = Train(steps=steps, batch=batch, decay="linear", validate=steps, vgg="none", seed=seed)
        exact = fitted(given, data, train, False)
        fast = fitted(given, data, replace(train, precision="bf16"), True)
        row(seed, f"{exact:.2f}", f"{fast:.2f}", f"{fast - exact:+.2f}")
