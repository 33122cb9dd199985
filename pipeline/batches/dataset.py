"""Shards -> samples: pictures as they were packed, and the random augmentation of each in each epoch.

The index of the dataset gives the place of every member, so that samples can be read in any order; `stream`
reads those behind a URL forward. Pictures are decoded here, and their channels permuted; `augment` computes
the rest of the augmentation.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.batches import remote
from pipeline.batches.mask import MASK_NAMES, make_mask
from pipeline.batches.policy import (
    Augmentation,
    AugmentationPolicy,
    as_packed,
    permute_channels,
    render_guide,
)
from pipeline.errors import BadImage, Halt
from pipeline.files import dumps, is_remote
from pipeline.images import codec
from pipeline.images.pixels import grayscale
from pipeline.params import GUIDES
from pipeline.shards import tar
from pipeline.shards.column import Shard, check_tables, list_shards
from pipeline.shards.tar import Row, Sample

PER_SAMPLE = {  # the metadata of a column that differ from sample to sample
    "reference": ("points", "shift", "flip", "subject", "relative"),
    "cue": ("drawn", "dropped"),
    "sketch": ("complexity",),
}


@dataclass(frozen=True)
class SampleEntry:
    """A sample of a dataset: its shard, and its row in the index."""

    path: Path
    row: Row

    @property
    def key(self) -> str:
        return self.row.key

    def read(self) -> Sample:
        """Read the sample, all members at once. Raise Halt if its bytes differ from its row."""
        if is_remote(self.path):
            [(_, found)] = remote.read_remote_samples(remote.open_shared(self.path), [self.row])
            data = bytes(found)
        else:
            with self.path.open("rb") as file:
                data = tar.read_sample(file, self.row, self.path)
        return tar.parse_sample(data, self.row, self.path)


def decode_column(sample: Sample, column: str) -> np.ndarray:
    """Decode a picture of a packed sample. Raise Halt if it is none."""
    try:
        return codec.decode(sample.members[f"{column}.png"])
    except BadImage as error:
        raise Halt(
            f"{column}.png of the sample {sample.key} is no picture ({error}): pack it again"
        ) from error


Loaded = dict[str, Any]  # a sample, as `Pairs` loads it


class PackedSplit:
    """One split (train, val or test) of a packed dataset, in a folder or behind a URL.

    A sample that `load` returns has its key, pictures as levels (uint8), and its augmentation.

    Every sample has `key`, `color` (H, W, 3), `sketch` (H, W), and `mirrored`: whether to flip these and the
    cue. Of `columns`, "cue" adds `cue` (H, W, 3), and "mask" adds `mask` (H, W) of 0 and 1. "reference" adds
    `points` (n, 2) and `flipped`, as `warp.spline_flow` takes them, `shift` (3) in levels, and `tinted`:
    whether the color is tinted before it is bent, and not after; unless the policy bends it again in each
    epoch, also `reference` (H, W, 3), as packed. "flow" adds `flow`, True: `augment` computes it.

    "guide" adds `guide` (H, W, 4), the last channel its opacity, and `kind`, its place in GUIDES: the policy
    draws one for each sample, or else it is `guide`. It is drawn from the color picture, with the default
    parameters of a cue; but `augment` makes a cue, and a reference comes as above, and all that belongs to it
    is 0 in other samples. With a gray guide, the guide is the mask and the sketch is the picture in gray.

    `sketch` names one or several sketch columns, joined by commas, and "" all; without augmentation the first
    is used. Raise Halt if the folder is no sealed dataset, if what is read differs from seal or index, if the
    split is empty, a column is missing, or the flow of a reference is asked for that shows another picture.
    """

    def __init__(
        self,
        folder: Path | str,
        split: str = "train",
        sketch: str = "",
        columns: tuple[str, ...] = ("cue",),
        policy: AugmentationPolicy | None = None,
        guide: str = GUIDES[0],
    ):
        if isinstance(folder, str):
            folder = Path(folder)
        shards = list_packed_shards(folder)
        self.fingerprint = dataset_fingerprint(shards)
        self.columns, self.policy, self.guide = columns, policy, guide
        self.shards = [shard for shard in shards if shard.name.startswith(f"{split}-") and shard.samples]
        if not self.shards:
            others = ", ".join(dict.fromkeys(shard.name.partition("-")[0] for shard in shards))
            advice = "name one of these, or pack with a larger pack.val and pack.test"
            raise Halt(f"{folder} has no split {split}, only {others}: {advice}")
        shared = set.intersection(*(set(row.sizes) for row in self.list_rows()))
        packed = sorted(member.removesuffix(".png") for member in shared if member.endswith(".png"))
        drawn = [name for name in packed if name.startswith("sketch-")]
        self.sketches = [f"sketch-{name}" for name in sketch.split(",")] if sketch else drawn or ["sketch"]
        for column in self.packed_columns:
            if column not in packed:
                others = ", ".join(packed)
                raise Halt(f"{folder} has no column {column}, only {others}: pack it, or name another")

    @property
    def packed_columns(self) -> list[str]:
        """The columns that are read from the shards."""
        return [*self.sketches, *(name for name in ("cue", "reference") if name in self.columns), "color"]

    def list_rows(self) -> Iterable[Row]:
        """Read a row for each sample from the index."""
        return (row for shard in self.shards for row in shard.rows)

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    def load(self, packed: Sample, epoch: int | None = None) -> Loaded:
        """Decode a sample as it is packed, or with the augmentation of an epoch."""
        if self.policy is None or epoch is None:
            drawn = as_packed(packed.key, self.guide)
        else:
            drawn = self.policy.augmentation(packed.key, epoch, self.guide, len(self.sketches))
        color, sketch = (decode_column(packed, name) for name in ("color", self.sketches[drawn.sketch]))
        color = permute_channels(color, drawn)
        levels = {"color": color, "sketch": sketch[..., 0]}
        if "cue" in self.columns:
            cue = np.full_like(color, 255) if drawn.dropped else decode_column(packed, "cue")
            levels["cue"] = permute_channels(cue, drawn)
        if "mask" in self.columns:
            levels["mask"] = make_mask(int(drawn.mask * len(MASK_NAMES)), *sketch.shape[:2]).astype(np.uint8)
        sample: Loaded = {"key": packed.key, "mirrored": drawn.mirrored}
        if "guide" in self.columns:
            sample["kind"] = GUIDES.index(drawn.guide)
            levels["guide"] = render_guide(color, drawn)
            if drawn.guide == "gray":
                levels["sketch"] = grayscale(color)
        sample |= {name: torch.from_numpy(each) for name, each in levels.items()}
        return sample | self.reference(packed, drawn) if "reference" in self.columns else sample

    def reference(self, packed: Sample, drawn: Augmentation) -> Loaded:
        """Return how the reference of a sample is made and, unless the epoch bends it, the packed one."""
        loaded: Loaded = {}
        metadata = drawn.reference
        if metadata is None:
            metadata = json.loads(packed.members["json"])["reference"]
            reference = permute_channels(decode_column(packed, "reference"), drawn)
            loaded["reference"] = torch.from_numpy(reference)
        own, shown = metadata["subject"] == "own", "guide" not in self.columns or drawn.guide == "reference"
        if "flow" in self.columns:
            if shown and not own:
                reason = f"the reference of {packed.key} shows another picture, which has no flow"
                raise Halt(f"{reason}: set train.fresh to published, or reference.subject to own")
            loaded["flow"] = True
        loaded |= {name: torch.tensor(metadata[name], dtype=torch.float32) for name in ("points", "shift")}
        if not shown:
            loaded |= {name: torch.zeros_like(loaded[name]) for name in ("points", "shift")}
        return loaded | {"tinted": own and metadata["order"] == "before", "flipped": metadata["flip"]}

    @cached_property
    def first(self) -> Sample:
        """The first sample as packed."""
        return SampleEntry(self.shards[0].path, self.shards[0].rows[0]).read()

    @property
    def side(self) -> int:
        """The side of every picture, in pixels."""
        return decode_column(self.first, "color").shape[0]

    @property
    def metadata(self) -> dict:
        """How the columns of the first sample were made, without the fields that differ by sample."""
        sample = json.loads(self.first.members["json"])
        columns = [column for column in self.packed_columns if column in sample]
        return {column: shared_metadata(column, sample[column]) for column in columns}


class Pairs(PackedSplit, Dataset):
    """The samples of one split, to be loaded in any order."""

    entries: list[SampleEntry]

    def list_rows(self) -> Iterable[Row]:
        """Read a row for each sample from the index, and keep it."""
        self.entries = [SampleEntry(shard.path, row) for shard in self.shards for row in shard.rows]
        return (entry.row for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int | tuple[int, int]) -> Loaded:
        """Load a sample: by its number as packed, by (epoch, number) with the augmentation of that epoch."""
        epoch, number = place if isinstance(place, tuple) else (None, place)
        return self.load(self.entries[number].read(), epoch)


def list_packed_shards(folder: Path) -> list[Shard]:
    """List the shards of a packed dataset. Raise Halt if it is not sealed, or differs from its seal."""
    if is_remote(folder):
        return remote.list_remote_shards(cast(Path, folder))
    shards = list_shards(folder)
    check_tables(folder)
    return shards


def shared_metadata(column: str, metadata: dict) -> dict:
    own = PER_SAMPLE.get(column, PER_SAMPLE["sketch"])
    return {name: value for name, value in metadata.items() if name not in own}


def dataset_fingerprint(shards: list[Shard]) -> str:
    return hashlib.sha256(dumps([[shard.name, shard.sha256] for shard in shards])).hexdigest()


def to_tensor(image: np.ndarray) -> Tensor:
    """Turn uint8 (H, W) or (H, W, 3) into float32 (C, H, W) in [-1, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / 127.5 - 1)


def to_array(planes: Tensor) -> np.ndarray:
    """Turn (C, H, W) in [-1, 1] into uint8 (H, W) or (H, W, 3), rounded."""
    levels = ((planes.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
