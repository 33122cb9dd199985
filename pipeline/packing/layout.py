"""The packed shard of a group: it follows from the name of the group, so that new samples move no others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline import chance
from pipeline.errors import Halt
from pipeline.packing.split import SPLITS
from pipeline.params import Pack


@dataclass(frozen=True)
class Layout:
    """The names of packed shards, by split and number, and the position of each sample's there (N,)."""

    names: tuple[str, ...]
    positions: np.ndarray


def assign_shards(groups: Sequence[str], splits: Sequence[str], sizes: np.ndarray, params: Pack) -> Layout:
    """Assign samples of `sizes` bytes (N,) to shards by their groups.

    The number of shards of a split is a power of two: it doubles when they outgrow `params.megabytes` on
    average, and each shard then falls into two. There are at least `params.shards` training shards, for
    loaders to share, if there are as many groups. Shards without samples are not counted. Raise Halt if
    there are no training samples.
    """
    place = {group: chance.fraction(params.seed, "shard", group) for group in groups}
    split_names = np.array(splits)
    names: list[str] = []
    positions = np.empty(len(groups), np.int64)
    for split in SPLITS:
        chosen = np.flatnonzero(split_names == split)
        if not len(chosen):
            if split == "train":
                raise Halt(f"none of {len(groups)} samples falls to the training split: search for more")
            continue
        places = np.array([place[groups[number]] for number in chosen.tolist()])
        least = params.shards if split == "train" else 1
        count = count_shards(places, int(sizes[chosen].sum()), least, params.megabytes)
        present, found = np.unique((places * count).astype(np.int64), return_inverse=True)
        positions[chosen] = len(names) + found
        names += [f"{split}-{number:06d}.tar" for number in range(len(present))]
    return Layout(tuple(names), positions)


def count_shards(places: np.ndarray, size: int, least: int, megabytes: int) -> int:
    """Return the power of two by which `places` in [0, 1) are numbered."""
    least = min(least, len(np.unique(places)))
    count = 1
    while count * megabytes * 10**6 < size or len(np.unique((places * count).astype(np.int64))) < least:
        count *= 2
    return count
