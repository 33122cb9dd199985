"""The near pairs of hashes are those that comparing all pairs finds, and few pairs are compared."""

import math

import numpy as np
import pytest
from made import clustered_hashes

from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH
from pipeline.packing.hamming import candidate_bands, key_neighbors, near_pairs

RANDOM = np.random.default_rng
BYTES = len(NO_HASH)


def compare_all(hashes, radius):
    bits = np.unpackbits(hashes, axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    distance = ones[:, None] + ones - 2 * bits @ bits.T
    return np.argwhere(np.triu(distance <= radius, 1))


def count_compared(hashes, radius=HAMMING_RADIUS):
    return sum(len(left) for band in candidate_bands(hashes, radius) for left, _ in key_neighbors(*band))


def sorted_pairs(hashes, radius):
    """List the near pairs in order, with any repeated pair."""
    found = [np.sort(np.stack(block), axis=0).T for block in near_pairs(hashes, radius)]
    return np.array(sorted(pair for block in found for pair in block.tolist())).reshape(-1, 2)


@pytest.mark.parametrize("radius", [0, 1, 3, 7, 8, 18, 27, 60])
def test_near_pairs_are_those_of_comparing_all(radius):
    hashes = clustered_hashes(radius, 60, 20, 30)
    found = sorted_pairs(hashes, radius)
    assert np.array_equal(found, compare_all(hashes, radius))
    assert len(found) > 0 or radius < 2


@pytest.mark.parametrize("size", [1, 3, 8, 32])
def test_hashes_of_any_length_are_searched(size):
    hashes = np.unique(clustered_hashes(size, 30, 20, 10).repeat(2, axis=1)[:, :size], axis=0)
    assert np.array_equal(sorted_pairs(hashes, 2 * size), compare_all(hashes, 2 * size))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_hashes_have_few_pairs(count):
    hashes = np.arange(count * BYTES, dtype=np.uint8).reshape(count, BYTES)
    assert len(sorted_pairs(hashes, HAMMING_RADIUS)) == max(0, count - 1)  # they differ in a bit a byte


def test_pairs_at_exactly_the_radius_are_found_and_none_beyond():
    base = RANDOM(0).integers(0, 256, (1, BYTES), np.uint8)
    for seed in range(40):
        flips = np.zeros(8 * BYTES, np.uint8)
        flips[RANDOM(seed).permutation(8 * BYTES)[: HAMMING_RADIUS + seed % 2]] = 1
        company = RANDOM(1000 + seed).integers(0, 256, (20, BYTES), np.uint8)  # so that every bit varies
        hashes = np.concatenate([base, base ^ np.packbits(flips), company])
        assert ([0, 1] in sorted_pairs(hashes, HAMMING_RADIUS).tolist()) == (seed % 2 == 0)


def test_few_of_all_pairs_are_compared():
    hashes = clustered_hashes(1, 100, 100, 40)
    assert count_compared(hashes) < 0.03 * len(hashes) ** 2 / 2


def test_thousands_of_hashes_that_are_near_each_other_are_compared_once_each():
    hashes = clustered_hashes(5, 1, 3000, HAMMING_RADIUS // 2)  # of one picture
    assert count_compared(hashes) == math.comb(len(hashes), 2)


def test_correlated_neighboring_bits_do_not_make_it_compare_all():
    hashes = clustered_hashes(2, 6000, 1, 0)
    hashes[:, :6] = RANDOM(3).integers(0, 256, (4, 6), np.uint8)[RANDOM(4).integers(4, size=len(hashes))]
    hashes = np.unique(hashes, axis=0)
    assert count_compared(hashes) < 0.15 * len(hashes) ** 2 / 2
