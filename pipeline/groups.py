"""Samples that a network must not meet in two splits: links between them, groups of them, pairs torn apart.

Samples are linked by family (a child names its parent, through any number of generations), by equal pixels,
and by near hashes of their colors and of their lines. A group is all that links connect.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from pipeline.looks import NOTHING, REACH
from pipeline.near import Pairs, apart, expand, near, pad

KINDS = ("family", "pixels", "colors", "lines")
HELD = 1 << 23  # near pairs of a kind that are held; more are found anew each time


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

    They take 32 bytes a sample, and 16 a pair of different hashes that are near; of many such pairs, which
    thousands of copies of one picture make, none.
    """

    labels: dict[str, np.ndarray]  # (N,)
    hashes: dict[str, np.ndarray]  # uint8 (H, B) by label, of colors and lines alone; labels from H are alone
    reach: int
    near: dict[str, Callable[[], Iterator[Pairs]]]  # yield the near pairs of labels, in blocks


def links(looks: Sequence[Look], reach: int = REACH) -> Links:
    """Find all links; hashes are near if they differ in at most `reach` bits."""
    labels = {"family": families(looks), "pixels": number([look.pixels for look in looks], "")[0]}
    hashes, pairs = {}, dict.fromkeys(KINDS, lambda: iter(()))
    for kind in ("colors", "lines"):
        labels[kind], known = number([getattr(look, kind) for look in looks], NOTHING)
        hashes[kind] = np.frombuffer(b"".join(known), np.uint8).reshape(-1, len(NOTHING))
        pairs[kind] = hold(partial(near, hashes[kind], reach))
    return Links(labels, hashes, reach, pairs)


def hold(found: Callable[[], Iterator[Pairs]]) -> Callable[[], Iterator[Pairs]]:
    """Return what yields the same pairs again: held, if they are not too many, or else found anew."""
    blocks, size = [], 0
    for block in found():
        blocks.append(block)
        size += len(block[0])
        if size > HELD:
            return found
    return lambda: iter(blocks)


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
    return merge(components(np.arange(len(names)), children, parents)[children])


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
    root = np.arange(size)
    for kind, labels in found.labels.items():
        _, first = np.unique(labels, return_index=True)
        root = components(root, np.arange(size), first[labels])
        for left, right in found.near[kind]():
            root = components(root, first[left], first[right])
    return root


def components(root: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give each node the smallest node that the edges left-right lead to, and those to its `root` so far.

    Every round hangs the roots below their smallest neighbor, then shortens all paths to one step.
    """
    root = root.copy()
    while len(split := np.flatnonzero(root[left] != root[right])):
        left, right = left[split], right[split]
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
        across = sum(int(sizes[one] @ sizes[other]) for one, other in found.near[kind]())
        totals[kind] = within(found.labels[kind]) + across
    return totals


def torn(found: Links, splits: np.ndarray) -> int:
    """Count the linked pairs whose samples are in different splits, each pair once whatever links it.

    `splits` holds one name or number a sample. Nothing is assumed of it: with the split of each sample by
    itself this is what a random split leaks, with the final one what has leaked in spite of the groups.
    """
    sides = merge(np.asarray(splits))
    columns = [found.labels[kind] for kind in KINDS]
    return torn_equal(columns, sides) + torn_near(np.stack([*columns, sides], axis=1), found)


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


def torn_near(rows: np.ndarray, found: Links) -> int:
    """Count the pairs of rows that differ in every column, the last is the side, but are near by a kind."""
    rows, weights = np.unique(rows, axis=0, return_counts=True)
    *columns, sides = np.ascontiguousarray(rows.T)
    total = 0
    for kind in found.hashes:
        labels = columns[KINDS.index(kind)]
        order, sizes = np.argsort(labels, kind="stable"), np.bincount(labels)
        for one, other in (each for block in found.near[kind]() for each in products(*block, sizes)):
            x, y = order[one], order[other]
            x, y = keep(sides[x] != sides[y], x, y)
            x, y = keep(np.logical_and.reduce([column[x] != column[y] for column in columns]), x, y)
            if kind == "lines":  # those near in colors too are counted there
                colors = columns[KINDS.index("colors")]
                x, y = keep(~close(found, "colors", colors[x], colors[y]), x, y)
            total += int(weights[x] @ weights[y])
    return total


def keep(which: np.ndarray, one: np.ndarray, other: np.ndarray) -> Pairs:
    """Return the pairs that are marked."""
    chosen = np.flatnonzero(which)
    return one[chosen], other[chosen]


def close(found: Links, kind: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tell which pairs of labels are those of near hashes."""
    words = [np.append(word, np.uint64(0)) for word in pad(found.hashes[kind])]
    last = len(found.hashes[kind])
    both = np.maximum(one, other) < last  # labels from there have no hash
    one, other = np.minimum(one, last), np.minimum(other, last)
    return both & (apart(words, one, other) <= found.reach)


def products(left: np.ndarray, right: np.ndarray, sizes: np.ndarray) -> Iterator[Pairs]:
    """Yield in blocks all pairs of members of two classes left-right; classes lie end to end."""
    starts = np.cumsum(sizes) - sizes
    single = sizes[left] * sizes[right] == 1  # most are
    yield starts[left[single]], starts[right[single]]
    left, right = left[~single], right[~single]
    for pair, one in expand(np.arange(len(left)), starts[left], sizes[left]):
        for row, other in expand(np.arange(len(one)), starts[right[pair]], sizes[right[pair]]):
            yield one[row], other


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
