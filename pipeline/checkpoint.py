"""The state of a run in a file: a killed run goes on from it, and a finished one becomes a model."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors

from pipeline import samples
from pipeline.codehash import code
from pipeline.dataset import fingerprint
from pipeline.files import dumps, whole, write
from pipeline.models import save
from pipeline.params import Model, Train


def identify(config: dict) -> str:
    """Return what changes with the data, the parameters, and the code and library that train."""
    return hashlib.sha256(dumps([config, code("pipeline.training"), torch.__version__])).hexdigest()


def path(cache: Path, data: Path, model: Model, train: Train) -> Path:
    """Name the checkpoint of a run: runs that differ in data or parameters never share one."""
    given = [fingerprint(samples.shards(data)), asdict(model), asdict(train)]
    return cache / "train" / f"{hashlib.sha256(dumps(given)).hexdigest()}.pt"


def keep(checkpoint: Path, state: dict) -> None:
    """Write a checkpoint, whole or not at all."""
    with whole(checkpoint) as file:
        torch.save(state, file)


def restore(checkpoint: Path, identity: str) -> dict:
    """Read the state of a killed run: its step, records, sums, best weights and all parts; or begin anew."""
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["identity"] == identity:
            return state
    return {"step": 0, "records": [], "sums": {}, "best": {}}


def release(checkpoint: Path, folder: Path) -> dict:
    """Make a model folder of a finished checkpoint, and return its config.

    `train.keep` says which weights become the model: the last, or those of the best validation. The others
    lie beside them, in a file of that name.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    records = state["records"]
    told = {"last": records[-1], "best": max(records, key=lambda record: record["val_psnr"])}
    weights = {"last": state["average"], "best": state["best"]}
    kept = state["config"]["train"]["keep"]
    config = state["config"] | {"validation": told[kept]}
    save(folder, weights.pop(kept), config)
    for name, tensors in weights.items():
        write(folder / f"{name}.safetensors", save_tensors(tensors))
    return config
