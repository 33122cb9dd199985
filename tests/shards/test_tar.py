"""The bytes of a shard depend on its samples alone, and anything but members of samples is refused."""

import io
import pickle
import tarfile

import pytest
from made import make_column, some_samples

from pipeline.errors import BadImage, Halt
from pipeline.shards import tar
from pipeline.shards.column import INDEX, Shard, list_shards
from pipeline.shards.tar import Row, Sample
from pipeline.shards.writer import INDEX_HEADER, write_shard


def member(name, data=b"", **settings):
    """Make a member of a tar file, and its bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for attribute, value in settings.items():
        setattr(info, attribute, value)
    return info, data


def packed(*members):
    """Make a tar file of members as they are."""
    buffer = io.BytesIO()
    for info, data in members:
        buffer.write(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tar.BLOCK))
    buffer.write(tar.END_OF_TAR)
    return buffer.getvalue()


def scan(data, tmp_path):
    """List the samples of a tar file."""
    return list(tar.scan(io.BytesIO(data), tmp_path / "a.tar"))


def test_equal_samples_give_equal_bytes(tmp_path):
    written = [write_shard(tmp_path / name, some_samples()).path.read_bytes() for name in ("a.tar", "b.tar")]
    assert written[0] == written[1]


def test_any_tar_reader_opens_a_shard(tmp_path):
    shard = write_shard(tmp_path / "a.tar", some_samples(1))
    with tarfile.open(shard.path) as tar:
        assert tar.getnames() == ["000000000.png", "000000000.json"]
        assert {(info.mtime, info.uid, info.uname) for info in tar} == {(0, 0, "")}


def test_webdataset_reads_the_same_samples(tmp_path):
    from webdataset import tariterators

    shard = write_shard(tmp_path / "a.tar", some_samples())
    with shard.path.open("rb") as file:
        opened = [{"url": "a.tar", "stream": file}]
        read = list(tariterators.group_by_keys(tariterators.tar_file_expander(opened)))
    assert [(s["__key__"], s["png"], s["json"]) for s in read] == [
        (s.key, s.members["png"], s.members["json"]) for s in some_samples()
    ]


def test_an_exception_leaves_no_shard(tmp_path):
    def fail():
        yield from some_samples()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "a.tar", fail())
    assert list(tmp_path.iterdir()) == []


def test_a_sample_without_a_picture_is_bad():
    with pytest.raises(BadImage, match="no picture"):
        _ = Sample("1", {"txt": b""}).picture


def test_a_scan_finds_the_rows_that_were_written(tmp_path):
    some = [Sample(f"{n}", {"png": bytes(700 * n), "sketch.png": b"x", "json": b"{}"}) for n in range(3)]
    shard = write_shard(tmp_path / "a.tar", some)
    assert scan(shard.path.read_bytes(), tmp_path) == [(row.key, row.offset, row.sizes) for row in shard.rows]
    assert [Row.parse(row.line("a.tar")) for row in shard.rows] == list(shard.rows)


def test_a_row_tells_where_each_member_lies(tmp_path):
    sample = Sample("1", {"png": b"p" * 700, "json": b"{}"})
    shard = write_shard(tmp_path / "a.tar", [Sample("0", {"png": b"other"}), sample])
    data = shard.path.read_bytes()
    places = shard.rows[1].places
    assert {suffix: data[at : at + size] for suffix, (at, size) in places.items()} == sample.members


HOSTILE = {
    "absolute": [member("/etc/passwd.png")],
    "upwards": [member("../a.png")],
    "windows": [member("..\\a.png")],
    "folder": [member("dir/a.png")],
    "no suffix": [member("a")],
    "hidden": [member(".png")],
    "symbolic link": [member("a.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "hard link": [member("a.png", type=tarfile.LNKTYPE, linkname="b.png")],
    "device": [member("a.png", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "pipe": [member("a.png", type=tarfile.FIFOTYPE)],
    "directory": [member("a.png", type=tarfile.DIRTYPE)],
    "pickle": [member("a.pkl", pickle.dumps(print))],
    "pickled tensor": [member("a.pth", b"")],
    "array": [member("a.color.NPY", b"")],
    "bomb": [member("a.png", size=1 << 40)],
    "negative": [member("a.png", size=-512)],
    "member twice": [member("a.png"), member("a.png")],
    "key twice": [member("a.png"), member("b.png"), member("a.json")],
    "cut off": [member("a.png", size=5000)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_shard_is_no_shard(kind, tmp_path):
    assert len(scan(packed(member("a.png", b"picture"), member("b.png")), tmp_path)) == 2
    with pytest.raises(Halt, match=r"a.tar is no shard \(.*\): run the stage that writes it again"):
        scan(packed(*HOSTILE[kind]), tmp_path)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in HOSTILE if kind not in ("member twice", "key twice", "bomb", "negative", "cut off")],
)
def test_a_seal_and_an_index_do_not_make_a_hostile_shard_better(kind, tmp_path):
    """Whoever forges a shard can forge its index too: the honest name there, another in the tar."""
    info, data = HOSTILE[kind][0]
    column = make_column(tmp_path / "column", ["000000001"])
    for name in (info.name, "a.png"):
        forged = packed((info, data))
        size = len(forged) - len(tar.END_OF_TAR)
        row = Row("a", 0, tar.hashlib.sha256(forged[:size]).hexdigest(), {"png": size - tar.BLOCK})
        lines = row.line("000000.tar").replace("a\t", f"{name.partition('.')[0]}\t", 1)
        (column / "000000.tar").write_bytes(forged)
        (column / INDEX).write_text(INDEX_HEADER + lines)
        shard = Shard(column / "000000.tar", 1, len(forged), "", place=len(INDEX_HEADER))
        with pytest.raises(Halt, match=r"000000.tar holds|does not fit|cannot be read"):
            list(shard)


@pytest.mark.parametrize("line", ["", "a\tb\n", "a\t0.tar\tx\tsha\tpng=1\n", "../a\t0.tar\t0\tsha\tpng=1\n"])
def test_a_line_that_is_no_row_is_refused(line):
    with pytest.raises(ValueError, match=r".+"):
        Row.parse(line)


def test_bytes_that_no_row_accounts_for_are_refused(tmp_path):
    column = make_column(tmp_path / "column", ["000000001", "000000002"])
    lines = (column / INDEX).read_text().splitlines(keepends=True)
    [shard] = list_shards(column)
    for kept in ([lines[0], lines[2]], lines[:2], [*lines[:2], lines[1]]):
        (column / INDEX).write_text("".join(kept))
        with pytest.raises(Halt, match=r"index.tsv does not fit 000000.tar \(.*\): run the stage"):
            list(shard)


@pytest.mark.parametrize(
    ("name", "size"), [("a.png", 0), ("000000001.sketch-b7.png", 40321), ("é.json", 8**9)]
)
def test_a_header_is_that_of_tarfile(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    assert tar.encode_header(name, size) == info.tobuf(tarfile.USTAR_FORMAT)


def test_a_name_that_does_not_fit_a_header_is_refused():
    with pytest.raises(ValueError, match="too long a name"):
        tar.encode_header("x" * 97 + ".png", 1)
