"""The parameters of every stage: one frozen, validated class per section of params.yaml.

A field is the only declaration of its parameter. The command line makes an option of it (stages/options.py),
DVC hands the value over, and the class checks it: `<name> must be <rule>, got <value>`.
"""

import dataclasses
import re
from dataclasses import dataclass
from datetime import date

from pipeline.fields import Section, amount, choice, number, words

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

    def __post_init__(self) -> None:
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
    megapixels: int = number(100, "The largest picture, in megapixels.", 1, 100)
    shard: int = number(64, "Posts per shard of originals, on average.", 1)
    tolerance: float = number(
        0.0, "Stop when more than this share of the posts failed for now, in percent.", 0, 100
    )


@dataclass(frozen=True)
class Clean(Section):
    """The size that a picture gets, what is measured, and what it must be to enter the dataset."""

    side: int = number(256, "Side of the square color picture, in pixels.", 16, 4096)
    crop: str = choice("center", "Which part of the longer side to keep.", "center", "top")
    blocksizes: str = words(
        "7,11,15", "Neighborhoods of the threshold sketches whose black is measured, in pixels, by commas."
    )
    smallest: int = number(256, "The least short side of the original, in pixels.", 1)
    aspect: float = number(2.0, "The largest ratio of the long side to the short one.", 1)
    gray: float = number(
        6.0, "The least mean difference between a pixel's largest and smallest channel, in levels.", 0, 255
    )
    blocksize: int = number(7, "The one of the blocksizes whose sketch counts.", 3, 255, odd=True)
    complexity: float = number(
        40.0, "The largest share of black in the threshold sketch at 256 px, in percent.", 0, 100
    )
    plain: float = number(0.0, "The least share of black in that sketch, in percent.", 0, 100)
    colorfulness: float = number(8.0, "The least colorfulness (Hasler and Süsstrunk), in levels.", 0)
    saturation: float = number(2.0, "The least mean saturation, in percent.", 0, 100)
    monochrome: float = number(
        2.5,
        "The least color that lightness does not decide, in CIELAB units; one or two inks have about 2.",
        0,
    )
    borders: float = number(20.0, "The largest share of the picture that is frame, in percent.", 0, 100)
    text: float = number(
        8.0, "The largest share of the picture that rows of letters cover, in percent.", 0, 100
    )
    blur: float = number(1.8, "The largest width of edges and lines at 256 px, in pixels.", 0)
    blank: float = number(90.0, "The largest share of one color, in percent.", 0, 100)
    tolerance: float = number(
        50.0, "Stop when more than this share of the pictures is rejected, in percent.", 0, 100
    )

    def __post_init__(self) -> None:
        """Check the list, and that what counts is measured."""
        super().__post_init__()
        sizes = self.blocksizes.split(",")
        if not all(re.fullmatch("[1-9][0-9]{0,2}", size) and 3 <= int(size) <= 255 for size in sizes):
            raise ValueError(
                f"blocksizes must be odd integers from 3 to 255, joined by commas, got {self.blocksizes!r}"
            )
        if any(int(size) % 2 == 0 for size in sizes) or len(set(sizes)) < len(sizes):
            raise ValueError(f"blocksizes must be odd integers, each once, got {self.blocksizes!r}")
        if str(self.blocksize) not in sizes:
            raise ValueError(f"blocksize must be one of {self.blocksizes}, got {self.blocksize}")


LOCAL_METHODS = ("threshold", "mean")
XDOG_METHODS = ("xdog-a", "xdog-p")
# The names alone: their settings lie in sketch.py, where an edit counts as a change of the code.
PRESET_NAMES = ("a-05", "a-07", "a-08", "p10-03", "p10-04", "p10-05", "p19-03", "p19-04", "p19-05")


@dataclass(frozen=True)
class Sketch(Section):
    """How to draw a sketch from a color picture: a method, what it reads, and the pen."""

    method: str = choice(
        "threshold",
        "How lines are found; own takes the sketch that came with the picture.",
        *LOCAL_METHODS,
        *XDOG_METHODS,
        "canny",
        "dog",
        "pencil",
        "learned",
        "own",
    )
    preset: str = choice(
        "none",
        "A published XDoG in place of a method and what it reads: a-08 is form A at sigma 0.8, p19-04 "
        "is form P at p 19 and sigma 0.4.",
        "none",
        *PRESET_NAMES,
    )
    blocksize: int | str = amount(
        7, "side of the neighborhood, in pixels.", 3, 255, odd=True, methods=LOCAL_METHODS
    )
    c: float | str = amount(
        2.0,
        "white where a pixel exceeds the local mean minus this, in levels.",
        -255,
        255,
        methods=LOCAL_METHODS,
    )
    sigma: float | str = amount(
        0.8,
        "standard deviation of the blur, or of the finer one, in pixels.",
        0.1,
        100,
        methods=(*XDOG_METHODS, "canny", "dog"),
    )
    k: float | str = amount(
        1.6, "ratio of the coarser blur to the finer one.", 1, 1000, methods=(*XDOG_METHODS, "dog")
    )
    gamma: float | str = amount(0.98, "weight of the coarser blur.", 0, 10, methods=("xdog-a",))
    p: float | str = amount(19.0, "strength of the edge sharpening.", 0, 1000, methods=("xdog-p",))
    eps: float | str = amount(
        -0.0004,
        "level from which a pixel is white; brightness runs from 0 to 1.",
        -10,
        10,
        methods=XDOG_METHODS,
    )
    phi: float | str = amount(
        51000.0, "steepness of the fall from white to black.", 0, 1e12, methods=XDOG_METHODS
    )
    edge: float | str = amount(
        100.0, "gradient (Sobel, 3x3) at which an edge begins, in levels.", 0, 1e4, methods=("canny",)
    )
    follow: float | str = amount(
        0.4, "share of that gradient down to which an edge is followed.", 0, 1, methods=("canny",)
    )
    tau: float | str = amount(
        0.01,
        "black where the finer blur is darker than the coarser by more; brightness runs from 0 to 1.",
        0,
        1,
        methods=("dog",),
    )
    dodge: float | str = amount(
        4.0,
        "standard deviation of the blur that the picture is divided by, in pixels.",
        0.1,
        100,
        methods=("pencil",),
    )
    weights: str = words(
        "", "learned: the weights of an Anime2Sketch generator, a .safetensors or .pth file."
    )
    sha256: str = words("", "learned: SHA-256 that the file of weights must have; empty for any.")
    thin: int | str = amount(0, "1 to thin the lines to one pixel.", 0, 1)
    weight: int | str = amount(0, "How much wider the lines become, in pixels; below 0 thinner.", -16, 16)
    hatch: int | str = amount(
        0, "Distance of the lines that hatch the dark of the picture, in pixels; 0 for none.", 0, 64
    )
    gray: float | str = amount(0.0, "Level of black lines: 0 leaves them black.", 0, 254)
    blur: float | str = amount(
        0.0, "Standard deviation of a blur of the sketch, in pixels; 0 for none.", 0, 100
    )
    noise: float | str = amount(
        0.0, "Standard deviation of noise upon the sketch, in levels; 0 for none.", 0, 255
    )
    seed: int = number(0, "Seed of the noise, and of what is drawn from ranges.", 0)

    def __post_init__(self) -> None:
        """Let a preset stand alone, and ask for the weights that are needed."""
        super().__post_init__()
        for field in dataclasses.fields(self) if self.preset != "none" else ():
            value = getattr(self, field.name)
            if (field.name == "method" or field.metadata.get("methods")) and value != field.default:
                raise ValueError(f"{field.name} must be left to the preset {self.preset}, got {value!r}")
        if self.method == "learned" and not self.weights:
            raise ValueError("weights must be a file where the method is learned, got ''")
        if not re.fullmatch("|[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 digits of 0-9 and a-f, got {self.sha256!r}")


@dataclass(frozen=True)
class Cue(Section):
    """How to take from a picture what tells its colors."""

    method: str = choice(
        "gaussian",
        "A Gaussian blur of the colors, a cue of ones, strokes or points on transparent ground, or blocks of "
        "the dominant colors.",
        "gaussian",
        "none",
        "strokes",
        "points",
        "palette",
    )
    sigma: float = number(
        20.0, "gaussian: standard deviation in pixels of a picture whose side is 256.", 0.1, 256
    )
    fewest: int = number(8, "strokes: the least number.", 1, 1000)
    most: int = number(20, "strokes: the largest number.", 1, 1000)
    thin: int = number(4, "strokes: the least thickness, in pixels at 256.", 1, 256)
    thick: int = number(8, "strokes: the largest thickness, in pixels at 256.", 1, 256)
    short: int = number(4, "strokes: the least length, in pixels at 256.", 1, 256)
    long: int = number(64, "strokes: the largest length, in pixels at 256.", 1, 256)
    points: float = number(8.0, "points: the mean of their number, which is geometric.", 1, 1000)
    size: int = number(9, "points: the largest side, from 1 on, in pixels at 256.", 1, 256)
    colors: int = number(6, "palette: the number of colors.", 1, 256)
    drop: float = number(0.0, "The probability that a sample goes without its cue.", 0, 1)
    seed: int = number(0, "Seed of the random draws.", 0)

    def __post_init__(self) -> None:
        """Leave something to draw from."""
        super().__post_init__()
        for low, high in (("fewest", "most"), ("thin", "thick"), ("short", "long")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must be at most {high}, got {getattr(self, low)}")


@dataclass(frozen=True)
class Reference(Section):
    """How to bend, tint and flip a picture into a reference of itself."""

    grid: int = number(3, "Control points along each side of the thin-plate spline.", 2, 16)
    strength: float = number(0.25, "The farthest a control point moves, as a share of the side.", 0, 1)
    jitter: float = number(50.0, "The farthest a color channel is shifted, in levels.", 0, 255)
    seed: int = number(0, "Seed of the random draws.", 0)
    order: str = choice(
        "after", "When the colors are shifted: after the warp or before it.", "after", "before"
    )
    flip: float = number(0.0, "The probability that a reference is mirrored, left to right.", 0, 1)
    subject: str = choice(
        "own",
        "Whose picture is bent: the sample's own, or another one of its family where there is one.",
        "own",
        "family",
    )


@dataclass(frozen=True)
class Pack(Section):
    """How the columns are joined and split."""

    val: float = number(10.0, "Share of the groups for validation, in percent.", 0, 100)
    test: float = number(10.0, "Share of the groups for the test, in percent.", 0, 100)
    shards: int = number(4, "The least number of training shards.", 1)
    megabytes: int = number(128, "Size of a packed shard, in megabytes.", 1)
    near: int = number(
        18,
        "Bits of 121 in which hashes of two pictures, or of their lines, may differ and yet link them.",
        0,
        60,
    )
    seed: int = number(0, "Seed of the split.", 0)

    def __post_init__(self) -> None:
        """Leave something to train on."""
        super().__post_init__()
        if self.val + self.test >= 100:
            raise ValueError(f"val + test must be below 100, got {self.val + self.test:g}")


@dataclass(frozen=True)
class Model(Section):
    """The colorizer and its size."""

    system: str = choice(
        "pix2pix", "The published system to build.", "pix2pix", "nerk", "liu", "scft", "mask"
    )
    width: int = number(0, "Channels of the first convolution; 0 for the published number.", 0, 1024)
    depth: int = number(8, "pix2pix: halvings between the picture and the bottleneck.", 2, 12)
    sketch: str = words("b7", "The sketch column to color; of several, joined by commas, training draws one.")
    variant: str = choice(
        "main", "liu: the first network, or the one that goes on from it.", "main", "finetune"
    )


@dataclass(frozen=True)
class Train(Section):
    """How the colorizer is trained."""

    steps: int = number(54000, "Updates of the generator.", 1)
    epochs: int = number(0, "Passes over the training split, in place of steps; 0 to go by steps.", 0)
    batch: int = number(5, "Samples per update, over all processes.", 1)
    accumulate: int = number(1, "Parts of each batch that are computed one after another, to save memory.", 1)
    lr: float = number(0.0, "Learning rate of the generator; 0 for the published one.", 0)
    decay: str = choice(
        "none",
        "Learning rate: constant, falling to 0 over the second half, or as the 0.9th power of what is left.",
        "none",
        "linear",
        "polynomial",
    )
    l1: float = number(100.0, "pix2pix: weight of the L1 loss beside the adversarial one.", 0)
    clip: float = number(
        0.0, "The largest norm of the gradients of a network; 0 for the published one, if any.", 0
    )
    ema: float = number(
        0.0,
        "Share of the past in the mean of the generator's weights, which becomes the model; 0 for none.",
        0,
        0.999999,
    )
    precision: str = choice(
        "32",
        "Arithmetic: 32 bits, fewer in the products of a GPU, or bfloat16 where it is safe.",
        "32",
        "tf32",
        "bf16",
    )
    norm: str = choice(
        "each", "BatchNorm over the samples of each process and part, or of all processes.", "each", "all"
    )
    validate: int = number(1000, "Updates between two validations.", 1)
    vgg: str = words(
        "", "Weights of VGG for perceptual losses: a file, empty for the published ones, none to go without."
    )
    start: str = words("", "The folder of a model to start from; empty for fresh weights.")
    keep: str = choice(
        "last", "Which weights become the model: the last, or those of the best validation.", "last", "best"
    )
    fresh: str = choice(
        "published",
        "References are bent anew each epoch as the system was published, as the dataset's are, or never.",
        "published",
        "dataset",
        "none",
    )
    flip: float = number(0.0, "The probability that a sample is mirrored.", 0, 1)
    drop: float = number(0.0, "The probability that a sample goes without its cue, drawn each epoch.", 0, 1)
    seed: int = number(0, "Seed of weights, order, dropout and all that is drawn anew.", 0)


@dataclass(frozen=True)
class Evaluate(Section):
    """How a trained colorizer is measured."""

    rows: int = number(8, "Rows of the sheet of samples.", 1, 100)
    unseen: str = words("", "A sketch column that was not trained on, to color as well; empty for none.")
    resamples: int = number(1000, "Bootstrap samples behind each interval.", 100, 100_000)
    lpips: str = words(
        "", "Weights of AlexNet for LPIPS: a file, empty for those in torch's cache, none to go without."
    )
    inception: str = words(
        "", "Weights of Inception for FID and KID: a file, empty for torch's cache, none to go without."
    )
    seed: int = number(0, "Seed of the other references, and of the intervals.", 0)
