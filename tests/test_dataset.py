"""The loader: every sample once per epoch, in an order that nothing but seed, epoch and keys decides."""

import hashlib
import io
import json
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from pipeline import Halt, images, samples, warp
from pipeline.dataset import Fresh, Pairs, array, batches, once, tensor
from pipeline.mask import NAMES, mask
from pipeline.params import Reference
from pipeline.tars import Sample

SIDE = 32


def sample(number: int, side: int = SIDE) -> Sample:
    """Make a sample with a colored disk, whose outline is the sketch and whose mean color is the cue."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] / side
    distance = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
    inner, outer = rng.integers(0, 256, (2, 3))
    color = np.where(distance[..., None] < 0.25, inner, outer).astype(np.uint8)
    sketch = np.where(abs(distance - 0.25) < 0.04, 0, 255).astype(np.uint8)
    cue = np.broadcast_to(color.mean((0, 1)), color.shape).astype(np.uint8)
    pictures = {
        "color": color,
        "sketch-b5": 255 - sketch,
        "sketch-b7": sketch,
        "cue": cue,
        "reference": color,
    }
    members = {f"{name}.png": images.encode(picture) for name, picture in pictures.items()}
    facts = {"cue": {"sigma": 20.0, "drawn": [number]}, "sketch-b7": {"blocksize": 7, "complexity": number}}
    facts["reference"] = warp.choose(f"{number:03d}", Reference())
    return Sample(f"{number:03d}", members | {"json": json.dumps(facts).encode()})


def packed(folder: Path, train: int = 7, val: int = 2, test: int = 3, side: int = SIDE) -> Path:
    """Write a packed dataset: up to three samples to a shard."""
    listed, number = [], 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for shard, start in enumerate(range(0, count, 3)):
            made = [sample(number + i, side) for i in range(start, min(start + 3, count))]
            listed.append(samples.write_shard(folder / f"{split}-{shard:06d}.tar", made))
        number += count
    samples.seal(folder, listed, number, {})
    return folder


def keys(
    pairs: Pairs, count: int, batch: int = 2, seed: int = 0, step: int = 0, workers: int = 0
) -> list[list[str]]:
    """List the keys of some batches."""
    return [found["key"] for found in islice(batches(pairs, batch, seed, step, workers), count)]


@pytest.fixture
def pairs(tmp_path):
    """Open the training split of a packed dataset."""
    return Pairs(packed(tmp_path), "train", "b7")


def test_a_sample_is_what_was_packed_scaled_to_minus_one_and_one(pairs):
    found, made = pairs[4], sample(4)
    assert found["key"] == made.key
    assert {name: tuple(found[name].shape) for name in ("sketch", "cue", "color")} == {
        "sketch": (1, 32, 32),
        "cue": (3, 32, 32),
        "color": (3, 32, 32),
    }
    assert all(found[name].dtype == torch.float32 for name in ("sketch", "cue", "color"))
    assert set(found["sketch"].unique().tolist()) == {-1.0, 1.0}
    for name, member in (("color", "color.png"), ("cue", "cue.png")):
        levels = images.decode(made.members[member]).transpose(2, 0, 1)
        np.testing.assert_allclose(found[name].numpy(), levels / 255 * 2 - 1, atol=1e-6)


def test_pixels_survive_the_way_to_tensors_and_back():
    every_level = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (array(tensor(every_level)) == every_level).all()
    color = np.stack([every_level, every_level[::-1], every_level.T], axis=2)
    assert (array(tensor(color)) == color).all()


def test_pictures_of_one_bit_are_read_as_black_and_white(pairs):
    data = pairs.entries[0].read("sketch-b7.png")
    assert Image.open(io.BytesIO(data)).mode == "1"
    assert (array(pairs[0]["sketch"]) == images.decode(data)[..., 0]).all()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to Python
def test_webdataset_reads_the_same_keys_and_bytes(pairs):
    shards = sorted({str(entry.path) for entry in pairs.entries})
    reader = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    streamed = {sample["__key__"]: sample for sample in reader}
    assert list(streamed) == [entry.key for entry in pairs.entries]
    for entry in pairs.entries:
        for member in entry.members:
            assert entry.read(member) == streamed[entry.key][member]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_an_epoch_holds_every_sample_once_but_for_an_incomplete_batch(pairs, batch):
    whole = len(pairs) // batch
    for epoch in range(3):
        found = list(chain(*keys(pairs, whole, batch, step=epoch * whole)))
        assert len(found) == len(set(found)) == whole * batch


def test_epochs_and_seeds_differ_in_order(pairs):
    first, second, other = keys(pairs, 7, 1), keys(pairs, 7, 1, step=7), keys(pairs, 7, 1, seed=1)
    assert sorted(first) == sorted(second) == sorted(other)
    assert first != second
    assert first != other


def test_the_order_depends_on_the_keys_and_not_on_the_shards(pairs, tmp_path):
    members = [sample(number) for number in reversed(range(7))]
    shard = samples.write_shard(tmp_path / "other" / "train-000000.tar", members)
    samples.seal(tmp_path / "other", [shard], 7, {})
    assert keys(Pairs(tmp_path / "other", "train", "b7"), 9) == keys(pairs, 9)


def test_the_order_does_not_depend_on_the_number_of_workers(pairs):
    assert keys(pairs, 5, workers=2) == keys(pairs, 5)


@pytest.mark.parametrize("step", [1, 3, 4, 11])
def test_a_run_taken_up_at_a_step_gets_the_same_batches(pairs, step):
    assert keys(pairs, 4, step=step) == keys(pairs, step + 4)[step:]
    assert step < 3 or keys(pairs, 4, step=step)[0] != keys(pairs, 4)[0]


def test_taking_up_a_run_decodes_nothing_that_was_seen(pairs, monkeypatch):
    read = []
    decode = images.decode
    monkeypatch.setattr("pipeline.dataset.images.decode", lambda data: read.append(data) or decode(data))
    next(batches(pairs, 2, 0, 1000, 0))
    assert len(read) == 3 * 2


def test_loading_draws_no_random_numbers(pairs):
    before = torch.get_rng_state()
    keys(pairs, 5)
    list(once(pairs, 2, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_once_gives_every_sample_in_the_order_of_the_shards(pairs):
    found = [batch["key"] for batch in once(pairs, 3, 0)]
    assert found == [["000", "001", "002"], ["003", "004", "005"], ["006"]]


def test_the_dataset_tells_its_side_and_how_its_columns_were_made(pairs):
    assert pairs.side == SIDE
    assert pairs.facts == {"cue": {"sigma": 20.0}, "sketch-b7": {"blocksize": 7}}


def test_the_fingerprint_is_that_of_all_shards(tmp_path, pairs):
    assert Pairs(tmp_path, "val", "b5").fingerprint == pairs.fingerprint
    assert Pairs(packed(tmp_path / "more", test=4), "train", "b7").fingerprint != pairs.fingerprint
    assert len(bytes.fromhex(pairs.fingerprint)) == hashlib.sha256().digest_size


def test_an_empty_split_is_named(tmp_path):
    with pytest.raises(Halt, match=r"the test split of .* is empty"):
        Pairs(packed(tmp_path, test=0), "test", "b7")


def test_an_unknown_sketch_is_answered_with_those_that_are_there(tmp_path):
    with pytest.raises(Halt, match="no column sketch-b9, only color, cue, reference, sketch-b5, sketch-b7:"):
        Pairs(packed(tmp_path), "train", "b9")


def test_a_missing_folder_and_a_missing_seal_are_named(tmp_path):
    with pytest.raises(Halt, match="does not exist"):
        Pairs(tmp_path / "nowhere", "train", "b7")
    samples.unseal(packed(tmp_path))
    with pytest.raises(Halt, match=r"has no seal\.json"):
        Pairs(tmp_path, "train", "b7")


def test_fewer_samples_than_a_batch_are_refused(pairs):
    with pytest.raises(Halt, match="7 training samples do not fill a batch of 8"):
        next(batches(pairs, 8, 0, 0, 0))


REFERENCE = ("reference", "flow")


def drawn(folder, place, columns=REFERENCE, sketch="b7", **fresh):
    """Load a sample with fresh draws."""
    return Pairs(folder, "train", sketch, columns, Fresh(0, **fresh))[place]


def test_the_packed_reference_serves_where_nothing_is_drawn_anew(tmp_path):
    found = Pairs(packed(tmp_path), "train", "b7", REFERENCE)[3]
    levels = images.decode(sample(3).members["reference.png"])
    assert (array(found["reference"]) == levels).all()
    assert torch.equal(found["target"], found["color"])
    facts = warp.choose("003", Reference())
    np.testing.assert_allclose(found["flow"], warp.flow(facts["points"], SIDE, SIDE), atol=1e-6)


def test_each_epoch_bends_anew_and_the_same_way_each_time(tmp_path):
    packed(tmp_path)
    params = Reference(strength=0.1, order="before")
    one, again, other = (drawn(tmp_path, (epoch, 2), reference=params) for epoch in (1, 1, 2))
    assert torch.equal(one["reference"], again["reference"])
    assert not torch.equal(one["reference"], other["reference"])
    target, at = array(one["target"]), one["flow"].numpy()
    assert (array(one["reference"]) == warp.warp(target, at)).mean() > 0.99
    assert not torch.equal(one["target"], one["color"])


def test_a_mirrored_sample_is_mirrored_in_all_that_belongs_together(tmp_path):
    packed(tmp_path)
    plain, mirrored = (drawn(tmp_path, (1, 2), ("cue", "mask"), flip=flip) for flip in (0.0, 1.0))
    for name in ("color", "sketch", "cue"):
        assert torch.equal(plain[name].flip(2), mirrored[name])
    bent = drawn(tmp_path, (1, 2), reference=Reference(jitter=0.0), flip=1.0)
    again = warp.warp(array(bent["color"]), bent["flow"].numpy())
    assert np.abs(array(bent["reference"]).astype(int) - again).max() <= 1


def test_the_cue_is_left_out_as_often_as_asked(tmp_path):
    packed(tmp_path)
    for share in (0.0, 1.0):
        gone = {bool((drawn(tmp_path, (1, n), ("cue",), drop=share)["cue"] == 1).all()) for n in range(7)}
        assert gone == {share == 1.0}


def test_of_several_sketches_each_epoch_draws_one_and_validation_takes_the_first(tmp_path):
    packed(tmp_path)
    inked = {
        n: (drawn(tmp_path, (n, 0), ("cue",), "b7,b5")["sketch"] < 0).float().mean() < 0.5 for n in range(20)
    }
    assert set(map(bool, inked.values())) == {True, False}
    first = Pairs(tmp_path, "train", "b7,b5")[0]["sketch"]
    assert torch.equal(first, Pairs(tmp_path, "train", "b7")[0]["sketch"])


def test_masks_are_the_ten_and_differ_from_epoch_to_epoch(tmp_path):
    packed(tmp_path)
    known = [torch.from_numpy(mask(n, SIDE, SIDE)).float()[None] for n in range(len(NAMES))]
    found = [drawn(tmp_path, (n, 0), ("mask",))["mask"] for n in range(60)]
    assert {next(i for i, each in enumerate(known) if torch.equal(each, one)) for one in found} == set(
        range(10)
    )


def test_a_reference_of_another_picture_has_no_flow(tmp_path):
    facts = warp.choose("0", Reference()) | {"subject": "family"}
    members = sample(0).members | {"json": json.dumps({"reference": facts}).encode()}
    shard = samples.write_shard(tmp_path / "train-000000.tar", [Sample("000", members)])
    samples.seal(tmp_path, [shard], 1, {})
    pairs = Pairs(tmp_path, "train", "b7", REFERENCE)
    with pytest.raises(Halt, match="shows another picture, which has no flow"):
        _ = pairs[0]
    assert "flow" not in Pairs(tmp_path, "train", "b7", ("reference",))[0]
    assert "flow" in drawn(tmp_path, (1, 0), reference=Reference())
