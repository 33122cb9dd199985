"""The packed dataset -> a trained colorizer."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from pipeline.files import lock_folder
from pipeline.params import Model, Train
from stages.arguments import CACHE, WORKERS, Cache, Dest, Device, PackedDataset, Workers, emit, progress, say
from stages.options import unfold


@dataclass(frozen=True)
class Machines:
    """The options about devices and speed, which change at most the last bits of a result."""

    device: Device = "auto"
    devices: Annotated[
        int, typer.Option(min=1, envvar="PREP_DEVICES", help="GPUs of each machine (processes, on a CPU).")
    ] = 1
    nodes: Annotated[int, typer.Option(min=1, envvar="PREP_NODES", help="Machines with as many devices.")] = 1
    workers: Workers = WORKERS
    compile: Annotated[
        bool | None, typer.Option(envvar="PREP_COMPILE", help="Use torch.compile.", show_default="on a GPU")
    ] = None
    graphs: Annotated[bool, typer.Option("--graphs", help="Replay CUDA graphs, for small batches.")] = False
    recompute: Annotated[bool, typer.Option("--recompute", help="Checkpoint gradients: less memory.")] = False


@unfold
def train(
    pairs: PackedDataset,
    dest: Dest,
    machines: Machines,
    model: Model,
    train: Train,
    curves: Annotated[Path | None, typer.Option(help="Write DVCLive's curves to this folder.")] = None,
    fit: Annotated[bool, typer.Option("--fit", help="Only find the largest batch that fits a GPU.")] = False,
    profile: Annotated[Path | None, typer.Option(help="Only write a profile to this folder.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Train a colorizer, from the last checkpoint if an earlier run was killed."""
    from pipeline.models.card import model_card
    from pipeline.training import checkpoint
    from pipeline.training.fit import train_model
    from pipeline.training.hardware import Hardware, is_first_process
    from pipeline.training.profile import largest_batch, profile_steps

    hardware = Hardware(**asdict(machines))
    if fit:
        largest = largest_batch(pairs, model, train, hardware=hardware, say=say_change)
        memory = f"{largest.peak_bytes / 2**30:.1f} GiB on each GPU"
        emit(f"train: the largest batch that fits is {largest.batch}, with {memory}")
        return
    if profile:
        emit(profile_steps(pairs, model, train, profile, hardware=hardware, say=say_change).rstrip("\n"))
        return
    file = checkpoint.checkpoint_path(cache, pairs, model, train)
    with lock_folder(dest) if is_first_process() else nullcontext(), progress("train", "step") as tick:
        run = train_model(pairs, model, train, checkpoint=file, hardware=hardware, tick=tick, say=say_change)
        records = list(log_records(curves, run))
        if not records:  # only the first of several processes has them, and writes the model
            return
        score = checkpoint.release_model(file, dest, model_card)["validation"]
        checkpoint.shrink(file)
    reached = f"validation {score['val_psnr']:.2f} dB PSNR at step {score['step']}"
    say(f"train: {records[-1]['step']} steps, {reached}, model in {dest}")


def say_change(sentence: str) -> None:
    """Print a sentence about a change of plan to stderr."""
    say(f"train: {sentence}", err=True)


def log_records(curves: Path | None, records: Iterable[dict]) -> Iterator[dict]:
    """Yield the records; if a folder is named, write curves of all with DVCLive, and the last validation."""
    records = iter(records)
    if (first := next(records, None)) is None:
        return
    records = chain([first], records)
    if curves is None:
        yield from records
        return
    from dvclive import Live

    with Live(str(curves), dvcyaml=None, save_dvc_exp=False) as live:
        for record in records:
            live.step = record["step"]
            for name in sorted(record.keys() - {"step"}):
                live.log_metric(name, record[name])
            live.summary = {"val_psnr_db": record["val_psnr"], "val_l1": record["val_l1"]}
            live.make_summary()
            yield record
