"""Posts become shards of their files: in order, each downloaded once, also after a kill."""

import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter

import pytest
from fetching import content, fetch_found, read_samples
from made import picture
from rig import find, make_post, make_posts, read

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.params import Fetch
from pipeline.sources import danbooru, fetch, posts
from pipeline.sources.posts import describe_post
from pipeline.sources.store import Folder, Store
from pipeline.web.client import open_site

FETCH = """
import sys
from pathlib import Path
from pipeline.sources import fetch
from pipeline.web import client
from pipeline.params import Fetch
from pipeline.sources.store import Folder, Store
host, posts, dest, cache = sys.argv[1:]
with client.open_site(host) as place:
    fetch.fetch_files(Store(place, Path(cache), Fetch(shard=8)), Path(posts), Path(dest), threads=2)
"""


def test_credentials_go_to_the_api_and_not_with_files_and_not_into_messages(serve, tmp_path):
    with serve(make_posts(2)) as host:
        find(host, tmp_path / "posts.jsonl")
        with open_site(host, login="ann", api_key="secret") as site:
            with pytest.raises(Halt, match="401 SessionLoader::AuthenticationFailure") as error:
                danbooru.ask_newest_id(site)  # the site has no accounts
            store = Store(site, tmp_path / "cache", Fetch())
            fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "out")
    assert "secret" not in str(error.value)
    assert b"secret" not in b"".join(content(tmp_path / "out").values())


def test_originals_arrive_byte_for_byte_in_the_order_of_their_ids(serve, tmp_path):
    uploads = make_posts(9)
    fields = {"parent_id": 3, "rating": "s", "score": 4, "source": "here", "tag_string_artist": "ann"}
    uploads[4] = make_post(15, ext="jpg", tag_string_general="solo hat", tag_string_meta="highres", **fields)
    seen = []
    with serve(uploads) as host:
        find(host, tmp_path / "posts.jsonl")
        report = fetch_found(host, tmp_path, tick=lambda *numbers: seen.append(numbers))
    assert report.summary() == {"taken": 9, "written": 9, "rejected": {}}
    assert seen == [(number, 9) for number in range(1, 10)]
    samples = read_samples(tmp_path / "out")
    assert [sample.key for sample in samples] == [f"{post['id']:09d}" for post in uploads]
    assert [sample.picture for sample in samples] == [read(post) for post in uploads]
    assert list(samples[4].members) == ["jpg", "json"]
    assert samples[4].metadata == {
        "id": 15, "family": 3, "rating": "s", "score": 4, "source": "here", "artist": "ann",
        "license": "unknown", "tags": ["ann", "hat", "highres", "solo"], "md5": uploads[4]["md5"],
    }  # fmt: skip
    assert samples[0].metadata["family"] == 3


def test_shards_hold_about_as_many_posts_as_asked_for_and_one_post_more_changes_one_shard():
    uploads = [{"id": number} for number in range(1, 4001)]
    cut = list(fetch.cut_batches(uploads, 40))
    assert [post for batch in cut for post in batch] == uploads
    assert 75 < len(cut) < 133  # 100 and three times its deviation
    for victim in (1, 777, 4000):
        less = list(fetch.cut_batches(uploads[: victim - 1] + uploads[victim:], 40))
        assert len([batch for batch in cut if batch not in less]) <= 2
        assert len([batch for batch in less if batch not in cut]) <= 1
    assert [len(batch) for batch in fetch.cut_batches(uploads[:5], 1)] == [1] * 5


def test_a_second_fetch_requests_no_file_and_keeps_whole_shards(serve, traffic, tmp_path):
    with serve(make_posts(30)) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path, "one", threads=1)
        assert Counter(traffic.files).most_common(1)[0][1] == 1
        assert len(traffic.files) == 30
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").glob("*.tar")}
        victim = next(iter(before))
        os.utime(victim, ns=(0, 0))  # as if touched by another program
        assert fetch_found(host, tmp_path, "one").written == 30
        assert {path for path in before if path.stat().st_mtime_ns != before[path]} == {victim}
        fetch_found(host, tmp_path, "two", threads=8)
    assert len(traffic.files) == 30
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_other_parameters_write_the_shards_again(serve, tmp_path):
    data = png.encode_png(picture(1, 1000, 600))
    uploads = describe_post(1, data, "png", image_width=1000, image_height=600)
    with serve([uploads], lambda _: data) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path)
        assert codec.read_size(read_samples(tmp_path / "out")[0].picture) == (1000, 600)
        fetch_found(host, tmp_path, variant="720x720")
        sample = read_samples(tmp_path / "out")[0]
    assert list(sample.members) == ["webp", "json"]
    assert codec.read_size(sample.picture) == (720, 432)
    assert sample.metadata["md5"] == uploads["md5"]
    assert {"file_md5", "file_sha256"} <= set(sample.metadata)


def test_only_new_posts_are_downloaded_when_the_search_grows(serve, traffic, tmp_path):
    for count in (5, 7):
        with serve(make_posts(count)) as host:
            find(host, tmp_path / "posts.jsonl")
            fetch_found(host, tmp_path)
    assert len(traffic.files) == 7
    assert len(read_samples(tmp_path / "out")) == 7


def test_few_posts_wait_in_memory_whether_their_files_are_on_the_way_or_an_earlier_run_wrote_them():
    endless = (fetch.PostBatch([{"id": number}], None, None) for number in itertools.count())
    started = []
    first = next(fetch.ahead(endless, started.append))
    assert first.posts == [{"id": 0}]
    assert len(started) == fetch.FILES_IN_FLIGHT + 1


def test_memory_does_not_grow_with_the_number_of_posts(tmp_path):
    data = b"no picture at all"
    files.write(tmp_path / "in" / "a.png", data)
    post = {"file_url": "a.png", "file_ext": "png", "md5": hashlib.md5(data).hexdigest()}
    source, peaks = tmp_path / "posts.jsonl", []
    for count in (200, 500, 1200):  # the first also imports modules
        posts.write_posts(source, [post | {"id": number} for number in range(count)])
        tracemalloc.start()
        fetch.fetch_files(Folder(tmp_path / "in", Fetch(shard=16)), source, tmp_path / "out", threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 700 * 200  # bytes; a post in memory takes ten times that


def killed_and_resumed(serve, traffic, tmp_path, kills, count):
    """Kill a fetch `kills` times at random moments; check that no stored file is requested again."""
    dice, stored = random.Random(kills), set()

    def slowly(target):
        time.sleep(0.02)

    with serve(make_posts(count)) as host:
        find(host, tmp_path / "posts.jsonl")
        traffic.troubles["/original/"] = slowly
        arguments = [host, tmp_path / "posts.jsonl", tmp_path / "killed", tmp_path / "cache"]
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        for kill in range(kills + 1):
            traffic.targets.clear()
            child = subprocess.Popen([sys.executable, "-c", FETCH, *map(str, arguments)], env=environment)
            share = (count - len(stored)) // (kills - kill + 1)
            limit = dice.randrange(1, share + 2) if kill < kills else None
            while child.poll() is None and (limit is None or len(traffic.files) < limit):
                time.sleep(0.001)
            if limit is not None:
                time.sleep(dice.random() * 0.03)
                child.send_signal(signal.SIGKILL)
                child.wait()
                assert not (tmp_path / "killed" / "seal.json").exists()
            time.sleep(0.05)  # the site answers the last requests
            asked = Counter(target.rpartition("/")[2] for target in traffic.files)
            assert set(asked).isdisjoint(stored)
            assert set(asked.values()) <= {1}
            stored = {path.name for path in (tmp_path / "cache" / "files").rglob("[!.]*.png")}
        assert child.returncode == 0
        assert len(stored) == count
        with open_site(host) as site:
            store = Store(site, tmp_path / "other", Fetch(shard=8))
            fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "straight")
    assert content(tmp_path / "killed") == content(tmp_path / "straight")
    assert json.loads((tmp_path / "killed" / "seal.json").read_bytes())["written"] == count


def test_a_fetch_killed_three_times_resumes_and_repeats_no_file(serve, traffic, tmp_path):
    killed_and_resumed(serve, traffic, tmp_path, kills=3, count=40)


@pytest.mark.slow
def test_a_fetch_killed_fifty_times_resumes_and_repeats_no_file(serve, traffic, tmp_path):
    killed_and_resumed(serve, traffic, tmp_path, kills=50, count=400)
