"""The samples: equal to the packed ones byte for byte, with augmentation by seed, key and epoch alone."""

import hashlib
import io
import json

import numpy as np
import pytest
import torch
import webdataset
from made import SIDE, packed, sample
from PIL import Image

from pipeline.batches import dataset
from pipeline.batches.dataset import AugmentationPolicy, Pairs, to_array, to_tensor
from pipeline.batches.mask import MASK_NAMES, make_mask
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.operators import warp
from pipeline.params import Reference
from pipeline.shards.column import INDEX, SEAL, find_sample
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard


@pytest.fixture
def pairs(tmp_path):
    """Open the training split of a packed dataset."""
    return Pairs(packed(tmp_path), "train", "b7")


def test_a_sample_equals_the_packed_one(pairs):
    found, made = pairs[4], sample(4)
    assert found["key"] == made.key
    assert found["mirrored"] is False
    assert found.keys() == {"key", "mirrored", "color", "sketch", "cue"}
    for name, member in (("color", "color.png"), ("cue", "cue.png")):
        assert found[name].dtype == torch.uint8
        assert np.array_equal(found[name], codec.decode(made.members[member]))
    assert np.array_equal(found["sketch"], codec.decode(made.members["sketch-b7.png"])[..., 0])
    assert found["sketch"].unique().tolist() == [0, 255]


def test_the_folder_may_be_a_string(tmp_path, pairs):
    assert Pairs(str(tmp_path), "train", "b7")[0].keys() == pairs[0].keys()


def test_pixels_survive_the_way_to_tensors_and_back():
    every_level = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (to_array(to_tensor(every_level)) == every_level).all()
    color = np.stack([every_level, every_level[::-1], every_level.T], axis=2)
    assert (to_array(to_tensor(color)) == color).all()


def test_pictures_of_one_bit_are_read_as_black_and_white(pairs):
    data = pairs.entries[0].read().members["sketch-b7.png"]
    assert Image.open(io.BytesIO(data)).mode == "1"
    assert np.array_equal(pairs[0]["sketch"], codec.decode(data)[..., 0])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to Python
def test_webdataset_reads_the_same_keys_and_bytes(pairs):
    shards = sorted({str(entry.path) for entry in pairs.entries})
    reader = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    streamed = {sample["__key__"]: sample for sample in reader}
    assert list(streamed) == [entry.key for entry in pairs.entries]
    for entry in pairs.entries:
        for member, data in entry.read().members.items():
            assert data == streamed[entry.key][member]


def test_the_dataset_knows_its_side_and_the_metadata_of_its_columns(pairs):
    assert pairs.side == SIDE
    assert pairs.metadata == {"cue": {"sigma": 20.0}, "sketch-b7": {"blocksize": 7}}


def test_the_fingerprint_is_that_of_all_shards(tmp_path, pairs):
    assert Pairs(tmp_path, "val", "b5").fingerprint == pairs.fingerprint
    assert Pairs(packed(tmp_path / "more", test=4), "train", "b7").fingerprint != pairs.fingerprint
    assert len(bytes.fromhex(pairs.fingerprint)) == hashlib.sha256().digest_size


def test_without_a_split_and_a_sketch_the_training_split_has_every_sketch(tmp_path, pairs):
    found = Pairs(tmp_path)
    assert [entry.key for entry in found.entries] == [entry.key for entry in pairs.entries]
    assert found.sketches == ["sketch-b5", "sketch-b7"]
    assert torch.equal(found[0]["sketch"], Pairs(tmp_path, "train", "b5")[0]["sketch"])


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_split_that_is_empty_or_unknown_is_answered_with_the_others(tmp_path, split):
    with pytest.raises(Halt, match=rf"has no split {split}, only train, val: name one of these, or pack"):
        Pairs(packed(tmp_path, test=0), split, "b7")


def test_an_unknown_sketch_is_answered_with_the_packed_columns(tmp_path):
    with pytest.raises(Halt, match="no column sketch-b9, only color, cue, reference, sketch-b5, sketch-b7:"):
        Pairs(packed(tmp_path), "train", "b9")


def test_a_missing_folder_and_a_missing_seal_are_named(tmp_path):
    with pytest.raises(Halt, match="does not exist"):
        Pairs(tmp_path / "nowhere", "train", "b7")
    (packed(tmp_path) / SEAL).unlink()
    with pytest.raises(Halt, match=r"has no seal\.json"):
        Pairs(tmp_path, "train", "b7")


REFERENCE = ("reference", "flow")
DRAWN = {"points", "shift", "tinted", "flipped"}  # from these a reference is made


def drawn(folder, place, columns=REFERENCE, sketch="b7", **fresh):
    """Load a sample with an augmentation policy."""
    return Pairs(folder, "train", sketch, columns, AugmentationPolicy(0, **fresh))[place]


@pytest.mark.parametrize("place", [3, (1, 3)])
def test_without_a_bend_in_each_epoch_the_packed_reference_is_loaded(tmp_path, place):
    found = Pairs(packed(tmp_path), "train", "b7", REFERENCE, AugmentationPolicy(0))[place]
    assert np.array_equal(found["reference"], codec.decode(sample(3).members["reference.png"]))
    assert found.keys() == {"key", "mirrored", "color", "sketch", "reference", "flow"} | DRAWN
    facts = warp.draw_reference("003", Reference())
    np.testing.assert_allclose(found["points"], facts["points"], atol=1e-7)
    np.testing.assert_allclose(found["shift"], facts["shift"], atol=1e-4)
    assert (found["tinted"], found["flipped"]) == (False, False)


def test_each_epoch_draws_its_own_reference_always_the_same(tmp_path):
    packed(tmp_path)
    params = Reference(strength=0.1, order="before", flip=0.5)
    one, again, other = (drawn(tmp_path, (epoch, 2), reference=params) for epoch in (1, 1, 2))
    assert torch.equal(one["points"], again["points"])
    assert torch.equal(one["shift"], again["shift"])
    assert not torch.equal(one["points"], other["points"])
    assert not torch.equal(one["shift"], other["shift"])
    assert one["tinted"] is other["tinted"] is True
    assert {drawn(tmp_path, (n, 2), reference=params)["flipped"] for n in range(20)} == {False, True}
    assert "reference" not in one


def test_a_packed_reference_that_the_epoch_replaces_is_not_decoded(tmp_path, monkeypatch):
    packed(tmp_path)
    read = []
    decode = dataset.decode_column
    monkeypatch.setattr(
        dataset, "decode_column", lambda packed, column: read.append(column) or decode(packed, column)
    )
    drawn(tmp_path, (1, 2), reference=Reference())
    assert read == ["color", "sketch-b7"]


def test_the_given_share_is_marked_as_mirrored_and_the_device_flips_it(tmp_path):
    packed(tmp_path)
    plain, mirrored = (drawn(tmp_path, (1, 2), ("cue", "mask"), flip=flip) for flip in (0.0, 1.0))
    assert (plain["mirrored"], mirrored["mirrored"]) == (False, True)
    assert all(torch.equal(plain[name], mirrored[name]) for name in ("color", "sketch", "cue", "mask"))
    half = [drawn(tmp_path, (n, n % 7), (), flip=0.5)["mirrored"] for n in range(100)]
    assert 30 < sum(half) < 70


def test_the_given_share_of_cues_is_left_out(tmp_path):
    packed(tmp_path)
    for share in (0.0, 1.0):
        gone = {bool((drawn(tmp_path, (1, n), ("cue",), drop=share)["cue"] == 255).all()) for n in range(7)}
        assert gone == {share == 1.0}


def test_of_several_sketches_each_epoch_draws_one_and_validation_takes_the_first(tmp_path):
    packed(tmp_path)
    inked = {bool(drawn(tmp_path, (n, 0), (), "b7,b5")["sketch"].float().mean() > 128) for n in range(20)}
    assert inked == {True, False}
    first = Pairs(tmp_path, "train", "b7,b5")[0]["sketch"]
    assert torch.equal(first, Pairs(tmp_path, "train", "b7")[0]["sketch"])


def test_masks_are_the_ten_and_differ_from_epoch_to_epoch(tmp_path):
    packed(tmp_path)
    known = [make_mask(n, SIDE, SIDE) for n in range(len(MASK_NAMES))]
    found = [drawn(tmp_path, (n, 0), ("mask",))["mask"] for n in range(60)]
    assert {next(i for i, each in enumerate(known) if np.array_equal(each, one)) for one in found} == set(
        range(10)
    )
    assert found[0].dtype == torch.uint8
    one, again = (Pairs(tmp_path, "train", "b7", ("mask",))[0]["mask"] for _ in range(2))
    assert torch.equal(one, again)


def test_a_reference_of_another_picture_has_no_flow_and_no_tinted_target(tmp_path):
    facts = warp.draw_reference("0", Reference(order="before")) | {"subject": "family"}
    members = sample(0).members | {"json": json.dumps({"reference": facts}).encode()}
    shard = write_shard(tmp_path / "train-000000.tar", [Sample("000", members)])
    seal_column(tmp_path, [shard], 1, {})
    pairs = Pairs(tmp_path, "train", "b7", REFERENCE)
    with pytest.raises(Halt, match="shows another picture, which has no flow"):
        _ = pairs[0]
    found = Pairs(tmp_path, "train", "b7", ("reference",))[0]
    assert found["tinted"] is False
    assert "flow" not in found
    assert "flow" in drawn(tmp_path, (1, 0), reference=Reference())


def replace_member(folder, key, suffix, data):
    """Write other bytes of the same length over a member of a packed sample; return the path of its shard."""
    shard, row = find_sample(folder, key)
    offset, size = row.places[suffix]
    changed = bytearray(shard.path.read_bytes())
    changed[offset : offset + size] = data.ljust(size, b"\0")[:size]
    shard.path.write_bytes(changed)
    return shard.path


@pytest.mark.parametrize("suffix", ["color.png", "json", "cue.png"])
def test_a_changed_member_is_refused_by_sample_and_shard(tmp_path, suffix):
    """The picture is replaced by a white one that decodes, or metadata by others."""
    packed(tmp_path)
    white = png.encode_png(np.full((SIDE, SIDE, 3), 255, np.uint8))
    path = replace_member(tmp_path, "004", suffix, white if suffix != "json" else b"{}")
    pairs = Pairs(tmp_path, "train", "b7")
    with pytest.raises(Halt, match=rf"{path.name} differs from its seal \(sample 004\): delete it, then"):
        _ = pairs[4]
    assert pairs[3]["key"] == "003"


def test_an_index_with_exchanged_columns_is_refused(tmp_path):
    index = packed(tmp_path) / INDEX
    lines = index.read_text().replace("color.png", "x").replace("reference.png", "color.png")
    index.write_text(lines.replace("x=", "reference.png="))
    with pytest.raises(Halt, match=r"index.tsv is missing or differs from the seal"):
        Pairs(tmp_path, "train", "b7")


def test_a_packed_member_that_is_no_picture_is_refused(tmp_path):
    members = {name: b"no picture" if name == "cue.png" else data for name, data in sample(0).members.items()}
    shard = write_shard(tmp_path / "train-000000.tar", [Sample("000", members)])
    seal_column(tmp_path, [shard], 1, {})
    with pytest.raises(
        Halt, match=r"cue.png of the sample 000 is no picture \(cannot decode\): pack it again"
    ):
        _ = Pairs(tmp_path, "train", "b7")[0]
