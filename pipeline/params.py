"""The parameters of every stage: one frozen, validated class per section of params.yaml.

A field is the only declaration of its parameter. The command line makes an option of it (stages/options.py),
DVC passes the value, and the class checks it: `<name> must be <rule>, got <value>`.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.fields import FloatRange, IntRange, Section, choice, number, ranged, words

BLACKLIST = (
    "monochrome greyscale sketch lineart comic 4koma photo_(medium) 3d ai-generated animated multiple_views "
    "duplicate md5_mismatch image_sample"
)
SITE_LIMIT = 1000  # posts that a search of a site takes if its limit is 0, since a site has millions


@dataclass(frozen=True)
class Search(Section):
    """Which posts to take, and from where."""

    host: str = words(
        "sample",
        "Where the pictures come from: sample, the address of a Danbooru, a folder of pictures, or one of "
        "dump:, list:, pairs: and halves: before a path.",
    )
    tags: str = words("", "Tags that a post must have; a leading minus excludes a tag.")
    rating: str = words("g", "Ratings to take, joined by commas: g (general), s, q and e.")
    unrated: str = choice("What to do with a post whose rating is unknown.", "take", "skip")
    score: int = number(0, "Minimum score of a post, if it is known.")
    size: int = number(512, "Minimum width and height of the original, in pixels.", 1)
    ratio: float = number(4.0, "Maximum ratio of the long side to the short side.", 1, 1000)
    types: str = words("png,jpg,webp,gif,avif", "File types to take, joined by commas.")
    since: str = words("", "First day of upload, such as 2024-05-31; empty for any.")
    until: str = words("", "Last day of upload; empty for any.")
    blacklist: str = words(BLACKLIST, "Tags that a post must not have.")
    recipe: str = choice("A published selection to apply as well.", "none", "tag2pix")
    forget: str = words(
        "", "Posts never to take, as IDs, artist:NAME and md5:HASH; `prep forget` adds to this list."
    )
    limit: int = number(
        0,
        f"Maximum number of posts: those with the largest IDs. 0 takes all, but {SITE_LIMIT} of a site.",
        0,
    )
    sample: int = number(0, "Number of these posts to draw at random; 0 for all.", 0)
    seed: int = number(0, "Seed of this draw.", 0)

    def __post_init__(self) -> None:
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
            if not re.fullmatch("[0-9]+|artist:.+|md5:[0-9a-f]{32}", word):
                raise ValueError(f"forget must be IDs, artist:NAME and md5:HASH, got {word!r}")


def is_date(text: str) -> bool:
    """Tell whether a text is a date such as 2024-05-31."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True)
class Fetch(Section):
    """Which file of a post to download, and how to store the files."""

    variant: str = choice(
        "The file as uploaded, 850 pixels wide (sample), or within 720x720; the original if it is no larger.",
        "original",
        "sample",
        "720x720",
    )
    megabytes: int = number(100, "Maximum size of a file, in megabytes.", 1)
    megapixels: int = number(100, "Maximum size of a picture, in megapixels.", 1, 100)
    shard: int = number(64, "Average number of posts per shard of originals.", 1)
    tolerance: float = number(
        0.0, "Stop if more than this share of the posts fails temporarily, in percent.", 0, 100
    )


@dataclass(frozen=True)
class Clean(Section):
    """The size of the color pictures, what to measure, and the limits for a picture to enter the dataset."""

    side: int = number(256, "Side of the square color picture, in pixels.", 16, 4096)
    crop: str = choice("Which part of the longer side to keep.", "center", "top")
    blocksizes: str = words(
        "7,11,15", "Block sizes of the threshold sketches to measure, in pixels, joined by commas."
    )
    smallest: int = number(256, "Minimum short side of the original, in pixels.", 1)
    aspect: float = number(2.0, "Maximum ratio of the long side to the short side.", 1)
    gray: float = number(
        6.0, "Minimum mean difference between a pixel's largest and smallest channel, in levels.", 0, 255
    )
    blocksize: int = number(
        7, "Which of `blocksizes` the limits `complexity` and `plain` are applied to.", 3, 255, odd=True
    )
    complexity: float = number(
        40.0, "Maximum share of black in the threshold sketch at 256 px, in percent.", 0, 100
    )
    plain: float = number(0.0, "Minimum share of black in this sketch, in percent.", 0, 100)
    colorfulness: float = number(8.0, "Minimum colorfulness (Hasler and Süsstrunk), in levels.", 0)
    saturation: float = number(2.0, "Minimum mean saturation, in percent.", 0, 100)
    monochrome: float = number(
        2.5,
        "Reject pictures whose color depends on lightness alone: minimum residual chroma in CIELAB units "
        "(one- or two-ink prints: about 2).",
        0,
    )
    borders: float = number(20.0, "Maximum share of the picture that is a frame, in percent.", 0, 100)
    text: float = number(8.0, "Maximum share of the picture that rows of letters cover, in percent.", 0, 100)
    blur: float = number(1.8, "Maximum width of edges and lines at 256 px, in pixels.", 0)
    blank: float = number(90.0, "Maximum share of a single color, in percent.", 0, 100)
    keep: str = words(
        "",
        "File with a list of pictures to keep although a limit rejects them: on each line key, tab, reason.",
    )
    drop: str = words("", "File with a list, of the same form, of pictures to drop although they pass.")
    tolerance: float = number(
        50.0, "Stop if more than this share of the pictures is rejected, in percent.", 0, 100
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes, odd = self.blocksizes.split(","), {str(size) for size in range(3, 256, 2)}
        if not odd.issuperset(sizes) or len(set(sizes)) < len(sizes):
            rule = "odd integers from 3 to 255, each once, joined by commas"
            raise ValueError(f"blocksizes must be {rule}, got {self.blocksizes!r}")
        if str(self.blocksize) not in sizes:
            raise ValueError(f"blocksize must be one of {self.blocksizes}, got {self.blocksize}")


LOCAL_METHODS = ("threshold", "mean")
XDOG_METHODS = ("xdog-a", "xdog-p")
# Only the names: their settings are in operators/sketch.py, where an edit counts as a change of the code.
PRESET_NAMES = ("a-05", "a-07", "a-08", "p10-03", "p10-04", "p10-05", "p19-03", "p19-04", "p19-05")


@dataclass(frozen=True)
class Sketch(Section):
    """How to draw a sketch from a color picture: a method, its parameters, and the pen."""

    method: str = choice(
        "How to find the lines; own takes the sketch that came with the picture.",
        *LOCAL_METHODS,
        *XDOG_METHODS,
        "canny",
        "dog",
        "pencil",
        "learned",
        "own",
    )
    preset: str = choice(
        "A published XDoG instead of a method and its parameters: a-08 is form A with sigma 0.8, p19-04 "
        "is form P with p 19 and sigma 0.4.",
        "none",
        *PRESET_NAMES,
    )
    blocksize: IntRange = ranged(
        7, "side of the neighborhood, in pixels.", 3, 255, odd=True, methods=LOCAL_METHODS
    )
    c: FloatRange = ranged(
        2.0, "white if above the local mean minus this, in levels.", -255, 255, methods=LOCAL_METHODS
    )
    sigma: FloatRange = ranged(
        0.8,
        "standard deviation of the blur (the finer of two), in pixels.",
        0.1,
        100,
        methods=(*XDOG_METHODS, "canny", "dog"),
    )
    k: FloatRange = ranged(
        1.6, "ratio of the coarser blur to the finer one.", 1, 1000, methods=(*XDOG_METHODS, "dog")
    )
    gamma: FloatRange = ranged(0.98, "weight of the coarser blur.", 0, 10, methods=("xdog-a",))
    p: FloatRange = ranged(19.0, "strength of the edge sharpening.", 0, 1000, methods=("xdog-p",))
    eps: FloatRange = ranged(
        -0.0004, "level above which a pixel is white; brightness is 0 to 1.", -10, 10, methods=XDOG_METHODS
    )
    phi: FloatRange = ranged(
        51000.0, "steepness of the transition from white to black.", 0, 1e12, methods=XDOG_METHODS
    )
    edge: FloatRange = ranged(
        100.0, "gradient (Sobel, 3x3) at which an edge begins, in levels.", 0, 1e4, methods=("canny",)
    )
    follow: FloatRange = ranged(
        0.4, "fraction of that gradient down to which an edge is followed.", 0, 1, methods=("canny",)
    )
    tau: FloatRange = ranged(
        0.01,
        "black where the finer blur is darker than the coarser by more than this; brightness is 0 to 1.",
        0,
        1,
        methods=("dog",),
    )
    dodge: FloatRange = ranged(
        4.0,
        "standard deviation of the blur to divide the picture by, in pixels.",
        0.1,
        100,
        methods=("pencil",),
    )
    weights: str = words(
        "", "learned: the weights of an Anime2Sketch generator, a .safetensors or .pth file."
    )
    sha256: str = words("", "learned: required SHA-256 of the file of weights; empty for any.")
    thin: IntRange = ranged(0, "1 to thin the lines to one pixel.", 0, 1)
    weight: IntRange = ranged(0, "Widen the lines by this, in pixels; negative numbers thin them.", -16, 16)
    hatch: IntRange = ranged(
        0, "Distance between the lines that hatch dark areas, in pixels; 0 for none.", 0, 64
    )
    gray: FloatRange = ranged(0.0, "Gray level of black lines; 0 leaves them black.", 0, 254)
    blur: FloatRange = ranged(
        0.0, "Standard deviation of a blur of the sketch, in pixels; 0 for none.", 0, 100
    )
    noise: FloatRange = ranged(
        0.0, "Standard deviation of noise added to the sketch, in levels; 0 for none.", 0, 255
    )
    seed: int = number(0, "Seed of the noise and of the numbers drawn from ranges.", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in dataclasses.fields(self):
            value, replaced = (
                getattr(self, field.name),
                field.name == "method" or field.metadata.get("methods"),
            )
            if self.preset != "none" and replaced and value != field.default:
                raise ValueError(f"{field.name} must be left to the preset {self.preset}, got {value!r}")
        if self.method == "learned" and not self.weights:
            raise ValueError("weights must be a file where the method is learned, got ''")
        if not re.fullmatch("|[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 digits of 0-9 and a-f, got {self.sha256!r}")


def misnamed_blocksize(name: str, settings: Mapping[str, Any]) -> str:
    """Return the blocksize of a sketch whose name gives another, as b7 would; "" if the name is right."""
    given = re.fullmatch(r"b(\d+)", name)
    local = (
        settings.get("method", Sketch.method) in LOCAL_METHODS and settings.get("preset", "none") == "none"
    )
    blocksize = str(settings.get("blocksize", Sketch.blocksize))
    return blocksize if given and local and blocksize != given[1] else ""


@dataclass(frozen=True)
class Cue(Section):
    """How to make a cue, which tells the colors, from a picture."""

    method: str = choice(
        "A Gaussian blur of the colors, all ones (none), strokes or points on a transparent background, or "
        "blocks of the dominant colors (palette).",
        "gaussian",
        "none",
        "strokes",
        "points",
        "palette",
    )
    sigma: float = number(
        20.0, "gaussian: standard deviation, in pixels of a picture whose side is 256.", 0.1, 256
    )
    fewest: int = number(8, "strokes: minimum number.", 1, 1000)
    most: int = number(20, "strokes: maximum number.", 1, 1000)
    thin: int = number(4, "strokes: minimum thickness, in pixels at 256.", 1, 256)
    thick: int = number(8, "strokes: maximum thickness, in pixels at 256.", 1, 256)
    short: int = number(4, "strokes: minimum length, in pixels at 256.", 1, 256)
    long: int = number(64, "strokes: maximum length, in pixels at 256.", 1, 256)
    points: float = number(8.0, "points: mean of their number, which has a geometric distribution.", 1, 1000)
    size: int = number(9, "points: maximum side, in pixels at 256; the minimum is 1.", 1, 256)
    colors: int = number(6, "palette: number of colors.", 1, 256)
    drop: float = number(0.0, "Probability that a sample has no cue.", 0, 1)
    seed: int = number(0, "Seed of the random draws.", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for low, high in (("fewest", "most"), ("thin", "thick"), ("short", "long")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must be at most {high}, got {getattr(self, low)}")


@dataclass(frozen=True)
class Reference(Section):
    """How to warp, tint and flip a picture into a reference of itself."""

    grid: int = number(3, "Control points along each side of the thin-plate spline.", 2, 16)
    strength: float = number(0.25, "Maximum shift of a control point, as a fraction of the side.", 0, 1)
    jitter: float = number(50.0, "Maximum shift of a color channel, in levels.", 0, 255)
    seed: int = number(0, "Seed of the random draws.", 0)
    order: str = choice("When to shift the colors: after the warp or before it.", "after", "before")
    flip: float = number(0.0, "Probability that a reference is flipped left to right.", 0, 1)
    subject: str = choice(
        "Which picture to warp: the sample's own, or another of its family if there is one.", "own", "family"
    )


@dataclass(frozen=True)
class Pack(Section):
    """How to join the columns and split the samples."""

    val: float = number(10.0, "Share of the groups for validation, in percent.", 0, 100)
    test: float = number(10.0, "Share of the groups for the test, in percent.", 0, 100)
    shards: int = number(4, "Minimum number of training shards.", 1)
    megabytes: int = number(128, "Largest mean size of the packed shards of a split, in megabytes.", 1)
    near: int = number(
        18,
        "Link pictures if hashes of them, or of their lines, differ in at most this many of 121 bits.",
        0,
        60,
    )
    seed: int = number(0, "Seed of the split.", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.val + self.test >= 100:
            raise ValueError(f"val + test must be below 100, got {self.val + self.test:g}")


GUIDES = ("cue", "strokes", "points", "palette", "reference", "gray", "none")


def guide_shares(text: str) -> dict[str, float]:
    """Read the shares of guides, such as "cue 0.6, none 0.4", scaled to a sum of 1. Raise ValueError."""
    try:
        shares = {name: float(share) for name, share in (part.split() for part in text.split(","))}
        total = sum(shares.values())
        if set(shares) <= set(GUIDES) and min(shares.values()) >= 0 and 0 < total < math.inf:
            return {name: share / total for name, share in shares.items() if share}
    except ValueError:  # not two words, or no number
        pass
    rule = f"some of {', '.join(GUIDES)}, each with its share, such as 'cue 0.6, none 0.4'"
    raise ValueError(f"guides must be {rule}, got {text!r}")


@dataclass(frozen=True)
class Model(Section):
    """The colorizer and its size."""

    system: str = choice("The system to build.", "pix2pix", "nerk", "liu", "scft", "mask", "wash")
    width: int = number(0, "Channels of the first convolution; 0 for the published number.", 0, 1024)
    depth: int = number(8, "pix2pix: number of halvings between the picture and the bottleneck.", 2, 12)
    sketch: str = words("b7", "Sketch column to color; of several, joined by commas, training draws one.")
    variant: str = choice(
        "liu: the first network, or the one that is fine-tuned from it.", "main", "finetune"
    )


@dataclass(frozen=True)
class Train(Section):
    """How to train the colorizer."""

    steps: int = number(54000, "Updates of the generator.", 1)
    epochs: int = number(0, "Passes over the training split, instead of `steps`; 0 to use `steps`.", 0)
    batch: int = number(5, "Samples per update, over all processes.", 1)
    accumulate: int = number(1, "Number of parts of a batch, computed one after another to save memory.", 1)
    lr: float = number(0.0, "Learning rate of the generator; 0 for the published one.", 0)
    decay: str = choice(
        "Learning rate: constant, linear to 0 over the second half, as the 0.9th power of the steps left, or "
        "a warm-up over the first twentieth and half a cosine.",
        "none",
        "linear",
        "polynomial",
        "cosine",
    )
    l1: float = number(100.0, "pix2pix: weight of the L1 loss relative to the adversarial loss.", 0)
    clip: float = number(
        0.0, "Maximum norm of the gradients of a network; 0 for the published one, if any.", 0
    )
    ema: float = number(
        0.0,
        "Decay of a moving average of the generator's weights, which becomes the model; 0 for none.",
        0,
        0.999999,
    )
    precision: str = choice(
        "Arithmetic: 32 bits, TF32 in matrix products on a GPU, or bfloat16 where it is safe.",
        "32",
        "tf32",
        "bf16",
    )
    norm: str = choice(
        "BatchNorm over the samples of each process and part, or of all processes.", "each", "all"
    )
    validate: int = number(1000, "Updates between two validations.", 1)
    vgg: str = words(
        "", "Weights of VGG for perceptual losses: a file, empty for the published, none to omit them."
    )
    start: str = words("", "Folder of a model to start from; empty for random weights.")
    keep: str = choice(
        "Which weights become the model: the last, or those with the best validation.", "last", "best"
    )
    fresh: str = choice(
        "Warp references again in each epoch: as the system was published, as in the dataset, or not at all.",
        "published",
        "dataset",
        "none",
    )
    flip: float = number(0.0, "Probability that a sample is flipped left to right.", 0, 1)
    drop: float = number(0.0, "Probability that a sample has no cue, drawn in each epoch.", 0, 1)
    permute: float = number(
        0.0,
        "Probability that the color channels of picture and guide are permuted, if the guide has colors.",
        0,
        1,
    )
    halve: float = number(
        0.0, "Probability that a batch has half the side: faster, and the network learns both sizes.", 0, 1
    )
    guides: str = words(
        "cue 0.35, reference 0.3, strokes 0.1, points 0.1, palette 0.05, none 0.1",
        "wash: the guides to draw from for each sample, each with its share.",
    )
    seed: int = number(0, "Seed of the weights, the order, dropout and augmentation.", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        guide_shares(self.guides)


@dataclass(frozen=True)
class Evaluate(Section):
    """How to measure a trained colorizer."""

    rows: int = number(8, "Rows of the contact sheet of samples.", 1, 100)
    unseen: str = words("", "A sketch column not used for training, to color as well; empty for none.")
    resamples: int = number(1000, "Bootstrap samples for each confidence interval.", 100, 100_000)
    lpips: str = words(
        "", "Weights of AlexNet for LPIPS: a file, empty for those in torch's cache, none to skip it."
    )
    inception: str = words(
        "",
        "Weights of Inception for FID and KID: a file, empty for those in torch's cache, none to skip both.",
    )
    seed: int = number(0, "Seed of the other references and of the confidence intervals.", 0)
