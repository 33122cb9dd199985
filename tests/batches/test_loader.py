"""The batches: every sample once per epoch, in an order that seed, epoch and keys alone decide."""

import gc
import multiprocessing
import os
import signal
from collections import Counter
from itertools import chain, islice

import pytest
import torch
from made import packed, sample
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from pipeline.batches import loader as batches_loader
from pipeline.batches.dataset import AugmentationPolicy, Pairs
from pipeline.batches.loader import BatchOrder, endless_batches, prepare_ahead, single_pass
from pipeline.errors import Halt
from pipeline.images import codec
from pipeline.shards.writer import seal_column, write_shard


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Open a training split of seven samples, without a cue."""
    return Pairs(packed(tmp_path_factory.mktemp("seven")), "train", "b7", ())


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Open a training split of eight samples, mirrored at random."""
    return Pairs(
        packed(tmp_path_factory.mktemp("eight"), train=8), "train", "b7", (), AugmentationPolicy(0, flip=0.5)
    )


def names(pairs):
    """List all keys of a split."""
    return [entry.key for entry in pairs.entries]


def order(pairs, batch=2, seed=0, step=0, rank=0, world=1):
    """Order the samples of a split."""
    return BatchOrder(names(pairs), batch, seed, step, rank, world)


def keys(pairs, steps, workers=0, **given):
    """List the keys of some batches."""
    endless = endless_batches(pairs, order(pairs, **given), workers)
    found = [batch["key"] for batch in islice(endless, steps)]
    endless.close()  # ends its processes
    return found


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_every_epoch_holds_every_sample_once_whatever_the_batch(pairs, batch):
    stream = list(chain(*keys(pairs, -(-21 // batch), batch=batch)))
    for epoch in range(3):
        assert sorted(stream[7 * epoch : 7 * epoch + 7]) == names(pairs)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than there may be cores
@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_two_epochs_whatever_their_workers(eight, forked, world, workers):
    share = [keys(eight, 4, workers, batch=4, rank=rank, world=world) for rank in range(world)]
    assert Counter(chain(*chain(*share))) == dict.fromkeys(names(eight), 2)
    alone = keys(eight, 4, batch=4)
    assert [list(chain(*parts)) for parts in zip(*share, strict=True)] == alone
    assert all(len(part) == 4 // world for part in chain(*share))


def test_all_ranks_together_take_the_samples_of_a_step(pairs):
    whole = order(pairs, 4)
    parts = [islice(order(pairs, 4, rank=rank, world=2), 9) for rank in range(2)]
    for step, (one, other) in enumerate(zip(*parts, strict=True)):
        assert one + other == whole.at(step)
    assert [epoch for epoch, _ in whole.at(1)] == [0, 0, 0, 1]
    assert whole.at(5) == order(pairs, 4, step=3).at(5)


def test_an_epoch_is_ordered_once(pairs, monkeypatch):
    asked = []
    shuffled = batches_loader.shuffle_epoch
    monkeypatch.setattr(
        batches_loader, "shuffle_epoch", lambda *given: asked.append(given[2]) or shuffled(*given)
    )
    whole = order(pairs, 4)
    for step in range(6):
        assert whole.at(step) == whole.at(step)
    assert asked == [0, 1, 2, 3]


def test_a_sample_is_drawn_for_the_epoch_that_it_is_taken_in(eight):
    found = next(endless_batches(eight, order(eight, 3, step=2), 0))
    drawn = [eight[place] for place in order(eight, 3).at(2)]
    assert [epoch for epoch, _ in order(eight, 3).at(2)] == [0, 0, 1]
    assert found["key"] == [one["key"] for one in drawn]
    for color, one in zip(found["color"], drawn, strict=True):
        levels = one["color"].permute(2, 0, 1)
        wanted = levels.flip(2) if one["mirrored"] else levels
        assert torch.equal(((color + 1) * 127.5).round(), wanted.float())


def test_epochs_and_seeds_differ_in_order(pairs):
    first, second, other = (
        keys(pairs, 7, batch=1),
        keys(pairs, 7, batch=1, step=7),
        keys(pairs, 7, batch=1, seed=1),
    )
    assert sorted(first) == sorted(second) == sorted(other)
    assert first != second
    assert first != other


def test_the_order_depends_on_the_keys_and_not_on_the_shards(pairs, tmp_path):
    members = [sample(number) for number in reversed(range(7))]
    shard = write_shard(tmp_path / "train-000000.tar", members)
    seal_column(tmp_path, [shard], 7, {})
    assert keys(Pairs(tmp_path, "train", "b7", ()), 9) == keys(pairs, 9)


@pytest.mark.parametrize("step", [1, 3, 4, 11])
def test_a_run_that_resumes_at_a_step_gets_the_same_batches(pairs, step):
    assert keys(pairs, 4, step=step) == keys(pairs, step + 4)[step:]
    assert keys(pairs, 4, step=step) != keys(pairs, 4)


def test_resuming_decodes_no_earlier_sample(pairs, monkeypatch):
    read = []
    decode = codec.decode
    monkeypatch.setattr("pipeline.images.codec.decode", lambda data: read.append(data) or decode(data))
    next(endless_batches(pairs, order(pairs, step=1000), 0))
    assert len(read) == 2 * 2


def test_fewer_samples_than_a_batch_are_refused(pairs):
    with pytest.raises(Halt, match="7 training samples do not fill a batch of 8"):
        next(endless_batches(pairs, order(pairs, 8), 0))


def test_loading_draws_no_random_numbers(pairs):
    before = torch.get_rng_state()
    keys(pairs, 5)
    list(single_pass(pairs, 2, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_single_pass_gives_every_sample_in_the_order_of_the_shards(pairs):
    found = single_pass(pairs, 3, 0)
    for _ in range(2):
        assert [batch["key"] for batch in found] == [["000", "001", "002"], ["003", "004", "005"], ["006"]]


@pytest.mark.parametrize("world", [2, 4, 8])
def test_a_single_pass_gives_every_sample_to_one_rank(pairs, world):
    share = [
        list(chain(*(batch["key"] for batch in single_pass(pairs, 3, 0, rank=r, world=world))))
        for r in range(world)
    ]
    assert list(chain(*share)) == names(pairs)
    assert max(map(len, share)) - min(map(len, share)) <= 1


def test_the_processes_of_a_single_pass_stay_for_the_next(pairs):
    found = single_pass(pairs, 3, 1)
    first = [batch["key"] for batch in found]
    processes = set(multiprocessing.active_children())
    assert [batch["key"] for batch in found] == first == [batch["key"] for batch in single_pass(pairs, 3, 0)]
    assert set(multiprocessing.active_children()) == processes != set()


class Deadly(torch.utils.data.Dataset):
    """Kill the process that loads the second sample."""

    def __len__(self):
        """Count the samples."""
        return 2

    def __getitem__(self, number):
        """Load, or die."""
        if number:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"key": "0"}


def test_a_killed_process_halts_with_advice(forked, monkeypatch):
    often = 0.1  # seconds after which torch looks whether a process lives, in place of five
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", often)
    monkeypatch.setattr(_MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (often,))
    loader = torch.utils.data.DataLoader(Deadly(), 1, **batches_loader.loader_options(1, "cpu"))
    with pytest.raises(Halt, match=r"a process that loads samples was killed.*: use fewer --workers"):
        list(batches_loader.watch_loader(loader))
    gc.collect()  # what is left of the loader waits for its processes


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_sample_is_named_whichever_process_reads_it(tmp_path, forked, workers):
    pairs = Pairs(packed(tmp_path), "train", "b7", ())
    entry = pairs.entries[4]
    data = bytearray(entry.path.read_bytes())
    data[entry.row.places["color.png"][0] + 99] ^= 1
    entry.path.write_bytes(data)
    with pytest.raises(Halt) as halt:
        keys(pairs, 9, workers)
    advice = "delete it, then run the stage that writes it again"
    assert str(halt.value) == f"{entry.path} differs from its seal (sample 004): {advice}"


def test_on_a_gpu_batches_are_copied_from_pinned_memory():
    assert batches_loader.loader_options(0, "cuda")["pin_memory"]
    assert not batches_loader.loader_options(0, "cpu")["pin_memory"]


def test_batches_are_prepared_one_by_one_on_demand():
    taken = []
    levels = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    loader = ({"key": [taken.append(n) or n], "color": levels, "sketch": levels[..., 0]} for n in range(3))
    found = prepare_ahead(loader, "cpu")
    assert next(found)["key"] == [0]
    assert taken == [0]
    assert [batch["key"] for batch in found] == [[1], [2]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gets_the_same_batches(eight):
    here, there = (endless_batches(eight, order(eight, 3), 0, device) for device in ("cpu", "cuda"))
    for one, other in islice(zip(here, there, strict=False), 20):
        assert one["key"] == other["key"]
        assert torch.equal(one["color"], other["color"].cpu())
