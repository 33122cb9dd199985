"""Original -> color picture of the dataset, and its scores."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.errors import BadImage
from pipeline.images import codec, pixels
from pipeline.images.result import Result
from pipeline.operators import hashes, scores
from pipeline.operators.lines import CANON_SIDE, black_share, threshold
from pipeline.params import Clean

THRESHOLD_C = 2.0  # levels below the local mean from which a pixel is black, in the sketches measured here
HASH_BLOCKSIZE = 7  # blocksize of the sketch whose lines are hashed, in pixels
MAX_STRETCH = 0.02  # largest relative difference between the aspects of a picture and its own sketch


@dataclass(frozen=True)
class PixelParams:
    """The parameters of Clean that decide pixels and scores; the others are limits."""

    side: int
    crop: str
    blocksizes: str

    @classmethod
    def of(cls, params: Clean) -> "PixelParams":
        return cls(params.side, params.crop, params.blocksizes)


def make_color(picture: bytes, key: str, params: PixelParams, sketch: bytes | None = None) -> Result:
    """Decode, crop and resize an original to (side, side, 3), and score it.

    `sketch` is the artist's own; it is cropped and resized in the same way. The metadata are width and height
    of the original, in pixels; `colors_from`, its color space, if that is not sRGB; `gray`, see `chroma`; the
    scores of scores.py; `complexityN`, the share of black in the threshold sketch at blocksize N, in percent;
    `pixels`, a hash of the result, equal for duplicates; `colors` and `lines`, perceptual hashes, the second
    of the artist's own sketch if there is one. Scores and perceptual hashes are computed at 256 px whatever
    `side` is.

    Raise BadImage if either file cannot be decoded, or if their aspects differ.
    """
    header = codec.read_header(picture)
    image = codec.decode(picture, least=max(params.side, CANON_SIDE))
    color = pixels.square(image, params.side, params.crop)
    canon = color if params.side == CANON_SIDE else pixels.square(image, CANON_SIDE, params.crop)
    gray = pixels.grayscale(canon)
    own = None if sketch is None else fit_sketch(codec.decode(sketch), image, params)
    sizes = params.blocksizes.split(",")
    drawn = {size: threshold(gray, size, THRESHOLD_C) for size in {HASH_BLOCKSIZE, *map(int, sizes)}}
    lines = drawn[HASH_BLOCKSIZE] if own is None else pixels.resize(own, CANON_SIDE, CANON_SIDE)
    metadata: dict[str, Any] = {"width": header.width, "height": header.height, "gray": chroma(color)}
    if header.colors_from:
        metadata["colors_from"] = header.colors_from
    metadata |= scores.measure_scores(canon)
    metadata |= {f"complexity{size}": black_share(drawn[int(size)]) for size in sizes}
    metadata["pixels"] = hashlib.sha256(color.tobytes()).hexdigest()[:32]
    metadata |= {"colors": hashes.color_hash(gray).hex(), "lines": hashes.line_hash(lines).hex()}
    return Result(color, metadata, own)


def fit_sketch(sketch: np.ndarray, image: np.ndarray, params: PixelParams) -> np.ndarray:
    """Crop and resize the artist's own RGB sketch like its picture, to gray (side, side).

    Raise BadImage("odd sketch") if the aspects differ; the sizes may.
    """
    aspects = [width / height for height, width in (sketch.shape[:2], image.shape[:2])]
    if max(aspects) > (1 + MAX_STRETCH) * min(aspects):
        raise BadImage("odd sketch")
    return pixels.square(pixels.grayscale(sketch), params.side, params.crop)


def chroma(image: np.ndarray) -> float:
    """Return the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    red, green, blue = cv2.split(image)
    largest = cv2.max(cv2.max(red, green), blue)
    smallest = cv2.min(cv2.min(red, green), blue)
    return round(cv2.mean(cv2.subtract(largest, smallest))[0], 4)


def reported_scores(params: Clean) -> tuple[str, ...]:
    """Name the metadata that are reported for every picture."""
    complexities = [f"complexity{size}" for size in params.blocksizes.split(",")]
    return ("width", "height", "gray", *scores.SCORE_NAMES, *complexities, "pixels")


def complexity_histogram(percents: Counter) -> str:
    """Bin counted percentages into whole percents, as tab-separated text for a plot."""
    counts, _ = np.histogram([*percents], bins=np.arange(101), weights=[*percents.values()])
    return "complexity\tpictures\n" + "".join(f"{low}\t{count:.0f}\n" for low, count in enumerate(counts))
