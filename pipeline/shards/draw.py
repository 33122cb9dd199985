"""A draw of a few samples to look at: the same ones of all columns, and of every source if there is room."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from pathlib import Path

from pipeline.chance import fraction
from pipeline.errors import BadImage
from pipeline.shards.column import SEAL, Shard
from pipeline.shards.loose import LooseBatch, list_parts
from pipeline.shards.tar import Sample

READ_PER_DRAWN = 16  # samples whose metadata are read for each one that is drawn: a bound for large columns


def draw_samples(source: Path, count: int, described: Path | None = None) -> list[Sample]:
    """Draw `count` samples of a column or a folder by their keys and sources, in the order of the shards.

    The sources are those in its metadata, else in those of `described`, the column that it was made from.
    """
    parts = list_parts(source)
    keys = ((key, part.name) for part in parts for key in part.keys)
    first = dict(nsmallest(READ_PER_DRAWN * count, keys, key=lambda found: sheet_order(found[0])))
    origins = read_origins(parts, first)
    if not origins and described and (described / SEAL).is_file():
        origins = read_origins(list_parts(described), first)
    drawn = draw_keys({key: origins.get(key, "") for key in first}, count)
    return [*pick_samples(parts, {key: first[key] for key in drawn})]


def draw_keys(origins: Mapping[str, str], count: int) -> set[str]:
    """Draw `count` of the keys: one of each origin comes before a second one of any."""
    shuffled, seen, turns = sorted(origins, key=sheet_order), Counter[str](), {}
    for key in shuffled:
        turns[key] = seen[origins[key]]
        seen[origins[key]] += 1
    return set(sorted(shuffled, key=turns.__getitem__)[:count])


def read_origins(parts: Iterable[Shard | LooseBatch], homes: Mapping[str, str]) -> dict[str, str]:
    """Return the origin of each of the samples whose metadata name a source, given as in `pick_samples`."""
    origins = {}
    for sample in pick_samples(parts, homes):
        with suppress(BadImage, KeyError):
            origins[sample.key] = origin_of(str(sample.metadata["source"]))
    return origins


def pick_samples(parts: Iterable[Shard | LooseBatch], homes: Mapping[str, str]) -> Iterator[Sample]:
    """Yield the samples with these keys; `homes` names the part of each, and no other is read."""
    names = set(homes.values())
    for part in parts:
        if part.name in names:
            yield from part.pick(homes)


def origin_of(source: str) -> str:
    """Return the site of an address, the folder of a path, or "" for other text."""
    return "/".join(source.split("/")[:3]) if "://" in source else source.rpartition("/")[0]


sheet_order = partial(fraction, 0, "sheet")  # of keys: random, but the same for all columns
