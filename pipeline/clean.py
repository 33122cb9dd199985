"""Original -> color picture of the dataset, and its scores."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline import looks, scores
from pipeline.images import codec, pixels
from pipeline.images.codec import BadImage
from pipeline.images.result import Result
from pipeline.lines import CANON, black, threshold
from pipeline.params import Clean

C = 2.0  # levels below the mean of its neighborhood from which a pixel is black, where complexity is measured
LOOK = 7  # blocksize of the sketch whose lines are hashed, in pixels
STRETCH = 0.02  # largest relative difference between the aspects of a picture and its own sketch


@dataclass(frozen=True)
class Take:
    """The parameters that decide pixels and scores; the others of Clean are limits."""

    side: int
    crop: str
    blocksizes: str

    @classmethod
    def of(cls, params: Clean) -> "Take":
        """Select them from all parameters."""
        return cls(params.side, params.crop, params.blocksizes)


def measure(picture: bytes, take: Take, sketch: bytes | None = None) -> Result:
    """Decode, crop and resize an original to (side, side, 3), and score it.

    `sketch`, the artist's own, is cropped and resized as the picture is.

    The scores: width and height of the original, in pixels; `gray`, see `chroma`; those of scores.py and
    `complexityN`, the share of black in the threshold sketch at blocksize N, in percent, all at 256 px
    whatever `side` is; `pixels`, a hash of the result, equal for duplicates; `colors` and `lines`, perceptual
    hashes, the second of the artist's own sketch where there is one. Raise BadImage if either file cannot be
    decoded.
    """
    width, height = codec.read_size(picture)
    image = codec.decode(picture, least=max(take.side, CANON))
    color = pixels.square(image, take.side, take.crop)
    canon = color if take.side == CANON else pixels.square(image, CANON, take.crop)
    light = pixels.grayscale(canon)
    own = None if sketch is None else fit(codec.decode(sketch), image, take)
    lines = threshold(light, LOOK, C) if own is None else pixels.resize(own, CANON, CANON)
    metadata = {"width": width, "height": height, "gray": chroma(color)} | scores.measure(canon)
    for size in map(int, take.blocksizes.split(",")):
        metadata[f"complexity{size}"] = black(threshold(light, size, C))
    metadata["pixels"] = hashlib.sha256(color.tobytes()).hexdigest()[:32]
    metadata |= {"colors": looks.of_colors(canon).hex(), "lines": looks.of_lines(lines).hex()}
    return Result(color, metadata, own)


def fit(sketch: np.ndarray, image: np.ndarray, take: Take) -> np.ndarray:
    """Crop and resize the artist's own sketch as its picture is, to gray (side, side).

    Raise BadImage("odd sketch") if the aspects differ; the sizes may.
    """
    aspects = [width / height for height, width in (sketch.shape[:2], image.shape[:2])]
    if max(aspects) > (1 + STRETCH) * min(aspects):
        raise BadImage("odd sketch")
    return pixels.square(cv2.cvtColor(sketch, cv2.COLOR_RGB2GRAY), take.side, take.crop)


def chroma(image: np.ndarray) -> float:
    """Return the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    red, green, blue = cv2.split(image)
    largest, smallest = (choose(choose(red, green), blue) for choose in (cv2.max, cv2.min))
    return round(float(cv2.subtract(largest, smallest).mean()), 4)


def column(picture: bytes, key: str, take: Take, sketch: bytes | None = None) -> Result:
    """Measure an encoded original; `run.process` calls this for every sample."""
    return measure(picture, take, sketch)


def told(params: Clean) -> tuple[str, ...]:
    """Name the scores that are reported for every picture."""
    complexities = [f"complexity{size}" for size in params.blocksizes.split(",")]
    return ("width", "height", "gray", *scores.NAMES, *complexities, "pixels")


def histogram(percents: Counter) -> str:
    """Bin counted percentages into whole percents, as tab-separated text for a plot."""
    counts, _ = np.histogram([*percents], bins=np.arange(101), weights=[*percents.values()])
    return "complexity\tpictures\n" + "".join(f"{low}\t{count:.0f}\n" for low, count in enumerate(counts))
