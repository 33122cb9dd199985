"""A trained colorizer in a folder: its weights, the config that builds it again, and its card."""

import json
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from pipeline import Halt, systems
from pipeline.files import write, write_json
from pipeline.params import Model
from pipeline.weights import UNUSABLE, parse

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


def save(folder: Path, tensors: dict[str, Tensor], config: dict, card: str) -> None:
    """Write a model: its weights, the config that builds it again, and its card."""
    write(folder / WEIGHTS, save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}))
    write_json(folder / CONFIG, config)
    write(folder / CARD, card.encode())


def load(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict]:
    """Read a generator, ready for use, and its config. Raise Halt if a file is missing or they do not fit."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        tensors = parse((folder / WEIGHTS).read_bytes(), WEIGHTS)
        generator = systems.system(config["system"]).networks(shape(config)).generator
        generator.load_state_dict(tensors)
    except FileNotFoundError as error:
        raise Halt(f"{error.filename} is missing: run train, or name the folder of a model") from None
    except UNUSABLE as error:
        raise Halt(
            f"{folder} is no model that can be read ({type(error).__name__}): run train again"
        ) from error
    return generator.eval().to(find_device(device)), config


def shape(config: dict) -> Model:
    """Return the parameters of a model from its config."""
    return Model(**{name: config[name] for name in Model.__dataclass_fields__})


def find_device(name: str) -> torch.device:
    """Return a device: cpu, cuda, or auto, which is cuda if there is one. Raise Halt if it is missing."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise Halt("there is no GPU that torch can use: run with the device cpu")
    return torch.device(name)
