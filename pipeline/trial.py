"""Train for a few steps and keep nothing: to see where a step's time goes, and how large a batch may be."""

import gc
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from pipeline import Halt, files
from pipeline.augment import prepare
from pipeline.hardware import CPU, Hardware, Say, launch, roomy, silent
from pipeline.markdown import table
from pipeline.models import place
from pipeline.params import Model, Train
from pipeline.training import feed, opened, prepared
from pipeline.update import Learner, advance, update

if TYPE_CHECKING:
    from pipeline.dataset import Pairs

LOAD = "load"
PHASE = re.compile(f"{LOAD}|(generator|discriminator): .*")
WARM, STEPS = 3, 10  # steps before the profile, and in it
LARGEST = 4096  # samples per part that are tried at most
OPERATORS = 10  # in the table


def measure(
    data: Path, model: Model, train: Train, folder: Path, *, hardware: Hardware = CPU, say: Say = silent
) -> str:
    """Profile some steps; write `trace.json`, which Perfetto opens, and `table.md`, and return the table.

    Times are milliseconds per step, of the host and of the GPU where there is one: for each phase of a step,
    and for the operators that take longest. Of several processes the first alone tells of itself; the others
    return nothing.
    """
    pairs = opened(data, model, train)[0]
    fabric = launch(hardware, train.precision)
    learner, _ = prepared(pairs, model, train, fabric, hardware, say)
    batches = feed(pairs, train, fabric, hardware, 0)[1]
    gpu = fabric.device.type == "cuda"

    def steps(numbers: range) -> None:
        for number in numbers:
            with record_function(LOAD):
                batch = next(batches)
            with roomy(train):
                advance(learner, batch, number)

    steps(range(WARM))
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]) as found:
        steps(range(WARM, WARM + STEPS))
        if gpu:
            torch.cuda.synchronize()
    if not fabric.is_global_zero:
        return ""
    text = tell(found, gpu)
    folder.mkdir(parents=True, exist_ok=True)
    found.export_chrome_trace(str(folder / "trace.json"))
    files.write(folder / "table.md", text.encode())
    return text


def tell(found: profile, gpu: bool) -> str:
    """Lay out a profile: the phases of a step, then the operators that take longest in themselves."""
    events = [event for event in found.key_averages() if event.device_type == DeviceType.CPU]
    phases = [event for event in events if event.is_user_annotation and PHASE.fullmatch(event.key)]
    rows = [(event.key, event.cpu_time_total, event.device_time_total) for event in phases]
    whole = [max(sum(row[column] for row in rows), 1) for column in (1, 2)]
    operators = [
        (f"`{event.key}`", event.self_cpu_time_total, event.self_device_time_total)
        for event in events
        if event not in phases
    ]
    operators.sort(key=lambda row: row[2 if gpu else 1], reverse=True)
    heads = ["", "host ms", "of all"] + ["GPU ms", "of all"] * gpu
    cells = [
        [name]
        + [
            cell
            for time, total in list(zip(times, whole, strict=True))[: 1 + gpu]
            for cell in (f"{time / STEPS / 1000:.2f}", f"{time / total:.0%}")
        ]
        for name, *times in [*rows, *operators[:OPERATORS]]
    ]
    return table(heads, cells) + "\n"


def largest(
    data: Path, model: Model, train: Train, *, hardware: Hardware = CPU, say: Say = silent
) -> tuple[int, int]:
    """Find the largest batch that fits: its samples over all GPUs, and the bytes that one GPU had to give.

    It is found to a sixteenth, by updates of networks that are thrown away, and without torch.compile, which
    takes less. Raise Halt on a CPU, or if not even one sample fits.
    """
    if place(hardware.device).type != "cuda":
        raise Halt("a CPU that is out of memory ends the process and tells nobody: --fit needs a GPU")
    pairs = opened(data, model, train)[0]
    fabric = launch(replace(hardware, devices=1, nodes=1), train.precision)
    learner, _ = prepared(pairs, model, train, fabric, replace(hardware, compile=False), say)
    size = search(partial(fits, learner, sample(pairs, fabric.device)))
    if not size:
        raise Halt("not even one sample fits: lower width, pack a smaller side, or add --recompute")
    fits(learner, sample(pairs, fabric.device), size)
    return size * train.accumulate * hardware.processes, torch.cuda.max_memory_allocated()


def search(fits: Callable[[int], bool]) -> int:
    """Find the largest size that fits, to a sixteenth, by doubling and then halving; 0 if none does."""
    good, bad = 0, LARGEST + 1
    while bad - good > max(1, good // 16):
        tried = min(2 * good or 1, LARGEST) if bad > LARGEST else (good + bad) // 2
        if fits(tried):
            good = tried
        else:
            bad = tried
    return good


def sample(pairs: "Pairs", device: torch.device) -> dict:
    """Load one sample as a batch."""
    raw = torch.utils.data.default_collate([pairs[0, 0]])
    return prepare(raw, device)


def fits(learner: Learner, one: dict, size: int) -> bool:
    """Tell whether an update with a sample in `size` copies fits into memory."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        part = {
            name: values * size if isinstance(values, list) else values.repeat_interleave(size, dim=0)
            for name, values in one.items()
        }
        update(learner, [part], [0])
    except torch.OutOfMemoryError:
        learner.g_optimizer.zero_grad()
        learner.d_optimizer.zero_grad()
        return False
    return True
