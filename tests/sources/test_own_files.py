"""The files of folders, pairs, dumps and lists become samples by their bytes."""

import hashlib

import cv2
import pytest
from fetching import read_samples
from made import picture
from rig import ALL, Clock, read, write_lines

from pipeline import files
from pipeline.booru import site as booru_site
from pipeline.booru.catalog import Catalog
from pipeline.booru.server import Answer, run_server
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.local.source import open_source
from pipeline.params import Fetch
from pipeline.sources import fetch, plan, posts
from pipeline.sources.checks import FileRejected, WantedFile
from pipeline.sources.search import search_posts
from pipeline.sources.store import Folder, Store
from pipeline.web.client import open_site


def test_a_pair_is_written_with_its_own_sketch(tmp_path):
    for name, number in (("color/a.png", 1), ("sketch/a.jpg", 2)):
        files.write(tmp_path / "in" / name, png.encode_png(picture(number)))
    post = {"id": 5, "file_url": "color/a.png", "file_ext": "png", "sketch_url": "sketch/a.jpg"}
    posts.write_posts(tmp_path / "posts.jsonl", [post, post | {"id": 6, "sketch_url": "sketch/b.jpg"}])
    report = fetch.fetch_files(Folder(tmp_path / "in", Fetch()), tmp_path / "posts.jsonl", tmp_path / "out")
    assert report.rejected == {"gone": 1}
    sample = read_samples(tmp_path / "out")[0]
    assert list(sample.members) == ["png", "sketch.png", "json"]  # by their bytes
    assert sample.members["sketch.png"] == (tmp_path / "in/sketch/a.jpg").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "posts.jsonl"]  # no cache


def test_a_shard_of_a_folder_is_kept_until_a_missing_file_is_there(tmp_path, monkeypatch):
    contents = {
        name: png.encode_png(picture(number)) for number, name in enumerate(("a.png", "b.png", "c.png"))
    }
    for name in ("a.png", "b.png"):
        files.write(tmp_path / "in" / name, contents[name])
    uploads = [
        {"id": number, "file_url": name, "file_ext": "png", "md5": hashlib.md5(data).hexdigest()}
        for number, (name, data) in enumerate(contents.items())
    ]
    read, obtain = [], Folder.obtain
    monkeypatch.setattr(Folder, "obtain", lambda self, file: read.append(file.url) or obtain(self, file))

    def fetch_folder(chosen):
        posts.write_posts(tmp_path / "posts.jsonl", chosen)
        folder = Folder(tmp_path / "in", Fetch(shard=100), tmp_path / "cache")
        fetch.fetch_files(folder, tmp_path / "posts.jsonl", tmp_path / "out")
        found = sorted(read)
        read.clear()
        return found, [sample.picture for sample in read_samples(tmp_path / "out")]

    two = [contents["a.png"], contents["b.png"]]
    assert fetch_folder(uploads[:2]) == (["a.png", "b.png"], two)
    assert fetch_folder(uploads[:2]) == ([], two)
    assert fetch_folder(uploads) == (["a.png", "b.png", "c.png"], two)
    files.write(tmp_path / "in" / "c.png", contents["c.png"])
    assert fetch_folder(uploads) == (["a.png", "b.png", "c.png"], [*contents.values()])
    assert fetch_folder(uploads) == ([], [*contents.values()])
    unnamed = [{name: value for name, value in post.items() if name != "md5"} for post in uploads]
    assert fetch_folder(unnamed)[0] == fetch_folder(unnamed)[0] == ["a.png", "b.png", "c.png"]


def test_a_small_copy_in_a_dump_is_fetched_though_its_post_describes_the_original(tmp_path):
    home = tmp_path / "dump"
    files.write(home / "512px/0005/5.jpg", png.encode_png(picture(1)))
    size = {"image_width": 3000, "image_height": 2000, "md5": "0" * 32, "file_size": 9, "file_ext": "png"}
    files.write(home / "metadata/posts.json", files.dumps({"id": 5, "rating": "g"} | size))
    source = open_source(f"dump:{home}")
    posts.write_posts(tmp_path / "posts.jsonl", map(posts.reduce_post, source.posts()))
    report = fetch.fetch_files(Folder(source.root, Fetch()), tmp_path / "posts.jsonl", tmp_path / "out")
    assert (report.written, report.rejects) == (1, [])
    assert read_samples(tmp_path / "out")[0].picture == png.encode_png(picture(1))


def test_a_picture_of_color_and_sketch_is_cut_in_two(tmp_path):
    both = picture(1, 128, 64)
    files.write(tmp_path / "in" / "a.png", png.encode_png(both))
    files.write(tmp_path / "in" / "b.png", b"nonsense")
    md5 = hashlib.md5(b"nonsense").hexdigest()
    post = {"file_ext": "png", "sketch_half": "right"}
    uploads = [post | {"id": 1, "file_url": "a.png"}, post | {"id": 2, "file_url": "b.png", "md5": md5}]
    posts.write_posts(tmp_path / "posts.jsonl", uploads)
    report = fetch.fetch_files(Folder(tmp_path / "in", Fetch()), tmp_path / "posts.jsonl", tmp_path / "out")
    assert report.rejected == {"wrong type": 1}
    members = read_samples(tmp_path / "out")[0].members
    assert (codec.decode(members["png"]) == both[:, :64]).all()
    assert (codec.decode(members["sketch.png"]) == both[:, 64:]).all()


def test_the_bytes_of_a_file_name_its_member_whatever_its_address_says(tmp_path):
    """Fetch a list whose addresses tell another type, or none, from a site and from its own folder."""
    pictures = {
        "1.jfif": "png",
        "2.php": "png",
        "3": "webp",
        "4.png": "webp",
        "5.jpg": "zip",
        "6.txt": "text",
    }
    data = {"png": png.encode_png(picture(1)), "zip": b"PK\x03\x04", "text": b"nothing"}
    data["webp"] = cv2.imencode(".webp", picture(2))[1].tobytes()

    def answer(request):
        name = request.target.rpartition("/")[2]
        return Answer(200, "application/octet-stream", data[pictures[name]]) if name in pictures else None

    with booru_site.serve(Catalog([], read), answer) as host:
        rows = [{"url": f"{host}/x/{name}"} for name in pictures]
        files.write(tmp_path / "own.jpeg", data["webp"])
        path = write_lines(tmp_path / "list.jsonl", *rows, {"path": "own.jpeg"})
        source = open_source(f"list:{path}")
        found = [post for post in source.posts() if not isinstance(post, posts.Refused)]
        posts.write_posts(tmp_path / "posts.jsonl", map(posts.reduce_post, found))
        with open_site("", clock=Clock()) as site:
            store = Store(site, tmp_path / "cache", Fetch(), source=source)
            report = fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "out")
    assert report.rejected == {"wrong type": 2}
    taken = {sample.metadata["id"]: sample for sample in read_samples(tmp_path / "out")}
    assert len(taken) == 5
    for name, kind in (*list(pictures.items())[:4], ("own.jpeg", "webp")):
        url = name if name == "own.jpeg" else f"{host}/x/{name}"
        sample = taken[posts.hash_id(url)]
        assert list(sample.members) == [kind, "json"]
        assert sample.picture == data[kind]
        assert sample.metadata["rating"] == "unknown"
        assert "score" not in sample.metadata


def test_a_path_of_a_list_leads_nowhere_but_below_its_folder(tmp_path):
    files.write(tmp_path / "secret.png", png.encode_png(picture(1)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    with open_site("") as site:
        store = Store(
            site, tmp_path / "cache", Fetch(), source=posts.PostSource(tmp_path / "in", lambda: iter(()))
        )
        for url in ("../secret.png", str(tmp_path / "secret.png"), "x/../../secret.png", "nowhere.png"):
            with pytest.raises(FileRejected, match="gone"):
                store.obtain(WantedFile(url, ""))
        assert store.obtain(WantedFile("link.png", "")).path == tmp_path / "in" / "link.png"


def test_the_secrets_of_signed_addresses_stay_in_the_list(tmp_path):
    data, asked = {"/a": png.encode_png(picture(1)), "/b": png.encode_png(picture(2))}, []

    def respond(request):
        asked.append(request.target)
        signed = request.query.get("signature") == "s3cret"
        return Answer(200, "image/png", data[request.path]) if signed else Answer(403, "text/plain", b"")

    with run_server(respond) as host, open_site("", clock=Clock()) as site:
        rows = [{"url": f"{host}{path}?size=1&signature=s3cret"} for path in data]
        path = write_lines(tmp_path / "list.jsonl", *rows)
        source = open_source(f"list:{path}")
        search_posts(source, tmp_path / "posts.jsonl", ALL)
        store = Store(site, tmp_path / "cache", Fetch(), source=source)
        assert plan.plan_fetch(store, tmp_path / "posts.jsonl")["files"] == 2
        report = fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "out")
        assert (report.written, len(asked)) == (2, 2)
        assert plan.plan_fetch(store, tmp_path / "posts.jsonl")["files"] == 0
        path.rename(tmp_path / "elsewhere")
        held = [file for file in tmp_path.rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()]
        assert held == [tmp_path / "elsewhere"]
        write_lines(path, {"url": f"{host}/a?size=1&signature=renewed"})
        store = Store(site, tmp_path / "other", Fetch(), source=source)
        with pytest.raises(Halt, match=r"the list no longer has the address of post \d+: run search again"):
            fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "out")
