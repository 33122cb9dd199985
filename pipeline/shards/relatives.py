"""Samples of a column, each with the picture of another one of its family beside it."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import chance
from pipeline.errors import Halt
from pipeline.shards.column import Shard
from pipeline.shards.loose import LooseBatch
from pipeline.shards.tar import Row, Sample

RELATIVE_MEMBER = "relative.png"

Location = tuple[Shard, Row]  # where a sample lies


@dataclass(frozen=True)
class PairedShard:
    """A shard whose samples have the picture of a relative as one more member, where there is one.

    The hashes of its rows, and its own, tell of the relatives too: what is made of a sample depends on both.
    """

    shard: Shard
    kin: dict[str, Location]  # by key

    @property
    def name(self) -> str:
        """Return the name of the shard."""
        return self.shard.name

    @property
    def path(self) -> Path:
        """Return the path of the shard."""
        return self.shard.path

    @property
    def rows(self) -> tuple[Row, ...]:
        """Tell where the samples lie, with hashes of both pictures."""
        return tuple(replace(row, sha256=self.hash(row)) for row in self.shard.rows)

    @property
    def sha256(self) -> str:
        """Hash the samples and their relatives."""
        return hashlib.sha256("".join(row.sha256 for row in self.rows).encode()).hexdigest()

    def hash(self, row: Row) -> str:
        """Hash a sample and its relative."""
        if row.key not in self.kin:
            return row.sha256
        return hashlib.sha256(f"{row.sha256} {self.kin[row.key][1].sha256}".encode()).hexdigest()

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.shard)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples."""
        return self.read(self.rows)

    def read(self, rows: Iterable[Row]) -> Iterator[Sample]:
        """Yield the samples of some rows, each with its relative."""
        own = {row.key: row for row in self.shard.rows}
        for sample in self.shard.read(own[row.key] for row in rows):
            if sample.key in self.kin:
                shard, row = self.kin[sample.key]
                [other] = shard.read([row])
                sample = Sample(sample.key, sample.members | {RELATIVE_MEMBER: other.picture})
            yield sample


def pair_relatives(units: list[Shard] | list[LooseBatch], seed: int) -> list[PairedShard]:
    """Choose a relative for every sample of a column that has some, by the hash of its key.

    Raise Halt for loose pictures, of which nothing tells the family.
    """
    if isinstance(units[0], LooseBatch):
        raise Halt("loose pictures have no families: name a folder of shards, or set subject to own")
    families: dict[str, list[tuple[str, Location]]] = defaultdict(list)
    for shard in units:
        for row, facts in shard.facts():
            families[str(facts["family"])].append((row.key, (shard, row)))
    chosen: dict[Path, dict[str, Location]] = defaultdict(dict)
    for members in families.values():
        for number, (key, (shard, _)) in enumerate(members):
            others = members[:number] + members[number + 1 :]
            if others:
                draw = int(chance.fraction(seed, "kin", key) * len(others))
                chosen[shard.path][key] = others[draw][1]
    return [PairedShard(shard, chosen[shard.path]) for shard in units]
