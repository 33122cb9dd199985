"""All pairs of near hashes, without comparing all pairs.

The bits are dealt to bands. Of two hashes that differ in few bits, some band differs in its share of these
or fewer; so only those are compared whose band lies within that share of each other (the multi-index hashing
of Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012). No near pair
is missed.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from math import comb

import numpy as np

WIDTH = 16  # most bits of a band
BLOCK = 1 << 20  # pairs that are compared at once, about

Pairs = tuple[np.ndarray, np.ndarray]  # the indices of the one and of the other


def near(hashes: np.ndarray, reach: int) -> Iterator[Pairs]:
    """Yield all pairs of rows of `hashes`, different uint8 (N, B), that differ in at most `reach` bits.

    Each pair comes once, either index first, in blocks of about BLOCK: a thousand near to each other make
    half a million pairs, which need not be held.
    """
    yield from gather(compare(hashes, reach))


def compare(hashes: np.ndarray, reach: int) -> Iterator[Pairs]:
    """Yield the near pairs in blocks of any size; a pair that an earlier band has found does not count."""
    words, earlier = pad(hashes), []
    for keys, radius in candidates(hashes, reach):
        for left, right in neighbors(keys, radius):
            close = np.flatnonzero(apart(words, left, right) <= reach)
            left, right = left[close], right[close]
            for others, reached in earlier:
                fresh = np.flatnonzero(np.bitwise_count(others[left] ^ others[right]) > reached)
                left, right = left[fresh], right[fresh]
            yield left, right
        earlier.append((keys, radius))


def gather(blocks: Iterable[Pairs]) -> Iterator[Pairs]:
    """Join small blocks of pairs to some of BLOCK pairs or more, and one of the rest."""
    held, size = [], 0
    for block in blocks:
        held.append(block)
        size += len(block[0])
        if size >= BLOCK:
            yield join(held)
            held, size = [], 0
    if size:
        yield join(held)


def join(blocks: list[Pairs]) -> Pairs:
    """Join blocks of pairs to one."""
    left, right = zip(*blocks, strict=True)
    return np.concatenate(left), np.concatenate(right)


def pad(hashes: np.ndarray) -> list[np.ndarray]:
    """Return the hashes as uint64 (N,) words."""
    padded = np.pad(hashes, ((0, 0), (0, -hashes.shape[1] % 8)))
    return [np.ascontiguousarray(word) for word in padded.view(np.uint64).T]


def apart(words: list[np.ndarray], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Count the bits in which pairs of padded hashes differ."""
    return sum((np.bitwise_count(word[left] ^ word[right]) for word in words), start=np.uint16(0))


def candidates(hashes: np.ndarray, reach: int) -> list[tuple[np.ndarray, int]]:
    """List the bands, each with the bits in which those may differ that are compared.

    With B bands, a near pair differs in at most reach // B bits in one of the first (reach mod B) + 1, or in
    a bit less in one of the others. Bands that tell hashes apart best are the first, since the larger share
    is the dearer. Where most hashes are near each other, one band of no bits compares each pair but once.
    """
    keys, size = bands(hashes), len(hashes)
    share, rest = divmod(reach, len(keys))
    everything = [(np.zeros(size, np.int64), 0)]
    if sum(comb(WIDTH, ones) for ones in range(share + 1)) > size:
        return everything  # to compare all is less than to go through that many masks
    keys.sort(key=lambda band: np.sum(np.square(np.bincount(band))))
    chosen = [(band, share if rank <= rest else share - 1) for rank, band in enumerate(keys)]
    chosen = [(band, radius) for band, radius in chosen if radius >= 0]
    return everything if sum(cost(*each) for each in chosen) > size * (size - 1) // 2 else chosen


def cost(keys: np.ndarray, radius: int) -> int:
    """Count the pairs that `neighbors` yields."""
    sizes = np.bincount(keys, minlength=1 << width(keys))
    codes = np.flatnonzero(sizes)
    doubled = sum(int(sizes[codes] @ sizes[codes ^ mask]) for mask in masks(width(keys), radius))
    return (doubled - len(keys)) // 2


def width(keys: np.ndarray) -> int:
    """Count the bits of the keys of a band."""
    return int(keys.max(initial=0)).bit_length()


def bands(hashes: np.ndarray) -> list[np.ndarray]:
    """Deal the bits that differ at all, in turn, to bands of at most WIDTH; return each as int64 (N,).

    In turn, since bits that lie side by side tell alike.
    """
    bits = np.unpackbits(hashes, axis=1)
    bits = bits[:, bits.any(axis=0) & ~bits.all(axis=0)]
    count = max(1, -(-bits.shape[1] // WIDTH))
    return [bits[:, band::count] @ (1 << np.arange(bits[:, band::count].shape[1])) for band in range(count)]


def neighbors(keys: np.ndarray, radius: int) -> Iterator[Pairs]:
    """Yield all pairs of indices whose keys differ in at most `radius` bits."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    sizes = np.bincount(keys, minlength=1 << width(keys))
    ends = np.cumsum(sizes)
    for mask in masks(width(keys), radius):
        other = ordered ^ mask
        rows = np.flatnonzero(ordered <= other)  # a pair of different keys is met from the smaller one
        first = ends[other[rows]] - sizes[other[rows]] if mask else rows + 1
        for left, right in expand(rows, first, ends[other[rows]] - first):
            yield order[left], order[right]


def masks(width: int, radius: int) -> list[int]:
    """List the numbers of `width` bits with at most `radius` ones."""
    chosen = (bits for ones in range(radius + 1) for bits in combinations(range(width), ones))
    return [sum(1 << bit for bit in bits) for bits in chosen]


def expand(rows: np.ndarray, first: np.ndarray, sizes: np.ndarray) -> Iterator[Pairs]:
    """Yield each row beside the `sizes` numbers that begin at its `first`, about BLOCK at once."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(0, total, BLOCK), side="right")
    for low, high in pairwise([*cuts, len(rows)]):
        size = sizes[low:high]
        offsets = first[low:high] - (np.cumsum(size) - size)
        yield np.repeat(rows[low:high], size), np.arange(size.sum()) + np.repeat(offsets, size)
