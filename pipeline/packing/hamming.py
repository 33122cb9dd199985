"""All pairs of hashes within a Hamming distance, without comparing all pairs.

This is the multi-index hashing of Norouzi, Punjani and Fleet (Fast Search in Hamming Space with Multi-Index
Hashing, CVPR 2012). The bits are divided into bands. Two near hashes differ in only a few bits of some band,
so only hashes that are this close in some band are compared. The result is exact.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from math import comb

import numpy as np

BAND_BITS = 16  # largest number of bits in a band
PAIRS_PER_BLOCK = 1 << 20  # about how many pairs are compared at once

IndexPairs = tuple[np.ndarray, np.ndarray]  # the first and the second index of each pair, int64 (P,)


def near_pairs(hashes: np.ndarray, radius: int) -> Iterator[IndexPairs]:
    """Yield all pairs of rows of `hashes`, distinct uint8 (N, B), that differ in at most `radius` bits.

    Each pair comes once, with either index first. The pairs come in blocks of about PAIRS_PER_BLOCK, because
    they may not fit in memory together: a thousand hashes near each other make half a million pairs.
    """
    return regroup_blocks(compare_candidates(hashes, radius))


def compare_candidates(hashes: np.ndarray, radius: int) -> Iterator[IndexPairs]:
    """Yield the near pairs in blocks of any size, without those that an earlier band has yielded."""
    words = hash_words(hashes)
    earlier: list[tuple[np.ndarray, int]] = []
    for keys, band_radius in candidate_bands(hashes, radius):
        for left, right in key_neighbors(keys, band_radius):
            close = np.flatnonzero(hamming_distance(words, left, right) <= radius)
            left, right = left[close], right[close]
            for other_keys, other_radius in earlier:
                fresh = np.flatnonzero(np.bitwise_count(other_keys[left] ^ other_keys[right]) > other_radius)
                left, right = left[fresh], right[fresh]
            yield left, right
        earlier.append((keys, band_radius))


def regroup_blocks(blocks: Iterable[IndexPairs]) -> Iterator[IndexPairs]:
    """Concatenate small blocks of pairs into blocks of at least PAIRS_PER_BLOCK; the last may be smaller."""
    pending: list[IndexPairs] = []
    size = 0
    for block in blocks:
        pending.append(block)
        size += len(block[0])
        if size >= PAIRS_PER_BLOCK:
            yield join_blocks(pending)
            pending, size = [], 0
    if size:
        yield join_blocks(pending)


def join_blocks(blocks: list[IndexPairs]) -> IndexPairs:
    left, right = zip(*blocks, strict=True)
    return np.concatenate(left), np.concatenate(right)


def hash_words(hashes: np.ndarray) -> list[np.ndarray]:
    """Split hashes, uint8 (N, B), into words of 8 bytes, each uint64 (N,); the last is padded with zeros."""
    padded = np.pad(hashes, ((0, 0), (0, -hashes.shape[1] % 8)))
    return [np.ascontiguousarray(word) for word in padded.view(np.uint64).T]


def hamming_distance(words: list[np.ndarray], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the Hamming distances (P,) of the pairs left-right of hashes, given as words."""
    distances = np.zeros(len(left), np.uint16)
    for word in words:
        distances += np.bitwise_count(word[left] ^ word[right])
    return distances


def candidate_bands(hashes: np.ndarray, radius: int) -> list[tuple[np.ndarray, int]]:
    """List the bands (N,), each with its radius: how many of its bits may differ for hashes to be compared.

    With B bands, a near pair differs in at most radius // B bits in one of the first (radius mod B) + 1, or
    in at most one bit less in one of the others. The most selective bands come first: they get the larger
    radius, which costs most. If the bands would compare more pairs than there are, as they do when most
    hashes are near each other, one empty band compares each pair once.
    """
    bands, size = hash_bands(hashes), len(hashes)
    share, rest = divmod(radius, len(bands))
    all_pairs = [(np.zeros(size, np.int64), 0)]
    if sum(comb(BAND_BITS, ones) for ones in range(share + 1)) > size:
        return all_pairs  # comparing all pairs costs less than trying that many masks
    bands.sort(key=lambda keys: np.sum(np.square(np.bincount(keys))))
    chosen = [(keys, share if rank <= rest else share - 1) for rank, keys in enumerate(bands)]
    chosen = [(keys, band_radius) for keys, band_radius in chosen if band_radius >= 0]
    return all_pairs if sum(band_cost(*band) for band in chosen) > size * (size - 1) // 2 else chosen


def band_cost(keys: np.ndarray, radius: int) -> int:
    """Return the number of pairs that `key_neighbors` yields."""
    sizes = np.bincount(keys, minlength=1 << key_bits(keys))
    codes = np.flatnonzero(sizes)
    doubled = sum(int(sizes[codes] @ sizes[codes ^ mask]) for mask in bit_masks(key_bits(keys), radius))
    return (doubled - len(keys)) // 2


def key_bits(keys: np.ndarray) -> int:
    return int(keys.max(initial=0)).bit_length()


def hash_bands(hashes: np.ndarray) -> list[np.ndarray]:
    """Divide the bits that vary between hashes into bands of at most BAND_BITS bits, each int64 (N,).

    The bands are interleaved, because neighboring bits are correlated.
    """
    bits = np.unpackbits(hashes, axis=1)
    bits = bits[:, bits.any(axis=0) & ~bits.all(axis=0)]
    count = max(1, -(-bits.shape[1] // BAND_BITS))
    return [bits[:, band::count] @ (1 << np.arange(bits[:, band::count].shape[1])) for band in range(count)]


def key_neighbors(keys: np.ndarray, radius: int) -> Iterator[IndexPairs]:
    """Yield all pairs of indices whose keys differ in at most `radius` bits."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    sizes = np.bincount(keys, minlength=1 << key_bits(keys))
    ends = np.cumsum(sizes)
    for mask in bit_masks(key_bits(keys), radius):
        other = ordered ^ mask
        rows = np.flatnonzero(ordered <= other)  # the smaller key of a pair finds the larger
        first = ends[other[rows]] - sizes[other[rows]] if mask else rows + 1
        for left, right in expand_rows(rows, first, ends[other[rows]] - first):
            yield order[left], order[right]


def bit_masks(width: int, radius: int) -> list[int]:
    """List the numbers below 2 ** width that have at most `radius` one bits."""
    chosen = (bits for ones in range(radius + 1) for bits in combinations(range(width), ones))
    return [sum(1 << bit for bit in bits) for bits in chosen]


def expand_rows(rows: np.ndarray, first: np.ndarray, sizes: np.ndarray) -> Iterator[IndexPairs]:
    """Pair each row with the `sizes` numbers that begin at its `first`.

    Yield the pairs in blocks of PAIRS_PER_BLOCK; a block may exceed that by the size of one row.
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(0, total, PAIRS_PER_BLOCK), side="right")
    for low, high in pairwise([*cuts, len(rows)]):
        size = sizes[low:high]
        offsets = first[low:high] - (np.cumsum(size) - size)
        yield np.repeat(rows[low:high], size), np.arange(size.sum()) + np.repeat(offsets, size)
