"""The pairs of samples that grouping links, counted and listed for every radius of `pack.near`."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.fields import parse_section
from pipeline.files import halt_on_disconnect
from pipeline.operators.hashes import NO_HASH
from pipeline.packing.groups import (
    LinkKeys,
    Links,
    find_links,
)
from pipeline.packing.pack import link_keys
from pipeline.packing.split import SPLITS, assign_split
from pipeline.params import Pack
from pipeline.shards.tar import AGAIN
from pipeline.studio.columns import DataFolder
from pipeline.studio.dataset.background import Background, Say, answer_when_ready
from pipeline.studio.dataset.radii import (
    components_by_radius,
    links_by_radius,
    list_pairs,
    rank_families,
    rank_groups,
    torn_by_radius,
)
from pipeline.studio.dataset.samples import EACH
from pipeline.studio.state import Studio

WIDE_RADIUS, NARROW_RADIUS = 32, 24  # radii that are counted at least, for few and for many samples
MANY = 30_000  # samples: all of their pairs take seconds
PAIRS_EACH = 1000  # pairs to list of each kind and distance


def read_samples(columns: DataFolder, name: str, say: Say) -> tuple[list[LinkKeys], list[str]]:
    """Return the link keys and the splits of the samples of a column; a split is "" before pack.

    Raise Halt if the column is not whole, or if the metadata of a sample cannot be used.
    """
    shards = columns.shards(name)
    total = sum(map(len, shards))
    keys, splits = [], []
    for shard in shards:
        for row, metadata in shard.read_families():
            try:
                found = link_keys(row.key, metadata)
                usable = len(found.colors) == len(found.lines) == len(NO_HASH)
            except (TypeError, ValueError):
                usable = False
            if not usable:
                raise Halt(f"{shard.path} has a broken hash of the sample {row.key}: {AGAIN}")
            keys.append(found)
            splits.append(str(metadata.get("split", "")))
            if len(keys) % EACH == 0:
                say(f"Reading the hashes: {len(keys):,} of {total:,} samples.")
    return keys, splits


def find_twins(columns: DataFolder, name: str, params: Pack, say: Say) -> dict[str, Any]:
    """Count the linked pairs of a column for each radius from 0 on, and list them. Raise Halt.

    `linked` has a list for each kind and `counts` one for each number, with an item for each radius. `rows`
    are the samples of listed pairs, by their places in the index; `now` and `alone` are their splits as they
    are, and as they would be if each sample were split by itself. `pairs` has a list for each field, in which
    `left` and `right` are places in `rows`; they are all if it is `whole`.
    """
    samples, splits = read_samples(columns, name, say)
    if not samples:
        raise Halt(f"{name} has no samples: search for more")
    say(f"Comparing the hashes of {len(samples):,} samples.")
    radius = max(params.near, WIDE_RADIUS if len(samples) <= MANY else NARROW_RADIUS)
    links = find_links(samples, radius)
    alone = [assign_split(sample.id, params) for sample in samples]
    pairs = list_pairs(links, PAIRS_EACH)
    named = sorted({*pairs.left.tolist(), *pairs.right.tolist()})
    fields = {"left": np.searchsorted(named, pairs.left), "right": np.searchsorted(named, pairs.right)}
    fields |= {kind: equal.astype(int) for kind, equal in pairs.equal.items()} | pairs.distances
    linked = links_by_radius(links)
    listed = pairs.equal | {kind: found <= radius for kind, found in pairs.distances.items()}
    counts = {"torn": torn_by_radius(links, np.array(alone))} | count_groups(links, samples, params)
    if all(splits):
        counts |= {"leaks": torn_by_radius(links, np.array(splits))}
    return {
        "index": columns.seal(name)["index"],
        "samples": len(samples),
        "packed": dict(Counter(splits)) if all(splits) else None,
        "linked": {kind: found.tolist() for kind, found in linked.items()},
        "counts": {name: found.tolist() for name, found in counts.items()},
        "rows": named,
        "now": [splits[number] for number in named],
        "alone": [alone[number] for number in named],
        "pairs": {name: values.tolist() for name, values in fields.items()},
        "each": PAIRS_EACH,
        "whole": all(np.count_nonzero(listed[kind]) == found[-1] for kind, found in linked.items()),
    }


def count_groups(links: Links, samples: list[LinkKeys], params: Pack) -> dict[str, np.ndarray]:
    """Count for each radius the groups, the samples of the largest one, and those of each split."""
    names, ranks = rank_families(samples)
    drawn = np.array([SPLITS.index(assign_split(name, params)) for name in names])
    groups = [rank_groups(ranks, labels) for labels in components_by_radius(links, len(samples))]
    sizes = np.array([np.bincount(each, minlength=len(names)) for each in groups])
    splits = np.array([np.bincount(drawn[each], minlength=len(SPLITS)) for each in groups])
    found = {"groups": np.count_nonzero(sizes, axis=1), "largest": sizes.max(axis=1)}
    return found | dict(zip(SPLITS, splits.T, strict=True))


def twin_routes(studio: Studio) -> list[Route]:
    background: Background[dict[str, Any]] = Background(1)

    def find(name: str) -> dict[str, Any]:
        params = parse_section(Pack, studio.read_params().get("pack"))
        near, params = params.near, replace(params, near=max(params.near, NARROW_RADIUS))
        key = (name, studio.columns.seal(name)["index"], params)  # a smaller radius needs no new comparison
        compare = halt_on_disconnect(studio.data)(partial(find_twins, studio.columns, name, params))
        found = background.get(key, compare)
        return found | {"near": near}

    async def twins(request: Request) -> Response:
        return await answer_when_ready(studio, find, request.query_params.get("column", ""))

    return [Route("/api/twins", twins)]
