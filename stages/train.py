"""The packed dataset -> a trained colorizer."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Model, Train
from stages.arguments import CACHE, WORKERS, Cache, DatasetFolder, Dest, Device, Workers, progress
from stages.options import unfold

Curves = Annotated[
    Path | None,
    typer.Option(help="Write losses and validation with DVCLive to this folder.", show_default=False),
]
Devices = Annotated[
    int, typer.Option(min=1, envvar="PREP_DEVICES", help="GPUs of each machine (or processes, on a CPU).")
]
Nodes = Annotated[int, typer.Option(min=1, envvar="PREP_NODES", help="Machines, each with as many devices.")]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile",
        envvar="PREP_COMPILE",
        help="Let torch.compile make kernels.",
        show_default="on a GPU",
    ),
]
Graphs = Annotated[
    bool, typer.Option("--graphs", help="Replay CUDA graphs of what is compiled; for small batches.")
]
Recompute = Annotated[
    bool, typer.Option("--recompute", help="Less memory, more time, equal bits: gradient checkpointing.")
]
FitOption = Annotated[bool, typer.Option("--fit", help="Only find the largest batch that fits, on a GPU.")]
ProfileOption = Annotated[
    Path | None,
    typer.Option(help="Only profile some steps: trace and table to this folder.", show_default=False),
]


@unfold
def train(
    pairs: DatasetFolder,
    dest: Dest,
    model: Model,
    train: Train,
    curves: Curves = None,
    device: Device = "auto",
    devices: Devices = 1,
    nodes: Nodes = 1,
    workers: Workers = WORKERS,
    compile: Compile = None,
    graphs: Graphs = False,
    recompute: Recompute = False,
    fit: FitOption = False,
    profile: ProfileOption = None,
    cache: Cache = CACHE,
) -> None:
    """Train a colorizer; a run that was killed goes on from its last checkpoint."""
    from pipeline.models.card import model_card
    from pipeline.training import checkpoint
    from pipeline.training.fit import train_model
    from pipeline.training.hardware import Hardware
    from pipeline.training.profile import largest_batch, profile_steps

    hardware = Hardware(device, devices, nodes, workers, compile, graphs, recompute)
    if fit:
        found = largest_batch(pairs, model, train, hardware=hardware, say=say)
        memory = f"{found.peak_bytes / 2**30:.1f} GiB on each GPU"
        typer.echo(f"train: the largest batch that fits is {found.batch}, with {memory}")
        return
    if profile:
        typer.echo(profile_steps(pairs, model, train, profile, hardware=hardware, say=say), nl=False)
        return
    file = checkpoint.checkpoint_path(cache, pairs, model, train)
    with progress("train", "step") as tick:
        run = train_model(pairs, model, train, checkpoint=file, hardware=hardware, tick=tick, say=say)
        records = list(log_records(curves, run))
    if not records:  # of several processes, the first alone has them, and writes the model
        return
    config = checkpoint.release_model(file, dest, model_card)
    checkpoint.shrink(file)
    held = config["validation"]
    typer.echo(
        f"train: {records[-1]['step']} steps, validation {held['val_psnr']:.2f} dB PSNR "
        f"at step {held['step']}, model in {dest}"
    )


def say(sentence: str) -> None:
    """Print a sentence about what goes on in another way than was asked."""
    typer.echo(f"train: {sentence}", err=True)


def log_records(curves: Path | None, records: Iterable[dict]) -> Iterator[dict]:
    """Yield records; write each to the files of DVCLive, if a folder for them is named."""
    records = iter(records)
    first = next(records, None)
    if first is None:
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
            live.make_summary()
            yield record
