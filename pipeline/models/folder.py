"""A trained colorizer in a folder: its weights, the config that builds it again, and its card."""

import json
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from pipeline import systems
from pipeline.errors import Halt
from pipeline.files import write, write_json
from pipeline.params import Model
from pipeline.weights import WEIGHT_ERRORS, parse_weights

WEIGHTS_FILE, CONFIG_FILE, MODEL_CARD_FILE = "model.safetensors", "config.json", "README.md"


def save_model(folder: Path, tensors: dict[str, Tensor], config: dict, card: str) -> None:
    weights = save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()})
    write(folder / WEIGHTS_FILE, weights)
    write_json(folder / CONFIG_FILE, config)
    write(folder / MODEL_CARD_FILE, card.encode())


def load_model(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict]:
    """Read a generator, ready for use, and its config. Raise Halt if a file is missing or they do not fit."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
        tensors = parse_weights((folder / WEIGHTS_FILE).read_bytes(), WEIGHTS_FILE)
        generator = systems.system(config["system"]).networks(model_params(config)).generator
        generator.load_state_dict(tensors)
    except FileNotFoundError as error:
        raise Halt(f"{error.filename} is missing: run train, or name the folder of a model") from None
    except WEIGHT_ERRORS as error:
        reason = f"{folder} is no model that can be read ({type(error).__name__})"
        raise Halt(f"{reason}: run train again") from error
    return generator.eval().to(find_device(device)), config


def model_params(config: dict) -> Model:
    return Model(**{name: config[name] for name in Model.__dataclass_fields__})


def find_device(name: str) -> torch.device:
    """Return a device: cpu, cuda, or auto, which is cuda if there is a GPU. Raise Halt if there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise Halt("there is no GPU that torch can use: run with the device cpu")
    return torch.device(name)
