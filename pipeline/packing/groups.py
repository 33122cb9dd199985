"""Links between samples that must be in one split, the groups they form, and the pairs that a split tears.

Samples are linked by family (a child names its parent, through any number of generations), by equal pixels,
and by near hashes of their colors or of their lines. A group is a connected component of these links.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH
from pipeline.packing.hamming import (
    IndexPairs,
    expand_rows,
    hamming_distance,
    hash_words,
    key_neighbors,
    near_pairs,
)

LINK_KINDS = ("family", "pixels", "colors", "lines")
Name = TypeVar("Name", str, bytes)
MAX_HELD_PAIRS = 1 << 23  # near pairs of one kind that are kept in memory; more are recomputed each time


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
    Memory: 32 bytes a sample, and 16 for each near pair of different hashes unless there are more than HELD.
    """

    labels: dict[str, np.ndarray]  # int64 (N,)
    hashes: dict[str, np.ndarray]  # uint8 (H, B), indexed by label, of colors and lines only
    reach: int  # bits in which near hashes may differ
    near: dict[str, Callable[[], Iterator[IndexPairs]]]  # yield the near pairs of labels, in blocks


def find_links(looks: Sequence[LinkKeys], reach: int = HAMMING_RADIUS) -> Links:
    """Find all links between samples; hashes are near if they differ in at most `reach` bits."""
    labels = {"family": label_families(looks), "pixels": label_names([look.pixels for look in looks], "")[0]}
    hashes: dict[str, np.ndarray] = {}
    pairs: dict[str, Callable[[], Iterator[IndexPairs]]] = dict.fromkeys(LINK_KINDS, lambda: iter(()))
    for kind in ("colors", "lines"):
        labels[kind], known = label_names([getattr(look, kind) for look in looks], NO_HASH)
        hashes[kind] = np.frombuffer(b"".join(known), np.uint8).reshape(-1, len(NO_HASH))
        pairs[kind] = cache_pairs(partial(near_pairs, hashes[kind], reach))
    return Links(labels, hashes, reach, pairs)


def cache_pairs(found: Callable[[], Iterator[IndexPairs]]) -> Callable[[], Iterator[IndexPairs]]:
    """Cache the pairs if they fit in memory; otherwise recompute them on each iteration."""
    blocks, size = [], 0
    for block in found():
        blocks.append(block)
        size += len(block[0])
        if size > MAX_HELD_PAIRS:
            return found
    return lambda: iter(blocks)


def label_names(names: Sequence[Name], nothing: Name) -> tuple[np.ndarray, list[Name]]:
    """Label the names: equal names equally, in sorted order, but each `nothing` with a label of its own.

    Return the labels (N,) and the sorted names.
    """
    known = sorted(set(names) - {nothing})
    numbers = {name: n for n, name in enumerate(known)}
    labels = np.array([numbers.get(name, -1) for name in names], np.int64)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = len(known) + np.arange(len(alone))
    return labels, known


def label_families(looks: Sequence[LinkKeys]) -> np.ndarray:
    """Label the families (N,): samples with a common ancestor equally."""
    names = sorted({name for look in looks for name in (look.id, look.family)})
    numbers = {name: n for n, name in enumerate(names)}
    children = np.array([numbers[look.id] for look in looks], np.int64)
    parents = np.array([numbers[look.family] for look in looks], np.int64)
    return merge_components(np.arange(len(names)), children, parents)[children]


def name_groups(looks: Sequence[LinkKeys], found: Links) -> list[str]:
    """Name the group of every sample after its smallest family, where a shorter name is smaller.

    So a family without links keeps its name, and a group is not renamed when a newer post, with a larger id,
    joins it. Two things can still rename a group as a dataset grows: a new sample that links two groups
    gives both the smaller of their names, and a new sample of a smaller family gives the group that name.
    """
    lowest: dict[int, tuple[int, str]] = {}
    labels = label_components(found, len(looks)).tolist()
    for label, look in zip(labels, looks, strict=True):
        name = (len(look.family), look.family)
        lowest[label] = min(lowest.get(label, name), name)
    return [lowest[label][1] for label in labels]


def label_components(found: Links, size: int) -> np.ndarray:
    """Label the connected components of `size` samples (N,)."""
    component = np.arange(size)
    for kind, labels in found.labels.items():
        _, first = np.unique(labels, return_index=True)  # a sample of each label
        component = merge_components(component, np.arange(size), first[labels])
        for left, right in found.near[kind]():
            component = merge_components(component, first[left], first[right])
    return component


def merge_components(component: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Merge the components (N,) of nodes that the edges left-right connect; return labels without gaps."""
    from scipy.sparse import coo_array  # takes a quarter of a second, and every command imports this module
    from scipy.sparse.csgraph import connected_components

    left, right = component[left], component[right]
    across = left != right
    ends = left[across], right[across]
    edges = coo_array((np.ones(len(ends[0]), bool), ends), (len(component), len(component)))
    return connected_components(edges, directed=False)[1][component]


def count_links(found: Links) -> dict[str, int]:
    """Count the linked pairs of samples by kind; a pair with links of two kinds counts for both."""
    totals = {}
    for kind in LINK_KINDS:
        sizes = np.bincount(found.labels[kind])
        equal = int(np.sum(sizes * (sizes - 1) // 2))
        totals[kind] = equal + sum(int(sizes[one] @ sizes[other]) for one, other in found.near[kind]())
    return totals


# ---------------------------------------------------------------- pairs that a split tears


def count_torn(found: Links, splits: np.ndarray) -> int:
    """Count the linked pairs whose samples are in different splits, each pair once whatever links it.

    `splits` (N,) holds the split of each sample, however drawn: for a split of single samples this is what
    leaks without groups, for the split of groups what leaks in spite of them.

    Samples with equal labels and splits are one row with a weight, and the linked pairs of rows are
    enumerated in blocks: so thousands of copies of a picture are a few rows, and memory stays flat.
    """
    labels, sides, weights = distinct_rows(found, splits)
    words = {kind: hash_words(hashes) for kind, hashes in found.hashes.items()}
    total = 0
    for rank, kind in enumerate(LINK_KINDS):
        for one, other in linked_rows(found, kind, labels[kind]):
            apart = np.flatnonzero(sides[one] != sides[other])
            one, other = one[apart], other[apart]
            fresh = np.ones(len(one), bool)
            for earlier in LINK_KINDS[:rank]:  # a pair counts for the first kind that links it
                row = labels[earlier]
                fresh &= ~are_linked(row[one], row[other], words.get(earlier), found.reach)
            total += int(weights[one[fresh]] @ weights[other[fresh]])
    return total


def distinct_rows(found: Links, splits: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the R different samples: their labels (R,) by kind, splits (R,) and numbers of samples (R,).

    A label that can link no two samples is -1: samples that differ in such labels alone are one row.
    """
    columns = []
    for kind in LINK_KINDS:
        labels, hashes = found.labels[kind], found.hashes.get(kind, ())
        single = (np.bincount(labels)[labels] == 1) & (labels >= len(hashes))
        columns.append(np.where(single, -1, labels))
    _, sides = np.unique(splits, return_inverse=True)
    rows, weights = np.unique(np.stack([*columns, sides], axis=1), axis=0, return_counts=True)
    *columns, sides = np.ascontiguousarray(rows.T)
    return dict(zip(LINK_KINDS, columns, strict=True)), sides, weights


def linked_rows(found: Links, kind: str, labels: np.ndarray) -> Iterator[IndexPairs]:
    """Yield in blocks the pairs of rows, with labels (R,), that a kind links, each pair once."""
    known = np.flatnonzero(labels >= 0)
    for one, other in key_neighbors(labels[known], 0):
        yield known[one], known[other]
    order = np.argsort(labels[known], kind="stable")
    sizes = np.bincount(labels[known], minlength=len(found.hashes.get(kind, ())))
    for block in found.near[kind]():
        for one, other in member_pairs(*block, sizes):
            yield known[order[one]], known[order[other]]


def member_pairs(left: np.ndarray, right: np.ndarray, sizes: np.ndarray) -> Iterator[IndexPairs]:
    """Yield in blocks all pairs of members of the classes left-right; the members of a class are adjacent."""
    starts = np.cumsum(sizes) - sizes
    for pair, one in expand_rows(np.arange(len(left)), starts[left], sizes[left]):
        for row, other in expand_rows(np.arange(len(one)), starts[right[pair]], sizes[right[pair]]):
            yield one[row], other


def are_linked(one: np.ndarray, other: np.ndarray, words: list[np.ndarray] | None, reach: int) -> np.ndarray:
    """Decide which pairs of labels are linked: equal ones, or with the words of hashes, those near."""
    known = np.minimum(one, other) >= 0
    if words is None:
        return known & (one == other)
    known[known] = hamming_distance(words, one[known], other[known]) <= reach
    return known
