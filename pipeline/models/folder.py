"""A trained colorizer in a folder: its weights, the config that builds it again, and its card."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from pipeline import systems
from pipeline.errors import Halt
from pipeline.files import hash_file, write, write_json
from pipeline.params import Cue, Model, Train
from pipeline.shards.column import CARD_FILE
from pipeline.shards.sums import CONFIG_FILE, SUMS_FILE, WEIGHTS_FILE, read_sums, write_sums
from pipeline.weights import WEIGHT_ERRORS, parse_weights

CONFIG_TYPES = {  # of the fields that tell how a model was trained; a model may lack them
    "dataset": str, "columns": dict, "side": int, "parameters": dict, "train": dict, "validation": dict,
}  # fmt: skip


def save_model(folder: Path, tensors: dict[str, Tensor], config: dict, card: str) -> None:
    weights = save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()})
    (folder / SUMS_FILE).unlink(missing_ok=True)  # until all files are new
    write(folder / WEIGHTS_FILE, weights)
    write_json(folder / CONFIG_FILE, config)
    write(folder / CARD_FILE, card.encode())
    write_sums(folder, {name: hash_file(folder / name) for name in (CONFIG_FILE, WEIGHTS_FILE)})


def read_model_file(folder: Path, name: str) -> bytes:
    """Read a file of a model. Raise Halt if it differs from the sums in its folder, if there are any."""
    data = (folder / name).read_bytes()
    if (folder / SUMS_FILE).is_file() and read_sums(folder).get(name) != hashlib.sha256(data).hexdigest():
        raise Halt(
            f"{folder / name} differs from {SUMS_FILE}: run train again, or remove {SUMS_FILE} if you changed"
            " the model yourself"
        )
    return data


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config of a model. Raise ValueError, TypeError or KeyError if a value is odd."""
    config = json.loads(read_model_file(folder, CONFIG_FILE))
    if not isinstance(config, dict):
        raise ValueError("a config must be an object")
    model_params(config)
    systems.system(config["system"])
    for name, kind in CONFIG_TYPES.items():
        if name in config and type(config[name]) is not kind:
            raise ValueError(f"{name} must be {kind.__name__}, got {config[name]!r}")
    for name, column in config.get("columns", {}).items():
        if type(column) is not dict:
            raise ValueError(f"the column {name} must be an object, got {column!r}")
    for section, values in (
        (Train, config.get("train", {})),
        (Cue, config.get("columns", {}).get("cue", {})),
    ):
        section(**{name: values[name] for name in values.keys() & section.__dataclass_fields__.keys()})
    for number in (*config.get("parameters", {}).values(), *config.get("validation", {}).values()):
        if type(number) not in (int, float) or not math.isfinite(number):
            raise ValueError(f"parameters and validation must be numbers, got {number!r}")
    return config


def read_model(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights, which are finite, and config. Raise Halt if a file is missing or damaged."""
    with halt_on_damage(folder):
        config = read_config(folder)
        tensors = parse_weights(read_model_file(folder, WEIGHTS_FILE), WEIGHTS_FILE)
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("weights that are not finite")
    return tensors, config


def load_model(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict]:
    """Read a generator, ready for use, and its config. Raise Halt if a file is missing or they do not fit."""
    tensors, config = read_model(folder)
    with halt_on_damage(folder):
        generator = systems.system(config["system"]).networks(model_params(config)).generator
        generator.load_state_dict(tensors)
    return generator.eval().to(find_device(device)), config


@contextmanager
def halt_on_damage(folder: Path) -> Iterator[None]:
    """Raise Halt if the body finds that a file of a model is missing, or has odd content."""
    try:
        yield
    except FileNotFoundError as error:
        raise Halt(f"{error.filename} is missing: run train, or name the folder of a model") from None
    except WEIGHT_ERRORS as error:
        reason = f"{folder} is no model that can be read ({type(error).__name__}: {str(error)[:200]})"
        raise Halt(f"{reason}: run train again") from error


def model_params(config: dict) -> Model:
    return Model(**{name: config[name] for name in Model.__dataclass_fields__})


def find_device(name: str) -> torch.device:
    """Return a device: cpu, cuda, or auto, which is cuda if there is a GPU. Raise Halt if there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise Halt("there is no GPU that torch can use: run with the device cpu")
    return torch.device(name)
