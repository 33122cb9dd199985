"""The split of a group depends on its name, the seed and the shares alone."""

from collections import Counter

from pipeline.packing.split import assign_split
from pipeline.params import Pack


def test_shares_are_those_asked_for():
    counts = Counter(assign_split(str(number), Pack(val=10.0, test=20.0)) for number in range(5000))
    assert abs(counts["val"] / 5000 - 0.1) < 0.02
    assert abs(counts["test"] / 5000 - 0.2) < 0.02


def test_a_larger_test_share_keeps_the_groups_of_a_smaller_one():
    small = {n for n in range(1000) if assign_split(str(n), Pack(test=10.0)) == "test"}
    large = {n for n in range(1000) if assign_split(str(n), Pack(test=30.0)) == "test"}
    assert small < large


def test_the_seed_draws_another_split():
    draws = [[assign_split(str(n), Pack(seed=seed)) for n in range(100)] for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_share_of_zero_is_empty():
    assert {assign_split(str(n), Pack(val=0.0, test=0.0)) for n in range(100)} == {"train"}
