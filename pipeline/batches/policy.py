"""How each epoch augments each sample, and the guide that a system of several guides gets."""

from bisect import bisect
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, permutations

import numpy as np

from pipeline.batches.mask import MASK_NAMES, make_mask
from pipeline.chance import fraction
from pipeline.operators import warp
from pipeline.operators.cue import draw_cue
from pipeline.params import Cue, Reference

PERMUTATIONS = tuple(permutations(range(3)))  # of the color channels; the first changes nothing
COLORLESS = ("gray", "none")  # the guides that tell no color


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of a sample in an epoch; by default it stays as packed."""

    mask: float  # which of the masks, as a number from [0, 1)
    guide: str  # which of the guides
    marks: tuple[int, str]  # the seed and the key by which strokes and points are drawn
    sketch: int = 0  # which of the sketch columns
    dropped: bool = False  # whether the cue is left out
    mirrored: bool = False
    channels: tuple[int, ...] = PERMUTATIONS[0]  # where each color channel is taken from
    reference: dict | None = None  # how the epoch makes the reference, as `warp.draw_reference` returns it


@dataclass(frozen=True)
class AugmentationPolicy:
    """How each epoch augments each sample, drawn by a hash of seed, key and epoch.

    One of several sketch columns is chosen, and one of `guides` by its share, if there are any; references
    are bent as `reference` says (None: as packed); with the probability `flip` all pictures are mirrored,
    with `permute` their color channels are permuted, if the guide has colors, and with `drop` the cue is left
    out.
    """

    seed: int
    reference: Reference | None = None
    flip: float = 0.0
    drop: float = 0.0
    permute: float = 0.0
    guides: tuple[tuple[str, float], ...] = ()

    def draw(self, key: str, epoch: int, what: str) -> float:
        return fraction(self.seed, what, key, str(epoch))

    def draw_guide(self, key: str, epoch: int) -> str:
        """Draw one of the guides by its share."""
        names, shares = zip(*self.guides, strict=True)
        ends = list(accumulate(shares))
        return names[bisect(ends[:-1], self.draw(key, epoch, "guide") * ends[-1])]

    def augmentation(self, key: str, epoch: int, guide: str, sketches: int) -> Augmentation:
        """Draw the augmentation of a sample with so many sketches; without `guides`, its guide is `guide`."""
        draw = partial(self.draw, key, epoch)
        guide = self.draw_guide(key, epoch) if self.guides else guide
        dropped = draw("drop") < self.drop
        permuted = guide not in COLORLESS and not dropped and draw("permute") < self.permute
        bends = self.reference
        return Augmentation(
            mask=draw("mask"),
            guide=guide,
            marks=(self.seed, f"{key} epoch {epoch}"),
            sketch=int(draw("sketch") * sketches),
            dropped=dropped,
            mirrored=draw("flip") < self.flip,
            channels=PERMUTATIONS[int(draw("channels") * 6) if permuted else 0],
            reference=warp.draw_reference(key, bends, f"epoch {epoch}") if bends else None,
        )


def as_packed(key: str, guide: str) -> Augmentation:
    """Leave a sample as it is packed; what is not packed depends on its key."""
    return Augmentation(fraction(0, "mask", key), guide, (0, key))


def permute_channels(image: np.ndarray, drawn: Augmentation) -> np.ndarray:
    """Permute the color channels of a picture (H, W, 3)."""
    return image if drawn.channels == PERMUTATIONS[0] else np.ascontiguousarray(image[..., drawn.channels])


def render_guide(color: np.ndarray, drawn: Augmentation) -> np.ndarray:
    """Make the guide (H, W, 4) of a color picture; it is 0 where nothing is given.

    That of a cue or a reference is 0 too, since the device makes it.
    """
    seed, key = drawn.marks
    height, width = color.shape[:2]
    guide = np.zeros((height, width, 4), np.uint8)
    match drawn.guide:
        case "palette":
            guide = np.dstack([draw_cue(color, Cue(method="palette")), np.full_like(color[..., :1], 255)])
        case "strokes" | "points":
            guide = draw_cue(color, Cue(method=drawn.guide, seed=seed), key)
        case "gray":
            guide[..., 3] = 255 * make_mask(int(drawn.mask * len(MASK_NAMES)), height, width)
    return guide
