"""The result of an operator: a picture made of another picture."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Result:
    """A picture with its metadata, which become the JSON member of a sample, and the artist's own sketch."""

    picture: np.ndarray  # uint8: gray (H, W), RGB (H, W, 3) or RGBA (H, W, 4)
    metadata: dict
    sketch: np.ndarray | None = None  # uint8 gray (H, W)
