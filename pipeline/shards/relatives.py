"""Samples of a column, each paired with a picture of another sample of its family."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import chance
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.shards.column import Shard
from pipeline.shards.loose import LooseBatch
from pipeline.shards.tar import Row, Sample

RELATIVE_MEMBER = "relative.png"
ORIGIN_MEMBER = "relative.json"  # metadata that say whose picture it is

Location = tuple[Shard, Row]  # of a sample


@dataclass(frozen=True)
class PairedShard:
    """A shard whose samples have the picture of a relative as an additional member, if they have relatives.

    The hash of a row, and of the shard, includes the relatives, because a result depends on both pictures.
    """

    shard: Shard
    relatives: dict[str, Location]  # by key of the sample

    @property
    def name(self) -> str:
        return self.shard.name

    @property
    def path(self) -> Path:
        return self.shard.path

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the shard, each with a hash of the sample and its relative."""
        return tuple(replace(row, sha256=self.hash(row)) for row in self.shard.rows)

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(row.sha256 for row in self.rows).encode()).hexdigest()

    def hash(self, row: Row) -> str:
        if row.key not in self.relatives:
            return row.sha256
        _, relative = self.relatives[row.key]
        return hashlib.sha256(f"{row.sha256} {relative.sha256}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.shard)

    def __iter__(self) -> Iterator[Sample]:
        return self.read(self.rows)

    def read(self, rows: Iterable[Row]) -> Iterator[Sample]:
        """Yield the samples of `rows`, each with the picture of its relative."""
        own = {row.key: row for row in self.shard.rows}
        for sample in self.shard.read(own[row.key] for row in rows):
            if sample.key in self.relatives:
                shard, row = self.relatives[sample.key]
                [relative] = shard.read([row])
                added = {RELATIVE_MEMBER: relative.picture, ORIGIN_MEMBER: dumps({"relative": row.key})}
                sample = Sample(sample.key, sample.members | added)
            yield sample


def pair_relatives(units: list[Shard] | list[LooseBatch], seed: int) -> list[PairedShard]:
    """Draw a relative for every sample of a column that has one, by a hash of its key.

    Raise Halt for loose pictures, whose family is unknown.
    """
    shards = [unit for unit in units if isinstance(unit, Shard)]
    if not shards:
        raise Halt("loose pictures have no families: name a folder of shards, or set subject to own")
    families: dict[str, list[Location]] = defaultdict(list)
    for shard in shards:
        for row, metadata in shard.read_families():
            families[str(metadata["family"])].append((shard, row))
    drawn: dict[Path, dict[str, Location]] = defaultdict(dict)
    for members in families.values():
        for number, (shard, row) in enumerate(members):
            others = members[:number] + members[number + 1 :]
            if others:
                draw = int(chance.fraction(seed, "kin", row.key) * len(others))
                drawn[shard.path][row.key] = others[draw]
    return [PairedShard(shard, drawn[shard.path]) for shard in shards]
