"""Columns -> whether every byte is as sealed."""

from dataclasses import asdict

from pipeline.errors import Halt
from pipeline.untrusted import safe_text
from pipeline.upkeep import verify as verifying
from stages.arguments import DATA, WORKERS, AsJson, Columns, Workers, emit, emit_json, progress, say


def verify(folder: Columns = DATA, workers: Workers = WORKERS, as_json: AsJson = False) -> None:
    """Read every shard, index and ledger and compare them with their seal."""
    with progress("verify", "B") as tick:
        audit = verifying.verify_columns(folder, workers=workers, tick=tick)
    if as_json:
        emit_json(asdict(audit))
    else:
        for fault in audit.faults:
            emit(f"verify: {safe_text(fault)}", err=True)
    if audit.faults:
        raise Halt(f"{len(audit.faults)} faults in {folder}: delete these files, then run their stages again")
    if not as_json:
        counts = f"{audit.columns} columns, {audit.shards} shards, {audit.samples} samples"
        say(f"verify: {counts}, {audit.bytes / 1e6:.1f} MB, all as sealed")
