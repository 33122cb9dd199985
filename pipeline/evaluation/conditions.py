"""The conditions under which a model is measured: the guide that it gets, and where that comes from.

`paired` is the first guide that the model has learned, made from the picture itself, and `unseen` the same
with another kind of sketch than in training; under `different` the reference is another picture. A model of
several guides is also measured by each of the others, and a condition is called by its guide. So is a model
that learned blurred cues: strokes and points are filled up to the lines and blurred, and a white cue is no
guide, if it was trained with some.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from pipeline import systems
from pipeline.batches.dataset import Loaded, Pairs, decode_column
from pipeline.evaluation.labels import CONDITION_TITLES
from pipeline.evaluation.measures import derange
from pipeline.images import codec
from pipeline.operators.cue import HINT_METHODS, MARK_METHODS, draw_cue, params_from_metadata
from pipeline.operators.flats import fill_flats
from pipeline.params import GUIDES, Cue, Evaluate, Train, guide_shares

UNLEARNED = "the model has not learned it: give it a share in train.guides"


@dataclass(frozen=True)
class Condition:
    """The samples of a condition, and their guide.

    `guide` is one of GUIDES; `cue` says how its cue, strokes, points or palette are drawn.
    """

    guide: str
    samples: Dataset
    cue: Cue


class OtherReferences(Dataset):
    """The samples of a split, each with the color picture of another as its reference."""

    def __init__(self, pairs: Pairs, seed: int):
        self.pairs, self.order = pairs, derange([entry.key for entry in pairs.entries], seed)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> Loaded:
        """Read a sample as uint8, as packed; its goal is its own color."""
        own, other = (self.pairs.entries[place].read() for place in (number, self.order[number]))
        pictures = {"color": decode_column(own, "color"), "reference": decode_column(other, "color")}
        pictures["sketch"] = decode_column(own, self.pairs.sketches[0])[..., 0]
        sample: Loaded = {"key": own.key}
        if "guide" in self.pairs.columns:
            pictures["guide"] = np.zeros((*pictures["color"].shape[:2], 4), np.uint8)
            sample["kind"] = torch.tensor(GUIDES.index("reference"))
        return sample | {name: torch.from_numpy(each) for name, each in pictures.items()}


class OtherCues(Dataset):
    """The samples of a split, each with the cue that `make` returns of it, uint8 (H, W, 3)."""

    def __init__(self, pairs: Pairs, make: Callable[[dict[str, Any]], np.ndarray]):
        self.pairs, self.make = pairs, make

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> Loaded:
        sample = self.pairs[number]
        return sample | {"cue": torch.from_numpy(self.make(sample))}


def fill_hints(sketch: np.ndarray, hints: np.ndarray) -> np.ndarray:
    """Fill a sketch (H, W) with hints (H, W, 4) up to its lines, and beyond where no hint is: (H, W, 3)."""
    return codec.on_white(fill_flats(sketch, hints, everywhere=True))


def blur_filled(sample: dict[str, Any], hints: Cue, cue: Cue) -> np.ndarray:
    """Draw hints of a sample, fill its sketch with them, and make a cue of the flat colors."""
    color, sketch = sample["color"].numpy(), sample["sketch"].numpy()
    return draw_cue(fill_hints(sketch, draw_cue(color, hints, sample["key"])), cue)


def white_cue(sample: dict[str, Any]) -> np.ndarray:
    return np.full_like(sample["color"].numpy(), 255)


def plan_conditions(
    data: Path, config: dict[str, Any], params: Evaluate, left_out: Collection[str] = ()
) -> tuple[dict[str, Condition], dict[str, str]]:
    """Return the conditions that a model allows, and the reasons why others are absent.

    The first is `paired`, whose samples are the test split without the keys `left_out`. Raise Halt if the
    dataset lacks a column.
    """
    system, learned = systems.system(config["system"]), learned_guides(config)
    open_guide = partial(open_condition, data, config, left_out=left_out)
    paired = open_guide(learned[0])
    tried: dict[str, Condition | str] = {
        "paired": paired,
        "unseen": doubt_unseen(paired, config, params.unseen) or open_guide(learned[0], params.unseen),
        "different": with_other_references(open_guide, learned, params.seed),
    }
    if len(system.guides) > 1:
        others = [guide for guide in system.guides if guide != learned[0]]
        tried |= {guide: open_guide(guide) if guide in learned else UNLEARNED for guide in others}
    elif paired.guide == "cue":
        tried |= plan_cues(paired, config)
    in_order = [(name, tried[name]) for name in CONDITION_TITLES if name in tried]
    conditions = {name: each for name, each in in_order if isinstance(each, Condition)}
    return conditions, {name: each for name, each in in_order if isinstance(each, str)}


def learned_guides(config: dict[str, Any]) -> list[str]:
    """List the guides that a model has learned, in the order of GUIDES."""
    guides = systems.system(config["system"]).guides
    shares = guide_shares(config.get("train", {}).get("guides", Train.guides))
    return [guide for guide in guides if len(guides) == 1 or guide in shares]


def open_condition(
    data: Path, config: dict[str, Any], guide: str, sketch: str = "", left_out: Collection[str] = ()
) -> Condition:
    """Open the test split with a guide and a sketch column, by default the first that was trained on."""
    columns = tuple(name for name in systems.system(config["system"]).columns if name != "flow")
    if "guide" in columns and guide != "reference":
        columns = ("guide",)
    pairs = Pairs(data, "test", sketch or config["sketch"].split(",")[0], columns, guide=guide)
    pairs.entries = [entry for entry in pairs.entries if entry.key not in left_out]
    if "cue" not in columns:
        return Condition(guide, pairs, Cue(method=guide) if guide in MARK_METHODS else Cue())
    packed = params_from_metadata(pairs.metadata.get("cue", {}))
    return Condition("cue" if packed.method == "gaussian" else packed.method, pairs, packed)


def doubt_unseen(paired: Condition, config: dict[str, Any], unseen: str) -> str:
    """Say why there is no kind of sketch that training did not have; "" if there is."""
    if paired.guide == "gray":
        return f"{config['system']} takes no sketch"
    if not unseen:
        return "no sketch is named in evaluate.unseen"
    if unseen in config["sketch"].split(","):
        return f"{unseen} was trained on"
    assert isinstance(paired.samples, Pairs)
    if not all(f"sketch-{unseen}.png" in entry.row.sizes for entry in paired.samples.entries):
        return f"the dataset has no sketches {unseen}"
    return ""


def plan_cues(paired: Condition, config: dict[str, Any]) -> dict[str, Condition | str]:
    """Give a model that learned blurred cues strokes, points, and, if it had some in training, white ones."""
    assert isinstance(paired.samples, Pairs)
    found: dict[str, Condition | str] = {}
    for guide in HINT_METHODS:
        hints = Cue(method=guide)
        make = partial(blur_filled, hints=hints, cue=paired.cue)
        found[guide] = Condition(guide, OtherCues(paired.samples, make), hints)
    if config.get("train", {}).get("drop") or paired.cue.drop:
        found["none"] = Condition("none", OtherCues(paired.samples, white_cue), Cue(method="none"))
    else:
        found["none"] = "the model has seen no sample without a cue: raise train.drop"
    return found


def with_other_references(
    open_guide: Callable[[str], Condition], learned: list[str], seed: int
) -> Condition | str:
    """Exchange the references of the test pictures."""
    if "reference" not in learned:
        return "the model takes no reference"
    pairs = open_guide("reference").samples
    assert isinstance(pairs, Pairs)
    if len(pairs) < 2:
        return "the test split has one picture"
    return Condition("reference", OtherReferences(pairs, seed), Cue())
