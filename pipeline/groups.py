"""Samples that a network must not meet in two splits: links between them, groups of them, pairs torn apart.

Samples are linked by family (a child names its parent, through any number of generations), by equal pixels,
and by near hashes of their colors and of their lines. A group is all that links connect.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.looks import NOTHING, REACH
from pipeline.near import expand, near

KINDS = ("family", "pixels", "colors", "lines")


@dataclass(frozen=True, slots=True)
class Look:
    """What links a sample to others."""

    id: str  # of the post; it names the family of its children
    family: str  # the id of the parent, or of the post itself
    pixels: str  # hash of the pixels, "" if it is not known
    colors: bytes  # see looks.of_colors
    lines: bytes  # see looks.of_lines


@dataclass(frozen=True)
class Links:
    """Labels of N samples by kind, from 0 without gaps: samples of one label, or of near ones, are linked.

    They take 32 bytes a sample, and 16 a pair of different hashes that are near.
    """

    labels: dict[str, np.ndarray]  # (N,)
    near: dict[str, np.ndarray]  # (M, 2), the smaller label first; of colors and lines alone


def links(looks: Sequence[Look], reach: int = REACH) -> Links:
    """Find all links; hashes are near if they differ in at most `reach` bits."""
    labels = {"family": families(looks), "pixels": number([look.pixels for look in looks], "")[0]}
    pairs = {}
    for kind in ("colors", "lines"):
        labels[kind], hashes = number([getattr(look, kind) for look in looks], NOTHING)
        pairs[kind] = near(np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, len(NOTHING)), reach)
    return Links(labels, pairs)


def number(names: Sequence[Hashable], nothing: Hashable) -> tuple[np.ndarray, list]:
    """Number equal names equally, in their order, and `nothing` differently each time; list the names."""
    known = sorted(set(names) - {nothing})
    numbers = {name: n for n, name in enumerate(known)}
    labels = np.array([numbers.get(name, -1) for name in names], np.int64)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = len(known) + np.arange(len(alone))
    return labels, known


def families(looks: Sequence[Look]) -> np.ndarray:
    """Number the families, those of one line of descent equally."""
    names = sorted({name for look in looks for name in (look.id, look.family)})
    numbers = {name: n for n, name in enumerate(names)}
    children = np.array([numbers[look.id] for look in looks], np.int64)
    parents = np.array([numbers[look.family] for look in looks], np.int64)
    return merge(components(len(names), children, parents)[children])


def group(looks: Sequence[Look], found: Links) -> list[str]:
    """Name the group of every sample: by its smallest family, the shorter name first.

    So a lone family keeps its name, and a later, larger id that joins never renames a group. What growth
    can still move: a new sample that links two groups gives the smaller name to both, and one whose family is
    smaller than all of its group gives that name.
    """
    lowest: dict[int, tuple[int, str]] = {}
    roots = connect(found, len(looks)).tolist()
    for root, look in zip(roots, looks, strict=True):
        name = (len(look.family), look.family)
        lowest[root] = min(lowest.get(root, name), name)
    return [lowest[root][1] for root in roots]


def connect(found: Links, size: int) -> np.ndarray:
    """Give every sample the index of the first one that links lead to."""
    left, right = [], []
    for kind, labels in found.labels.items():
        _, first = np.unique(labels, return_index=True)
        pairs = first[found.near.get(kind, np.empty((0, 2), np.int64))]
        left += [np.arange(size), pairs[:, 0]]
        right += [first[labels], pairs[:, 1]]
    return components(size, np.concatenate(left), np.concatenate(right))


def components(size: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give each of `size` nodes the smallest node that the edges left-right lead to.

    Every round hangs the roots below their smallest neighbor, then shortens all paths to one step.
    """
    root = np.arange(size)
    while np.any(root[left] != root[right]):
        one, other = root[left], root[right]
        lowest = np.minimum(one, other)
        np.minimum.at(root, one, lowest)
        np.minimum.at(root, other, lowest)
        while np.any(root != root[root]):
            root = root[root]
    return root


def count(found: Links) -> dict[str, int]:
    """Count the linked pairs of samples by kind; a pair that is linked twice counts for both kinds."""
    totals = {}
    for kind in KINDS:
        sizes = np.bincount(found.labels[kind])
        bridges = found.near.get(kind, np.empty((0, 2), np.int64))
        totals[kind] = within(found.labels[kind]) + int(np.sum(np.prod(sizes[bridges], axis=1)))
    return totals


def torn(found: Links, splits: np.ndarray) -> int:
    """Count the linked pairs whose samples are in different splits, each pair once whatever links it.

    `splits` holds one name or number a sample. Nothing is assumed of it: with the split of each sample by
    itself this is what a random split leaks, with the final one what has leaked in spite of the groups.
    """
    sides = merge(np.asarray(splits))
    columns = [found.labels[kind] for kind in KINDS]
    return torn_equal(columns, sides) + torn_near(np.stack([*columns, sides], axis=1), found.near)


def torn_equal(columns: list[np.ndarray], sides: np.ndarray) -> int:
    """Count the pairs on different sides that agree in one column or more.

    Pairs that agree in all columns of a set are counted by the sizes of classes; inclusion and exclusion of
    all sets counts those that agree in any.
    """
    total = 0
    for size in range(1, len(columns) + 1):
        for chosen in combinations(columns, size):
            agreed = merge(*chosen)
            total -= (-1) ** size * (within(agreed) - within(merge(agreed, sides)))
    return total


def torn_near(rows: np.ndarray, near: dict[str, np.ndarray]) -> int:
    """Count the pairs of rows that differ in every column, the last is the side, but are near by a kind."""
    rows, weights = np.unique(rows, axis=0, return_counts=True)
    columns = dict(zip((*KINDS, "side"), np.ascontiguousarray(rows.T), strict=True))
    known = code(*near["colors"].T, len(rows))
    total = 0
    for kind in near:
        order = np.argsort(columns[kind], kind="stable")
        for one, other in products(near[kind], np.bincount(columns[kind])):
            x, y = order[one], order[other]
            for column in columns.values():
                differs = column[x] != column[y]
                x, y = x[differs], y[differs]
            if kind == "lines":  # those near in colors too are counted there
                fresh = ~contains(known, code(columns["colors"][x], columns["colors"][y], len(rows)))
                x, y = x[fresh], y[fresh]
            total += int(np.sum(weights[x] * weights[y]))
    return total


def code(one: np.ndarray, other: np.ndarray, size: int) -> np.ndarray:
    """Number pairs of labels, which are below `size`, whatever their order."""
    return np.minimum(one, other) * size + np.maximum(one, other)


def products(pairs: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield in blocks all pairs of members of two classes, for `pairs` of classes that lie end to end."""
    starts = np.cumsum(sizes) - sizes
    left, right = pairs.T
    for pair, one in expand(np.arange(len(pairs)), starts[left], sizes[left]):
        for row, other in expand(np.arange(len(one)), starts[right[pair]], sizes[right[pair]]):
            yield one[row], other


def contains(known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Tell which codes are among the sorted `known`."""
    at = np.searchsorted(known, codes)
    return np.append(known, -1)[at] == codes


def merge(*columns: np.ndarray) -> np.ndarray:
    """Number rows from 0 without gaps, those equal in all columns equally."""
    merged = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, numbers = np.unique(column, return_inverse=True)
        _, merged = np.unique(merged * len(merged) + numbers, return_inverse=True)
    return merged


def within(labels: np.ndarray) -> int:
    """Count the pairs of equal labels."""
    sizes = np.bincount(labels)
    return int(np.sum(sizes * (sizes - 1) // 2))
