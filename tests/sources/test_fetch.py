"""Posts -> shards of their files: in order, each downloaded once, each missing one with its reason."""

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
from dataclasses import replace

import cv2
import pytest
from made import picture
from rig import ALL, Clock, find, make_post, make_posts, read, write_lines

from pipeline import files
from pipeline.booru import site as booru_site
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer, run_server
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.local.source import open_source
from pipeline.params import Fetch
from pipeline.shards.column import list_shards
from pipeline.sources import danbooru, fetch, plan, posts
from pipeline.sources.checks import FileRejected, WantedFile
from pipeline.sources.posts import describe_post
from pipeline.sources.search import search_posts
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


def fetch_found(host, folder, name="out", tick=lambda *_: None, threads=4, **terms):
    """Fetch the posts that `find` wrote to `folder`; return the report."""
    source, dest, cache = folder / "posts.jsonl", folder / name, folder / "cache"
    params = Fetch(**({"shard": 4} | terms))
    with open_site(host, clock=Clock()) as site:
        return fetch.fetch_files(Store(site, cache, params), source, dest, threads=threads, tick=tick)


def content(column):
    """Return the bytes of every finished file of a column by name."""
    return {path.name: path.read_bytes() for path in column.iterdir() if path.suffix != ".part"}


def read_samples(column):
    """Read the samples of a sealed column."""
    return [sample for shard in list_shards(column) for sample in shard]


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


def test_a_site_on_loopback_cannot_send_the_client_elsewhere(tmp_path):
    posts.write_posts(tmp_path / "posts.jsonl", [make_post(1, file_url="https://example.org/original/1.png")])
    with pytest.raises(Halt, match="no file could be fetched"):
        fetch_found("http://127.0.0.1:9", tmp_path)
    row = (tmp_path / "out/rejects.tsv").read_text().splitlines()[1].split("\t")
    assert row[1] == "gone"
    assert "points to https://example.org/original/1.png: name that site" in row[2]


def test_one_bad_address_costs_one_post_and_no_message_holds_its_secrets(serve, tmp_path):
    bad = [
        "http://a..b/x",
        f"http://{'a' * 70}.org/x",
        "http://[::1",
        "http://127.0.0.1:1/x?token=s3cret",
        "/lost?sig=s3cret",
    ]
    uploads = [make_post(number, file_url=url) for number, url in enumerate(bad, 2)]
    with serve([make_post(1)]) as host:
        md5 = make_post(1)["md5"]
        good = make_post(1, file_url=f"/original/{md5[:2]}/{md5[2:4]}/{md5}.png")
        posts.write_posts(tmp_path / "posts.jsonl", map(posts.reduce_post, [good, *uploads]))
        report = fetch_found(host, tmp_path, tolerance=100.0)
    assert (report.taken, report.written) == (6, 1)
    assert report.rejected == {"gone": 4, "transient": 1}
    assert not any(b"s3cret" in data for data in content(tmp_path / "out").values())
    assert "s3cret" not in str(report.rejects)


def test_originals_arrive_byte_for_byte_in_the_order_of_their_ids(serve, tmp_path):
    uploads = make_posts(9)
    fields = {"parent_id": 3, "rating": "s", "score": 4, "source": "here", "tag_string_artist": "ann"}
    uploads[4] = make_post(15, ext="jpg", tag_string_general="solo hat", tag_string_meta="highres", **fields)
    seen = []
    with serve(uploads) as host:
        find(host, tmp_path / "posts.jsonl")
        report = fetch_found(host, tmp_path, tick=lambda *numbers: seen.append(numbers))
    assert report.metrics() == {"taken": 9, "written": 9, "rejected": {}}
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


RULES = {  # by the id of the post that it makes fail: the reason, and how the site fails
    4: ("gone", FaultRule("status", status=404)), 6: ("banned", FaultRule("status", status=451)),
    10: ("wrong type", FaultRule("page")), 11: ("truncated", FaultRule("short")),
    12: ("truncated", FaultRule("empty")),
    13: ("transient", FaultRule("status", status=503)), 14: ("mismatch", FaultRule("corrupt")),
    15: ("moved", FaultRule("redirect")),
}  # fmt: skip
FIELDS = {
    2: {"is_banned": True}, 3: {"is_restricted": True}, 8: {"ext": "mp4"},
    9: {"image_width": 40000, "image_height": 40000},
}  # fmt: skip
REASONS = {2: "banned", 3: "hidden", 8: "wrong type", 9: "too big"}
REASONS |= {number: reason for number, (reason, _) in RULES.items()}


def serve_with_faults(traffic):
    """Serve sixteen posts, twelve of which cannot be fetched, each for its own reason."""
    uploads = [make_post(number, **FIELDS.get(number, {})) for number in range(1, 17)]
    rules = [
        FaultRule(**(vars(rule) | {"match": uploads[number - 1]["md5"]}))
        for number, (_, rule) in RULES.items()
    ]
    return uploads, booru_site.serve(Catalog(uploads, read), traffic, faults=Faults(rules))


def test_each_failure_has_its_reason_in_the_ledger_and_other_posts_survive(traffic, tmp_path):
    uploads, serving = serve_with_faults(traffic)
    with serving as host:
        find(host, tmp_path / "posts.jsonl", replace(ALL, types="png,mp4"))
        report = fetch_found(host, tmp_path, tolerance=10.0)
        assert report.rejected == dict(sorted(Counter(REASONS.values()).items()))
        rows = [line.split("\t") for line in (tmp_path / "out" / "rejects.tsv").read_text().splitlines()]
        assert rows[0] == ["key", "reason", "detail"]
        assert [(key, reason) for key, reason, _ in rows[1:]] == [
            (f"{number:09d}", REASONS[number]) for number in sorted(REASONS)
        ]
        assert [int(sample.key) for sample in read_samples(tmp_path / "out")] == [1, 5, 7, 16]
        traffic.targets.clear()
        again = fetch_found(host, tmp_path, tolerance=10.0)
        assert again.rejects == report.rejects
        assert {target.rpartition("/")[2] for target in traffic.files} == {f"{uploads[12]['md5']}.png"}


def test_files_that_failed_for_now_stop_the_run_and_the_next_requests_them_alone(serve, traffic, tmp_path):
    uploads = make_posts(30)
    traffic.troubles[uploads[7]["md5"]] = Answer(503, "text/html", b"")
    with serve(uploads) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match=r"1 of 30 files failed for now \(.*503.*run again"):
            fetch_found(host, tmp_path)
        assert not (tmp_path / "out" / "seal.json").exists()
        assert (tmp_path / "out" / "rejects.tsv").read_text().count("transient") == 1
        traffic.troubles = {}
        traffic.targets.clear()
        assert fetch_found(host, tmp_path).written == 30
        assert [target.rpartition("/")[2] for target in traffic.files] == [f"{uploads[7]['md5']}.png"]


@pytest.mark.parametrize(
    ("rule", "sentence", "asked"),
    [
        (FaultRule("edge", "/original/"), "check PREP_CONTACT", 3),
        (FaultRule("status", "/original/", status=403), "403", 3),
        (FaultRule("status", "/original/", status=503), "503", 36),
        (FaultRule("limit", "/original/", every=1, seconds=500.0), "answered 429", 9),
    ],
)
def test_a_site_that_keeps_refusing_is_left_alone_and_the_next_run_continues(
    traffic, tmp_path, rule, sentence, asked
):
    uploads, faults = make_posts(30), []

    def failing(*given):
        return (faults or [Faults([])])[0](*given)

    with booru_site.serve(Catalog(uploads, read), traffic, faults=failing) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path, "other", shard=4, tolerance=100.0)
        for path in list((tmp_path / "cache" / "files").rglob("*.png"))[10:]:
            path.unlink()
        faults.append(Faults([rule]))
        traffic.targets.clear()
        with pytest.raises(Halt, match=sentence):
            fetch_found(host, tmp_path, threads=1)
        assert len(traffic.files) == asked
        kept = {path.name for path in (tmp_path / "cache" / "files").rglob("*.png")}
        assert len(kept) == 10
        faults[:] = []
        traffic.targets.clear()
        assert fetch_found(host, tmp_path).written == 30
        assert len(traffic.files) == 20


def test_a_run_without_any_file_fails(serve, tmp_path):
    with serve([make_post(1, is_banned=True)]) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="no file could be fetched: see"):
            fetch_found(host, tmp_path)
    assert not (tmp_path / "out" / "seal.json").exists()


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


# ---------------------------------------------------------------- pictures that bring their sketch


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


# ---------------------------------------------------------------- kills


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


# ---------------------------------------------------------------- the bytes decide


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
