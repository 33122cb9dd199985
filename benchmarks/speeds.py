"""The processor time that each system takes to learn from a sample."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from contest import train_ours

from pipeline.params import Model, Train
from pipeline.training.fit import open_session
from pipeline.training.hardware import Hardware, log_nothing

WARM, STEPS = 3, 24  # steps before the clock runs, and measured steps


def sample_times(data: Path, runs: Sequence[tuple[Model, Train]], device: str) -> list[float]:
    """Return the milliseconds per sample of each run: loading, augmentation and update, in one thread.

    All take turns, step by step, so that the load of the machine is the same for all. On a CPU it is the
    median of processor time, on a GPU that of the time on the clock.
    """
    torch.set_num_threads(1)
    steps = [partial(next, start_run(data, *run, device)) for run in runs]
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(WARM + STEPS):
        for step, times in zip(steps, taken, strict=True):
            times.append(time_step(step, device))
    median = [statistics.median(times[WARM:]) for times in taken]
    return [1000 * seconds / train.batch for seconds, (_, train) in zip(median, runs, strict=True)]


def start_run(data: Path, model: Model, train: Train, device: str) -> Iterator[dict]:
    session = open_session(data, model, train, Hardware(device), log_nothing)
    return train_ours(session.learner, session.batches(session.order(0)))


def time_step(step: Callable[[], object], device: str) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    begun = clock()
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - begun
