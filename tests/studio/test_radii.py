"""Counts for all radii at once are those of each radius alone."""

from itertools import combinations

import numpy as np
import pytest
from made import clustered_hashes, crowd

from pipeline.operators.hashes import NO_HASH
from pipeline.packing import groups, hamming
from pipeline.packing.groups import HASH_KINDS, LINK_KINDS, LinkKeys
from pipeline.studio.dataset import radii

RADIUS = 22


def distance(one, other):
    if NO_HASH in (one, other):
        return radii.FAR
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def strangers(seed, size):
    """Make samples that hashes alone link, in several groups."""
    random, hashes = np.random.default_rng(seed), clustered_hashes(seed, 60, 3, 12)
    colors, lines = random.permutation(hashes)[:size], random.permutation(hashes)[:size]
    return [
        LinkKeys(str(n), str(n), "", color.tobytes(), line.tobytes() if n % 7 == 0 else NO_HASH)
        for n, (color, line) in enumerate(zip(colors, lines, strict=True))
    ]


@pytest.mark.parametrize("held", [1 << 23, 0])
@pytest.mark.parametrize(("samples", "least"), [(crowd(3), 1), (strangers(0, 150), 5)])
def test_counts_of_all_radii_are_those_of_each_radius(monkeypatch, samples, least, held):
    monkeypatch.setattr(groups, "MAX_HELD_PAIRS", held)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 50)
    sides = np.random.default_rng(3).choice(["train", "val", "test"], len(samples))
    widest = groups.find_links(samples, RADIUS)
    linked, torn = radii.links_by_radius(widest), radii.torn_by_radius(widest, sides)
    components = radii.components_by_radius(widest, len(samples))
    names, families = radii.rank_families(samples)
    assert len(components) == len(torn) == RADIUS + 1
    for radius in range(RADIUS + 1):
        links = groups.find_links(samples, radius)
        assert {kind: linked[kind][radius] for kind in LINK_KINDS} == groups.count_links(links)
        assert torn[radius] == groups.count_torn(links, sides)
        ranks = radii.rank_groups(families, components[radius])
        assert [names[rank] for rank in ranks] == groups.name_groups(samples, links)
    assert len(set(torn.tolist())) > 5
    assert len({labels.max() for labels in components}) >= least  # numbers of groups


def test_the_list_has_every_pair_once_with_all_that_links_it():
    samples = crowd(1, 80)
    links = groups.find_links(samples, RADIUS)
    pairs = radii.list_pairs(links, 10**6)
    found = dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), range(10**6), strict=False))
    assert len(found) == len(pairs.left)
    for i, j in combinations(range(len(samples)), 2):
        far = {k: distance(getattr(samples[i], k), getattr(samples[j], k)) for k in HASH_KINDS}
        equal = {k: links.labels[k][i] == links.labels[k][j] for k in ("family", "pixels")}
        assert ((i, j) in found) == (any(equal.values()) or min(far.values()) <= RADIUS)
        if (i, j) in found:
            assert {k: pairs.distances[k][found[i, j]] for k in HASH_KINDS} == far
            assert {k: pairs.equal[k][found[i, j]] for k in equal} == equal


def test_a_list_is_bounded_for_each_kind_and_distance():
    samples = crowd(2)
    links = groups.find_links(samples, RADIUS)
    pairs = radii.list_pairs(links, 3)
    assert len(pairs.left) <= 3 * (2 + 2 * (RADIUS + 2))
    everything = radii.list_pairs(links, 10**6)
    for kind in HASH_KINDS:
        assert {*pairs.distances[kind].tolist()} >= {*range(RADIUS + 1)} & {
            *everything.distances[kind].tolist()
        }


def test_no_samples_have_no_pairs():
    links = groups.find_links([], RADIUS)
    assert radii.links_by_radius(links)["colors"].tolist() == [0] * (RADIUS + 1)
    assert radii.torn_by_radius(links, np.array([])).tolist() == [0] * (RADIUS + 1)
    assert len(radii.list_pairs(links, 5).left) == 0
    assert radii.rank_groups(np.arange(0), np.arange(0)).tolist() == []
