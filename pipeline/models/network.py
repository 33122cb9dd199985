"""A trained colorizer as a function of arrays, computed by torch or by ONNX Runtime.

Nothing here imports torch before a model in a folder is loaded: ONNX Runtime alone is enough for a file.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import Halt
from pipeline.files import hash_file

SHIPPED = Path(__file__).parent / "shipped"  # the model that comes with the package; `make weights` writes it
ONNX_SUFFIX = ".onnx"
SHIPPED_ONNX = SHIPPED / "model.onnx"
OWN_MODEL = Path("data/model")  # of the project in which one stands

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A trained colorizer, whatever computes it.

    `infer` takes one picture and its guide by name, float32 (1, C, H, W) in [-1, 1], as `System.inputs` does,
    of any size, and returns the picture (1, 3, H, W). `guides` are those of `params.GUIDES` that it takes;
    it pads sides to a `multiple`. `weights` is the SHA-256 of their file, `engine` the library that computes.
    """

    infer: Callable[[Arrays], np.ndarray]
    config: dict[str, Any]
    guides: tuple[str, ...]
    multiple: int
    weights: str
    engine: str


def find_model() -> Path:
    """Return the model of the project in which one stands, or else the one that ships."""
    if OWN_MODEL.is_dir():
        return OWN_MODEL
    return SHIPPED if find_spec("torch") else SHIPPED_ONNX


def open_network(model: Path, device: str = "cpu") -> Network:
    """Load a model from its folder by torch, or from an ONNX file. Raise Halt if it cannot be used."""
    if model.suffix == ONNX_SUFFIX:
        return load_onnx(model, device)
    from pipeline.models.inference import load_by_torch

    return load_by_torch(model, device)


def load_onnx(file: Path, device: str = "cpu") -> Network:
    """Load a file that `export_onnx` wrote. Raise Halt if it is none, or if a GPU is asked for."""
    import onnxruntime

    if device == "cuda":
        raise Halt(f"{file} runs on the CPU: name the folder of a model for a GPU, or leave out --device")
    if not file.is_file():
        raise Halt(f"{file} is missing: name a file that prep export wrote, or the folder of a model")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal errors alone: an exception says the others
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():  # as torch does
        options.intra_op_num_threads = int(threads)
    try:
        session = onnxruntime.InferenceSession(file.read_bytes(), options, ["CPUExecutionProvider"])
        facts = session.get_modelmeta().custom_metadata_map
        config = json.loads(facts["config"])
        guides, multiple = tuple(facts["guides"].split(",")), int(facts["multiple"])
    except Exception as error:  # those of ONNX Runtime share no other class
        reason = f"{file} is no model that prep export wrote ({type(error).__name__}: {str(error)[:200]})"
        raise Halt(f"{reason}: export the model again") from None
    names = [each.name for each in session.get_inputs()]

    def infer(given: Arrays) -> np.ndarray:
        return session.run(None, {name: given["sketch" if name == "gray" else name] for name in names})[0]

    return Network(infer, config, guides, multiple, hash_file(file), f"onnxruntime {version('onnxruntime')}")
