"""Links between samples that must be in one split, the groups they form, and the pairs that a split tears.

Samples are linked by family (a child names its parent, through any number of generations), by equal pixels,
and by near hashes of their colors or of their lines. A group is a connected component of these links.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TypeVar

import numpy as np

from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH
from pipeline.packing.hamming import IndexPairs, expand_rows, hamming_distance, hash_words, near_pairs

HASH_KINDS = ("colors", "lines")
LINK_KINDS = ("family", "pixels", *HASH_KINDS)
MAX_HELD_PAIRS = 1 << 23  # near pairs of one kind that are kept in memory; more are recomputed each time
FAR = 255  # the distance of hashes of which one is unknown
Name = TypeVar("Name", str, bytes)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The properties of a sample by which it is linked to others."""

    id: str  # of the post; it names the family of its children
    family: str  # the id of the parent, or of the post itself
    pixels: str  # hash of the pixels, "" if unknown
    colors: bytes  # see hashes.color_hash
    lines: bytes  # see hashes.line_hash


@dataclass(frozen=True)
class Links:
    """The links between N samples, by kind.

    Samples with equal labels are linked, and so are samples whose labels are a near pair. Labels of a kind
    count from 0 without gaps; those from `len(hashes[kind])` belong to samples without a hash.
    Memory: 32 bytes a sample, and 16 for each near pair of different hashes, up to MAX_HELD_PAIRS of a kind.
    """

    labels: dict[str, np.ndarray]  # int64 (N,)
    hashes: dict[str, np.ndarray]  # uint8 (H, B), indexed by label, of colors and lines only
    radius: int  # bits in which near hashes may differ
    near: dict[str, Callable[[], Iterator[IndexPairs]]]  # yield the near pairs of labels, in blocks


def find_links(samples: Sequence[LinkKeys], radius: int = HAMMING_RADIUS) -> Links:
    """Find all links between samples; hashes are near if they differ in at most `radius` bits."""
    labels = {"family": label_families(samples)}
    labels["pixels"], _ = label_names([sample.pixels for sample in samples], "")
    hashes: dict[str, np.ndarray] = {}
    near: dict[str, Callable[[], Iterator[IndexPairs]]] = {}
    for kind in HASH_KINDS:
        labels[kind], known = label_names([getattr(sample, kind) for sample in samples], NO_HASH)
        hashes[kind] = np.frombuffer(b"".join(known), np.uint8).reshape(-1, len(NO_HASH))
        near[kind] = cache_pairs(partial(near_pairs, hashes[kind], radius))
    return Links(labels, hashes, radius, near)


def cache_pairs(compute: Callable[[], Iterator[IndexPairs]]) -> Callable[[], Iterator[IndexPairs]]:
    """Cache the pairs if they fit in memory; otherwise recompute them on each iteration."""
    blocks, size = [], 0
    for block in compute():
        blocks.append(block)
        size += len(block[0])
        if size > MAX_HELD_PAIRS:
            return compute
    return lambda: iter(blocks)


def label_names(names: Sequence[Name], unknown: Name) -> tuple[np.ndarray, list[Name]]:
    """Label names (N,) by rank, but each `unknown` with a label of its own; return the sorted names too."""
    known = sorted(set(names) - {unknown})
    numbers = {name: n for n, name in enumerate(known)}
    labels = np.array([numbers.get(name, -1) for name in names], np.int64)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = len(known) + np.arange(len(alone))
    return labels, known


def label_families(samples: Sequence[LinkKeys]) -> np.ndarray:
    """Label the families (N,): samples with a common ancestor equally."""
    names = sorted({name for sample in samples for name in (sample.id, sample.family)})
    numbers = {name: n for n, name in enumerate(names)}
    children = np.array([numbers[sample.id] for sample in samples], np.int64)
    parents = np.array([numbers[sample.family] for sample in samples], np.int64)
    return merge_components(np.arange(len(names)), children, parents)[children]


def name_groups(samples: Sequence[LinkKeys], links: Links) -> list[str]:
    """Name the group of every sample after its smallest family, where a shorter name is smaller.

    So a family without links keeps its name, and a group is not renamed when a newer post, with a larger id,
    joins it. Two things can still rename a group as a dataset grows: a new sample that links two groups
    gives both the smaller of their names, and a new sample of a smaller family gives the group that name.
    """
    smallest: dict[int, tuple[int, str]] = {}
    components = label_components(links, len(samples)).tolist()
    for component, sample in zip(components, samples, strict=True):
        name = (len(sample.family), sample.family)
        smallest[component] = min(smallest.get(component, name), name)
    return [smallest[component][1] for component in components]


def label_components(links: Links, size: int) -> np.ndarray:
    """Label the connected components of `size` samples (N,)."""
    components = np.arange(size)
    for kind, labels in links.labels.items():
        _, first = np.unique(labels, return_index=True)  # a sample of each label
        components = merge_components(components, np.arange(size), first[labels])
        if kind in HASH_KINDS:
            for left, right in links.near[kind]():
                components = merge_components(components, first[left], first[right])
    return components


def merge_components(components: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Merge the components (N,) of nodes that the edges left-right connect; return labels without gaps."""
    from scipy.sparse import coo_array  # takes a quarter of a second, and every command imports this module
    from scipy.sparse.csgraph import connected_components

    left, right = components[left], components[right]
    across = left != right
    ends = left[across], right[across]
    edges = coo_array((np.ones(len(ends[0]), bool), ends), (len(components), len(components)))
    return connected_components(edges, directed=False)[1][components]


def count_links(links: Links) -> dict[str, int]:
    """Count the linked pairs of samples by kind; a pair with links of two kinds counts for both."""
    counts = {kind: count_equal([links.labels[kind]]) for kind in LINK_KINDS}
    for kind in HASH_KINDS:
        sizes = np.bincount(links.labels[kind])
        counts[kind] += sum(int(sizes[left] @ sizes[right]) for left, right in links.near[kind]())
    return counts


def count_torn(links: Links, splits: np.ndarray) -> int:
    """Count the linked pairs whose samples are in different splits, each pair once whatever links it.

    `splits` (N,) holds the split of each sample, however drawn: for a split of single samples this is what
    leaks without groups, for the split of groups what leaks in spite of them.
    """
    _, splits = np.unique(splits, return_inverse=True)
    near = sum(int(counts.sum()) for _, counts in torn_near(links, splits))
    return count_torn_equal([*links.labels.values()], splits) + near


def count_torn_equal(labels: list[np.ndarray], splits: np.ndarray) -> int:
    """Count the pairs in different splits with an equal label of any kind, by inclusion and exclusion."""
    total = 0
    for size in range(1, len(labels) + 1):
        sign = 1 if size % 2 else -1
        for kinds in combinations(labels, size):
            total += sign * (count_equal([*kinds]) - count_equal([*kinds, splits]))
    return total


def count_equal(columns: list[np.ndarray]) -> int:
    """Count the pairs of samples that are equal in every column, int64 (N,)."""
    shared = np.all([np.bincount(column)[column] > 1 for column in columns], axis=0)
    _, sizes = np.unique(np.stack(columns, axis=1)[shared], axis=0, return_counts=True)
    return int(np.sum(sizes * (sizes - 1) // 2))


def torn_near(links: Links, splits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield in blocks how far pairs in different splits are apart, and how many are so (P,), each pair once.

    The distance is that of their nearest hashes; pairs with an equal label of any kind are left out. Samples
    with equal labels and splits are one row with a weight, and the near pairs of rows are enumerated in
    blocks: so thousands of copies of a picture are a few rows, and memory stays flat.
    """
    labels, splits, weights = distinct_rows(links, splits)
    for kind in HASH_KINDS:
        for left, right in near_rows(links.near[kind](), labels[kind], splits):
            counted = splits[left] != splits[right]
            for row in labels.values():
                counted &= (row[left] != row[right]) | (row[left] < 0)
            left, right = left[counted], right[counted]
            colors, lines = (label_distances(links, k, labels[k][left], labels[k][right]) for k in HASH_KINDS)
            fresh = (colors > links.radius) | (kind == "colors")  # a pair with near colors is counted already
            yield np.minimum(colors, lines)[fresh], (weights[left] * weights[right])[fresh]


def distinct_rows(links: Links, splits: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the R different samples: their labels (R,) by kind, splits (R,) and numbers of samples (R,).

    A label that can link no two samples is -1: samples that differ in such labels alone are one row.
    """
    columns = []
    for kind in LINK_KINDS:
        labels, hashes = links.labels[kind], links.hashes.get(kind, ())
        single = (np.bincount(labels)[labels] == 1) & (labels >= len(hashes))
        columns.append(np.where(single, -1, labels))
    rows, weights = np.unique(np.stack([*columns, splits], axis=1), axis=0, return_counts=True)
    *columns, splits = np.ascontiguousarray(rows.T)
    return dict(zip(LINK_KINDS, columns, strict=True)), splits, weights


def near_rows(near: Iterator[IndexPairs], labels: np.ndarray, splits: np.ndarray) -> Iterator[IndexPairs]:
    """Yield in blocks the pairs of rows, with labels and splits (R,), whose labels are near.

    Pairs of labels whose rows are all in one split are left out.
    """
    order = np.argsort(labels, kind="stable")
    known = np.arange(labels.max(initial=-1) + 1)
    first = np.searchsorted(labels[order], known)
    sizes = np.searchsorted(labels[order], known, side="right") - first
    low, high = (bound.reduceat(splits[order], first) for bound in (np.minimum, np.maximum))
    for left, right in near:
        mixed = np.flatnonzero((low[left] != high[right]) | (low[right] != high[left]))
        left, right = left[mixed], right[mixed]
        for pair, one in expand_rows(np.arange(len(left)), first[left], sizes[left]):
            for row, other in expand_rows(np.arange(len(one)), first[right[pair]], sizes[right[pair]]):
                yield order[one[row]], order[other]


def label_distances(links: Links, kind: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the distances (P,) of the hashes of two labels, uint8; FAR where one has no hash."""
    known = (np.minimum(left, right) >= 0) & (np.maximum(left, right) < len(links.hashes[kind]))
    distances = np.full(len(left), FAR, np.uint8)
    pairs: IndexPairs = left[known], right[known]
    distances[known] = hamming_distance(hash_words(links.hashes[kind]), *pairs)
    return distances
