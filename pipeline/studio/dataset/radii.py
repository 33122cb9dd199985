"""The pairs that each radius links: counts for all radii at once, the groups they form, and a list of pairs.

Links found with the largest radius say it all: a smaller radius links those pairs whose hashes are nearer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

import numpy as np

from pipeline.packing.groups import (
    FAR,
    HASH_KINDS,
    LINK_KINDS,
    LinkKeys,
    Links,
    count_equal,
    count_torn_equal,
    label_distances,
    merge_components,
    torn_near,
)
from pipeline.packing.hamming import hamming_distance, hash_words


@dataclass(frozen=True)
class PairList:
    """Linked pairs of samples, each once, by their indices and by all that may link them."""

    left: np.ndarray  # int64 (P,), smaller than `right`
    right: np.ndarray
    equal: dict[str, np.ndarray]  # bool (P,), of family and pixels
    distances: dict[str, np.ndarray]  # uint8 (P,), of colors and lines, in bits; FAR if unknown


def links_by_radius(links: Links) -> dict[str, np.ndarray]:
    """Count the linked pairs of samples by kind for each radius from 0 on, int64 (radius + 1,)."""
    counts = {}
    for kind in LINK_KINDS:
        labels = links.labels[kind]
        found = np.zeros(links.radius + 1)
        if kind in HASH_KINDS:
            sizes = np.bincount(labels)
            for left, right, distances in near_labels(links, kind):
                found += np.bincount(distances, sizes[left] * sizes[right], links.radius + 1)
        counts[kind] = count_equal([labels]) + np.cumsum(found).astype(np.int64)
    return counts


def torn_by_radius(links: Links, splits: np.ndarray) -> np.ndarray:
    """Count for each radius the linked pairs in different splits, each once; `count_torn` of each radius."""
    _, splits = np.unique(splits, return_inverse=True)
    equal = count_torn_equal([*links.labels.values()], splits)
    found = np.zeros(links.radius + 1)
    for distances, counts in torn_near(links, splits):
        found += np.bincount(distances, counts, links.radius + 1)
    return equal + np.cumsum(found).astype(np.int64)


def components_by_radius(links: Links, size: int) -> list[np.ndarray]:
    """Label the connected components of `size` samples (N,) for each radius."""
    components = np.arange(size)
    firsts = {}  # a sample of each label
    for kind, labels in links.labels.items():
        _, firsts[kind] = np.unique(labels, return_index=True)
        components = merge_components(components, np.arange(size), firsts[kind][labels])
    found = [components] * (links.radius + 1)
    for kind in HASH_KINDS:
        for left, right, distances in near_labels(links, kind):
            left, right = firsts[kind][left], firsts[kind][right]
            for radius in range(int(distances.min(initial=FAR)), links.radius + 1):
                linked = distances <= radius
                found[radius] = merge_components(found[radius], left[linked], right[linked])
    return found


def rank_families(samples: Sequence[LinkKeys]) -> tuple[list[str], np.ndarray]:
    """Return the names of the families, the smallest first as `name_groups` has it, and their ranks (N,)."""
    names = sorted({sample.family for sample in samples}, key=lambda name: (len(name), name))
    numbers = {name: rank for rank, name in enumerate(names)}
    return names, np.array([numbers[sample.family] for sample in samples], np.int64)


def rank_groups(ranks: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return the rank of the smallest family of each sample's component (N,), which names its group."""
    smallest = np.full(components.max(initial=-1) + 1, len(ranks))
    np.minimum.at(smallest, components, ranks)
    return smallest[components]


def list_pairs(links: Links, most: int) -> PairList:
    """List linked pairs: at most about `most` of each kind and distance, which bounds an unbounded number."""
    chosen: set[tuple[int, int]] = set()
    for kind in LINK_KINDS:
        members = members_of(links.labels[kind])
        together = (combinations(members[label], 2) for label in sorted(members) if len(members[label]) > 1)
        chosen.update(islice((pair for pairs in together for pair in pairs), most))
        for pairs in nearest_labels(links, kind, most).values() if kind in HASH_KINDS else ():
            spread = (product(members[one], members[other]) for one, other in pairs)
            chosen.update(
                (min(pair), max(pair)) for pair in islice((p for each in spread for p in each), most)
            )
    left, right = np.array(sorted(chosen), np.int64).reshape(-1, 2).T
    equal = {kind: links.labels[kind][left] == links.labels[kind][right] for kind in ("family", "pixels")}
    distances = {
        kind: label_distances(links, kind, links.labels[kind][left], links.labels[kind][right])
        for kind in HASH_KINDS
    }
    return PairList(left, right, equal, distances)


def members_of(labels: np.ndarray) -> dict[int, list[int]]:
    """Return the samples of each label, in order."""
    members = defaultdict(list)
    for sample, label in enumerate(labels.tolist()):
        members[label].append(sample)
    return members


def nearest_labels(links: Links, kind: str, most: int) -> dict[int, list[tuple[int, int]]]:
    """Return pairs of labels by their distance, at most `most` of each."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for left, right, distances in near_labels(links, kind):
        for distance in sorted(Counter(distances.tolist())):
            here = np.flatnonzero(distances == distance)[: most - len(found[distance])]
            found[distance] += zip(left[here].tolist(), right[here].tolist(), strict=True)
    return found


def near_labels(links: Links, kind: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield in blocks the near pairs of labels of a kind, and their distances (P,)."""
    words = hash_words(links.hashes[kind])
    for left, right in links.near[kind]():
        yield left, right, hamming_distance(words, left, right)
