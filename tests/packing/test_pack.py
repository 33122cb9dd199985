"""Packing joins columns byte for byte and keeps families together."""

import numpy as np
import pytest
from made import STAGE_FACTS, make_column, make_columns, picture

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.packing.columns import keep_columns
from pipeline.packing.pack import pack_columns
from pipeline.packing.split import assign_split
from pipeline.params import Pack
from pipeline.shards.column import SEAL, list_shards
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

KEYS = [f"{number:09d}" for number in range(40)]
FACTS = {"color": STAGE_FACTS["color"], "cue": STAGE_FACTS["cue"], "sketch-b7": STAGE_FACTS["sketch"]}


def make_sample(column, key):
    metadata = FACTS[column] | ({"family": str(int(key) // 2)} if column == "color" else {})
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
            metadata = {"pixels": "", "family": family, "group": family, "split": name}
            metadata |= {column: FACTS[column] for column in ("cue", "sketch-b7")}
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
    metadata = {"color": links[kind], "sketch-b7": lambda n: FACTS["sketch-b7"]}
    columns = {name: tmp_path / name for name in metadata}
    for name, column in columns.items():
        facts = [FACTS[name] | metadata[name](int(key)) for key in KEYS]
        samples = [
            Sample(key, {"png": b"", "json": files.dumps(f)}) for key, f in zip(KEYS, facts, strict=True)
        ]
        seal_column(column, [write_shard(column / "000000.tar", samples)], 40, {})
    counts = pack_columns(columns, tmp_path / "pairs", Pack(val=30.0, test=30.0))
    splits = sides(tmp_path / "pairs")
    assert all(splits[n] == splits[n + 1] for n in range(0, 40, 2))
    assert (counts["groups"], counts["leaks"]) == (20, 0)
    assert counts["torn"] > 0
    strict = pack_columns(columns, tmp_path / "strict", Pack(val=30.0, test=30.0, near=9))
    assert strict["groups"] == (40 if kind in ("colors", "lines") else 20)


def test_training_shards_are_at_least_as_many_as_asked_for_if_there_are_as_many_groups(columns, tmp_path):
    counts = pack_columns(columns, tmp_path / "pairs", Pack(val=0.0, test=0.0, shards=4))
    shards = list_shards(tmp_path / "pairs")
    assert [shard.name for shard in shards] == [f"train-{number:06d}.tar" for number in range(len(shards))]
    assert 4 <= len(shards) == counts["shards"]
    assert sum(map(len, shards)) == counts["train"] == 40
    one = pack_columns(columns, tmp_path / "one", Pack(val=0.0, test=0.0, shards=1))
    many = pack_columns(columns, tmp_path / "many", Pack(val=0.0, test=0.0, shards=1000))
    assert (one["shards"], many["shards"]) == (1, 20)  # a group is in one shard


def test_equal_columns_give_equal_bytes(columns, tmp_path):
    for dest in ("a", "b"):
        pack_columns(columns, tmp_path / dest, Pack())
    found = [{path.name: path.read_bytes() for path in (tmp_path / dest).iterdir()} for dest in ("a", "b")]
    assert found[0] == found[1]
    assert {SEAL, "index.tsv", "README.md", "croissant.json", "scores.parquet", "SHA256SUMS"} < found[
        0
    ].keys()


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


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cue": "reference", "reference": "cue"}, "reference holds a reference in the place of a cue"),
        ({"cue": "sketch-b7"}, "sketch-b7 holds a sketch in the place of a cue"),
        ({"color": "cue"}, "cue holds a cue in the place of a color"),
        (
            {"cue": "other"},
            "other holds no picture of clean, sketchify, cue or reference in the place of a cue",
        ),
        ({"sketch-b9": "sketch-b7"}, "sketch-b7 is named for two columns: name another for one of them"),
        (
            {"sketch-b7": None},
            "must be color, a sketch-NAME and others, got color, cue, reference: add these",
        ),
        ({"color": None}, "must be color, a sketch-NAME and others, got sketch-b7, cue, reference: add"),
    ],
)
def test_a_column_is_known_by_the_stage_that_made_it(tmp_path, given, sentence):
    folders = make_columns(tmp_path, KEYS[:9], "color", "sketch-b7", "cue", "reference")
    folders["other"] = make_column(tmp_path / "other", KEYS[:9])
    names = {name: name for name in ("color", "sketch-b7", "cue", "reference")} | given
    columns = {name: folders[folder] for name, folder in names.items() if folder}
    with pytest.raises(Halt, match=sentence):
        pack_columns(columns, tmp_path / "pairs", Pack())
    assert not (tmp_path / "pairs").exists()


def test_a_column_that_two_stages_wrote_is_refused_at_the_first_other_sample(tmp_path):
    columns = make_columns(tmp_path, KEYS[:9], "color", "sketch-b7", "cue")
    first, *_, last = list_shards(columns["cue"])
    alien = list_shards(columns["sketch-b7"])[-1]
    mixed = write_shard(last.path, [*list(last)[:2], *list(alien)[2:]])
    seal_column(columns["cue"], [first, *list_shards(columns["cue"])[1:-1], mixed], 9, {})
    with pytest.raises(Halt, match=f"holds a sketch in the place of a cue .sample {KEYS[8]}"):
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
    columns = make_columns(tmp_path, KEYS[:1], "color", "sketch-b7")
    with pytest.raises(Halt, match="none of 1 samples falls to the training split"):
        pack_columns(columns, tmp_path / "pairs", Pack(val=0.0, test=99.9))


def test_other_readers_take_the_packed_shards(tmp_path):
    from webdataset import tariterators

    columns = make_columns(tmp_path, KEYS[:4], "color", "sketch-b7")
    pack_columns(columns, tmp_path / "pairs", Pack(val=0.0, test=0.0, shards=1))
    [shard] = list_shards(tmp_path / "pairs")
    with shard.path.open("rb") as file:
        read = tariterators.group_by_keys(tariterators.tar_file_expander([{"url": "", "stream": file}]))
        assert [(s["__key__"], s["color.png"]) for s in read] == [
            (k, png.encode_png(picture(int(k)))) for k in KEYS[:4]
        ]
