"""Shards -> batches: every sample once per epoch, in an order that any run can take up at any step.

The index of the dataset tells where every member lies; samples are read from there. A streaming reader would
shuffle within a buffer only, and could not start in the middle.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline import Halt, images, samples, warp
from pipeline.chance import digest, fraction
from pipeline.files import dumps
from pipeline.mask import NAMES, mask
from pipeline.params import Reference
from pipeline.samples import Shard


@dataclass(frozen=True)
class Entry:
    """Where a sample lies: its shard, and (offset, size) in bytes of each member by suffix."""

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
        return images.decode(self.read(f"{column}.png"))


@dataclass(frozen=True)
class Fresh:
    """What is drawn anew for each sample in each epoch, by hash of seed, key and epoch.

    A sketch is one of several columns; a reference is bent as `reference` says (None: as it was packed); with
    the probability `flip` all pictures are mirrored, and with the probability `drop` the cue is left out.
    """

    seed: int
    reference: Reference | None = None
    flip: float = 0.0
    drop: float = 0.0

    def draw(self, key: str, epoch: int, what: str) -> float:
        """Draw a number from [0, 1)."""
        return fraction(self.seed, what, key, str(epoch))


class Pairs(Dataset):
    """The samples of one split: their key, and pictures as tensors (C, H, W) in [-1, 1].

    All have `sketch` (1 channel) and `color` (3). Of `columns`, "cue" adds `cue`; "reference" `reference`
    and `target`, the color, tinted if the reference was tinted before it was bent; "flow" adds `flow`
    (H, W, 2): where each pixel of the reference comes from in the target, x and y in [0, 1]; "mask" adds
    `mask` (1, H, W) of 0 and 1. `sketch` names one or several sketch columns, joined by commas; the first
    serves where nothing is drawn anew. Raise Halt if the folder is no sealed dataset, the split is empty, a
    column is not there, or references of other pictures have no flow.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        sketch: str,
        columns: tuple[str, ...] = ("cue",),
        fresh: Fresh | None = None,
    ):
        """Read the index of a split: train, val or test."""
        shards = samples.shards(folder)
        self.fingerprint = fingerprint(shards)
        self.sketches = [f"sketch-{name}" for name in sketch.split(",")]
        self.columns, self.fresh = columns, fresh
        self.entries = [
            Entry(row.key, shard.path, row.places)
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
        """Count the samples."""
        return len(self.entries)

    def __getitem__(self, place: int | tuple[int, int]) -> dict[str, Tensor | str]:
        """Read and decode a sample: a number for it as packed, (epoch, number) for it with fresh draws."""
        epoch, number = place if isinstance(place, tuple) else (0, place)
        entry = self.entries[number]
        draw = partial(self.fresh.draw, entry.key, epoch) if self.fresh and isinstance(place, tuple) else None
        sketch = self.sketches[int(draw("sketch") * len(self.sketches)) if draw else 0]
        found = {"color": entry.picture("color"), "sketch": entry.picture(sketch)[..., 0]}
        if "cue" in self.columns:
            found["cue"] = entry.picture("cue")
        if draw and draw("flip") < self.fresh.flip:
            found = {name: np.ascontiguousarray(image[:, ::-1]) for name, image in found.items()}
        if "cue" in found and draw and draw("drop") < self.fresh.drop:
            found["cue"] = np.full_like(found["cue"], 255)
        made = {name: tensor(image) for name, image in found.items()}
        if "mask" in self.columns:
            drawn = draw("mask") if draw else fraction(0, "mask", entry.key)
            made["mask"] = torch.from_numpy(
                mask(int(drawn * len(NAMES)), *found["sketch"].shape)[None]
            ).float()
        if "reference" in self.columns:
            made |= self.refer(entry, found["color"], epoch if draw else None)
        return {"key": entry.key} | made

    def refer(self, entry: Entry, color: np.ndarray, epoch: int | None) -> dict[str, Tensor]:
        """Make reference, target and flow of a sample: as packed, or for an epoch."""
        facts = json.loads(entry.read("json"))["reference"]
        own = facts["subject"] == "own"
        if epoch is not None and self.fresh.reference:
            facts, own = warp.choose(entry.key, self.fresh.reference, f"epoch {epoch}"), True
        reference = entry.picture("reference") if epoch is None or not own else warp.bend(color, facts)
        tinted = own and facts["order"] == "before"
        target = warp.tint(color, np.array(facts["shift"])) if tinted else color
        made = {"reference": tensor(reference), "target": tensor(target)}
        if "flow" in self.columns:
            if not own:
                raise Halt(
                    f"the reference of {entry.key} shows another picture, which has no flow: set train.fresh "
                    "to published, or reference.subject to own"
                )
            at = warp.flow(facts["points"], *color.shape[:2], facts["flip"])
            made["flow"] = torch.from_numpy(at.astype(np.float32))
        return made

    @property
    def side(self) -> int:
        """Return the side in pixels of every picture."""
        return self[0]["color"].shape[-1]

    @property
    def facts(self) -> dict:
        """Return what the first sample says of how its columns were made, without what is its own."""
        facts = json.loads(self.entries[0].read("json"))
        return {
            column: {name: value for name, value in facts[column].items() if name not in own(column)}
            for column in self.packed
            if column in facts
        }


def own(column: str) -> tuple[str, ...]:
    """Name the facts of a column that differ from sample to sample."""
    if column == "reference":
        return ("points", "shift", "flip", "subject")
    return ("drawn", "dropped") if column == "cue" else ("complexity",)


class Order:
    """The batches of an endless training run from `step` on, as lists of (epoch, number of the sample).

    An epoch is ordered by a hash of seed, epoch and key; what does not fill a last batch is left out of it.
    """

    def __init__(self, keys: list[str], batch: int, seed: int, step: int):
        """Order samples of these keys into batches of `batch`."""
        self.keys, self.batch, self.seed, self.step = keys, batch, seed, step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield batches without end."""
        epoch, skipped = divmod(self.step, len(self.keys) // self.batch)
        while True:
            order = shuffled(self.keys, self.seed, epoch)
            full = len(order) // self.batch * self.batch
            for start in range(skipped * self.batch, full, self.batch):
                yield [(epoch, number) for number in order[start : start + self.batch]]
            epoch, skipped = epoch + 1, 0


def batches(pairs: Pairs, batch: int, seed: int, start_step: int, workers: int) -> Iterator[dict]:
    """Yield batches without end, the first being that of `start_step`; equal for any number of workers.

    Raise Halt if there are fewer samples than fill a batch.
    """
    if len(pairs) < batch:
        raise Halt(f"{len(pairs)} training samples do not fill a batch of {batch}: lower batch, or pack more")
    order = Order([entry.key for entry in pairs.entries], batch, seed, start_step)
    yield from DataLoader(pairs, batch_sampler=order, **processes(workers))


def once(pairs: Pairs, batch: int, workers: int) -> DataLoader:
    """Load every sample once, in the order of the shards; the last batch may be smaller."""
    return DataLoader(pairs, batch, **processes(workers), persistent_workers=workers > 0)


def processes(workers: int) -> dict:
    """Choose how a loader starts its processes: not by fork, which hangs after threads have run."""
    # with a generator of its own the loader leaves the random numbers of training alone
    context = "spawn" if workers else None
    return {"num_workers": workers, "multiprocessing_context": context, "generator": torch.Generator()}


def shuffled(keys: list[str], seed: int, epoch: int) -> list[int]:
    """Order the numbers of the samples by a hash of seed, epoch and key."""
    return sorted(range(len(keys)), key=lambda number: digest(seed, "order", str(epoch), keys[number]))


def fingerprint(shards: list[Shard]) -> str:
    """Return what changes with the content of a dataset."""
    return hashlib.sha256(dumps([[shard.name, shard.sha256] for shard in shards])).hexdigest()


def tensor(image: np.ndarray) -> Tensor:
    """Turn uint8 (H, W) or (H, W, 3) into float32 (C, H, W) in [-1, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / 127.5 - 1)


def array(planes: Tensor) -> np.ndarray:
    """Turn (C, H, W) in [-1, 1] into uint8 (H, W) or (H, W, 3), rounded."""
    levels = ((planes.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
