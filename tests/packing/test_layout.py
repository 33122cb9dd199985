"""A packed shard follows from the group, so that new samples leave most shards as they are."""

import numpy as np
import pytest

from pipeline.errors import Halt
from pipeline.packing.layout import assign_shards
from pipeline.packing.split import assign_split
from pipeline.params import Pack

GROUPS = [str(number) for number in range(3000)]
PARAMS = Pack(val=10.0, test=10.0, shards=4, megabytes=1)


def shards_of(groups, size=1000, params=PARAMS):
    """Return the groups in each shard, by name."""
    splits = [assign_split(group, params) for group in groups]
    layout = assign_shards(groups, splits, np.full(len(groups), size), params)
    return {
        name: {groups[number] for number in np.flatnonzero(layout.positions == position)}
        for position, name in enumerate(layout.names)
    }


def test_a_new_group_changes_one_shard():
    before, after = shards_of(GROUPS), shards_of([*GROUPS, "new"])
    changed = [name for name in after if after[name] != before[name]]
    assert len(before) > 5
    assert len(changed) == 1
    assert after[changed[0]] == before[changed[0]] | {"new"}


def test_when_a_split_outgrows_its_shards_each_of_them_falls_into_two():
    before, after = shards_of(GROUPS, size=2000), shards_of(GROUPS, size=4000)
    for split in ("train", "val", "test"):
        few = [shard for name, shard in before.items() if name.startswith(split)]
        many = [shard for name, shard in after.items() if name.startswith(split)]
        assert len(many) in (len(few), 2 * len(few))
        assert all(sum(part <= whole for whole in few) == 1 for part in many)
    assert len(after) > len(before)


def test_shards_are_on_average_at_most_as_large_as_asked_for_and_alike():
    shards = [len(groups) * 1000 for name, groups in shards_of(GROUPS).items() if name.startswith("train")]
    assert 0.5e6 < np.mean(shards) <= 1e6
    assert max(shards) < 1.3 * np.mean(shards)


def test_all_samples_of_a_group_are_in_one_shard_whatever_the_order():
    groups = [f"{number % 700}" for number in range(2100)]
    splits = [assign_split(group, PARAMS) for group in groups]
    layout = assign_shards(groups, splits, np.full(2100, 1000), PARAMS)
    homes = {}
    for group, position in zip(groups, layout.positions.tolist(), strict=True):
        assert homes.setdefault(group, position) == position
    turned = assign_shards(groups[::-1], splits[::-1], np.full(2100, 1000), PARAMS)
    assert (turned.positions[::-1] == layout.positions).all()


def test_a_dataset_without_training_samples_is_refused():
    with pytest.raises(Halt, match="none of 2 samples falls to the training split"):
        assign_shards(["a", "b"], ["val", "test"], np.full(2, 1000), PARAMS)
