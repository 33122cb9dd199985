"""The files of columns and the pictures of samples, as the page asks for them."""

import numpy as np
import pytest
from made import make_column, packed
from serving import is_sentence
from store import upload

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import codec
from pipeline.shards.column import list_shards
from pipeline.studio import columns, server

SHARD = "/data/color/000000.tar"


@pytest.fixture
def data(project):
    return (project / "data" / "color" / "000000.tar").read_bytes()


def test_a_shard_comes_whole(client, data, project):
    answer = client.get(SHARD)
    assert (answer.status_code, answer.content) == (200, data)
    [shard, *_] = list_shards(project / "data" / "color")
    assert answer.headers["ETag"] == f'"{shard.sha256}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    head = client.head(SHARD)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(data)))


def test_the_tables_of_a_column_come(client, project):
    for name in ("seal.json", "index.tsv"):
        path = project / "data" / "pairs" / name
        answer = client.get(f"/data/pairs/{name}")
        assert answer.content == path.read_bytes()
        assert answer.headers["ETag"] == f'"{files.hash_file(path)}"'
    answer = client.get("/data/pairs/rejects.tsv")
    assert answer.status_code == 404
    (project / "data" / "pairs" / "rejects.tsv").write_text("key\treason\n", encoding="utf-8")
    assert client.get("/data/pairs/rejects.tsv").text == "key\treason\n"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=512-1023", 512, 1024), ("bytes=100-", 100, None), ("bytes=-7", -7, None),
     ("bytes=5-999999999999999999", 5, None), ("bytes=-999999999999999999", 0, None), ("bytes= 1 - 2", 1, 3)],
)  # fmt: skip
def test_a_range_comes_alone(client, data, asked, start, stop):
    answer = client.get(SHARD, headers={"Range": asked})
    wanted = data[start:stop]
    first = start % len(data)
    assert (answer.status_code, answer.content) == (206, wanted)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(data)}"
    assert answer.headers["Content-Length"] == str(len(wanted))


@pytest.mark.parametrize(
    "asked",
    ["bytes=6-5", "bytes=999999999-", "bytes=-0", "bytes=-", "bytes=", "bytes=0-1,4-5", "bytes=0-1,",
     "bytes=a-b", "bytes=--1", "bytes=1.5-2", "bytes=0x0-0x1", "bytes=0-1\xb2", "bytes=+1-2",
     "bytes=" + "9" * 40 + "-", "bytes=0-" + "9" * 40],
)  # fmt: skip
def test_any_other_range_is_refused(client, data, asked):
    answer = client.get(SHARD, headers=[(b"Range", asked.encode("latin-1"))])
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert answer.json()["error"] == "the file has no such range of bytes"


def test_a_unit_that_is_unknown_and_a_file_that_changed_give_the_whole_file(client, data):
    assert client.get(SHARD, headers={"Range": "lines=1-2"}).status_code == 200
    tag = client.get(SHARD).headers["ETag"]
    assert client.get(SHARD, headers={"Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    assert client.get(SHARD, headers={"Range": "bytes=0-1", "If-Range": '"old"'}).content == data
    assert client.head(SHARD, headers={"Range": "bytes=0-1"}).status_code == 200
    assert client.get(SHARD, headers={"If-None-Match": tag}).status_code == 304


def test_a_large_file_comes_in_parts(client, project, data, monkeypatch):
    monkeypatch.setattr(server, "SENT_AT_ONCE", 1000)
    assert client.get(SHARD).content == data
    assert client.get(SHARD, headers={"Range": "bytes=999-3001"}).content == data[999:3002]


def test_a_shard_that_is_not_as_sealed_is_a_sentence(client, project):
    path = project / "data" / "color" / "000000.tar"
    path.write_bytes(path.read_bytes()[:-1])
    answer = client.get(SHARD)
    assert (answer.status_code, "is not as long as its seal says" in answer.json()["error"]) == (422, True)
    path.unlink()
    assert client.get(SHARD).status_code == 404


def test_a_new_column_is_found_and_a_changed_one_read_again(client, project):
    assert client.get("/data/new/seal.json").status_code == 404
    make_column(project / "data" / "new", ["000000001"])
    assert client.get("/data/new/seal.json").status_code == 200
    make_column(project / "data" / "new", ["000000002"])
    assert b"000000002" in client.get("/data/new/index.tsv").content


def test_a_column_within_folders_has_its_path_for_a_name(client, project):
    make_column(project / "data" / "sketch" / "b7", ["000000001"])
    assert client.get("/data/sketch/b7/000000.tar").status_code == 200


def test_a_packed_folder_alone_has_its_own_name(ask, project):
    client = ask(data=project / "data" / "pairs")
    assert [each["path"] for each in client.get("/api/project").json()["columns"]] == ["pairs"]
    assert client.get("/data/pairs/test-000000.tar").status_code == 200


def test_a_dataset_behind_a_url_comes_by_ranges(ask, bucket, tmp_path):
    local = packed(tmp_path / "pairs")
    client = ask(data=upload(local, bucket), params=None)
    found = client.get("/api/project").json()
    assert (found["why"], [each["path"] for each in found["columns"]]) == ("", ["data"])
    data = (local / "val-000000.tar").read_bytes()
    assert client.get("/data/data/val-000000.tar").content == data
    answer = client.get("/data/data/val-000000.tar", headers={"Range": "bytes=600-1200"})
    assert (answer.status_code, answer.content) == (206, data[600:1201])
    assert client.get("/data/data/../secret").status_code == 404
    thumb = client.get(
        "/api/thumb", params={"column": "data", "key": "003", "member": "color.png", "side": 16}
    )
    assert codec.decode(thumb.content).shape == (16, 16, 3)


def test_a_range_behind_a_url_is_one_request(ask, bucket, store, tmp_path):
    client = ask(data=upload(packed(tmp_path / "pairs"), bucket), params=None)
    client.get("/api/project")
    client.get("/data/data/test-000000.tar", headers={"Range": "bytes=0-9"})
    store.requests.clear()
    client.get("/data/data/test-000000.tar", headers={"Range": "bytes=600-1200"})
    assert [request.split()[0] for request in store.requests] == ["HEAD", "GET"]


def test_a_store_that_refuses_or_is_gone_is_a_sentence(ask, bucket, store, tmp_path):
    client = ask(data=upload(packed(tmp_path / "pairs"), bucket), params=None)
    assert client.get("/data/data/seal.json").status_code == 200
    store.refused = "test-000000.tar"
    answer = client.get("/data/data/test-000000.tar")
    assert (answer.status_code, is_sentence(answer)) == (500, True)
    store.refused = None
    files.to_path(f"{bucket}/test-000000.tar").unlink()
    answer = client.get("/data/data/test-000000.tar")
    assert (answer.status_code, answer.json()["error"].endswith("its server does not answer")) == (404, True)


# ---------------------------------------------------------------- small pictures


def thumb(client, column="pairs", key="003", side=16, **given):
    return client.get("/api/thumb", params={"column": column, "key": key, "side": side, **given})


def test_a_small_picture_is_that_of_its_sample(client, project):
    shown = codec.decode(thumb(client, "color", "000000005", 1024).content)
    [_, second, _] = list_shards(project / "data" / "color")
    [sample] = second.pick({"000000005"})
    np.testing.assert_array_equal(shown, codec.decode(sample.picture))
    assert codec.decode(thumb(client, "color", "000000005", 20).content).shape == (20, 20, 3)


def test_a_member_can_be_chosen(client):
    sketch, color = (
        codec.decode(thumb(client, member=name).content) for name in ("sketch-b7.png", "color.png")
    )
    assert np.ptp(sketch, axis=2).max() == 0 < np.ptp(color, axis=2).max()
    assert thumb(client, member="other.png").status_code == 404
    assert thumb(client, member="json").status_code == 422


@pytest.mark.parametrize(
    "key", ["", "0", "00", "004\t", "004\ttrain-000000.tar", "key", "004\n005", "\x00", "../004"]
)
def test_a_key_must_be_that_of_a_sample(client, key):
    assert thumb(client, key=key).status_code == 404


@pytest.mark.parametrize("side", ["", "0", "-1", "15", "1025", "x", "1e3", "9" * 40])
def test_a_side_must_be_within_bounds(client, side):
    answer = thumb(client, side=side)
    assert (answer.status_code, answer.json()["error"]) == (400, "side must be 16 to 1024 pixels")


def test_a_column_must_be_known(client):
    assert thumb(client, column="../data").status_code == 404
    assert thumb(client, column="").status_code == 404


def test_small_pictures_are_kept_within_bounds(studio, monkeypatch):
    folder = studio.columns
    keys = [f"{number:09d}" for number in range(1, 8)]
    sizes = [len(folder.thumb("color", key, "", 32)) for key in keys]
    monkeypatch.setattr(columns, "open_picture", lambda *_: pytest.fail("it was decoded again"))
    assert len(folder.thumb("color", keys[0], "", 32)) == sizes[0]
    monkeypatch.setattr(columns, "MOST_THUMBS", 2 * max(sizes))
    folder.thumbs.put(("new",), b"x")
    assert folder.thumbs.bytes == sum(map(len, folder.thumbs.made.values())) <= 2 * max(sizes)
    assert ("new",) in folder.thumbs.made
    assert folder.thumbs.get(("color",)) is None


def test_a_damaged_index_or_sample_is_never_shown(studio, project):
    column = project / "data" / "color"
    shard = column / "000000.tar"
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(data)
    with pytest.raises(Halt, match="differs from its seal"):
        studio.columns.sample("color", "000000001")
    index = project / "data" / "sketch-b7" / "index.tsv"
    index.write_bytes(index.read_bytes().replace(b"000000.tar", b"000001.tar"))
    with pytest.raises(Halt, match="differs from the seal"):
        studio.columns.sample("sketch-b7", "000000001")


def test_what_is_too_large_to_read_is_refused(studio, monkeypatch):
    monkeypatch.setattr(columns, "MOST_READ", 1000)
    with pytest.raises(Exception, match="too many to show"):
        studio.columns.sample("color", "000000001")
    monkeypatch.setattr(columns, "MOST_READ", 10)
    with pytest.raises(Halt, match="too large for the studio"):
        studio.columns.index("color")
