"""A column is complete or refused: seal, index and shards agree, and growing it leaves full shards alone."""

from pathlib import Path

import pytest
from made import make_column, picture, some_samples

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.shards import loose
from pipeline.shards.column import (
    INDEX,
    SEAL,
    check_destination,
    check_tables,
    find_sample,
    list_shards,
)
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard


def test_what_is_written_is_read_again(tmp_path):
    shard = write_shard(tmp_path / "a.tar", some_samples())
    assert list(shard) == some_samples()
    assert (shard.samples, shard.bytes) == (3, shard.path.stat().st_size)


def test_a_column_is_listed_by_its_seal(column):
    assert [(shard.name, len(shard)) for shard in loose.list_parts(column)] == [
        ("000000.tar", 3), ("000001.tar", 3), ("000002.tar", 2),
    ]  # fmt: skip


def test_a_column_without_a_seal_is_refused(column):
    (column / SEAL).unlink()
    with pytest.raises(Halt, match=r"has no seal.json, so it is not whole: run the stage"):
        loose.list_parts(column)


def test_a_missing_or_truncated_shard_is_refused(column):
    shard = list_shards(column)[1]
    data = shard.path.read_bytes()
    for broken in (None, data[:-512]):
        shard.path.unlink(missing_ok=True)
        if broken:
            shard.path.write_bytes(broken)
        with pytest.raises(Halt, match=r"000001.tar is missing or not as long as its seal says"):
            list_shards(column)


def test_a_changed_byte_is_noticed_by_the_reader(column):
    shard = list_shards(column)[0]
    data = bytearray(shard.path.read_bytes())
    data[600] ^= 1
    shard.path.write_bytes(data)
    with pytest.raises(Halt, match="differs from its seal"):
        list(shard)


def test_sealing_removes_shards_of_an_earlier_run_and_what_a_kill_left(column):
    kept = list_shards(column)[:1]
    files.write(column / ".000003.tar.0.part", b"left by a kill")
    files.write(column / "holiday.tar", b"of the user")
    seal_column(column, kept, 4, {"gray": 1})
    assert [path.name for path in sorted(column.iterdir())] == [
        "000000.tar",
        "holiday.tar",
        "index.tsv",
        "seal.json",
    ]


def test_a_sample_cannot_get_lost_before_the_seal(column):
    with pytest.raises(AssertionError, match="lost"):
        seal_column(column, list_shards(column), 9, {})


@pytest.mark.parametrize(("source", "dest"), [("a", "a"), ("a", "a/b"), ("a", "x/../a"), ("a/1.png", "a")])
def test_what_is_read_is_never_written_over(tmp_path, monkeypatch, source, dest):
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "a/1.png", b"")
    (tmp_path / "x").mkdir()
    with pytest.raises(Halt, match="is where the pictures come from: name another folder to write to"):
        check_destination(Path(source), Path(dest))
    check_destination(Path(source), Path("b"))


def test_growing_a_column_leaves_its_full_shards_as_they_were(tmp_path):
    few = make_column(tmp_path / "few", [f"{n:09d}" for n in range(6)])
    more = make_column(tmp_path / "more", [f"{n:09d}" for n in range(8)])
    assert [s.sha256 for s in list_shards(few)] == [s.sha256 for s in list_shards(more)][:2]


def test_a_sample_is_found_by_its_key_and_no_other_is_read(column):
    for path in column.glob("*.tar"):
        if path.name != "000001.tar":
            path.write_bytes(bytes(path.stat().st_size))
    shard, row = find_sample(column, "000000005")
    [sample] = shard.read([row])
    assert (shard.name, sample.key) == ("000001.tar", "000000005")
    assert sample.picture == png.encode_png(picture(5))
    assert find_sample(column, "00000000") is None
    assert find_sample(column, "key") is None


def test_every_member_is_where_the_index_says(column):
    for line in (column / INDEX).read_text().splitlines()[1:]:
        key, shard, offset, _, members = line.split("\t")
        suffix, size = members.split()[0].split("=")
        start = int(offset) + 512
        member = (column / shard).read_bytes()[start : start + int(size)]
        assert (suffix, member) == ("png", png.encode_png(picture(int(key))))


def test_an_index_that_was_not_sealed_is_refused(column):
    check_tables(column)
    index = (column / INDEX).read_bytes()
    (column / INDEX).write_bytes(index.replace(b"000000.tar", b"000001.tar", 1))
    with pytest.raises(Halt, match=r"index.tsv is missing or differs from the seal: run the stage"):
        check_tables(column)
    (column / INDEX).write_bytes(index.replace(b"000001.tar", b"000007.tar"))
    with pytest.raises(Halt, match=r"index.tsv does not fit the seal \(sample 000000005\)"):
        find_sample(column, "000000005")


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b"\xff\xff", b"[" * 9000])
def test_metadata_without_a_family_are_refused(tmp_path, data):
    shard = write_shard(tmp_path / "000000.tar", [Sample("7", {"json": data})])
    with pytest.raises(Halt, match=r"000000.tar (gives no family for|has no metadata of) the sample 7: name"):
        list(shard.read_families())
