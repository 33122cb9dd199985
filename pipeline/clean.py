"""Original -> color picture of the dataset and its scores; scores -> the reason why it has no place there.

Only `measure` looks at pixels. A limit that has changed judges the scores once more, and decodes nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline import images, looks, scores
from pipeline.images import BadImage
from pipeline.lines import grayscale, threshold
from pipeline.params import Clean
from pipeline.sketch import CANON, black

C = 2.0  # levels below its neighborhood at which a pixel is black in the sketch that measures complexity
LOOK = 7  # blocksize of the sketch whose lines are hashed, in pixels
STRETCH = 0.02  # how far the aspect of an own sketch may be from that of its picture, as a share


@dataclass(frozen=True)
class Rule:
    """What a score must be: at least or at most the parameter `limit`, or there is a reason to reject."""

    reason: str
    limit: str
    least: bool
    score: Callable[[dict, Clean], float]


@dataclass(frozen=True)
class Verdict:
    """How a picture stands with a rule."""

    rule: Rule
    value: float
    limit: float

    @property
    def fine(self) -> bool:
        """Tell whether the picture may stay; on the limit it may."""
        return self.value >= self.limit if self.rule.least else self.value <= self.limit


def plain(name: str) -> Callable[[dict, Clean], float]:
    """Take a score as it is."""
    return lambda facts, params: facts[name]


def darkness(facts: dict, params: Clean) -> float:
    """Take the complexity at the blocksize that counts."""
    return facts[f"complexity{params.blocksize}"]


RULES = (  # in this order; the first reason that holds is told
    Rule("too small", "smallest", True, lambda facts, _: min(facts["width"], facts["height"])),
    Rule("odd aspect", "aspect", False, lambda facts, _: ratio(facts["width"], facts["height"])),
    Rule("blank", "blank", False, plain("blank")),
    Rule("gray", "gray", True, plain("gray")),
    Rule("monochrome", "monochrome", True, plain("monochrome")),
    Rule("dull", "colorfulness", True, plain("colorfulness")),
    Rule("pale", "saturation", True, plain("saturation")),
    Rule("bordered", "borders", False, plain("borders")),
    Rule("text", "text", False, plain("text")),
    Rule("blurred", "blur", False, plain("blur")),
    Rule("too complex", "complexity", False, darkness),
    Rule("too plain", "plain", True, darkness),
)


def verdicts(facts: dict, params: Clean) -> list[Verdict]:
    """Say how the picture with these scores stands with each rule."""
    return [Verdict(rule, rule.score(facts, params), getattr(params, rule.limit)) for rule in RULES]


def judge(facts: dict, params: Clean) -> str:
    """Return the first reason to reject the picture with these scores, or nothing."""
    return next((verdict.rule.reason for verdict in verdicts(facts, params) if not verdict.fine), "")


@dataclass(frozen=True)
class Take:
    """The parameters that decide pixels and scores; the others are limits."""

    side: int
    crop: str
    blocksizes: str

    @classmethod
    def of(cls, params: Clean) -> "Take":
        """Pick them from all."""
        return cls(params.side, params.crop, params.blocksizes)


def measure(picture: bytes, take: Take, *own: bytes) -> tuple:
    """Decode, crop and resize an original to (side, side, 3), and score it; return both.

    An own sketch, if it is given, is fitted to the picture and returned third.

    The scores: width and height of the original; `gray`, see `chroma`; those of scores.py and `complexityN`,
    the black of the threshold sketch at blocksize N in percent, all at 256 px whatever `side` is; `pixels`, a
    hash of the result, equal for duplicates; `colors` and `lines`, hashes that are near for near duplicates,
    `lines` of the own sketch where there is one. Raise BadImage for what cannot be decoded.
    """
    width, height = images.measure(picture)
    image = images.decode(picture, least=max(take.side, CANON))
    color = images.square(image, take.side, take.crop)
    canon = color if take.side == CANON else images.square(image, CANON, take.crop)
    drawn = [fit(images.decode(sketch), image, take) for sketch in own]
    told = {"width": width, "height": height, "gray": chroma(color)} | scores.measure(canon)
    light = grayscale(canon)
    sketches = {int(size): threshold(light, int(size), C) for size in take.blocksizes.split(",")}
    told |= {f"complexity{size}": black(sketch) for size, sketch in sketches.items()}
    lines = images.resize(drawn[0], CANON, CANON) if drawn else threshold(light, LOOK, C)
    told["pixels"] = hashlib.sha256(color.tobytes()).hexdigest()[:32]
    told |= {"colors": looks.of_colors(canon).hex(), "lines": looks.of_lines(lines).hex()}
    return color, told, *drawn


def clean(picture: bytes, params: Clean, *own: bytes) -> tuple:
    """Measure an original as `measure` does. Raise BadImage with the first reason to reject it."""
    color, told, *drawn = measure(picture, Take.of(params), *own)
    if reason := judge(told, params):
        raise BadImage(reason)
    return color, told, *drawn


def fit(sketch: np.ndarray, image: np.ndarray, take: Take) -> np.ndarray:
    """Crop and resize the own sketch of a picture as the picture is, to gray (side, side).

    The aspects must agree; the sizes need not. Raise BadImage("odd sketch").
    """
    aspects = [width / height for height, width in (sketch.shape[:2], image.shape[:2])]
    if max(aspects) > (1 + STRETCH) * min(aspects):
        raise BadImage("odd sketch")
    return images.square(cv2.cvtColor(sketch, cv2.COLOR_RGB2GRAY), take.side, take.crop)


def chroma(image: np.ndarray) -> float:
    """Measure the mean difference between a pixel's largest and smallest channel, in levels; 0 is gray."""
    red, green, blue = cv2.split(image)
    largest, smallest = (choose(choose(red, green), blue) for choose in (cv2.max, cv2.min))
    return round(float(cv2.subtract(largest, smallest).mean()), 4)


def ratio(width: int, height: int) -> float:
    """Return the ratio of the long side to the short one."""
    return round(max(width, height) / min(width, height), 4)


def column(picture: bytes, key: str, take: Take, *own: bytes) -> tuple:
    """Measure an encoded original, and its own sketch if there is one."""
    return measure(picture, take, *own)


def told(params: Clean) -> tuple[str, ...]:
    """Name all scores that `measure` tells."""
    complexities = [f"complexity{size}" for size in params.blocksizes.split(",")]
    return ("width", "height", "gray", *scores.NAMES, *complexities, "pixels")


def histogram(percents: Counter) -> str:
    """Sum counts of numbers from 0 to 100 per whole percent, as tab-separated text for a plot."""
    counts, _ = np.histogram([*percents], bins=np.arange(101), weights=[*percents.values()])
    return "complexity\tpictures\n" + "".join(f"{low}\t{count:.0f}\n" for low, count in enumerate(counts))
