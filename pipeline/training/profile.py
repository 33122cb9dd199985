"""A few steps of training that leave no model: where a step's time goes, and how large a batch may be."""

import gc
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from pipeline import files
from pipeline.batches.augment import prepare_batch
from pipeline.batches.dataset import PackedSplit
from pipeline.errors import Halt
from pipeline.markdown import table
from pipeline.models.folder import find_device
from pipeline.params import Model, Train
from pipeline.systems import present
from pipeline.training.fit import open_session
from pipeline.training.hardware import CPU, Hardware, Log, halt_on_full_memory, log_nothing
from pipeline.training.learner import Learner
from pipeline.training.update import train_step, update_networks

PHASE_NAME = re.compile("load|(generator|discriminator): .*")
WARMUP_STEPS, PROFILED_STEPS = 3, 10  # steps before the profile, and in it
MAX_BATCH = 4096  # the largest size of a part that is tried, in samples
TOP_OPERATORS = 10  # in the table


@dataclass(frozen=True)
class Timed:
    """A phase or an operator, with its microseconds on the host and on the GPU in all profiled steps."""

    name: str
    host: float
    gpu: float


class LargestBatch(NamedTuple):
    """The largest batch that fits."""

    batch: int  # samples over all GPUs
    peak_bytes: int  # of memory of one GPU


def profile_steps(
    data: Path, model: Model, train: Train, folder: Path, *, hardware: Hardware = CPU, say: Log = log_nothing
) -> str:
    """Profile some steps; write `trace.json`, which Perfetto opens, and `table.md`, and return the table.

    It gives milliseconds per step, on the host and on the GPU if there is one, of each phase of a step and of
    the operators that take longest. Of several processes, only the first writes and returns its table; the
    others return "".
    """
    session = open_session(data, model, train, hardware, say)
    batches, fabric = session.batches(session.order(0)), session.learner.fabric
    activities, gpu = [ProfilerActivity.CPU], fabric.device.type == "cuda"
    if gpu:
        activities.append(ProfilerActivity.CUDA)

    def run(steps: range) -> None:
        for step in steps:
            with record_function("load"):
                batch = next(batches)
            with halt_on_full_memory(train):
                train_step(session.learner, batch, step)

    run(range(WARMUP_STEPS))
    with profile(activities=activities) as profiled:
        run(range(WARMUP_STEPS, WARMUP_STEPS + PROFILED_STEPS))
        if gpu:
            torch.cuda.synchronize()
    if not fabric.is_global_zero:
        return ""
    text = profile_table(profiled, gpu)
    folder.mkdir(parents=True, exist_ok=True)
    profiled.export_chrome_trace(str(folder / "trace.json"))
    files.write(folder / "table.md", text.encode())
    return text


def profile_table(profiled: profile, gpu: bool) -> str:
    """Write a profile as a table: the phases of a step, then the operators with the longest own time."""
    events = [event for event in profiled.key_averages() if event.device_type == DeviceType.CPU]
    named = [event for event in events if event.is_user_annotation and PHASE_NAME.fullmatch(event.key)]
    phases = [Timed(event.key, event.cpu_time_total, event.device_time_total) for event in named]
    others = [event for event in events if event not in named]
    operators = [Timed(f"`{one.key}`", one.self_cpu_time_total, one.self_device_time_total) for one in others]
    operators.sort(key=lambda each: each.gpu if gpu else each.host, reverse=True)
    host_total, gpu_total = sum(each.host for each in phases), sum(each.gpu for each in phases)
    header, rows = ["", "host ms", "of all"], []
    for each in [*phases, *operators[:TOP_OPERATORS]]:
        rows.append([each.name, *cells(each.host, host_total)])
        if gpu:
            rows[-1] += cells(each.gpu, gpu_total)
    if gpu:
        header += ["GPU ms", "of all"]
    return table(header, rows) + "\n"


def cells(time: float, whole: float) -> list[str]:
    """Write microseconds in all profiled steps as milliseconds per step, and as a share of the whole."""
    return [f"{time / PROFILED_STEPS / 1000:.2f}", f"{time / max(whole, 1):.0%}"]


def largest_batch(
    data: Path, model: Model, train: Train, *, hardware: Hardware = CPU, say: Log = log_nothing
) -> LargestBatch:
    """Find the largest batch that fits, to a sixteenth.

    It tries updates of networks that are thrown away, without torch.compile, which takes less memory. Raise
    Halt on a CPU, or if not even one sample fits.
    """
    if find_device(hardware.device).type != "cuda":
        raise Halt("a CPU that is out of memory ends the process without a word: --fit needs a GPU")
    alone = replace(hardware, devices=1, nodes=1, compile=False, graphs=False)
    session = open_session(data, model, train, alone, say)
    learner, one = session.learner, load_one_sample(session.pairs, session.learner.fabric.device)
    size = search_size(partial(batch_fits, learner, one))
    if not size:
        raise Halt("not even one sample fits: lower width, pack a smaller side, or add --recompute")
    batch_fits(learner, one, size)
    batch = size * train.accumulate * hardware.processes
    return LargestBatch(batch, torch.cuda.max_memory_allocated())


def search_size(fits: Callable[[int], bool]) -> int:
    """Find the largest size that fits, to a sixteenth, by doubling and bisection; 0 if none does."""
    good, bad = 0, MAX_BATCH + 1
    while bad - good > max(1, good // 16):
        tried = min(2 * good or 1, MAX_BATCH) if bad > MAX_BATCH else (good + bad) // 2
        if fits(tried):
            good = tried
        else:
            bad = tried
    return good


def load_one_sample(pairs: PackedSplit, device: torch.device) -> dict:
    return prepare_batch(torch.utils.data.default_collate([pairs.load(pairs.first, 0)]), device)


def batch_fits(learner: Learner, one: dict, size: int) -> bool:
    """Return whether an update on `size` copies of a sample fits into memory."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        part = {
            name: values * size if isinstance(values, list) else values.repeat_interleave(size, dim=0)
            for name, values in one.items()
        }
        update_networks(learner, [part], [0])
    except torch.OutOfMemoryError:
        for optimizer in present(learner.optimizers).values():
            optimizer.zero_grad()
        return False
    return True
