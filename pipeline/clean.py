"""Original -> color picture of the dataset, or the reason why not."""

import hashlib

import numpy as np

from pipeline import images
from pipeline.images import BadImage
from pipeline.params import Clean, Sketch
from pipeline.sketch import CANON, complexity


def clean(picture: bytes, params: Clean) -> tuple[np.ndarray, dict]:
    """Decode, crop and resize an original to (side, side, 3), and score it.

    The scores: width and height of the original; `gray`, see `chroma`; `complexity`, at 256 px whatever
    `side` is; `pixels`, a hash of the result, equal for duplicates. Raise BadImage with the first reason.
    """
    width, height = images.measure(picture)
    require(min(width, height) >= params.smallest, "too small")
    require(max(width, height) <= params.aspect * min(width, height), "odd aspect")
    image = images.decode(picture, least=max(params.side, CANON))
    color = images.square(image, params.side, params.crop)
    gray = chroma(color)
    require(gray >= params.gray, "gray")
    canon = images.square(image, CANON, params.crop)
    black = complexity(canon, Sketch(method="threshold", blocksize=params.blocksize))
    require(black <= params.complexity, "too complex")
    pixels = hashlib.sha256(color.tobytes()).hexdigest()[:32]
    return color, {"width": width, "height": height, "gray": gray, "complexity": black, "pixels": pixels}


def chroma(image: np.ndarray) -> float:
    """Measure the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    return round(float(np.mean(np.ptp(image, axis=2))), 4)


def require(fine: bool, reason: str) -> None:
    """Raise BadImage unless a picture is fine."""
    if not fine:
        raise BadImage(reason)


def column(picture: bytes, key: str, params: Clean) -> tuple[np.ndarray, dict]:
    """Clean an encoded original; tell its scores."""
    return clean(picture, params)


def histogram(percents: list[float]) -> str:
    """Count numbers from 0 to 100 per whole percent, as tab-separated text for a plot."""
    counts, _ = np.histogram(percents, bins=np.arange(101))
    return "complexity\tpictures\n" + "".join(f"{low}\t{count}\n" for low, count in enumerate(counts))
