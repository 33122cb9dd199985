"""Shards -> samples: pictures as they were packed, and the random augmentation of each in each epoch.

The index of the dataset gives the place of every member, so that samples are read in any order. Pictures are
only decoded here: `augment` computes the augmentation, in batches, where the networks run.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.chance import fraction
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.images import codec
from pipeline.operators import warp
from pipeline.operators.mask import MASK_NAMES, make_mask
from pipeline.params import Reference
from pipeline.shards.column import Shard, list_shards


@dataclass(frozen=True)
class SampleEntry:
    """A sample in its shard: (offset, size) in bytes of each member by suffix."""

    key: str
    path: Path
    members: dict[str, tuple[int, int]]

    def read(self, suffix: str) -> bytes:
        """Read one member."""
        offset, size = self.members[suffix]
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def picture(self, column: str) -> np.ndarray:
        """Decode the picture of a column."""
        return codec.decode(self.read(f"{column}.png"))


@dataclass(frozen=True)
class AugmentationPolicy:
    """The augmentation of each sample in each epoch, drawn by a hash of seed, key and epoch.

    One of several sketch columns is chosen; references are bent as `reference` says (None: as packed); with
    the probability `flip` all pictures are mirrored, and with the probability `drop` the cue is left out.
    """

    seed: int
    reference: Reference | None = None
    flip: float = 0.0
    drop: float = 0.0

    def draw(self, key: str, epoch: int, what: str) -> float:
        """Draw a number from [0, 1)."""
        return fraction(self.seed, what, key, str(epoch))


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of a sample: by default, as packed."""

    mask: float  # which of the masks, as a number from [0, 1)
    sketch: int = 0  # which of the sketch columns
    dropped: bool = False  # whether the cue is left out
    mirrored: bool = False
    bent: dict | None = None  # how the epoch bends the reference, as `warp.draw_reference` returns it


class Pairs(Dataset):
    """The samples of one split: their key, pictures as levels (uint8), and their augmentation.

    All have `color` (H, W, 3), `sketch` (H, W), and `mirrored`: whether to flip these and the cue. Of
    `columns`, "cue" adds `cue` (H, W, 3), and "mask" `make_mask` (H, W) of 0 and 1. "reference" adds how it
    is made: `points` (n, 2) and `flipped` as `warp.spline_flow` takes them, `shift` (3) in levels, and
    `tinted`: whether the color is tinted before it is bent, and not after. Unless each epoch bends it again,
    there is also `reference` (H, W, 3), as packed. "flow" adds `flow`, True: `augment` computes it.

    `sketch` names one or several sketch columns, joined by commas; without augmentation the first is used.
    Raise Halt if the folder is no sealed dataset, the split is empty, a column is missing, or references of
    other pictures have no flow.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        sketch: str,
        columns: tuple[str, ...] = ("cue",),
        fresh: AugmentationPolicy | None = None,
    ):
        """Read the index of a split: train, val or test."""
        shards = list_shards(folder)
        self.fingerprint = dataset_fingerprint(shards)
        self.sketches = [f"sketch-{name}" for name in sketch.split(",")]
        self.columns, self.fresh = columns, fresh
        self.entries = [
            SampleEntry(row.key, shard.path, row.places)
            for shard in shards
            if shard.name.startswith(f"{split}-")
            for row in shard.rows
        ]
        if not self.entries:
            raise Halt(
                f"the {split} split of {folder} is empty: pack more samples, or give it a larger share"
            )
        shared = set.intersection(*(set(entry.members) for entry in self.entries))
        there = sorted(member.removesuffix(".png") for member in shared if member.endswith(".png"))
        for column in self.packed:
            if column not in there:
                raise Halt(
                    f"{folder} has no column {column}, only {', '.join(there)}: pack it, or name another"
                )

    @property
    def packed(self) -> list[str]:
        """Name the columns that are read."""
        return [*self.sketches, *(name for name in ("cue", "reference") if name in self.columns), "color"]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int | tuple[int, int]) -> dict[str, Tensor | str | bool]:
        """Read a sample: by its number as packed, by (epoch, number) with the augmentation of that epoch."""
        epoch, number = place if isinstance(place, tuple) else (None, place)
        entry = self.entries[number]
        drawn = self.augmentation(entry.key, epoch)
        color, sketch = (entry.picture(name) for name in ("color", self.sketches[drawn.sketch]))
        levels = {"color": color, "sketch": sketch[..., 0]}
        if "cue" in self.columns:
            levels["cue"] = np.full_like(color, 255) if drawn.dropped else entry.picture("cue")
        if "mask" in self.columns:
            levels["mask"] = make_mask(int(drawn.mask * len(MASK_NAMES)), *sketch.shape[:2]).astype(np.uint8)
        made: dict[str, Tensor | str | bool] = {"key": entry.key, "mirrored": drawn.mirrored}
        made |= {name: torch.from_numpy(each) for name, each in levels.items()}
        return made | self.refer(entry, drawn) if "reference" in self.columns else made

    def augmentation(self, key: str, epoch: int | None) -> Augmentation:
        """Return the augmentation of a sample in an epoch: none if the epoch is None."""
        if self.fresh is None or epoch is None:
            return Augmentation(mask=fraction(0, "mask", key))
        draw = partial(self.fresh.draw, key, epoch)
        return Augmentation(
            sketch=int(draw("sketch") * len(self.sketches)),
            dropped=draw("drop") < self.fresh.drop,
            mask=draw("mask"),
            mirrored=draw("flip") < self.fresh.flip,
            bent=warp.draw_reference(key, self.fresh.reference, f"epoch {epoch}")
            if self.fresh.reference
            else None,
        )

    def refer(self, entry: SampleEntry, drawn: Augmentation) -> dict[str, Tensor | str | bool]:
        """Return how the reference of a sample is made; unless the epoch bends it, as packed, and itself."""
        made: dict[str, Tensor | str | bool] = {}
        facts = drawn.bent
        if facts is None:
            facts = json.loads(entry.read("json"))["reference"]
            made["reference"] = torch.from_numpy(entry.picture("reference"))
        own = facts["subject"] == "own"
        if "flow" in self.columns:
            if not own:
                raise Halt(
                    f"the reference of {entry.key} shows another picture, which has no flow: set train.fresh "
                    "to published, or reference.subject to own"
                )
            made["flow"] = True
        made |= {name: torch.tensor(facts[name], dtype=torch.float32) for name in ("points", "shift")}
        return made | {"tinted": own and facts["order"] == "before", "flipped": facts["flip"]}

    @property
    def side(self) -> int:
        """Return the side in pixels of every picture."""
        return self.entries[0].picture("color").shape[0]

    @property
    def facts(self) -> dict:
        """Return how the columns of the first sample were made, without the facts that differ by sample."""
        facts = json.loads(self.entries[0].read("json"))
        return {
            column: {
                name: value for name, value in facts[column].items() if name not in per_sample_fields(column)
            }
            for column in self.packed
            if column in facts
        }


def per_sample_fields(column: str) -> tuple[str, ...]:
    """Name the facts of a column that differ from sample to sample."""
    if column == "reference":
        return ("points", "shift", "flip", "subject")
    return ("drawn", "dropped") if column == "cue" else ("complexity",)


def dataset_fingerprint(shards: list[Shard]) -> str:
    """Return a hash of the content of a dataset."""
    return hashlib.sha256(dumps([[shard.name, shard.sha256] for shard in shards])).hexdigest()


def to_tensor(image: np.ndarray) -> Tensor:
    """Turn uint8 (H, W) or (H, W, 3) into float32 (C, H, W) in [-1, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / 127.5 - 1)


def to_array(planes: Tensor) -> np.ndarray:
    """Turn (C, H, W) in [-1, 1] into uint8 (H, W) or (H, W, 3), rounded."""
    levels = ((planes.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
