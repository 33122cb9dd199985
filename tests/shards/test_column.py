"""Shards hold what was put in, bytes depend on content alone, and nothing half-made passes for whole."""

import tarfile
from pathlib import Path

import pytest
from made import make_column, picture

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.images import png
from pipeline.shards import loose
from pipeline.shards.column import check_destination, list_shards, seal_column, unseal, write_shard
from pipeline.shards.ledger import LEDGER, write_ledger
from pipeline.shards.tar import Sample


def some(count=3):
    return [Sample(f"{n:09d}", {"png": bytes([n]) * 700, "json": b'{"n":%d}' % n}) for n in range(count)]


def test_what_is_written_is_read_again(tmp_path):
    shard = write_shard(tmp_path / "a.tar", some())
    assert list(shard) == some()
    assert (shard.samples, shard.bytes) == (3, shard.path.stat().st_size)


def test_equal_samples_give_equal_bytes(tmp_path):
    written = [write_shard(tmp_path / name, some()).path.read_bytes() for name in ("a.tar", "b.tar")]
    assert written[0] == written[1]


def test_any_tar_reader_opens_a_shard(tmp_path):
    shard = write_shard(tmp_path / "a.tar", some(1))
    with tarfile.open(shard.path) as tar:
        assert tar.getnames() == ["000000000.png", "000000000.json"]
        assert {(info.mtime, info.uid, info.uname) for info in tar} == {(0, 0, "")}


def test_webdataset_reads_the_same_samples(tmp_path):
    from webdataset import tariterators

    shard = write_shard(tmp_path / "a.tar", some())
    with shard.path.open("rb") as file:
        opened = [{"url": "a.tar", "stream": file}]
        read = list(tariterators.group_by_keys(tariterators.tar_file_expander(opened)))
    assert [(s["__key__"], s["png"], s["json"]) for s in read] == [
        (s.key, s.members["png"], s.members["json"]) for s in some()
    ]


def test_an_exception_leaves_no_shard(tmp_path):
    def fail():
        yield from some()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "a.tar", fail())
    assert list(tmp_path.iterdir()) == []


def test_a_column_is_listed_by_its_seal(column):
    assert [(shard.name, len(shard)) for shard in loose.list_parts(column)] == [
        ("000000.tar", 3), ("000001.tar", 3), ("000002.tar", 2),
    ]  # fmt: skip


def test_a_column_without_a_seal_is_refused(column):
    unseal(column)
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


def test_one_picture_is_a_sample(tmp_path):
    files.write(tmp_path / "Girl.v2.PNG", b"data")
    [part] = loose.list_parts(tmp_path / "Girl.v2.PNG")
    assert list(part) == [Sample("Girl_v2", {"png": b"data"})]


def test_a_folder_gives_its_pictures_in_order_with_the_json_beside_them(tmp_path):
    for name in ("b.jpg", "a.png", "a.json", "sub/c.webp", "notes.txt"):
        files.write(tmp_path / name, name.encode())
    [part] = loose.list_parts(tmp_path)
    assert list(part) == [
        Sample("a", {"png": b"a.png", "json": b"a.json"}),
        Sample("b", {"jpg": b"b.jpg"}),
        Sample("sub_c", {"webp": b"sub/c.webp"}),
    ]


def test_a_large_folder_comes_in_batches(tmp_path):
    data = png.encode_png(picture(1))
    for number in range(loose.PICTURES_PER_BATCH + 1):
        files.write(tmp_path / f"{number:03d}.png", data)
    assert [len(part) for part in loose.list_parts(tmp_path)] == [loose.PICTURES_PER_BATCH, 1]


@pytest.mark.parametrize(("source", "dest"), [("a", "a"), ("a", "a/b"), ("a", "x/../a"), ("a/1.png", "a")])
def test_what_is_read_is_never_written_over(tmp_path, monkeypatch, source, dest):
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "a/1.png", b"")
    (tmp_path / "x").mkdir()
    with pytest.raises(Halt, match="is where the pictures come from: name another folder to write to"):
        check_destination(Path(source), Path(dest))
    check_destination(Path(source), Path("b"))


def test_two_pictures_that_would_get_one_name_are_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        files.write(tmp_path / name, b"")
    with pytest.raises(Halt, match=r"a.jpg and .*a.png would get the same name: rename one"):
        loose.list_parts(tmp_path)


def test_nothing_to_work_on_is_said(tmp_path):
    with pytest.raises(Halt, match="holds no pictures: looked for png"):
        loose.list_parts(tmp_path)
    with pytest.raises(Halt, match="does not exist"):
        loose.list_parts(tmp_path / "nowhere")


def test_a_sample_without_a_picture_is_bad():
    with pytest.raises(BadImage, match="no picture"):
        _ = Sample("1", {"txt": b""}).picture


def test_loose_members_are_files_of_their_own(tmp_path):
    loose.write_loose(tmp_path, some(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000.json", "000000000.png"]


def test_a_ledger_names_keys_and_reasons(tmp_path):
    write_ledger(tmp_path / LEDGER, [("1", "gray"), ("2", "too small")], "reason")
    assert (tmp_path / LEDGER).read_text() == "key\treason\n1\tgray\n2\ttoo small\n"


def test_growing_a_column_leaves_its_full_shards_as_they_were(tmp_path):
    few = make_column(tmp_path / "few", [f"{n:09d}" for n in range(6)])
    more = make_column(tmp_path / "more", [f"{n:09d}" for n in range(8)])
    assert [s.sha256 for s in list_shards(few)] == [s.sha256 for s in list_shards(more)][:2]
