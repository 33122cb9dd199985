"""What the tables of training on a CPU and on a GPU share: the contestants and the clock."""

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
LEVELS_PER_PIXEL = 3 + 1 + 3  # of the color, the sketch and the cue
USUAL = "plain, D frozen"
PLAIN = {USUAL: True, "plain": False}  # the plain loops: whether they freeze the discriminator


@dataclass(frozen=True)
class Way:
    """How this project computes: arithmetic, kernels of torch.compile, CUDA graphs."""

    name: str
    precision: str = "32"
    compile: bool = False
    graphs: bool = False


FLOAT32 = Way("fp32")


def open_split(data: Path, model: Model) -> Pairs:
    return fit.open_training_split(data, model, Train(vgg="none"))


def batch_order(pairs: Pairs, batch: int) -> BatchOrder:
    return BatchOrder([entry.key for entry in pairs.entries], batch, 0, 0)


def load_batches(pairs: Pairs, batch: int, workers: int, device: str) -> Iterator[dict]:
    return endless_batches(pairs, batch_order(pairs, batch), workers, device)


def count_loaders(pairs: Pairs, batch: int, workers: int) -> int:
    """Return how many processes load: at most `workers`, and as many as half of the shared memory holds."""
    shared = Path("/dev/shm")
    free = shutil.disk_usage(shared).free if shared.is_dir() else math.inf
    return int(min(workers, free / 2 // (PREFETCH * batch * pairs.side**2 * LEVELS_PER_PIXEL)))


def build_learner(model: Model, way: Way, batch: int, device: str, say: Log = print) -> Learner:
    """Build the networks and their optimizers for a way of computing."""
    train = Train(batch=batch, precision=way.precision, vgg="none")
    hardware = Hardware(device, compile=way.compile, graphs=way.graphs)
    return assemble(model, train, launch_fabric(hardware, train.precision), hardware, say)


def train_ours(learner: Learner, batches: Iterator[dict]) -> Iterator[dict]:
    """Take a step for every batch, as `fit` does between two looks at the losses; yield the losses."""
    for step, batch in enumerate(batches):
        yield train_step(learner, batch, step)


def time_runs(work: Callable[[], object], count: int, device: str) -> float:
    """Return the seconds of `count` runs, until the GPU is done with them."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    for _ in range(count):
        work()
    wait()
    return time.perf_counter() - begun


def median_time(work: Callable[[], object], least: float, device: str) -> float:
    """Return the median seconds of a run over blocks of at least 3 runs and about `least` seconds."""
    time_runs(work, WARM, device)
    count = max(3, math.ceil(least / time_runs(work, 3, device) * 3))
    return statistics.median(time_runs(work, count, device) / count for _ in range(BLOCKS))


class WholeModel(nullcontext):
    """A tracker of modules that assigns every operation to the whole model."""

    parents = ("Global",)


def count_flops(work: Callable[[], object]) -> int:
    """Count the operations of products and convolutions, backward too; a multiplication and sum are two."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = WholeModel()  # its own cannot follow a gradient of a gradient
    with counter:
        work()
    return counter.get_total_flops()


def flops_per_image(pairs: Pairs, model: Model, device: str) -> float:
    """Count the operations that a step needs for each image."""
    run = train_ours(build_learner(model, FLOAT32, 2, device), load_batches(pairs, 2, 0, device))
    return count_flops(partial(next, run)) / 2


def matrix_rate(device: str) -> float:
    """Measure the operations per second of a matrix product: bfloat16 on a GPU, float32 on a CPU."""
    size, kind, least = (8192, torch.bfloat16, 0.2) if device == "cuda" else (2048, torch.float32, 0)
    one, other = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2 * size**3 / median_time(lambda: one @ other, least, device)


def free_memory(device: str) -> None:
    """Forget earlier rows: torch.compile gives up on a network after a few others."""
    gc.collect()
    if "torch._dynamo" in sys.modules:  # importing it takes seconds, and without it nothing is compiled
        torch.compiler.reset()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
