"""Links are those that comparing all pairs finds, and a group is all that they connect."""

import math
import tracemalloc
from itertools import combinations

import numpy as np
import pytest

from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH
from pipeline.packing import groups, hamming
from pipeline.packing.groups import LINK_KINDS, LinkKeys

RANDOM = np.random.default_rng
BYTES = len(NO_HASH)


def clustered(seed, centers, copies, flips):
    """Flip up to `flips` bits of each copy of random centers; return different hashes."""
    random = RANDOM(seed)
    made = random.integers(0, 256, (centers, BYTES), np.uint8).repeat(copies, axis=0)
    ranks = random.random((len(made), 8 * BYTES)).argsort(axis=1)
    made ^= np.packbits(ranks < random.integers(0, flips + 1, (len(made), 1)), axis=1)
    return np.unique(made, axis=0)


def brute(hashes, reach):
    bits = np.unpackbits(hashes, axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    apart = ones[:, None] + ones - 2 * bits @ bits.T
    return np.argwhere(np.triu(apart <= reach, 1))


def tried(hashes, reach=HAMMING_RADIUS):
    return sum(
        len(left)
        for band in hamming.candidate_bands(hashes, reach)
        for left, _ in hamming.key_neighbors(*band)
    )


def pairs(hashes, reach):
    """List the near pairs in order, with any repeated pair."""
    found = [np.sort(np.stack(block), axis=0).T for block in hamming.near_pairs(hashes, reach)]
    return np.array(sorted(pair for block in found for pair in block.tolist())).reshape(-1, 2)


def look(number, family=None, pixels="", colors=NO_HASH, lines=NO_HASH):
    return LinkKeys(str(number), str(family or number), pixels, colors, lines)


def names(looks):
    return groups.name_groups(looks, groups.find_links(looks))


def crowd(seed, size=300):
    """Make samples with links of all kinds, many of them with several."""
    random = RANDOM(seed)
    hashes = [row.tobytes() for row in clustered(seed, 12, 4, 14)] + [NO_HASH]
    return [
        LinkKeys(
            str(n),
            str(random.integers(1, n + 1) if random.random() < 0.3 else n),
            random.choice(["", "", "", "a", "b"]),
            hashes[random.integers(len(hashes))],
            hashes[random.integers(len(hashes))],
        )
        for n in range(1, size + 1)
    ]


def related(looks):
    """List the linked pairs by kind, by comparing all pairs."""
    family = names([look(sample.id, sample.family) for sample in looks])
    found = {kind: set() for kind in LINK_KINDS}
    for i, j in combinations(range(len(looks)), 2):
        if family[i] == family[j]:
            found["family"].add((i, j))
        if looks[i].pixels == looks[j].pixels != "":
            found["pixels"].add((i, j))
        for kind in ("colors", "lines"):
            one, other = getattr(looks[i], kind), getattr(looks[j], kind)
            apart = (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
            if apart <= HAMMING_RADIUS and NO_HASH not in (one, other):
                found[kind].add((i, j))
    return found


@pytest.mark.parametrize("reach", [0, 1, 3, 7, 8, 18, 27, 60])
def test_near_pairs_are_those_of_comparing_all(reach):
    hashes = clustered(reach, 60, 20, 30)
    found = pairs(hashes, reach)
    assert np.array_equal(found, brute(hashes, reach))
    assert len(found) > 0 or reach < 2


@pytest.mark.parametrize("size", [1, 3, 8, 32])
def test_hashes_of_any_length_are_searched(size):
    hashes = np.unique(clustered(size, 30, 20, 10).repeat(2, axis=1)[:, :size], axis=0)
    assert np.array_equal(pairs(hashes, 2 * size), brute(hashes, 2 * size))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_hashes_have_few_pairs(count):
    hashes = np.arange(count * BYTES, dtype=np.uint8).reshape(count, BYTES)
    assert len(pairs(hashes, HAMMING_RADIUS)) == max(0, count - 1)  # they differ in a bit a byte


def test_pairs_at_exactly_the_reach_are_found_and_none_beyond():
    base = RANDOM(0).integers(0, 256, (1, BYTES), np.uint8)
    for seed in range(40):
        flips = np.zeros(8 * BYTES, np.uint8)
        flips[RANDOM(seed).permutation(8 * BYTES)[: HAMMING_RADIUS + seed % 2]] = 1
        company = RANDOM(1000 + seed).integers(0, 256, (20, BYTES), np.uint8)  # so that every bit varies
        hashes = np.concatenate([base, base ^ np.packbits(flips), company])
        assert ([0, 1] in pairs(hashes, HAMMING_RADIUS).tolist()) == (seed % 2 == 0)


def test_few_of_all_pairs_are_compared():
    hashes = clustered(1, 100, 100, 40)
    assert tried(hashes) < 0.03 * len(hashes) ** 2 / 2


def test_correlated_neighboring_bits_do_not_make_it_compare_all():
    hashes = clustered(2, 6000, 1, 0)
    hashes[:, :6] = RANDOM(3).integers(0, 256, (4, 6), np.uint8)[RANDOM(4).integers(4, size=len(hashes))]
    hashes = np.unique(hashes, axis=0)
    assert tried(hashes) < 0.15 * len(hashes) ** 2 / 2


def test_thousands_of_equal_hashes_are_one_hash(monkeypatch):
    seen = []
    monkeypatch.setattr(
        groups,
        "near_pairs",
        lambda hashes, reach: seen.append(len(hashes)) or hamming.near_pairs(hashes, reach),
    )
    looks = [look(n, colors=b"\1" * BYTES, lines=b"\2" * BYTES) for n in range(1, 20001)]
    found = groups.find_links(looks)
    assert seen == [1, 1]
    assert groups.count_links(found)["colors"] == 20000 * 19999 // 2
    assert groups.count_torn(found, np.arange(20000) % 2) == 10000**2
    assert set(groups.name_groups(looks, found)) == {"1"}


def test_hashes_without_features_link_nothing():
    looks = [look(n) for n in range(1, 50)]
    found = groups.find_links(looks)
    assert groups.count_links(found) == dict.fromkeys(LINK_KINDS, 0)
    assert groups.name_groups(looks, found) == [sample.family for sample in looks]


@pytest.mark.parametrize("kind", ["pixels", "colors", "lines"])
def test_one_link_of_any_kind_joins(kind):
    value = "x" if kind == "pixels" else b"\7" * BYTES
    assert names([look(7, **{kind: value}), look(10), look(9, **{kind: value})]) == ["7", "10", "7"]


def test_a_chain_of_parents_is_one_family():
    assert names([look(9, 8), look(8, 7), look(20), look(7, 6)]) == ["6", "6", "20", "6"]


def test_children_of_an_absent_parent_are_one_family():
    assert names([look(9, 5), look(8, 5)]) == ["5", "5"]


def test_a_chain_of_kinds_joins_samples_that_no_single_link_joins():
    same, close, other = b"\x0f" * BYTES, b"\x0e" + b"\x0f" * (BYTES - 1), b"\xf0" * BYTES
    looks = [
        look(4, colors=same),
        look(5, colors=close, lines=other),
        look(6, lines=other, pixels="p"),
        look(11, 12, pixels="p"),
    ]
    assert names(looks) == ["4"] * 4


def test_a_long_chain_that_zigzags_is_one_group():
    order = RANDOM(0).permutation(5000)
    root = groups.merge_components(np.arange(5000), order[:-1], order[1:])
    assert np.all(root == 0)


def test_the_shorter_name_comes_first():
    assert names([look(10, 9), look(100, 10)]) == ["9", "9"]


def test_the_order_of_samples_changes_nothing():
    looks = crowd(1)
    order = RANDOM(2).permutation(len(looks))
    shuffled = [looks[n] for n in order]
    first, second = groups.find_links(looks), groups.find_links(shuffled)
    assert [groups.name_groups(looks, first)[n] for n in order] == groups.name_groups(shuffled, second)
    assert groups.count_links(first) == groups.count_links(second)
    sides = RANDOM(3).integers(0, 3, len(looks))
    assert groups.count_torn(first, sides) == groups.count_torn(second, sides[order])


def test_later_samples_rename_no_group_unless_they_bridge_two():
    looks = sparse(1, 400)
    before, after = names(looks[:200]), names(looks)
    moved = [(old, new) for old, new in zip(before, after[:200], strict=True) if old != new]
    assert all(new in before for _, new in moved)  # a bridge gives a name that was there
    merged = dict(moved)
    assert all(merged.get(old, old) == new for old, new in zip(before, after[:200], strict=True))
    assert len(set(after)) > len(set(before)) > 50


def sparse(seed, size):
    """Make samples in small groups whose later members have larger ids."""
    random, hashes = RANDOM(seed), clustered(seed, 150, 2, 8)
    return [
        look(n, colors=hashes[random.integers(len(hashes))].tobytes() if random.random() < 0.4 else NO_HASH)
        for n in range(1, size + 1)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_what_the_pairs_connect(seed):
    looks = crowd(seed, 80)
    name = names(looks)
    for pairs in related(looks).values():
        assert all(name[i] == name[j] for i, j in pairs)
    reach = {n: {n} for n in range(len(looks))}
    for i, j in set().union(*related(looks).values()):
        if reach[i] is not reach[j]:
            reach[i] |= reach[j]
            reach |= dict.fromkeys(reach[i], reach[i])
    for n, members in reach.items():
        assert name[n] == min((looks[m].family for m in members), key=lambda family: (len(family), family))


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_comparing_all_pairs(seed):
    looks = crowd(seed)
    found, pairs = groups.find_links(looks), related(looks)
    assert groups.count_links(found) == {kind: len(pairs[kind]) for kind in LINK_KINDS}
    sides = RANDOM(seed).choice(["train", "val", "test"], len(looks))
    once = set().union(*pairs.values())
    assert groups.count_torn(found, sides) == sum(sides[i] != sides[j] for i, j in once)
    assert sum(map(len, pairs.values())) > len(once) > 0


def test_a_split_by_group_leaks_nothing_and_one_that_moves_a_sample_does():
    looks = crowd(4)
    found = groups.find_links(looks)
    sides = np.array(groups.name_groups(looks, found))
    assert groups.count_torn(found, sides) == 0
    linked = next(iter(related(looks)["colors"]))
    sides[linked[0]] = "elsewhere"
    assert groups.count_torn(found, sides) > 0


def test_two_large_classes_that_are_near_are_counted():
    close = [b"\x0f" * BYTES, b"\x0e" + b"\x0f" * (BYTES - 1)]
    looks = [look(n, colors=close[n % 2], lines=close[n % 2]) for n in range(1, 1001)]
    found = groups.find_links(looks)
    assert groups.count_torn(found, np.arange(1000)) == groups.count_links(found)["lines"] == 1000 * 999 // 2


def test_thousands_of_near_hashes_are_counted_pair_by_pair_in_flat_memory(monkeypatch):
    monkeypatch.setattr(groups, "MAX_HELD_PAIRS", 0)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 1 << 14)
    noisy = [row.tobytes() for row in clustered(5, 1, 3000, HAMMING_RADIUS // 2)]  # of one picture
    looks = [look(n, colors=noisy[n], lines=noisy[-n]) for n in range(len(noisy))]
    assert tried(np.frombuffer(b"".join(noisy), np.uint8).reshape(-1, BYTES)) == math.comb(len(noisy), 2)
    tracemalloc.start()
    found = groups.find_links(looks)
    assert (
        groups.count_links(found)["colors"] == groups.count_links(found)["lines"] == math.comb(len(noisy), 2)
    )
    assert groups.count_torn(found, np.arange(len(noisy)) % 2) == len(noisy) ** 2 // 4
    assert set(groups.name_groups(looks, found)) == {"0"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * math.comb(len(noisy), 2)  # two indices of four bytes a pair


@pytest.mark.parametrize("seed", range(2))
def test_pairs_that_are_not_held_are_recomputed_in_blocks_of_any_size(monkeypatch, seed):
    looks = crowd(seed)
    sides = np.arange(len(looks)) % 3
    held = groups.find_links(looks)
    expected = groups.name_groups(looks, held), groups.count_links(held), groups.count_torn(held, sides)
    monkeypatch.setattr(groups, "MAX_HELD_PAIRS", 0)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 7)
    found = groups.find_links(looks)
    assert (
        groups.name_groups(looks, found),
        groups.count_links(found),
        groups.count_torn(found, sides),
    ) == expected


def test_no_samples_have_no_groups():
    found = groups.find_links([])
    assert groups.name_groups([], found) == []
    assert groups.count_torn(found, np.array([])) == 0
    assert groups.count_links(found) == dict.fromkeys(LINK_KINDS, 0)
