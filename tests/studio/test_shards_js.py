"""The page reads shards as the library writes them: by the index, and by ranges of bytes."""

import numpy as np
import pytest
from browser import served
from made import make_column, some_samples
from node import ScriptError, call, needs_node

from pipeline.files import read_lines
from pipeline.shards.column import INDEX, list_shards, read_rows, read_seal
from pipeline.shards.tar import MAX_MEMBER_BYTES, Row, Sample, member_extent
from pipeline.shards.writer import seal_column, write_shard

pytestmark = needs_node
SIZES = [0, 1, 511, 512, 513, 1024, 70_000]


@pytest.fixture(scope="module")
def column(tmp_path_factory):
    """Two shards, in another order than by name, whose samples have members of all kinds of sizes."""
    folder = tmp_path_factory.mktemp("data") / "pairs"
    random = np.random.default_rng(0)
    made = []
    for number, size in enumerate(SIZES):
        members = {"color.png": random.bytes(size), "sketch-b7.png": random.bytes(SIZES[number - 1])}
        members |= {"json": b'{"n":%d}' % number} if number % 3 else {}
        made.append(Sample(f"{number:09d}" if number else "Girl_é漢", members))
    shards = [
        write_shard(folder / "val-000000.tar", made[:3]),
        write_shard(folder / "train-000000.tar", made[3:]),
    ]
    seal_column(folder, shards, len(made), {})
    return folder


@pytest.fixture(scope="module")
def index(column):
    return parse(column)


def parse(column, change=lambda text: text, **seal):
    return call(
        "shards.js", "parseIndex", change((column / INDEX).read_text("utf-8")), {**read_seal(column), **seal}
    )


def rows_of(column):
    """Return the rows with the names of their shards, as the library reads them."""
    shards = sorted(list_shards(column), key=lambda shard: shard.place)
    return [(shard.name, row) for shard in shards for row in read_rows(shard)]


def test_a_member_takes_as_much_of_a_tar_in_both():
    sizes = [*SIZES, MAX_MEMBER_BYTES]
    assert [call("shards.js", "memberExtent", size) for size in sizes] == [*map(member_extent, sizes)]


def test_the_index_is_read_as_the_library_reads_it(column, index):
    expected = rows_of(column)
    assert call("shards.js", "countRows", index) == len(expected) == len(SIZES)
    for number, (shard, row) in enumerate(expected):
        assert call("shards.js", "keyOf", index, number) == row.key
        assert call("shards.js", "findRow", index, row.key) == number
        assert call("shards.js", "splitOf", index, number) == shard.split("-")[0]
        places = call("shards.js", "placesOf", index, number)
        assert {suffix: (place["offset"], place["size"]) for suffix, place in places.items()} == row.places
    assert call("shards.js", "pictureNames", index) == ["color", "sketch-b7"]


def test_a_picture_has_one_name_whatever_its_type(tmp_path):
    types = ["png", "JPG", "webp", "sketch.png"]
    made = [Sample(str(n), {suffix: b"", "txt": b""}) for n, suffix in enumerate(types)]
    seal_column(tmp_path, [write_shard(tmp_path / "000000.tar", made)], 4, {})
    index = parse(tmp_path)
    assert call("shards.js", "pictureNames", index) == ["picture", "sketch"]
    found = [call("shards.js", "suffixOf", index, row, "picture") for row in range(4)]
    assert found == ["png", "JPG", "webp", ""]


@pytest.mark.parametrize("key", ["", "00000000", "000000001\t", "\n", "9"])
def test_a_key_that_is_not_there_has_no_row(index, key):
    assert call("shards.js", "findRow", index, key) == -1


def test_members_are_read_by_ranges_as_they_were_written(column, index):
    """Node reads the shards from the studio's own server."""
    with served(column, column.parent) as address:
        folder = address.partition("#")[0] + "data/pairs"
        for number, (shard, row) in enumerate(rows_of(column)):
            [sample] = next(each for each in list_shards(column) if each.name == shard).read([row])
            wanted = ["json", "missing.png", "color.png", "sketch-b7.png"]
            found = call("shards.js", "readMembers", folder, index, number, wanted)
            assert {suffix: bytes(data) for suffix, data in found.items()} == sample.members


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace("key\t", "name\t", 1), "another header"),
        (lambda text: text[: text.index("\n") + 1], "does not fit"),
        (lambda text: text.rstrip("\n").rsplit("\n", 1)[0] + "\n", "does not fit"),
        (lambda text: text + text.splitlines()[-1] + "\n", "more samples"),
        (lambda text: text.replace("\t0\t", "\t512\t"), "does not fit"),
        (lambda text: text.replace("000000002", "000000001"), "does not fit"),
        (lambda text: text.replace("train-", "test-"), "does not fit"),
        (lambda text: text.replace("color.png=511", "color.png=99999"), "does not fit"),
        (lambda text: text.replace("color.png=", "../color.png="), "not allowed"),
        (lambda text: text.replace("color.png=511", "color.png=-1"), "not allowed"),
        (lambda text: text.replace("\tcolor", "\tcolor\t"), "does not fit"),
    ],
)
def test_an_index_that_does_not_fit_is_a_sentence(column, change, fault):
    with pytest.raises(ScriptError, match=fault):
        parse(column, change)


def test_a_seal_with_other_counts_is_a_sentence(column):
    shards = {
        name: entry | {"bytes": entry["bytes"] + 512} for name, entry in read_seal(column)["shards"].items()
    }
    with pytest.raises(ScriptError, match="some samples are missing"):
        parse(column, shards=shards)


def test_near_members_are_asked_for_at_once_and_distant_ones_are_not():
    member = lambda offset, size: {"suffix": "png", "offset": offset, "size": size}  # noqa: E731
    joined = call("shards.js", "joinRanges", [member(512, 2000), member(3072, 2000), member(90_000, 500)])
    assert [(part["start"], part["end"], len(part["members"])) for part in joined] == [
        (512, 5072, 2),
        (90_000, 90_500, 1),
    ]


def test_a_large_index_is_read_whole(tmp_path):
    made = [Sample(f"{n:09d}", {f"{m}.png": b"" for m in range(20)}) for n in range(50)]
    seal_column(tmp_path, [write_shard(tmp_path / "000000.tar", made)], 50, {})
    index = parse(tmp_path)
    last = Row.parse([*read_lines(tmp_path / INDEX)][-1].decode())
    assert {
        suffix: (each["offset"], each["size"])
        for suffix, each in call("shards.js", "placesOf", index, 49).items()
    } == last.places
    assert len(index["sizes"]) == 1000


@pytest.mark.parametrize("name", ["pairs", "sketch/b7", "a b/ü"])
def test_the_address_of_a_column_keeps_its_folders(name):
    assert call("shards.js", "columnAddress", name).count("/") == 1 + name.count("/")


def test_columns_of_the_other_writers_are_read(tmp_path):
    shards = [write_shard(tmp_path / "a" / "000000.tar", some_samples())]
    seal_column(tmp_path / "a", shards, 3, {})
    make_column(tmp_path / "b", [f"{n:09d}" for n in range(8)])
    for name, count in (("a", 3), ("b", 8)):
        assert call("shards.js", "countRows", parse(tmp_path / name)) == count
