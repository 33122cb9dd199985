"""What both tables of training share: what is trained and on what, the clock, and the rows."""

import gc
import math
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import canonical
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.batches.dataset import Pairs
from pipeline.batches.loader import PREFETCH, BatchOrder, endless_batches
from pipeline.params import Model, Train
from pipeline.training import fit
from pipeline.training.hardware import Hardware, Log, launch_fabric
from pipeline.training.learner import Learner, assemble
from pipeline.training.update import train_step

WARM, BLOCKS = 5, 3  # steps before the clock runs; blocks of steps, of which the median counts
LEVELS_PER_PIXEL = 3 + 1 + 3  # levels that a sample of pix2pix has at each
USUAL = "plain, D frozen"
PLAIN = {USUAL: True, "plain": False}


@dataclass(frozen=True)
class Way:
    """How this project computes: arithmetic, kernels of torch.compile, CUDA graphs."""

    name: str
    precision: str = "32"
    compile: bool = False
    graphs: bool = False


EXACTLY = Way("fp32")


def feeding(pairs: Pairs, batch: int, workers: int, device: torch.device | str) -> Iterator[dict]:
    """Yield batches as `fit` takes them."""
    return endless_batches(
        pairs, BatchOrder([entry.key for entry in pairs.entries], batch, 0, 0), workers, device
    )


def loaders(pairs: Pairs, batch: int, workers: int) -> int:
    """Choose how many processes load: no more than half of the shared memory has room for."""
    shared = Path("/dev/shm")
    free = shutil.disk_usage(shared).free if shared.is_dir() else math.inf
    return int(min(workers, free / 2 // (PREFETCH * batch * pairs.side**2 * LEVELS_PER_PIXEL)))


def train_ours(made: Learner, feed: Iterator[dict]) -> Iterator[dict]:
    """Take a step for every batch, as `fit` does between two looks at the losses; yield these."""
    for step, batch in enumerate(feed):
        yield train_step(made, batch, step)


def learner(model: Model, way: Way, batch: int, device: str, say: Log = print) -> Learner:
    """Build what is trained in a way."""
    train = Train(batch=batch, precision=way.precision, vgg="none")
    hardware = Hardware(device, compile=way.compile, graphs=way.graphs)
    return assemble(model, train, launch_fabric(hardware, train.precision), hardware, say)


def opened(data: Path, model: Model) -> Pairs:
    """Open the training split as `fit` does."""
    return fit.open_training_split(data, model, Train(vgg="none"))


def train_plain(
    pairs: Pairs, model: Model, name: str, batch: int, workers: int, device: str
) -> Iterator[dict]:
    """Train as everybody does."""
    feed = canonical.loader(pairs, batch, workers)
    return canonical.train_canonical(canonical.plain_networks(model), feed, device, PLAIN[name])


def timed(work: Callable[[], object], count: int, device: str) -> float:
    """Return the seconds of `count` runs, until the GPU is done with them."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    for _ in range(count):
        work()
    wait()
    return time.perf_counter() - begun


def median(work: Callable[[], object], least: float, device: str) -> float:
    """Return the median seconds of a run over blocks of at least 3 runs, that take about `least` seconds."""
    timed(work, WARM, device)
    count = max(3, math.ceil(least / timed(work, 3, device) * 3))
    return statistics.median(timed(work, count, device) / count for _ in range(BLOCKS))


def flops(work: Callable[[], object]) -> int:
    """Count the operations of products and convolutions, backward too; a multiplication and sum are two."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Everywhere()  # its own cannot follow a gradient of a gradient
    with counter:
        work()
    return counter.get_total_flops()


class Everywhere(nullcontext):
    """Tell the counter that all belongs to the whole."""

    parents = ("Global",)


def needed(pairs: Pairs, model: Model, device: str) -> float:
    """Count the operations that a step needs for each image."""
    run = train_ours(learner(model, EXACTLY, 2, device), feeding(pairs, 2, 0, device))
    return flops(partial(next, run)) / 2


def matrix_rate(device: str) -> float:
    """Measure how many operations a second a product of matrices has: bfloat16 on a GPU, or float32."""
    size, kind = (8192, torch.bfloat16) if device == "cuda" else (2048, torch.float32)
    one, other = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2 * size**3 / median(lambda: one @ other, 0.2 if device == "cuda" else 0, device)


def head(*cells: str) -> None:
    """Print the head of a table."""
    row(*cells)
    row(*["---"] * len(cells))


def row(*cells: object) -> None:
    """Print a row as soon as it is known."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def clear(device: str) -> None:
    """Forget what earlier rows compiled and kept: torch.compile gives up on a network after some others."""
    gc.collect()
    if "torch._dynamo" in sys.modules:  # to import it takes seconds, and without it nothing is compiled
        torch.compiler.reset()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
