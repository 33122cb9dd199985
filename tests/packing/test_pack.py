"""Packing joins columns byte for byte and keeps families together."""

import numpy as np
import pytest
from made import make_column, picture

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.packing.pack import keep_columns, pack_columns
from pipeline.packing.split import assign_split
from pipeline.params import Pack
from pipeline.shards.column import SEAL, list_shards, seal_column, write_shard
from pipeline.shards.tar import Sample

KEYS = [f"{number:09d}" for number in range(40)]


def make_sample(column, key):
    metadata = {"family": str(int(key) // 2)} if column == "color" else {"of": column}
    return Sample(key, {"png": f"{column} {key}".encode(), "json": files.dumps(metadata)})


@pytest.fixture
def columns(tmp_path):
    """Write three columns of forty samples, two to a family."""
    folders = {name: tmp_path / name for name in ("color", "cue", "sketch-b7")}
    for name, folder in folders.items():
        shards = []
        for start in range(0, 40, 7):
            samples = [make_sample(name, key) for key in KEYS[start : start + 7]]
            shards.append(write_shard(folder / f"{start:06d}.tar", samples))
        seal_column(folder, shards, 40, {})
    return folders


def packed(dest):
    """Return the samples of each split."""
    shards = list_shards(dest)
    return {
        name: [s for sh in shards if sh.name.startswith(name) for s in sh]
        for name in ("train", "val", "test")
    }


def test_every_sample_is_packed_once_with_all_its_members(columns, tmp_path):
    counts = pack_columns(columns, tmp_path / "pairs", Pack(val=20.0, test=20.0))
    splits = packed(tmp_path / "pairs")
    assert sorted(sample.key for samples in splits.values() for sample in samples) == KEYS
    for name, samples in splits.items():
        assert counts[name] == len(samples)
        for sample in samples:
            expected = {f"{column}.png": f"{column} {sample.key}".encode() for column in columns}
            family = str(int(sample.key) // 2)
            metadata = {"family": family, "group": family, "split": name}
            metadata |= {"cue": {"of": "cue"}, "sketch-b7": {"of": "sketch-b7"}}
            assert sample.members == expected | {"json": files.dumps(metadata)}


def sides(dest):
    """Return the split of each key."""
    return {int(sample.key): name for name, samples in packed(dest).items() for sample in samples}


def test_no_family_is_in_two_splits_and_what_a_random_split_would_tear_is_counted(columns, tmp_path):
    params = Pack(val=30.0, test=30.0)
    counts = pack_columns(columns, tmp_path / "pairs", params)
    splits = sides(tmp_path / "pairs")
    assert set(splits.values()) == {"train", "val", "test"}
    assert all(splits[n] == splits[n + 1] for n in range(0, 40, 2))
    torn = sum(assign_split(KEYS[n], params) != assign_split(KEYS[n + 1], params) for n in range(0, 40, 2))
    assert (counts["groups"], counts["largest"]) == (20, 2)
    assert counts["linked"] == {"family": 20, "pixels": 0, "colors": 0, "lines": 0}
    assert (counts["torn"], counts["leaks"]) == (torn, 0)
    assert torn > 0


def hashed(number, bits=0):
    """Make a hash that is far from those of other numbers, with some bits flipped."""
    random = np.random.default_rng(number).integers(0, 256, 16, np.uint8)
    return bytes(random ^ np.packbits(np.arange(128) < bits)).hex()


@pytest.mark.parametrize("kind", ["family", "pixel_hash", "colors", "lines"])
def test_linked_samples_are_in_one_split_whatever_links_them(tmp_path, kind):
    """Samples n and n + 1 are linked, for even n, by one kind of link."""
    links = {
        "family": lambda n: {"id": n + 1, "family": n - n % 2 + 1},
        "pixel_hash": lambda n: {"id": n, "family": n, "pixel_hash": f"{n // 2}"},
        "colors": lambda n: {"id": n, "family": n, "colors": hashed(n // 2, 10 * (n % 2))},
        "lines": lambda n: {"id": n, "family": n, "colors": hashed(n), "lines": hashed(n // 2, 10 * (n % 2))},
    }
    samples = [Sample(key, {"png": b"", "json": files.dumps(links[kind](int(key)))}) for key in KEYS]
    column = tmp_path / "color"
    seal_column(column, [write_shard(column / "000000.tar", samples)], 40, {})
    counts = pack_columns({"color": column}, tmp_path / "pairs", Pack(val=30.0, test=30.0))
    splits = sides(tmp_path / "pairs")
    assert all(splits[n] == splits[n + 1] for n in range(0, 40, 2))
    assert (counts["groups"], counts["leaks"]) == (20, 0)
    assert counts["torn"] > 0
    strict = pack_columns({"color": column}, tmp_path / "strict", Pack(val=30.0, test=30.0, near=9))
    assert strict["groups"] == (40 if kind in ("colors", "lines") else 20)


def test_training_shards_are_as_many_as_asked_for_and_even(columns, tmp_path):
    counts = pack_columns(columns, tmp_path / "pairs", Pack(val=0.0, test=0.0, shards=4))
    assert [(s.name, len(s)) for s in list_shards(tmp_path / "pairs")] == [
        (f"train-{number:06d}.tar", 10) for number in range(4)
    ]
    assert (counts["train"], counts["val"], counts["test"], counts["shards"]) == (40, 0, 0, 4)


def test_large_shards_are_split_by_size(tmp_path):
    column = make_column(tmp_path / "color", KEYS)
    big = sum(shard.bytes for shard in list_shards(column)) / 10**6
    pack_columns({"color": column}, tmp_path / "pairs", Pack(val=0.0, test=0.0, shards=1, megabytes=1))
    assert len(list_shards(tmp_path / "pairs")) == -(-big // 1)


def test_equal_columns_give_equal_bytes(columns, tmp_path):
    for dest in ("a", "b"):
        pack_columns(columns, tmp_path / dest, Pack())
    assert [s.sha256 for s in list_shards(tmp_path / "a")] == [s.sha256 for s in list_shards(tmp_path / "b")]


def test_columns_that_differ_are_refused(columns, tmp_path):
    other = make_column(tmp_path / "other", KEYS, per_shard=5)
    with pytest.raises(Halt, match="do not hold the same shards"):
        pack_columns(columns | {"other": other}, tmp_path / "pairs", Pack())
    first, *others = list_shards(columns["cue"])
    fewer = write_shard(first.path, list(first)[1:])
    seal_column(columns["cue"], [fewer, *others], 39, {})
    with pytest.raises(Halt, match=r"color/000000.tar and .*cue/000000.tar .* hold other samples"):
        pack_columns(columns, tmp_path / "pairs", Pack())
    assert not (tmp_path / "pairs" / SEAL).exists()


def test_packing_over_a_column_is_refused(columns):
    with pytest.raises(Halt, match="cue is where the pictures come from"):
        pack_columns(columns, columns["cue"], Pack())
    assert len(list_shards(columns["cue"])) == 6


def test_columns_that_are_not_current_are_removed(columns, tmp_path):
    assert keep_columns(tmp_path, ["cue", "color"]) == [columns["color"], columns["cue"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["color", "cue"]


def test_nothing_is_removed_from_a_folder_that_lacks_a_current_column(columns, tmp_path):
    with pytest.raises(Halt, match="b7 does not exist: run the stage that writes it"):
        keep_columns(tmp_path, ["b7", "color"])
    assert all(folder.is_dir() for folder in columns.values())


def test_a_column_with_a_dot_in_its_name_is_refused(columns, tmp_path):
    with pytest.raises(Halt, match=r"lower case letters, digits and hyphens, got 'b7\.1'"):
        pack_columns(columns | {"b7.1": columns["cue"]}, tmp_path / "pairs", Pack())


def test_a_split_without_training_samples_is_refused(tmp_path):
    column = make_column(tmp_path / "color", KEYS[:1])
    with pytest.raises(Halt, match="none of 1 samples falls to the training split"):
        pack_columns({"color": column}, tmp_path / "pairs", Pack(val=0.0, test=99.9))


def test_other_readers_take_the_packed_shards(tmp_path):
    from webdataset import tariterators

    column = make_column(tmp_path / "color", KEYS[:4])
    pack_columns({"color": column}, tmp_path / "pairs", Pack(val=0.0, test=0.0, shards=1))
    [shard] = list_shards(tmp_path / "pairs")
    with shard.path.open("rb") as file:
        read = tariterators.group_by_keys(tariterators.tar_file_expander([{"url": "", "stream": file}]))
        assert [(s["__key__"], s["color.png"]) for s in read] == [
            (k, png.encode_png(picture(int(k)))) for k in KEYS[:4]
        ]
