"""Files arrive over real sockets, whole, checked, and none is asked for twice."""

import json
import re
import subprocess
import sys
import time
from collections import Counter

import pytest
from rig import ALL, Clock, answers, find, make_post, make_posts, read, refuse

from pipeline import Halt, danbooru, fetch, files, samples
from pipeline.booru import Answer
from pipeline.catalog import CATEGORIES
from pipeline.danbooru import open_site

FETCH = """
import sys
from pathlib import Path
from pipeline import danbooru, fetch
host, posts, dest, cache = sys.argv[1:]
with danbooru.open_site(host) as site:
    fetch.fetch(site, Path(posts), Path(dest), shard=8, cache=Path(cache), threads=2)
"""


def fetch_found(host, folder, name="out", clock=time, shard=4, **options):
    """Fetch the posts that `find` wrote to `folder`; return what became of them."""
    with open_site(host, clock=clock) as site:
        return fetch.fetch(
            site, folder / "posts.jsonl", folder / name, shard=shard, cache=folder / "cache", **options
        )


def content(column):
    """Return the bytes of every finished file of a column by name."""
    return {path.name: path.read_bytes() for path in column.iterdir() if path.suffix != ".part"}


def laid_down(column):
    """Return the samples of a sealed column."""
    return [sample for shard in samples.shards(column) for sample in shard]


def test_credentials_go_to_the_api_and_not_with_files_and_not_into_messages(serve, tmp_path):
    with serve(make_posts(2)) as host:
        find(host, tmp_path / "posts.jsonl")
        with open_site(host, login="ann", api_key="secret") as site:
            with pytest.raises(Halt, match="401 SessionLoader::AuthenticationFailure") as error:
                list(danbooru.search(site, ALL))  # the site has no accounts
            fetch.fetch(site, tmp_path / "posts.jsonl", tmp_path / "out", shard=4, cache=tmp_path / "cache")
    assert "secret" not in str(error.value)
    assert b"secret" not in b"".join(content(tmp_path / "out").values())


def test_a_site_on_loopback_cannot_send_the_client_elsewhere(tmp_path):
    danbooru.write_posts(
        tmp_path / "posts.jsonl", [make_post(1, file_url="https://example.org/original/1.png")]
    )
    with pytest.raises(Halt, match="points to https://example"):
        fetch_found("http://127.0.0.1:9", tmp_path)


def test_originals_arrive_byte_for_byte_in_shards_by_their_place(serve, tmp_path):
    posts = make_posts(9)
    fields = {"parent_id": 3, "rating": "s", "score": 4, "source": "here", "tag_string_artist": "ann"}
    posts[4] = make_post(15, ext="jpg", tag_string_general="solo hat", tag_string_meta="highres", **fields)
    seen = []
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        report = fetch_found(host, tmp_path, tick=lambda *numbers: seen.append(numbers))
    assert report.metrics() == {"taken": 9, "written": 9, "rejected": {}}
    assert seen == [(number, 9) for number in range(1, 10)]
    shards = samples.shards(tmp_path / "out")
    assert [(shard.name, shard.samples) for shard in shards] == [
        ("000000.tar", 4),
        ("000001.tar", 4),
        ("000002.tar", 1),
    ]
    made = laid_down(tmp_path / "out")
    assert [sample.key for sample in made] == [f"{post['id']:09d}" for post in posts]
    assert [sample.picture for sample in made] == [read(post) for post in posts]
    assert list(made[4].members) == ["jpg", "json"]
    assert made[4].facts == {
        "id": 15, "family": 3, "rating": "s", "score": 4, "source": "here", "artist": "ann",
        "tags": ["ann", "hat", "highres", "solo"], "md5": posts[4]["md5"],
    }  # fmt: skip
    assert made[0].facts["family"] == 3


def test_a_second_fetch_asks_for_no_file_and_gives_equal_bytes(serve, traffic, tmp_path):
    with serve(make_posts(9)) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path, "one", threads=1)
        assert Counter(traffic.files).most_common(1)[0][1] == 1
        assert len(traffic.files) == 9
        fetch_found(host, tmp_path, "two", threads=8)
    assert len(traffic.files) == 9
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_only_new_posts_are_downloaded_when_the_search_grows(serve, traffic, tmp_path):
    for count in (5, 7):
        with serve(make_posts(count)) as host:
            find(host, tmp_path / "posts.jsonl")
            fetch_found(host, tmp_path)
    assert len(traffic.files) == 7
    assert len(laid_down(tmp_path / "out")) == 7


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(serve, traffic, tmp_path):
    with serve(make_posts(3)) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path, "one")
        victim = next((tmp_path / "cache" / "files").rglob("*.png"))
        victim.write_bytes(victim.read_bytes()[:-1] + b"!")
        fetch_found(host, tmp_path, "two")
    assert len(traffic.files) == 4
    assert content(tmp_path / "one") == content(tmp_path / "two")


HALF = Answer(200, "image/png", b"x" * 1000, {"Content-Length": "2000", "Connection": "close"})
PAGE = Answer(200, "text/html", b"<html>")


def unfortunate():
    """Make fifteen posts, of which one is hidden and one a film."""
    fields = {2: {"is_banned": True}, 8: {"ext": "mp4"}}
    return [make_post(number, **fields.get(number, {})) for number in range(1, 16)]


def test_each_misfortune_is_a_reject_with_its_reason_and_the_neighbors_survive(serve, traffic, tmp_path):
    def lie(post):
        data = read(post)
        return {12: data[:-7], 14: data[::-1]}.get(post["id"], data)

    posts = unfortunate()
    md5 = {post["id"]: post["md5"] for post in posts}
    traffic.troubles = {md5[4]: Answer(404, "text/html", b""), md5[6]: Answer(451, "text/html", b""),
                        md5[10]: PAGE, md5[11]: HALF, md5[13]: refuse(503)}  # fmt: skip
    with serve(posts, lie) as host:
        find(host, tmp_path / "posts.jsonl")
        report = fetch_found(host, tmp_path, clock=Clock())
        asked = Counter(re.findall("[0-9a-f]{32}", " ".join(traffic.files)))
        before = len(traffic.files)
        traffic.troubles = {}
        fetch_found(host, tmp_path, "again", clock=Clock())
    reasons = {2: "hidden", 4: "gone", 6: "takedown", 8: "wrong type", 10: "wrong type", 11: "truncated",
               12: "truncated", 13: "transient", 14: "md5 mismatch"}  # fmt: skip
    assert report.rejects == [(f"{number:09d}", reason) for number, reason in reasons.items()]
    assert report.rejected == dict(sorted(Counter(reasons.values()).items()))
    ledger = (tmp_path / "out" / "rejects.tsv").read_text().splitlines()
    assert ledger == ["key\treason", *("\t".join(line) for line in report.rejects)]
    assert [int(sample.key) for sample in laid_down(tmp_path / "out")] == [1, 3, 5, 7, 9, 15]
    # damage is tried three times, a busy site five; what is final once, and never more; the others once
    times = {2: 0, 8: 0, 11: 3, 12: 3, 13: 5, 14: 3}
    assert asked == {md5[number]: times.get(number, 1) for number in md5 if times.get(number, 1)}
    asked = Counter(re.findall("[0-9a-f]{32}", " ".join(traffic.files[before:])))
    assert asked == {md5[11]: 1, md5[12]: 3, md5[13]: 1, md5[14]: 3}
    assert [int(sample.key) for sample in laid_down(tmp_path / "again")] == [1, 3, 5, 7, 9, 11, 13, 15]


def test_a_file_that_arrives_broken_once_is_whole_in_the_end(serve, traffic, tmp_path):
    posts = make_posts(3)
    traffic.troubles[posts[1]["md5"]] = answers(HALF, HALF)
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        assert fetch_found(host, tmp_path).rejected == {}
    assert laid_down(tmp_path / "out")[1].picture == read(posts[1])
    assert len(traffic.files) == 5
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_connection_that_stalls_midway_is_given_up_for_this_run(serve, traffic, tmp_path):
    posts = make_posts(2)
    traffic.troubles[posts[0]["md5"]] = Answer(200, "image/png", b"x", {"Content-Length": "2000"})
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        with open_site(host) as site:
            site.timeout = (5, 0.1)
            report = fetch.fetch(
                site, tmp_path / "posts.jsonl", tmp_path / "out", shard=4, cache=tmp_path / "cache"
            )
    assert report.metrics() == {"taken": 2, "written": 1, "rejected": {"transient": 1}}
    assert len(traffic.files) == 4


def test_a_site_that_goes_down_stops_the_run_which_goes_on_later(serve, traffic, tmp_path):
    posts = make_posts(20)
    traffic.troubles |= {post["md5"]: refuse(503) for post in posts[6:]}
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        files.write(tmp_path / "out" / "seal.json", b"{}")  # of an earlier run
        with pytest.raises(Halt, match=r"failed 5 times \(503"):
            fetch_found(host, tmp_path, clock=Clock(), threads=1)
        assert not (tmp_path / "out" / "seal.json").exists()
        traffic.troubles = {}
        traffic.targets.clear()
        assert fetch_found(host, tmp_path).metrics()["written"] == 20
    assert len(traffic.files) == 14


def test_a_run_that_gets_no_file_at_all_is_no_success(serve, tmp_path):
    with serve([make_post(1, is_banned=True)]) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="no file could be fetched: see"):
            fetch_found(host, tmp_path)
    assert not (tmp_path / "out" / "seal.json").exists()


def test_the_edge_turning_the_client_away_midway_stops_the_run(serve, traffic, tmp_path):
    posts = make_posts(5)
    traffic.troubles[posts[2]["md5"]] = Answer(403, "text/html", b"<html>")
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="turned away the agent"):
            fetch_found(host, tmp_path)


def test_a_hostile_md5_or_type_names_no_file(serve, traffic, tmp_path):
    good = make_post(1)
    evil = [
        good | {"id": 2, "md5": "../../../etc/passwd", "file_url": "/x"},
        good | {"id": 3, "file_ext": "../png", "file_url": "/x"},
    ]
    with serve([good]) as host:
        danbooru.write_posts(tmp_path / "posts.jsonl", [*find(host, tmp_path / "posts.jsonl"), *evil])
        assert fetch_found(host, tmp_path).rejected == {"hidden": 1, "wrong type": 1}
    assert len(traffic.files) == 1


def test_a_killed_fetch_goes_on_where_it_was_and_repeats_no_file(serve, traffic, tmp_path):
    def slowly(target):
        time.sleep(0.03)

    traffic.troubles["/original/"] = slowly
    with serve(make_posts(40)) as host:
        find(host, tmp_path / "posts.jsonl")
        arguments = [host, tmp_path / "posts.jsonl", tmp_path / "killed", tmp_path / "cache"]
        child = subprocess.Popen([sys.executable, "-c", FETCH, *map(str, arguments)])
        while len(traffic.files) < 20:
            assert child.poll() is None
            time.sleep(0.005)
        child.kill()
        child.wait()
        assert not (tmp_path / "killed" / "seal.json").exists()
        with pytest.raises(Halt, match="is not whole"):
            samples.shards(tmp_path / "killed")
        stored = {path.name for path in (tmp_path / "cache" / "files").rglob("[!.]*.png")}
        assert 10 <= len(stored) < 40
        time.sleep(0.1)  # the site answers what it was asked
        traffic.troubles = {}
        traffic.targets.clear()
        fetch_found(host, tmp_path, "killed", shard=8)
        asked = {target.rpartition("/")[2] for target in traffic.files}
        assert asked.isdisjoint(stored)
        assert len(asked) + len(stored) == 40
        with open_site(host) as site:
            fetch.fetch(
                site, tmp_path / "posts.jsonl", tmp_path / "straight", shard=8, cache=tmp_path / "other"
            )
    assert content(tmp_path / "killed") == content(tmp_path / "straight")
    assert json.loads((tmp_path / "killed" / "seal.json").read_bytes())["written"] == 40


def test_client_and_site_agree_on_the_categories_of_tags():
    assert fetch.CATEGORIES == CATEGORIES
