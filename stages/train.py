"""The packed dataset -> a trained colorizer."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Model, Train
from stages.arguments import CACHE, WORKERS, Cache, Dest, Device, Pairs, Workers, progress
from stages.options import unfold

Curves = Annotated[
    Path | None,
    typer.Option(help="Write losses and validation with DVCLive to this folder.", show_default=False),
]


@unfold
def train(
    pairs: Pairs,
    dest: Dest,
    model: Model,
    train: Train,
    curves: Curves = None,
    device: Device = "auto",
    workers: Workers = WORKERS,
    cache: Cache = CACHE,
) -> None:
    """Train a colorizer; a run that was killed goes on from its last checkpoint."""
    from pipeline import training

    checkpoint = training.checkpoint_in(cache, pairs, model, train)
    with progress("train", "step") as tick:
        run = training.fit(
            pairs, model, train, checkpoint=checkpoint, device=device, workers=workers, tick=tick
        )
        records = list(log(curves, run))
    config = training.release(checkpoint, dest)
    checkpoint.unlink()
    held = config["validation"]
    typer.echo(
        f"train: {records[-1]['step']} steps, validation {held['val_psnr']:.2f} dB PSNR "
        f"at step {held['step']}, model in {dest}"
    )


def log(curves: Path | None, records: Iterable[dict]) -> Iterator[dict]:
    """Pass records on, writing each to the files of DVCLive."""
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
