"""Shards -> batches: every sample once per epoch, in an order that any run can take up at any step.

The index of the dataset tells where every member lies; samples are read from there. A streaming reader would
shuffle within a buffer only, and could not start in the middle.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline import Halt, images, samples
from pipeline.chance import digest
from pipeline.files import dumps
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


class Pairs(Dataset):
    """The samples of one split as tensors in [-1, 1]: sketch (1, H, W), cue and color (3, H, W), and the key.

    Raise Halt if the folder is no sealed dataset, the split is empty, or no sketch column has that name.
    """

    def __init__(self, folder: Path, split: str, sketch: str):
        """Read the headers of the shards of a split: train, val or test."""
        shards = samples.shards(folder)
        self.fingerprint = fingerprint(shards)
        self.columns = {"sketch": f"sketch-{sketch}", "cue": "cue", "color": "color"}
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
        for column in self.columns.values():
            if column not in there:
                raise Halt(
                    f"{folder} has no column {column}, only {', '.join(there)}: pack it, or name another"
                )

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.entries)

    def __getitem__(self, number: int) -> dict[str, Tensor | str]:
        """Read and decode a sample."""
        entry = self.entries[number]
        sample = {name: pixels(entry.read(f"{column}.png")) for name, column in self.columns.items()}
        return sample | {"sketch": sample["sketch"][:1], "key": entry.key}

    @property
    def side(self) -> int:
        """Return the side in pixels of every picture."""
        return self[0]["color"].shape[-1]

    @property
    def facts(self) -> dict:
        """Return what the first sample says of how its columns were made."""
        facts = json.loads(self.entries[0].read("json"))
        return {column: facts[column] for column in self.columns.values() if column in facts}


class Order:
    """The batches of an endless training run from `step` on, as lists of sample numbers.

    An epoch is ordered by a hash of seed, epoch and key; what does not fill a last batch is left out of it.
    """

    def __init__(self, keys: list[str], batch: int, seed: int, step: int):
        """Order samples of these keys into batches of `batch`."""
        self.keys, self.batch, self.seed, self.step = keys, batch, seed, step

    def __iter__(self) -> Iterator[list[int]]:
        """Yield batches without end."""
        epoch, skipped = divmod(self.step, len(self.keys) // self.batch)
        while True:
            order = shuffled(self.keys, self.seed, epoch)
            full = len(order) // self.batch * self.batch
            for start in range(skipped * self.batch, full, self.batch):
                yield order[start : start + self.batch]
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


def pixels(data: bytes) -> Tensor:
    """Decode a picture to (3, H, W) in [-1, 1]."""
    return tensor(images.decode(data))


def tensor(image: np.ndarray) -> Tensor:
    """Turn uint8 (H, W) or (H, W, 3) into float32 (C, H, W) in [-1, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / 127.5 - 1)


def array(planes: Tensor) -> np.ndarray:
    """Turn (C, H, W) in [-1, 1] into uint8 (H, W) or (H, W, 3), rounded."""
    levels = ((planes.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
