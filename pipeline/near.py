"""All pairs of near hashes, without comparing all pairs.

The bits are dealt to bands. Of two hashes that differ in few bits, some band differs in its share of these
or fewer; so only those are compared whose band lies within that share of each other (the multi-index hashing
of Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012). No near pair
is missed.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import comb

import numpy as np

WIDTH = 16  # most bits of a band
BLOCK = 1 << 20  # pairs that are compared at once, about


def near(hashes: np.ndarray, reach: int) -> np.ndarray:
    """Find all pairs of rows of `hashes`, different uint8 (N, B), that differ in at most `reach` bits.

    Return indices (M, 2), the smaller first, in order.
    """
    found = np.empty(0, np.int64)
    words = pad(hashes)
    for band in candidates(hashes, reach):
        codes = [found]
        for left, right in band:
            apart = sum(np.bitwise_count(word[left] ^ word[right]) for word in words)
            close = np.flatnonzero(apart <= reach)
            one, other = left[close], right[close]
            codes.append(np.minimum(one, other) * len(hashes) + np.maximum(one, other))
        found = np.unique(np.concatenate(codes))
    return np.stack(np.divmod(found, max(len(hashes), 1)), axis=1)


def pad(hashes: np.ndarray) -> list[np.ndarray]:
    """Return the hashes as uint64 (N,) words."""
    padded = np.pad(hashes, ((0, 0), (0, -hashes.shape[1] % 8)))
    return [np.ascontiguousarray(word) for word in padded.view(np.uint64).T]


def candidates(hashes: np.ndarray, reach: int) -> Iterator[Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Yield by band the pairs that may be near, as blocks of two arrays of indices.

    A pair comes at most once a band. With B bands, a near pair differs in at most reach // B bits in one of
    the first (reach mod B) + 1, or in a bit less in one of the others. Bands that tell hashes apart best are
    the first, since the larger share is the dearer.
    """
    keys = bands(hashes)
    share = reach // len(keys)
    if sum(comb(WIDTH, ones) for ones in range(share + 1)) > len(hashes):
        keys = [np.zeros(len(hashes), np.int64)]  # to compare all is less than to go through that many masks
    crowds = [np.sum(np.square(np.bincount(key))) for key in keys]
    share, rest = divmod(reach, len(keys))
    for rank, band in enumerate(np.argsort(crowds, kind="stable")):
        yield neighbors(keys[band], share if rank <= rest else share - 1)


def bands(hashes: np.ndarray) -> list[np.ndarray]:
    """Deal the bits that differ at all, in turn, to bands of at most WIDTH; return each as int64 (N,).

    In turn, since bits that lie side by side tell alike.
    """
    bits = np.unpackbits(hashes, axis=1)
    bits = bits[:, bits.any(axis=0) & ~bits.all(axis=0)]
    count = max(1, -(-bits.shape[1] // WIDTH))
    return [bits[:, band::count] @ (1 << np.arange(bits[:, band::count].shape[1])) for band in range(count)]


def neighbors(keys: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all pairs of indices whose keys differ in at most `radius` bits; none if it is negative."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    width = int(keys.max(initial=0)).bit_length()
    sizes = np.bincount(keys, minlength=1 << width)
    ends = np.cumsum(sizes)
    for mask in masks(width, radius):
        other = ordered ^ mask
        rows = np.flatnonzero(ordered <= other)  # a pair of different keys is met from the smaller one
        first = ends[other[rows]] - sizes[other[rows]] if mask else rows + 1
        for left, right in expand(rows, first, ends[other[rows]] - first):
            yield order[left], order[right]


def masks(width: int, radius: int) -> list[int]:
    """List the numbers of `width` bits with at most `radius` ones."""
    chosen = (bits for ones in range(radius + 1) for bits in combinations(range(width), ones))
    return [sum(1 << bit for bit in bits) for bits in chosen]


def expand(rows: np.ndarray, first: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each row beside the `sizes` numbers that begin at its `first`, about BLOCK at once."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(0, total, BLOCK), side="right")
    for low, high in pairwise([*cuts, len(rows)]):
        size = sizes[low:high]
        offsets = first[low:high] - (np.cumsum(size) - size)
        yield np.repeat(rows[low:high], size), np.arange(size.sum()) + np.repeat(offsets, size)
