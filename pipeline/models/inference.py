"""A trained colorizer by torch: batches of any size -> pictures."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline import systems
from pipeline.files import hash_file
from pipeline.models.folder import load_model, model_params
from pipeline.models.network import Arrays, Network
from pipeline.shards.sums import WEIGHTS_FILE


def load_by_torch(folder: Path, device: str = "cpu") -> Network:
    """Load the model in a folder. Raise Halt if it cannot be used."""
    generator, config = load_model(folder, device)
    return as_network(generator, config, hash_file(folder / WEIGHTS_FILE))


def as_network(generator: nn.Module, config: dict, weights: str = "") -> Network:
    """Let arrays pass through a generator."""
    system = systems.system(config["system"])

    def infer(given: Arrays) -> np.ndarray:
        batch = {name: torch.from_numpy(values) for name, values in given.items()}
        return infer_padded(generator, config, batch).numpy()

    multiple = system.multiple(model_params(config))
    return Network(infer, config, system.guides, multiple, weights, f"torch {version('torch')}")


@torch.inference_mode()
def infer_padded(generator: nn.Module, config: dict, batch: dict) -> Tensor:
    """Run a generator on a batch that is padded at right and bottom to multiples, and crop the result.

    Sketches are padded with white, all others with the pixels of their edges.
    """
    system = systems.system(config["system"])
    multiple = system.multiple(model_params(config))
    height, width = batch["sketch"].shape[2:]
    device = next(generator.parameters()).device
    names = batch.keys() - {"key", "flow", "kind"}
    images = {name: pad_to_multiple(name, batch[name], multiple).to(device) for name in names}
    if "kind" in batch:
        images["kind"] = batch["kind"].to(device)
    return system.picture(generator(*system.inputs(images)), images)[..., :height, :width].cpu()


def pad_to_multiple(name: str, values: Tensor, multiple: int) -> Tensor:
    """Pad the sides of images (B, C, H, W) to multiples."""
    margin = (0, -values.shape[3] % multiple, 0, -values.shape[2] % multiple)
    return pad(values, margin, value=1.0) if name == "sketch" else pad(values, margin, mode="replicate")
