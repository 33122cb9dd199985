"""The state of a run in a file: a killed run goes on from it, and a finished one becomes a model."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from safetensors.torch import save as save_tensors

from pipeline.batches.dataset import dataset_fingerprint, list_packed_shards
from pipeline.codehash import code_hashes
from pipeline.errors import Halt
from pipeline.files import dumps, is_remote, open_atomic, write
from pipeline.models.folder import save_model
from pipeline.params import Model, Train

DIGEST_SIZE = hashlib.sha256().digest_size  # bytes
DAMAGED = "is damaged, or of an older version"
RESUMING = ("generator", "discriminator", "g_optimizer", "d_optimizer")  # only a run that goes on needs them


def run_identity(config: dict) -> str:
    """Hash the data, the parameters, and the code and library that train."""
    code = code_hashes("pipeline.training.fit", f"pipeline.systems.{config['system']}")
    return hashlib.sha256(dumps([config, code, torch.__version__])).hexdigest()


def checkpoint_path(cache: Path, data: Path, model: Model, train: Train) -> Path:
    """Return the checkpoint file of a run: runs that differ in data or parameters never share one."""
    given = [dataset_fingerprint(list_packed_shards(data)), asdict(model), asdict(train)]
    given += ["streamed"] if is_remote(data) else []
    return cache / "train" / f"{hashlib.sha256(dumps(given)).hexdigest()}.pt"


def save_checkpoint(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write a state below its SHA-256: torch does not notice a changed bit."""
    with open_atomic(checkpoint) as file:
        file.write(bytes(DIGEST_SIZE))
        torch.save(state, file)
        file.flush()
        with Path(file.name).open("rb") as written:
            digest = state_digest(written)
        file.seek(0)
        file.write(digest)


def read_state(checkpoint: Path) -> dict[str, Any] | None:
    """Return the state in a checkpoint; None if it is damaged, or older than checks are."""
    with checkpoint.open("rb") as file:
        if file.read(DIGEST_SIZE) != state_digest(file):
            return None
        file.seek(DIGEST_SIZE)
        return torch.load(file, map_location="cpu", weights_only=True)


def state_digest(file: BinaryIO) -> bytes:
    """Hash an open checkpoint from its state on."""
    file.seek(DIGEST_SIZE)
    return hashlib.file_digest(cast(Any, file), "sha256").digest()


def require_state(checkpoint: Path) -> dict[str, Any]:
    """Return the state in a checkpoint. Raise Halt if it is damaged."""
    if (state := read_state(checkpoint)) is None:
        raise Halt(f"{checkpoint} {DAMAGED}: run train again")
    return state


def restore_checkpoint(checkpoint: Path, identity: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the state of a killed run: step, records, sums, best weights and all parts; or a fresh state.

    `say` gets a sentence if the checkpoint is damaged.
    """
    if checkpoint.is_file():
        state = read_state(checkpoint)
        if state is None:
            say(f"{checkpoint} {DAMAGED}, so training begins again")
        elif state["identity"] == identity:
            return state
    return {"step": 0, "records": [], "sums": {}, "best": {}}


def release_model(checkpoint: Path, folder: Path, card: Callable[[dict], str]) -> dict:
    """Write a model folder from a finished checkpoint, and return the config; `card` writes the card from it.

    `train.keep` says which weights become the model: the last, or those of the best validation. The others
    go to a file of that name.
    """
    state = require_state(checkpoint)
    records = state["records"]
    validations = {"last": records[-1], "best": max(records, key=lambda record: record["val_psnr"])}
    weights = {"last": state["average"], "best": state["best"]}
    kept = state["config"]["train"]["keep"]
    config = state["config"] | {"validation": validations[kept]}
    save_model(folder, weights.pop(kept), config, card(config))
    for name, tensors in weights.items():
        packed = {each: tensor.contiguous() for each, tensor in tensors.items()}
        write(folder / f"{name}.safetensors", save_tensors(packed))
    return config


def shrink(checkpoint: Path) -> None:
    """Reduce a finished run to what its model is made from, so that releasing it again trains nothing."""
    state = require_state(checkpoint)
    if set(RESUMING) & set(state):
        save_checkpoint(checkpoint, {name: part for name, part in state.items() if name not in RESUMING})
