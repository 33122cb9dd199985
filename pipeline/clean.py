"""Original -> color picture of the dataset, or the reason why not."""

import hashlib
from collections import Counter

import cv2
import numpy as np

from pipeline import images
from pipeline.images import BadImage
from pipeline.params import Clean, Sketch
from pipeline.sketch import CANON, complexity

STRETCH = 0.02  # how far the aspect of an own sketch may be from that of its picture, as a share


def clean(picture: bytes, params: Clean, *own: bytes) -> tuple:
    """Decode, crop and resize an original to (side, side, 3), and score it; return both.

    An own sketch, if it is given, is fitted to the picture and returned third.

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
    scores = {"width": width, "height": height, "gray": gray, "complexity": black, "pixels": pixels}
    return color, scores, *(fit(images.decode(sketch), image, params) for sketch in own)


def fit(sketch: np.ndarray, image: np.ndarray, params: Clean) -> np.ndarray:
    """Crop and resize the own sketch of a picture as the picture is, to gray (side, side).

    The aspects must agree; the sizes need not. Raise BadImage("odd sketch").
    """
    aspects = [width / height for height, width in (sketch.shape[:2], image.shape[:2])]
    require(max(aspects) <= (1 + STRETCH) * min(aspects), "odd sketch")
    return images.square(cv2.cvtColor(sketch, cv2.COLOR_RGB2GRAY), params.side, params.crop)


def chroma(image: np.ndarray) -> float:
    """Measure the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    return round(float(np.mean(np.ptp(image, axis=2))), 4)


def require(fine: bool, reason: str) -> None:
    """Raise BadImage unless a picture is fine."""
    if not fine:
        raise BadImage(reason)


def column(picture: bytes, key: str, params: Clean, *own: bytes) -> tuple:
    """Clean an encoded original, and its own sketch if there is one; tell the scores."""
    return clean(picture, params, *own)


def histogram(percents: Counter) -> str:
    """Sum counts of numbers from 0 to 100 per whole percent, as tab-separated text for a plot."""
    counts, _ = np.histogram([*percents], bins=np.arange(101), weights=[*percents.values()])
    return "complexity\tpictures\n" + "".join(f"{low}\t{count:.0f}\n" for low, count in enumerate(counts))
