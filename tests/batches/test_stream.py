"""Samples behind a URL: each once per epoch, equal to those of a folder, and read on where a run stopped."""

import sys
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, islice
from pathlib import Path
from threading import Lock, Thread

import pytest
import torch
from made import packed
from store import upload

from pipeline import files
from pipeline.batches import loader as batches_loader
from pipeline.batches import remote
from pipeline.batches.dataset import AugmentationPolicy, Pairs
from pipeline.batches.loader import endless_batches, single_pass
from pipeline.batches.stream import COPIES, LARGEST_WINDOW, MEMORY, THREADS, PairStream, StreamOrder
from pipeline.errors import Halt
from pipeline.params import Reference
from pipeline.shards.column import INDEX, SEAL, Shard

s3fs = pytest.importorskip("s3fs", reason="needs inkwash[urls]")
pytest.importorskip("upath", reason="needs inkwash[urls]")

DRAWN_GUIDES = (("strokes", 1.0), ("gray", 1.0), ("reference", 1.0))
COUNT = 10  # training samples, in shards of 3, 3, 3 and 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pack a dataset of unequal shards."""
    return packed(tmp_path_factory.mktemp("pairs"), train=COUNT)


@pytest.fixture(scope="module")
def url(store, folder):
    """Upload it once for all tests that change nothing."""
    files.to_path("s3://other").fs.mkdir("streamed")
    return upload(folder, "s3://streamed/data")


@pytest.fixture
def copy(folder, bucket):
    """Upload it to a bucket of one test."""
    return upload(folder, bucket)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Try again at once."""
    monkeypatch.setattr(remote, "PAUSES", (0.0,) * 4)


def stream(home, columns=(), **given):
    """Open the training split."""
    return PairStream(home, "train", "b7", columns, **given)


def load(pairs, batch=4, steps=5, workers=0, step=0, seed=0, rank=0, world=1):
    """Load some batches of one rank."""
    order = StreamOrder(pairs.shards, batch, seed, step, rank, world)
    endless = endless_batches(pairs, order, workers)
    found = list(islice(endless, steps))
    endless.close()  # ends its processes
    return found


def keys(pairs, **given):
    """List the keys of some batches."""
    return [batch["key"] for batch in load(pairs, **given)]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than there may be cores
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world", [1, 2])
def test_every_epoch_has_every_sample_once_whatever_ranks_and_workers(url, folder, forked, world, workers):
    pairs, every = stream(url), [entry.key for entry in Pairs(folder, "train", "b7", ()).entries]
    shares = [keys(pairs, workers=workers, rank=rank, world=world) for rank in range(world)]
    assert [len(set(map(len, share))) for share in shares] == [1] * world  # all take equally many steps
    steps = [list(chain(*parts)) for parts in zip(*shares, strict=True)]
    taken = list(chain(*steps))
    assert Counter(taken[:COUNT]) == Counter(taken[COUNT:]) == Counter(every)
    assert steps == [StreamOrder(pairs.shards, 4, 0, 0).keys(step) for step in range(5)]


def shard_list(sizes, sample=1000):
    """Describe shards of so many samples, each of `sample` bytes."""
    return [Shard(Path(f"train-{n:06d}.tar"), size, size * sample, "") for n, size in enumerate(sizes)]


def plan(order, place):
    """Yield the samples of a place as (epoch, shard, row)."""
    for window in order.windows(place, order.step):
        yield from ((window.epoch, window.shard.name, row) for row in window.numbers)


def taken(order, steps):
    """List the samples of some steps."""
    places = (islice(plan(order, place), steps) for place in range(order.batch))
    return list(zip(*places, strict=True))


@pytest.mark.parametrize("sizes", [[7], [1, 1, 1, 1, 1], [50, 3, 11], [9, 9, 9, 9], [40, 1, 30]])
@pytest.mark.parametrize("batch", [1, 3, 5])
def test_the_plan_has_every_row_of_unequal_shards_once_in_each_of_three_epochs(sizes, batch):
    total = sum(sizes)
    rows = {(f"train-{n:06d}.tar", row) for n, size in enumerate(sizes) for row in range(size)}
    steps = -(-3 * total // batch)
    found = list(chain(*taken(StreamOrder(shard_list(sizes), batch, 1, 0), steps)))[: 3 * total]
    for epoch in range(3):
        part = found[epoch * total : (epoch + 1) * total]
        assert {each[0] for each in part} == {epoch}
        assert Counter(each[1:] for each in part) == dict.fromkeys(rows, 1)


@pytest.mark.parametrize("step", [1, 6, 7, 29])
def test_a_plan_that_begins_at_a_step_goes_on_as_the_whole_one(step):
    shards = shard_list([7, 2, 5, 11])
    whole = taken(StreamOrder(shards, 4, 0, 0), 40)
    assert taken(StreamOrder(shards, 4, 0, step), 40 - step) == whole[step:]


def test_epochs_and_seeds_differ_in_order_and_in_what_shares_a_batch():
    shards = shard_list([60, 60])
    first, second = (taken(StreamOrder(shards, 4, 0, step), 30) for step in (0, 30))
    other = taken(StreamOrder(shards, 4, 1, 0), 30)
    batches = [{frozenset(each[1:] for each in step) for step in run} for run in (first, second, other)]
    assert len(set.union(*batches)) == 90


def test_windows_are_shuffled_and_within_the_memory_that_is_allowed():
    shards = shard_list([5000, 5000], sample=100_000)
    for batch in (2, 64, 512):
        order = StreamOrder(shards, batch, 0, 0)
        assert COPIES * batch * order.window_bytes <= MEMORY
        assert order.window_bytes <= LARGEST_WINDOW
        for window in islice(order.windows(0, 0), 20):
            low, high = min(window.numbers), max(window.numbers)
            assert sorted(window.numbers) == list(range(low, high + 1))
            assert len(window.numbers) * 100_000 <= order.window_bytes
    assert any(window.numbers != sorted(window.numbers) for window in islice(order.windows(0, 0), 3))


@pytest.mark.parametrize(
    ("columns", "policy"),
    [
        (("cue", "mask"), {"flip": 0.5, "permute": 0.5, "drop": 0.5}),
        (("reference", "flow"), {"reference": Reference(strength=0.1, flip=0.5)}),
        (("guide", "reference"), {"guides": DRAWN_GUIDES, "flip": 0.5}),
    ],
)
def test_a_streamed_sample_equals_that_of_the_folder_bit_for_bit(url, folder, columns, policy):
    policy = AugmentationPolicy(3, **policy)
    near = Pairs(folder, "train", "b7,b5", columns, policy)
    far = PairStream(url, "train", "b7,b5", columns, policy)
    numbers = {entry.key: number for number, entry in enumerate(near.entries)}
    order = StreamOrder(far.shards, 4, 0, 0)
    for step, batch in enumerate(load(far)):
        epochs = [(4 * step + place) // COUNT for place in range(4)]
        places = [(epoch, numbers[key]) for epoch, key in zip(epochs, order.keys(step), strict=True)]
        loader = torch.utils.data.DataLoader(near, batch_sampler=[places])
        [expected] = batches_loader.prepare_ahead(loader, "cpu")
        assert batch.keys() == expected.keys()
        assert batch["key"] == expected["key"]
        for name in batch.keys() - {"key"}:
            assert torch.equal(batch[name], expected[name]), name


def test_a_split_behind_a_url_is_described_as_in_its_folder(url, folder):
    near, far = Pairs(folder, "train", "b7"), stream(url, ("cue",))
    assert len(near) == len(far) == COUNT
    for name in ("fingerprint", "side", "metadata", "sketches", "packed_columns"):
        assert getattr(near, name) == getattr(far, name)


def test_a_single_pass_over_a_url_equals_that_over_the_folder(url, folder):
    near, far = (single_pass(Pairs(home, "test", "b7"), 2, 0) for home in (folder, url))
    for one, other in zip(near, far, strict=True):
        assert one["key"] == other["key"]
        assert torch.equal(one["color"], other["color"])


def shards_read(store):
    """List the training shards of which bytes were asked for."""
    names = (request.rpartition("/")[2] for request in store.requests if request.startswith("GET "))
    return {name for name in names if name.startswith("train-")}


def test_a_run_that_resumes_reads_no_shard_that_it_has_used_up(store, url):
    pairs, whole = stream(url), keys(stream(url), batch=1, steps=COUNT)
    order = StreamOrder(pairs.shards, 1, 0, 0)
    store.requests.clear()
    assert keys(pairs, batch=1, step=5, steps=1) == whole[5:6]
    ahead = {window.shard.name for window in islice(order.windows(0, 5), 2)}
    assert shards_read(store) <= ahead
    assert len(ahead) < len(pairs.shards)


def test_a_connection_that_is_lost_is_tried_again_and_no_sample_comes_twice(store, url, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    undisturbed, pairs = keys(stream(url)), stream(files.to_path(str(url)))
    revived, lock = [], Lock()

    def wait(pause):
        with lock:  # several threads may wait
            if not revived:
                revived.append(store.start())

    monkeypatch.setattr(remote.time, "sleep", wait)
    store.deadly = f"GET /streamed/data/{pairs.shards[1].name}"
    assert keys(pairs) == undisturbed
    assert revived


def test_a_store_that_stays_away_is_one_sentence_after_a_few_tries(url, monkeypatch):
    pairs, paused = stream(url), []
    monkeypatch.setattr(remote.time, "sleep", paused.append)
    monkeypatch.setattr(remote.RemoteFile, "read_open", reset)
    with pytest.raises(Halt, match=r"train-00000\d.tar stopped answering \(reset\): see that it answers,"):
        keys(pairs)
    assert len(paused) % 4 == 0 < len(paused) <= 4 * THREADS


def reset(file, size):
    """Fail as a connection that is reset."""
    raise ConnectionResetError("reset")


@pytest.mark.parametrize("change", ["altered", "cut off", "packed again", "removed"])
def test_a_shard_that_changes_under_the_run_is_one_sentence(copy, change, tmp_path):
    pairs = stream(copy)
    path = copy / pairs.shards[0].name
    data = path.read_bytes()
    other = packed(tmp_path, train=3, side=16) / "train-000000.tar"
    changed = {"altered": data[:700] + bytes([data[700] ^ 1]) + data[701:], "cut off": data[:-3000]}
    changed["packed again"] = other.read_bytes()
    if change == "removed":
        path.unlink()
        sentence = rf"has no {path.name} \("
    else:
        files.write(path, changed[change])
        sentence = rf"{path.name} differs from its seal \(sample 00\d\): it is damaged, cut off, or was"
    with pytest.raises(Halt, match=sentence):
        keys(pairs, steps=COUNT)


def test_what_is_missing_is_named_at_once(copy, folder):
    with pytest.raises(Halt, match=r"^s3://no-such-bucket/data has no seal.json \(.*\): name the URL of"):
        stream(files.to_path("s3://no-such-bucket/data"))
    files.write(copy / INDEX, (folder / INDEX).read_bytes() + b"\n")
    with pytest.raises(Halt, match=r"index.tsv differs from the seal: upload the packed dataset again"):
        stream(copy)
    (copy / INDEX).unlink()
    remote.copy_index.cache_clear()
    with pytest.raises(Halt, match=r"has no index.tsv \(.*\): name the URL of"):
        stream(copy)
    files.write(copy / SEAL, b"{}")
    with pytest.raises(Halt, match=r"seal.json is no seal of this program"):
        stream(copy)


def test_what_may_not_be_read_is_one_sentence(store, copy):
    pairs = stream(copy)
    store.refused = pairs.shards[0].name
    with pytest.raises(Halt, match=r"may not be read \(.*\): see what the credentials allow"):
        keys(pairs, steps=COUNT)


def test_without_webdataset_the_extra_is_missing_before_anything_is_read(store, url, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset.tariterators", None)
    store.requests.clear()
    with pytest.raises(ModuleNotFoundError):
        stream(url)
    assert store.requests == []


def test_a_folder_needs_no_webdataset(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    assert Pairs(folder, "train", "b7")[0]["key"] == "000"


class Whole(SimpleHTTPRequestHandler):
    """Serve files as a whole, and note nothing."""

    def log_message(self, *given):
        """Print nothing."""


def test_a_static_server_without_ranges_gives_the_same_batches(folder, url):
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Whole(*given, directory=folder))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        home = files.to_path(f"http://127.0.0.1:{server.server_port}")
        assert keys(stream(home), steps=8) == keys(stream(url), steps=8)
        near, far = (single_pass(Pairs(place, "val", "b7", ()), 2, 0) for place in (folder, home))
        assert [batch["key"] for batch in near] == [batch["key"] for batch in far]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
