"""The parameters of every stage: one frozen, validated class per section of params.yaml.

A field is the only declaration of its parameter. The command line makes an option of it (stages/options.py),
DVC hands the value over, and the class checks it: `<name> must be <rule>, got <value>`.
"""

import dataclasses
import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Any


def number(default: float, text: str, low: float = -math.inf, high: float = math.inf, odd: bool = False):
    """Declare a finite number in [low, high]; an integer where the default is one."""
    return dataclasses.field(default=default, metadata={"help": text, "low": low, "high": high, "odd": odd})


def choice(default: str, text: str, *names: str):
    """Declare one of several names."""
    return dataclasses.field(default=default, metadata={"help": text, "names": names})


def words(default: str, text: str):
    """Declare free text."""
    return dataclasses.field(default=default, metadata={"help": text})


class Section:
    """Check each field of a parameter class against its declaration."""

    def __post_init__(self):
        """Raise ValueError for the first value outside its bounds."""
        for field in dataclasses.fields(self):
            check(field, getattr(self, field.name))


def check(field: dataclasses.Field, value: Any) -> None:
    """Raise ValueError if `value` breaks the rule of `field`."""
    kinds = (int, float) if field.type is float else (field.type,)
    rule = describe(field)
    if type(value) not in kinds or not allowed(field, value):
        raise ValueError(f"{field.name} must be {rule}, got {value!r}")


def allowed(field: dataclasses.Field, value: Any) -> bool:
    """Tell whether a value of the right type is within the bounds of its field."""
    rule = field.metadata
    if "names" in rule:
        return value in rule["names"]
    if "low" in rule:
        return (
            math.isfinite(value)
            and rule["low"] <= value <= rule["high"]
            and not (rule["odd"] and value % 2 == 0)
        )
    return True


def describe(field: dataclasses.Field) -> str:
    """Say the rule of a field in words."""
    rule = field.metadata
    if "names" in rule:
        return "one of " + ", ".join(rule["names"])
    if "low" not in rule:
        return "text"
    kind = {int: "an odd integer" if rule["odd"] else "an integer", float: "a number"}[field.type]
    low, high = rule["low"], rule["high"]
    if math.isfinite(low) and math.isfinite(high):
        return f"{kind} from {low:g} to {high:g}"
    if math.isfinite(low):
        return f"{kind} of at least {low:g}"
    return f"{kind} of at most {high:g}" if math.isfinite(high) else kind


BLACKLIST = (
    "monochrome greyscale sketch lineart comic 4koma photo_(medium) 3d ai-generated animated multiple_views "
    "duplicate md5_mismatch image_sample"
)


@dataclass(frozen=True)
class Search(Section):
    """Which posts to take, and from where."""

    host: str = words(
        "sample",
        "What has the pictures: sample, the address of a Danbooru, a folder of pictures, or one of "
        "dump:, list:, pairs: and halves: before a path.",
    )
    tags: str = words("", "Tags that a post must have; a leading minus excludes one.")
    rating: str = words("g", "Ratings to take, of g (general), s, q and e; several are joined by commas.")
    score: int = number(0, "The least score of a post.")
    size: int = number(512, "The least width and height of the original, in pixels.", 1)
    ratio: float = number(4.0, "The largest ratio of the long side to the short one.", 1, 1000)
    types: str = words("png,jpg,webp,gif,avif", "File types to take, joined by commas.")
    since: str = words("", "The first day of upload, such as 2024-05-31; empty for any.")
    until: str = words("", "The last day of upload; empty for any.")
    blacklist: str = words(BLACKLIST, "Tags that a post must not have.")
    recipe: str = choice("none", "A published selection to apply as well.", "none", "tag2pix")
    forget: str = words("", "Posts never to take, as IDs and artist:NAME; `prep forget` adds to it.")
    limit: int = number(1000, "How many posts to take at most, the newest first.", 1)
    sample: int = number(0, "How many of those to draw at random; 0 for all.", 0)
    seed: int = number(0, "Seed of that draw.", 0)

    def __post_init__(self):
        """Check what is written in words."""
        super().__post_init__()
        if not self.rating or set(self.rating.split(",")) - set("gsqe"):
            raise ValueError(f"rating must be some of g, s, q and e joined by commas, got {self.rating!r}")
        if not re.fullmatch("[a-z0-9]+(,[a-z0-9]+)*", self.types):
            raise ValueError(f"types must be file types joined by commas, got {self.types!r}")
        for name in ("since", "until"):
            day = getattr(self, name)
            if day and not is_date(day):
                raise ValueError(f"{name} must be a date such as 2024-05-31, got {day!r}")
        for word in self.forget.split():
            if not re.fullmatch("[0-9]+|artist:.+", word):
                raise ValueError(f"forget must be IDs and artist:NAME, got {word!r}")


def is_date(text: str) -> bool:
    """Tell whether a text is a date such as 2024-05-31."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True)
class Fetch(Section):
    """Which file of a post to take, and how the files are laid down."""

    variant: str = choice(
        "original",
        "The file: as uploaded, 850 pixels wide (sample), or within 720x720; the original where it is no "
        "larger.",
        "original",
        "sample",
        "720x720",
    )
    megabytes: int = number(100, "The largest file, in megabytes.", 1)
    megapixels: int = number(100, "The largest picture, in megapixels.", 1)
    shard: int = number(64, "Posts per shard of originals, on average.", 1)
    tolerance: float = number(
        0.0, "Stop when more than this share of the posts failed for now, in percent.", 0, 100
    )


@dataclass(frozen=True)
class Clean(Section):
    """What a picture must be to enter the dataset, and the size that it gets."""

    side: int = number(256, "Side of the square color picture, in pixels.", 16, 4096)
    crop: str = choice("center", "Which part of the longer side to keep.", "center", "top")
    smallest: int = number(256, "The least short side of the original, in pixels.", 1)
    aspect: float = number(2.0, "The largest ratio of the long side to the short one.", 1)
    gray: float = number(
        6.0, "The least mean difference between a pixel's largest and smallest channel, in levels.", 0, 255
    )
    complexity: float = number(
        40.0, "The largest share of black in the threshold sketch at 256 px, in percent.", 0, 100
    )
    blocksize: int = number(
        7, "Neighborhood of the threshold that measures complexity, in pixels.", 3, 255, odd=True
    )
    tolerance: float = number(
        50.0, "Stop when more than this share of the pictures is rejected, in percent.", 0, 100
    )


@dataclass(frozen=True)
class Sketch(Section):
    """How to draw a sketch from a color picture."""

    method: str = choice(
        "threshold",
        "How lines are found; own takes the sketch that came with the picture.",
        "threshold",
        "xdog-a",
        "xdog-p",
        "own",
    )
    blocksize: int = number(7, "threshold: side of the Gaussian neighborhood, in pixels.", 3, 255, odd=True)
    c: float = number(
        2.0, "threshold: white where a pixel exceeds the local mean minus this, in levels.", -255, 255
    )
    sigma: float = number(0.8, "xdog: standard deviation of the finer blur, in pixels.", 0.1, 100)
    k: float = number(1.6, "xdog: ratio of the coarser blur to the finer one.", 1, 1000)
    gamma: float = number(0.98, "xdog-a: weight of the coarser blur.", 0, 10)
    p: float = number(19.0, "xdog-p: strength of the edge sharpening.", 0, 1000)
    eps: float = number(
        -0.0004, "xdog: level from which a pixel is white; brightness runs from 0 to 1.", -10, 10
    )
    phi: float = number(51000.0, "xdog: steepness of the fall from white to black.", 0, 1e12)


@dataclass(frozen=True)
class Cue(Section):
    """How to blur a picture into a color cue."""

    method: str = choice(
        "gaussian", "A Gaussian blur of the colors, or none: a cue of ones.", "gaussian", "none"
    )
    sigma: float = number(20.0, "Standard deviation in pixels of a picture whose side is 256.", 0.1, 256)


@dataclass(frozen=True)
class Reference(Section):
    """How to bend and tint a picture into a reference of itself."""

    grid: int = number(3, "Control points along each side of the thin-plate spline.", 2, 16)
    strength: float = number(0.25, "The farthest a control point moves, as a share of the side.", 0, 1)
    jitter: float = number(50.0, "The farthest a color channel is shifted, in levels.", 0, 255)
    seed: int = number(0, "Seed of the random draws.", 0)


@dataclass(frozen=True)
class Pack(Section):
    """How the columns are joined and split."""

    val: float = number(10.0, "Share of the families for validation, in percent.", 0, 100)
    test: float = number(10.0, "Share of the families for the test, in percent.", 0, 100)
    shards: int = number(4, "The least number of training shards.", 1)
    megabytes: int = number(128, "Size of a packed shard, in megabytes.", 1)
    seed: int = number(0, "Seed of the split.", 0)

    def __post_init__(self):
        """Leave something to train on."""
        super().__post_init__()
        if self.val + self.test >= 100:
            raise ValueError(f"val + test must be below 100, got {self.val + self.test:g}")


@dataclass(frozen=True)
class Model(Section):
    """The colorizer and its size."""

    system: str = choice("pix2pix", "The published system to build.", "pix2pix")
    width: int = number(64, "Channels of the first convolution.", 1, 1024)
    depth: int = number(8, "Halvings between the picture and the bottleneck.", 2, 12)
    sketch: str = words("b7", "The sketch column to color.")


@dataclass(frozen=True)
class Train(Section):
    """How the colorizer is trained."""

    steps: int = number(54000, "Updates of the generator.", 1)
    batch: int = number(5, "Samples per update.", 1)
    lr: float = number(2.0e-4, "Learning rate of Adam.", 0)
    decay: str = choice(
        "none", "Learning rate: constant, or falling to zero over the second half.", "none", "linear"
    )
    l1: float = number(100.0, "Weight of the L1 loss beside the adversarial one.", 0)
    precision: str = choice("32", "Arithmetic: 32 bits, or bfloat16 where it is safe.", "32", "bf16")
    validate: int = number(1000, "Updates between two validations.", 1)
    seed: int = number(0, "Seed of weights, order and dropout.", 0)


@dataclass(frozen=True)
class Evaluate(Section):
    """How a trained colorizer is measured."""

    rows: int = number(8, "Rows of the sheet of samples.", 1, 100)
