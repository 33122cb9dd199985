"""Original -> color picture of the dataset, and its scores."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.errors import BadImage
from pipeline.images import codec, pixels
from pipeline.images.result import Result
from pipeline.operators import hashes, scores
from pipeline.operators.lines import CANON_SIDE, black_share, threshold
from pipeline.params import Clean

THRESHOLD_C = (
    2.0  # levels below the mean of its neighborhood from which a pixel is black, where complexity is measured
)
HASH_BLOCKSIZE = 7  # blocksize of the sketch whose lines are hashed, in pixels
MAX_STRETCH = 0.02  # largest relative difference between the aspects of a picture and its own sketch


@dataclass(frozen=True)
class PixelParams:
    """The parameters that decide pixels and scores; the others of Clean are limits."""

    side: int
    crop: str
    blocksizes: str

    @classmethod
    def of(cls, params: Clean) -> "PixelParams":
        """Select them from all parameters."""
        return cls(params.side, params.crop, params.blocksizes)


def measure_original(picture: bytes, take: PixelParams, sketch: bytes | None = None) -> Result:
    """Decode, crop and resize an original to (side, side, 3), and score it.

    `sketch`, the artist's own, is cropped and resized as the picture is.

    The scores: width and height of the original, in pixels; `gray`, see `chroma`; those of scores.py and
    `complexityN`, the share of black in the threshold sketch at blocksize N, in percent, all at 256 px
    whatever `side` is; `pixels`, a hash of the result, equal for duplicates; `colors` and `lines`, perceptual
    hashes, the second of the artist's own sketch where there is one. Raise BadImage if either file cannot be
    decoded.
    """
    width, height = codec.read_size(picture)
    image = codec.decode(picture, least=max(take.side, CANON_SIDE))
    color = pixels.square(image, take.side, take.crop)
    canon = color if take.side == CANON_SIDE else pixels.square(image, CANON_SIDE, take.crop)
    light = pixels.grayscale(canon)
    own = None if sketch is None else fit_sketch(codec.decode(sketch), image, take)
    lines = (
        threshold(light, HASH_BLOCKSIZE, THRESHOLD_C)
        if own is None
        else pixels.resize(own, CANON_SIDE, CANON_SIDE)
    )
    metadata = {"width": width, "height": height, "gray": chroma(color)} | scores.measure_scores(canon)
    for size in map(int, take.blocksizes.split(",")):
        metadata[f"complexity{size}"] = black_share(threshold(light, size, THRESHOLD_C))
    metadata["pixels"] = hashlib.sha256(color.tobytes()).hexdigest()[:32]
    metadata |= {"colors": hashes.color_hash(canon).hex(), "lines": hashes.line_hash(lines).hex()}
    return Result(color, metadata, own)


def fit_sketch(sketch: np.ndarray, image: np.ndarray, take: PixelParams) -> np.ndarray:
    """Crop and resize the artist's own sketch as its picture is, to gray (side, side).

    Raise BadImage("odd sketch") if the aspects differ; the sizes may.
    """
    aspects = [width / height for height, width in (sketch.shape[:2], image.shape[:2])]
    if max(aspects) > (1 + MAX_STRETCH) * min(aspects):
        raise BadImage("odd sketch")
    return pixels.square(cv2.cvtColor(sketch, cv2.COLOR_RGB2GRAY), take.side, take.crop)


def chroma(image: np.ndarray) -> float:
    """Return the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    red, green, blue = cv2.split(image)
    largest, smallest = (choose(choose(red, green), blue) for choose in (cv2.max, cv2.min))
    return round(float(cv2.subtract(largest, smallest).mean()), 4)


def make_color(picture: bytes, key: str, take: PixelParams, sketch: bytes | None = None) -> Result:
    """Measure an encoded original; `process.run_step` calls this for every sample."""
    return measure_original(picture, take, sketch)


def reported_scores(params: Clean) -> tuple[str, ...]:
    """Name the scores that are reported for every picture."""
    complexities = [f"complexity{size}" for size in params.blocksizes.split(",")]
    return ("width", "height", "gray", *scores.SCORE_NAMES, *complexities, "pixels")


def complexity_histogram(percents: Counter) -> str:
    """Bin counted percentages into whole percents, as tab-separated text for a plot."""
    counts, _ = np.histogram([*percents], bins=np.arange(101), weights=[*percents.values()])
    return "complexity\tpictures\n" + "".join(f"{low}\t{count:.0f}\n" for low, count in enumerate(counts))
