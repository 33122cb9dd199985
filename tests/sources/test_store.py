"""A file is kept by its hash, requested once, and checked whenever it is used."""

import hashlib
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event

import pytest
from downloads import FILE, POST, encoded, list_parts, rejection, target_of
from rig import make_post, read

from pipeline.booru.catalog import Catalog
from pipeline.booru.server import Answer
from pipeline.images import codec
from pipeline.params import Fetch
from pipeline.sources import posts
from pipeline.sources.checks import FileRejected, WantedFile, choose_file
from pipeline.sources.posts import describe_post
from pipeline.sources.store import FILE_LOCKS, Folder


def test_an_original_is_kept_by_its_md5_and_never_requested_again(opened, traffic):
    store = opened()
    kept = store.obtain(FILE)
    assert kept.path.read_bytes() == read(POST)
    assert kept.path.relative_to(store.cache).as_posix() == f"files/{POST['md5'][:2]}/{POST['md5']}.png"
    assert (kept.md5, kept.sha256) == (POST["md5"], "")
    assert store.obtain(FILE) == kept
    assert len(traffic.targets) == 1


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(opened, traffic):
    store = opened()
    path = store.obtain(FILE).path
    path.write_bytes(read(POST)[:-1] + b"!")
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert len(traffic.targets) == 2


def test_a_file_rejected_for_good_is_requested_again_only_with_again(opened, traffic):
    store = opened()
    traffic.troubles["/original/"] = Answer(404, "text/html", b"")
    assert rejection(store)[0] == "gone"
    traffic.troubles = {}
    assert rejection(store)[0] == "gone"
    assert replace(store, again=True).obtain(FILE).path.read_bytes() == read(POST)
    assert store.obtain(FILE).path.read_bytes() == read(POST)
    assert len(traffic.targets) == 2


@pytest.fixture
def wide():
    """Make a post of 1000 x 600 pixels, and its catalog."""
    data = encoded(1, "png", width=1000, height=600)
    post = describe_post(7, data, "png", image_width=1000, image_height=600)
    return Catalog([post], lambda _: data)


def choose_variant(store, name):
    """Return a post as the site shows it, and the file of a variant."""
    post = posts.reduce_post(store.site.ask("/posts/7.json"), store.site.host)
    return post, choose_file(post, Fetch(variant=name))


@pytest.mark.parametrize(("name", "size"), [("sample", (850, 510)), ("720x720", (720, 432))])
def test_a_variant_is_decoded_whole_and_kept_with_its_sha256(opened, traffic, wide, name, size):
    store = opened(catalog=wide)
    post, file = choose_variant(store, name)
    kept = store.obtain(file)
    assert codec.read_size(kept.path) == size
    assert kept.md5 != post["md5"]
    assert len(kept.sha256) == 64
    before = len(traffic.targets)
    assert store.obtain(file) == kept
    assert len(traffic.targets) == before
    kept.path.write_bytes(kept.path.read_bytes()[:-1])
    assert store.obtain(file) == kept
    assert len(traffic.targets) == before + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (encoded(2, width=850, height=500), "mismatch"),
        (encoded(2, width=850, height=510)[:-300], "truncated"),
        (b"<html>sorry</html>", "wrong type"),
        (b"nonsense", "wrong type"),
        (b"", "truncated"),
    ],
)
def test_a_variant_that_differs_from_its_description_is_refused(opened, traffic, wide, body, reason):
    store = opened(catalog=wide)
    traffic.troubles["/sample/"] = Answer(200, "image/jpeg", body)
    assert rejection(store, choose_variant(store, "sample")[1])[0] == reason
    assert not list(store.cache.rglob("*.jpg"))
    assert not list_parts(store)


def test_a_file_of_a_list_is_checked_by_its_sha256_or_decoded(opened, traffic):
    store, data = opened(), encoded(3)
    traffic.troubles["/a.jpg"] = Answer(200, "image/jpeg", data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert store.obtain(WantedFile("/a.jpg?1", "jpg", sha256=sha256)).sha256 == sha256
    assert store.obtain(WantedFile("/a.jpg?2", "jpg")).md5 == hashlib.md5(data).hexdigest()
    assert rejection(store, WantedFile("/a.jpg?3", "jpg", sha256="0" * 64)) == ("mismatch", "another SHA-256")
    capitals = store.site.host.replace("http", "HTTP")
    assert store.obtain(WantedFile(f"{capitals}/a.jpg?4", "jpg")).sha256 == sha256


def test_a_file_of_a_folder_is_checked_in_place(tmp_path):
    (tmp_path / "in").mkdir()
    path, data = tmp_path / "in" / "a.jpg", encoded(4)
    path.write_bytes(data)
    (tmp_path / "secret.jpg").write_bytes(data)
    folder = Folder(tmp_path / "in", Fetch())
    assert folder.obtain(WantedFile("a.jpg", "jpg")).path == path
    for file, reason in (
        (WantedFile("b.jpg", "jpg"), "gone"),
        (WantedFile("../secret.jpg", "jpg"), "gone"),
        (WantedFile("a.jpg", "jpg", "0" * 32), "mismatch"),
        (WantedFile("a.jpg", "jpg", size=10**6), "truncated"),
    ):
        with pytest.raises(FileRejected) as error:
            folder.obtain(file)
        assert error.value.reason == reason
    assert path.read_bytes() == data


class Gate:
    """Hold back the answers of a site until `opened` is set, and record the requests."""

    def __init__(self):
        self.reached, self.opened, self.targets = Event(), Event(), []

    def __call__(self, target):
        self.targets.append(target)
        self.reached.set()
        assert self.opened.wait(10)


def test_of_two_threads_that_want_one_file_one_downloads_it_and_the_other_waits(opened, traffic):
    gate = traffic.troubles["/original/"] = Gate()
    store = opened()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.obtain, FILE)
        assert gate.reached.wait(10)
        second = pool.submit(store.obtain, FILE)
        assert not wait([second], timeout=0.2).done
        gate.opened.set()
        assert first.result() == second.result()
    assert len(gate.targets) == 1
    assert first.result().path.read_bytes() == read(POST)


def test_a_thread_that_wants_another_file_does_not_wait(opened, traffic):
    turn = hash(POST["md5"]) % len(FILE_LOCKS)  # of a thousand files two have one
    other = next(post for post in map(make_post, range(2, 99)) if hash(post["md5"]) % len(FILE_LOCKS) != turn)
    gate = traffic.troubles[POST["md5"]] = Gate()
    store = opened(catalog=Catalog([POST, other], read))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.obtain, FILE)
        assert gate.reached.wait(10)
        assert pool.submit(store.obtain, target_of(other)).result(10).path.read_bytes() == read(other)
        assert not first.done()
        gate.opened.set()
