"""Columns -> whether they are whole, for people and scripts."""

from pathlib import Path

import typer

from pipeline import Halt
from pipeline import verify as verifying
from stages.arguments import WORKERS, Columns, Workers, progress


def verify(
    folder: Columns = Path("data"),
    workers: Workers = WORKERS,
) -> None:
    """Read every shard and compare it with its seal and its index."""
    with progress("verify", "B") as tick:
        verdict = verifying.verify(folder, workers=workers, tick=tick)
    for fault in verdict.faults:
        typer.echo(f"verify: {fault}", err=True)
    if verdict.faults:
        raise Halt(f"{len(verdict.faults)} faults in {folder}: run the stages that write these columns again")
    typer.echo(
        f"verify: {verdict.columns} columns, {verdict.shards} shards, {verdict.samples} samples, "
        f"{verdict.bytes / 1e6:.1f} MB, all as sealed"
    )
