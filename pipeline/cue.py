"""Color -> color cue: what tells a network which colors go where, and no more."""

from dataclasses import asdict

import numpy as np

from pipeline import images
from pipeline.params import Cue

UNIT = 256  # side of the picture in whose pixels sigma is given


def cue(image: np.ndarray, params: Cue) -> np.ndarray:
    """Blur an RGB picture (H, W, 3), or return all ones (white) for the method none.

    Sigma is scaled with the short side. The border is reflected, so that it stays as bright as it was.
    """
    if params.method == "none":
        return np.full_like(image, 255)
    sigma = params.sigma * min(image.shape[:2]) / UNIT
    return np.rint(images.blur(image.astype(np.float32), sigma)).astype(np.uint8)


def column(picture: bytes, key: str, params: Cue) -> tuple[np.ndarray, dict]:
    """Make the cue of an encoded picture; tell its parameters."""
    return cue(images.decode(picture), params), asdict(params)
