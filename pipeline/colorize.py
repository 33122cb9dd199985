"""Sketches of any size, and perhaps a cue -> colored pictures, with a trained model."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from pipeline import Halt, images, training
from pipeline import cue as cues
from pipeline.evaluation import colorize
from pipeline.files import dumps
from pipeline.imports import code
from pipeline.tars import Sample


@dataclass(frozen=True)
class Colorizer:
    """A model as a step over samples: `run.process` takes it to a picture, a folder or shards.

    `cue` is uint8 RGB of any size, fitted to each sketch and blurred as in training, but taken as it is where
    that saw hints: it then holds the user's own. None is a cue of ones.
    """

    generator: nn.Module
    config: dict
    weights: str  # their hash
    cue: np.ndarray | None = None

    def __call__(self, sample: Sample) -> tuple[Sample, dict]:
        """Color the sketch of a sample. Raise BadImage."""
        sketch = cv2.cvtColor(images.decode(sample.picture), cv2.COLOR_RGB2GRAY)
        colored = colorize(self.generator, sketch, self.fitted(sketch.shape), self.config["depth"])
        return Sample(sample.key, {"png": images.encode(colored)}), {}

    def fitted(self, shape: tuple[int, int]) -> np.ndarray | None:
        """Make the cue for a sketch of (height, width)."""
        if self.cue is None:
            return None
        trained = cues.parameters(self.config["columns"]["cue"])
        if trained.method in cues.HINTS:
            return cv2.resize(self.cue, shape[::-1], interpolation=cv2.INTER_NEAREST)
        return cues.cue(images.resize(self.cue, shape[1], shape[0]), trained)

    def fingerprint(self) -> str:
        """Return what changes with the model, the cue and the code."""
        colors = b"" if self.cue is None else self.cue.tobytes() + str(self.cue.shape).encode()
        given = [self.config, self.weights, hashlib.sha256(colors).hexdigest(), code(__name__)]
        return hashlib.sha256(dumps(given)).hexdigest()


def load(model: Path, cue: Path | None = None, device: str = "cpu") -> Colorizer:
    """Load a model and the picture of a cue. Raise Halt if either cannot be used."""
    generator, config = training.load(model, device)
    weights = hashlib.sha256((model / training.WEIGHTS).read_bytes()).hexdigest()
    if cue is None:
        return Colorizer(generator, config, weights)
    if config["columns"]["cue"]["method"] == "none":
        raise Halt(f"{model} was trained without cues: leave --cue out, or train with another cue.method")
    try:
        return Colorizer(generator, config, weights, images.decode(cue.read_bytes()))
    except images.BadImage as reason:
        raise Halt(f"{cue}: {reason}") from None
