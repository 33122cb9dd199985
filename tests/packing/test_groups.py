"""Links are those that comparing all pairs finds, and a group is all that they connect."""

import math
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from made import clustered_hashes, crowd

from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH
from pipeline.packing import groups, hamming
from pipeline.packing.groups import LINK_KINDS, LinkKeys

RANDOM = np.random.default_rng
BYTES = len(NO_HASH)


def keys(number, family=None, pixels="", colors=NO_HASH, lines=NO_HASH):
    """Make the link keys of a sample, which by default link it to no other."""
    return LinkKeys(str(number), str(family or number), pixels, colors, lines)


def group_names(samples):
    return groups.name_groups(samples, groups.find_links(samples))


def linked_pairs(samples):
    """List the linked pairs by kind, by comparing all pairs."""
    family = group_names([keys(sample.id, sample.family) for sample in samples])
    pairs = {kind: set() for kind in LINK_KINDS}
    for i, j in combinations(range(len(samples)), 2):
        if family[i] == family[j]:
            pairs["family"].add((i, j))
        if samples[i].pixels == samples[j].pixels != "":
            pairs["pixels"].add((i, j))
        for kind in ("colors", "lines"):
            one, other = getattr(samples[i], kind), getattr(samples[j], kind)
            distance = (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
            if distance <= HAMMING_RADIUS and NO_HASH not in (one, other):
                pairs[kind].add((i, j))
    return pairs


def test_thousands_of_equal_hashes_are_one_hash(monkeypatch):
    seen = []
    near_pairs = groups.near_pairs
    monkeypatch.setattr(groups, "near_pairs", lambda *given: seen.append(len(given[0])) or near_pairs(*given))
    samples = [keys(n, colors=b"\1" * BYTES, lines=b"\2" * BYTES) for n in range(1, 20001)]
    links = groups.find_links(samples)
    assert seen == [1, 1]
    assert groups.count_links(links)["colors"] == 20000 * 19999 // 2
    assert groups.count_torn(links, np.arange(20000) % 2) == 10000**2
    assert set(groups.name_groups(samples, links)) == {"1"}


def test_hashes_without_features_link_nothing():
    samples = [keys(n) for n in range(1, 50)]
    links = groups.find_links(samples)
    assert groups.count_links(links) == dict.fromkeys(LINK_KINDS, 0)
    assert groups.name_groups(samples, links) == [sample.family for sample in samples]


@pytest.mark.parametrize("kind", ["pixels", "colors", "lines"])
def test_one_link_of_any_kind_joins(kind):
    value = "x" if kind == "pixels" else b"\7" * BYTES
    assert group_names([keys(7, **{kind: value}), keys(10), keys(9, **{kind: value})]) == ["7", "10", "7"]


def test_a_chain_of_parents_is_one_family():
    assert group_names([keys(9, 8), keys(8, 7), keys(20), keys(7, 6)]) == ["6", "6", "20", "6"]


def test_children_of_an_absent_parent_are_one_family():
    assert group_names([keys(9, 5), keys(8, 5)]) == ["5", "5"]


def test_a_chain_of_kinds_joins_samples_that_no_single_link_joins():
    same, close, other = b"\x0f" * BYTES, b"\x0e" + b"\x0f" * (BYTES - 1), b"\xf0" * BYTES
    samples = [
        keys(4, colors=same),
        keys(5, colors=close, lines=other),
        keys(6, lines=other, pixels="p"),
        keys(11, 12, pixels="p"),
    ]
    assert group_names(samples) == ["4"] * 4


def test_a_long_chain_that_zigzags_is_one_group():
    order = RANDOM(0).permutation(5000)
    root = groups.merge_components(np.arange(5000), order[:-1], order[1:])
    assert np.all(root == 0)


def test_the_shorter_name_comes_first():
    assert group_names([keys(10, 9), keys(100, 10)]) == ["9", "9"]


def test_the_order_of_samples_changes_nothing():
    samples = crowd(1)
    order = RANDOM(2).permutation(len(samples))
    shuffled = [samples[n] for n in order]
    first, second = groups.find_links(samples), groups.find_links(shuffled)
    assert [groups.name_groups(samples, first)[n] for n in order] == groups.name_groups(shuffled, second)
    assert groups.count_links(first) == groups.count_links(second)
    sides = RANDOM(3).integers(0, 3, len(samples))
    assert groups.count_torn(first, sides) == groups.count_torn(second, sides[order])


def test_later_samples_rename_no_group_unless_they_bridge_two():
    samples = sparse(1, 400)
    before, after = group_names(samples[:200]), group_names(samples)
    moved = [(old, new) for old, new in zip(before, after[:200], strict=True) if old != new]
    assert all(new in before for _, new in moved)  # a bridge gives a name that was there
    merged = dict(moved)
    assert all(merged.get(old, old) == new for old, new in zip(before, after[:200], strict=True))
    assert len(set(after)) > len(set(before)) > 50


def sparse(seed, size):
    """Make samples in small groups whose later members have larger ids."""
    random, hashes = RANDOM(seed), clustered_hashes(seed, 150, 2, 8)
    return [
        keys(n, colors=hashes[random.integers(len(hashes))].tobytes() if random.random() < 0.4 else NO_HASH)
        for n in range(1, size + 1)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_what_the_pairs_connect(seed):
    samples = crowd(seed, 80)
    name = group_names(samples)
    for pairs in linked_pairs(samples).values():
        assert all(name[i] == name[j] for i, j in pairs)
    reached = {n: {n} for n in range(len(samples))}
    for i, j in set().union(*linked_pairs(samples).values()):
        if reached[i] is not reached[j]:
            reached[i] |= reached[j]
            reached |= dict.fromkeys(reached[i], reached[i])
    for n, members in reached.items():
        assert name[n] == min((samples[m].family for m in members), key=lambda family: (len(family), family))


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_comparing_all_pairs(seed):
    samples = crowd(seed)
    links, pairs = groups.find_links(samples), linked_pairs(samples)
    assert groups.count_links(links) == {kind: len(pairs[kind]) for kind in LINK_KINDS}
    sides = RANDOM(seed).choice(["train", "val", "test"], len(samples))
    once = set().union(*pairs.values())
    assert groups.count_torn(links, sides) == sum(sides[i] != sides[j] for i, j in once)
    assert sum(map(len, pairs.values())) > len(once) > 0


def test_a_split_by_group_leaks_nothing_and_one_that_moves_a_sample_does():
    samples = crowd(4)
    links = groups.find_links(samples)
    sides = np.array(groups.name_groups(samples, links))
    assert groups.count_torn(links, sides) == 0
    linked = next(iter(linked_pairs(samples)["colors"]))
    sides[linked[0]] = "elsewhere"
    assert groups.count_torn(links, sides) > 0


@pytest.mark.parametrize("kind", LINK_KINDS)
def test_thousands_that_share_one_property_are_counted_without_listing_their_pairs(monkeypatch, kind):
    shared = {"family": "1", "pixels": "p", "colors": b"\1" * BYTES, "lines": b"\2" * BYTES}
    own = RANDOM(0).integers(0, 256, (2000, 2, BYTES), np.uint8)
    samples = [
        keys(n, **{"colors": colors.tobytes(), "lines": lines.tobytes()} | {kind: shared[kind]})
        for n, (colors, lines) in enumerate(own, 1)
    ]
    links = groups.find_links(samples)
    for module in (groups, hamming):
        monkeypatch.setattr(module, "expand_rows", None)
    assert groups.count_links(links) == dict.fromkeys(LINK_KINDS, 0) | {kind: math.comb(2000, 2)}
    assert groups.count_torn(links, np.arange(2000) % 2) == 1000**2


def test_two_large_classes_that_are_near_are_counted():
    close = [b"\x0f" * BYTES, b"\x0e" + b"\x0f" * (BYTES - 1)]
    samples = [keys(n, colors=close[n % 2], lines=close[n % 2]) for n in range(1, 1001)]
    links = groups.find_links(samples)
    assert groups.count_torn(links, np.arange(1000)) == groups.count_links(links)["lines"] == 1000 * 999 // 2


def test_thousands_of_near_hashes_are_counted_pair_by_pair_in_flat_memory(monkeypatch):
    monkeypatch.setattr(groups, "MAX_HELD_PAIRS", 0)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 1 << 14)
    noisy = [row.tobytes() for row in clustered_hashes(5, 1, 3000, HAMMING_RADIUS // 2)]  # of one picture
    samples = [keys(n, colors=noisy[n], lines=noisy[-n]) for n in range(len(noisy))]
    pairs = math.comb(len(noisy), 2)
    tracemalloc.start()
    links = groups.find_links(samples)
    assert groups.count_links(links) == {"family": 0, "pixels": 0, "colors": pairs, "lines": pairs}
    assert groups.count_torn(links, np.arange(len(noisy)) % 2) == len(noisy) ** 2 // 4
    assert set(groups.name_groups(samples, links)) == {"0"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * pairs  # two indices of four bytes a pair


@pytest.mark.parametrize("seed", range(2))
def test_pairs_that_are_not_held_are_recomputed_in_blocks_of_any_size(monkeypatch, seed):
    samples = crowd(seed)
    sides = np.arange(len(samples)) % 3
    held = groups.find_links(samples)
    expected = groups.name_groups(samples, held), groups.count_links(held), groups.count_torn(held, sides)
    monkeypatch.setattr(groups, "MAX_HELD_PAIRS", 0)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 7)
    links = groups.find_links(samples)
    found = groups.name_groups(samples, links), groups.count_links(links), groups.count_torn(links, sides)
    assert found == expected


def test_no_samples_have_no_groups():
    links = groups.find_links([])
    assert groups.name_groups([], links) == []
    assert groups.count_torn(links, np.array([])) == 0
    assert groups.count_links(links) == dict.fromkeys(LINK_KINDS, 0)
