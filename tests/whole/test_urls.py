"""A column behind a URL has the bytes of a column in a folder, complete or not at all."""

import pickle
import sys
from threading import Thread

import pytest
from made import make_column, make_columns, picture, process, run_prep
from store import content, upload

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec, png
from pipeline.images.result import Result
from pipeline.packing.columns import keep_columns
from pipeline.packing.pack import pack_columns
from pipeline.params import Cue, Pack
from pipeline.run.step import Step
from pipeline.shards import loose
from pipeline.shards.column import INDEX, SEAL
from pipeline.shards.ledger import LEDGER

s3fs = pytest.importorskip("s3fs", reason="needs inkwash[urls]")
pytest.importorskip("upath", reason="needs inkwash[urls]")
make_server = pytest.importorskip("werkzeug.serving", reason="needs moto[server]").make_server

PACK = Pack(val=0.0, test=0.0, shards=2)


def picky(data, key, params):
    """Reject every third sample; report one of four colors for the others."""
    if int(key) % 3 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data)[::2, ::2], {"color": int(key) % 4})


PICKY = Step(picky, Cue(), report=("color",))


@pytest.fixture
def expected(column, tmp_path):
    """Return what every run must write: no rejects and no duplicates, but a reason for each."""
    process(PICKY, column, tmp_path / "expected", cache=tmp_path / "cache", distinct="color")
    return content(tmp_path / "expected")


@pytest.mark.parametrize(
    ("way", "workers"),
    [("from a store", 1), ("to a store", 1), ("from and to a store", 1), ("from and to a store", 2)],
)
def test_a_column_has_the_same_bytes_wherever_it_comes_from_and_goes_to(
    way, workers, column, bucket, expected, tmp_path
):
    source = upload(column, f"{bucket}/in") if way.startswith("from") else column
    dest = files.to_path(f"{bucket}/out") if way.endswith("to a store") else tmp_path / "out"
    for _ in ("fresh", "from the memo, over what is there"):
        report = process(PICKY, source, dest, cache=tmp_path / "other", workers=workers, distinct="color")
        assert content(dest) == expected
        assert report.rejected == {"duplicate": 2, "gray": 2}


def test_a_column_in_memory_has_the_same_bytes(column, expected, tmp_path):
    dest = files.to_path("memory://column/out")
    process(PICKY, upload(column, "memory://column/in"), dest, cache=tmp_path / "other", distinct="color")
    assert content(dest) == expected
    files.remove_folder(dest.parent)


def test_loose_pictures_have_the_same_keys_in_the_same_order(bucket, tmp_path):
    for number, name in enumerate(["b.x.png", "b/1.png", "b/a/1.png", "b0.png", "a.png"], 1):
        files.write(tmp_path / "in" / name, png.encode_png(picture(number)))
    files.write(tmp_path / "in" / "b" / "1.json", b'{"family": "7"}')
    remote = upload(tmp_path / "in", f"{bucket}/in")
    near, far = ([s for part in loose.list_parts(place) for s in part] for place in (tmp_path / "in", remote))
    assert near == far
    step = Step(lambda data, key, params: Result(codec.decode(data), {}), Cue(), carry=True)
    for source, dest in ((tmp_path / "in", tmp_path / "out"), (remote, files.to_path(f"{bucket}/out"))):
        process(step, source, dest, cache=tmp_path / "cache")
    written = content(tmp_path / "out")
    del written[loose.LOOSE_NOTE]  # behind a URL, a run notes no files
    assert written == content(files.to_path(f"{bucket}/out"))


def test_unreadable_metadata_are_an_error_and_not_empty(store, bucket):
    for name, data in {"a.png": png.encode_png(picture(1)), "a.json": b'{"family": "7"}'}.items():
        files.write(files.to_path(f"{bucket}/in/{name}"), data)
    [part] = loose.list_parts(files.to_path(f"{bucket}/in"))
    store.refused = "a.json"
    with pytest.raises(PermissionError):
        list(part)


def test_packed_shards_have_the_same_bytes_and_unlisted_columns_are_removed(column, bucket, tmp_path):
    keys = [f"{n:09d}" for n in range(1, 9)]
    near = make_columns(tmp_path / "near", keys, "color", "sketch-b7", "cue")
    pack_columns(near, tmp_path / "pairs", PACK)
    columns = {name: upload(folder, f"{bucket}/columns/{name}") for name, folder in near.items()}
    pack_columns(columns, files.to_path(f"{bucket}/pairs"), PACK)
    assert content(files.to_path(f"{bucket}/pairs")) == content(tmp_path / "pairs")
    pack_columns(columns, tmp_path / "here", PACK)
    assert content(tmp_path / "here") == content(tmp_path / "pairs")
    upload(column, f"{bucket}/columns/old")
    assert set(keep_columns(files.to_path(f"{bucket}/columns"), columns)) == set(columns.values())
    assert {path.name for path in files.to_path(f"{bucket}/columns").iterdir()} == set(columns)


def test_a_shard_is_read_in_a_few_requests_however_many_samples_it_holds(store, bucket, tmp_path):
    column = make_column(tmp_path / "in", [f"{n:09d}" for n in range(40)], per_shard=20)
    remote = upload(column, f"{bucket}/in")
    store.requests.clear()
    process(PICKY, remote, tmp_path / "out", cache=tmp_path / "cache")
    for name in ("000000.tar", "000001.tar"):
        assert (
            sum(request.endswith(f"in/{name}") for request in store.requests) == 2
        )  # how long, and the bytes
    assert sum(request.endswith(INDEX) for request in store.requests) <= 2 * 2
    assert len(store.requests) < 25


def test_an_upload_that_fails_leaves_nothing_under_its_name_and_no_seal(store, column, bucket, tmp_path):
    dest = files.to_path(f"{bucket}/out")
    process(PICKY, column, dest, cache=tmp_path / "cache")
    files.remove_folder(dest / "000001.tar")
    store.refused = "PUT /" + (dest / "000001.tar").path
    with pytest.raises(PermissionError):
        process(PICKY, column, dest, cache=tmp_path / "cache")
    assert not {"000001.tar", SEAL} & set(files.list_sizes(dest))
    with pytest.raises(Halt, match=r"has no seal.json"):
        loose.list_parts(dest)


def test_an_unfinished_file_does_not_replace_the_old_one(bucket):
    path = files.to_path(f"{bucket}/a")
    files.write(path, b"old")
    with pytest.raises(TypeError), files.open_atomic(path) as file:
        file.writelines([b"new" * 1_000_000, None])
    assert path.read_bytes() == b"old"
    assert files.list_sizes(path.parent) == {"a": 3}


def test_a_run_that_is_refused_leaves_a_ledger_and_no_seal(column, bucket, tmp_path):
    dest = files.to_path(f"{bucket}/out")
    process(PICKY, column, dest, cache=tmp_path / "cache")
    with pytest.raises(Halt, match=r"more than the tolerance of 1 %: see s3://.*/out/rejects.tsv"):
        process(PICKY, column, dest, cache=tmp_path / "cache", tolerance=1.0)
    assert LEDGER in files.list_sizes(dest)
    assert SEAL not in files.list_sizes(dest)


def test_an_object_that_is_cut_off_or_altered_is_refused(column, bucket, tmp_path):
    remote = upload(column, f"{bucket}/in")
    shard = remote / "000001.tar"
    data = shard.read_bytes()
    files.write(shard, data[:-512])
    with pytest.raises(Halt, match=r"000001.tar is missing or not as long as its seal says"):
        loose.list_parts(remote)
    files.write(shard, data[:600] + bytes([data[600] ^ 1]) + data[601:])
    with pytest.raises(Halt, match=r"000001.tar differs from its seal"):
        process(PICKY, remote, tmp_path / "out", cache=tmp_path / "cache")


def test_files_of_an_earlier_run_are_removed(column, bucket, tmp_path):
    dest = files.to_path(f"{bucket}/out")
    process(PICKY, column, dest, cache=tmp_path / "cache")
    process(PICKY, make_column(tmp_path / "few", ["000000001"]), dest, cache=tmp_path / "cache")
    assert sorted(files.list_sizes(dest)) == ["000000.tar", INDEX, LEDGER, SEAL]


def test_a_column_is_not_written_over_itself_or_into_itself(column, bucket, tmp_path):
    remote = upload(column, f"{bucket}/in")
    for dest in (f"{bucket}/in", f"{bucket}/in/", f"{bucket}/in/deeper"):
        with pytest.raises(Halt, match="is where the pictures come from"):
            process(PICKY, remote, files.to_path(dest), cache=tmp_path / "cache")


def test_commands_take_urls_and_explain_a_wrong_one(column, bucket, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_WORKERS", "1")
    upload(column, f"{bucket}/in")
    assert run_prep(capsys, "sketchify", column, "here")[0] == 0
    code, out, _ = run_prep(capsys, "sketchify", f"{bucket}/in", f"{bucket}/b7", "--sheet", "sheet.png")
    assert (code, out) == (0, f"sketchify: 8 of 8 written to {bucket}/b7\n")
    assert content(files.to_path(f"{bucket}/b7")) == content(tmp_path / "here")
    assert codec.decode((tmp_path / "sheet.png").read_bytes()).any()
    for url, sentence in {
        "s3://nowhere/in": "prep: s3://nowhere/in does not exist: name a picture, a folder",
        "nonsense://bucket/in": "prep: nonsense://bucket/in cannot be reached (",
        f"{bucket}/missing": f"prep: {bucket}/missing does not exist: name a picture, a folder",
    }.items():
        code, _, said = run_prep(capsys, "sketchify", url, "out")
        assert code == 1
        assert said.startswith(sentence)
        assert said.count("\n") == 1
    code, _, said = run_prep(capsys, "sketchify", column, "s3://nowhere/out")
    assert code == 1
    assert said.startswith("prep: s3://nowhere/out/000000.tar cannot be written (")
    assert said.endswith("make its bucket or folder first\n")


def test_a_missing_package_is_named(capsys, column, monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    code, _, said = run_prep(capsys, "sketchify", column, "s3://bucket/out")
    assert code == 1
    assert said.startswith("prep: a package is missing (")
    assert said.endswith("install inkwash[urls], then run the same command again\n")


def test_a_missing_driver_is_named(capsys, column):
    code, _, said = run_prep(capsys, "sketchify", column, "gs://bucket/out")
    assert code == 1
    assert said.startswith("prep: gs://bucket/out needs a package (")
    assert "gcsfs" in said


def test_a_store_that_denies_access_is_one_sentence(capsys, column, store, bucket):
    store.refused = "HEAD /"
    code, _, said = run_prep(capsys, "sketchify", column, f"{bucket}/out")
    assert code == 1
    assert said.startswith(f"prep: {bucket}/out cannot be reached (")


@pytest.mark.parametrize("deadly", ["GET /{}/in/000001.tar", "PUT /{}/out/000001.tar"])
def test_a_store_that_dies_during_a_run_is_one_sentence_and_the_next_run_resumes(
    capsys, column, store, bucket, tmp_path, monkeypatch, deadly
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    upload(column, f"{bucket}/in")
    monkeypatch.setenv("PREP_WORKERS", "1")
    command = ("sketchify", f"{bucket}/in", f"{bucket}/out")
    store.deadly = deadly.format(bucket.removeprefix("s3://"))
    code, _, said = run_prep(capsys, *command)
    store.start()
    assert code == 1
    assert said.startswith(f"prep: {bucket}/in or {bucket}/out stopped answering (")
    assert said.endswith("): see that it answers, then run the same command to go on\n")
    assert said.count("\n") == 1
    assert not (files.to_path(f"{bucket}/out") / SEAL).exists()
    assert run_prep(capsys, *command)[0] == 0
    assert run_prep(capsys, "sketchify", column, "here")[0] == 0
    assert content(files.to_path(f"{bucket}/out")) == content(tmp_path / "here")


def test_a_broken_connection_is_recognized_when_a_worker_reports_it(store, bucket, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    path = files.to_path(f"{bucket}/a")
    files.write(path, b"here")
    store.die()
    with pytest.raises(Halt, match=f"^{path} stopped answering") as error, files.halt_on_disconnect(path):
        path.read_bytes()
    store.start()
    with pytest.raises(Halt, match=f"^{path} stopped answering"), files.halt_on_disconnect(path):
        raise pickle.loads(pickle.dumps(error.value.__cause__))


def test_a_truncated_response_is_one_sentence():
    def half(environ, start):
        start("200 OK", [("Content-Length", "9999")])
        return [b"half"]

    server = make_server("127.0.0.1", 0, half)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    path = files.to_path(f"http://127.0.0.1:{server.port}/a")
    with (
        pytest.raises(Halt, match=f"^{path} stopped answering (.*): see that"),
        files.halt_on_disconnect("a", path),
    ):
        path.read_bytes()
    server.shutdown()
    thread.join()
    server.server_close()
