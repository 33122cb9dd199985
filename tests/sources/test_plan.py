"""A plan tells what a search and a fetch take, and requests no file."""

from dataclasses import replace

import pytest
from rig import ALL, Clock, find, make_post, make_posts

from pipeline.booru.server import Answer
from pipeline.params import Fetch
from pipeline.sources import fetch, plan
from pipeline.sources.posts import write_posts
from pipeline.sources.store import Folder, Store
from pipeline.web.client import open_site


def estimate(host, search=ALL, rate=None, terms=None):
    """Plan a search."""
    with open_site(host, rate=rate, clock=Clock()) as site:
        return plan.plan_search(site, search, terms or Fetch(), "anonymous")


def test_a_plan_requests_no_file_and_estimates_the_fetch(serve, traffic, tmp_path):
    uploads = make_posts(450)
    with serve(uploads) as host:
        result = estimate(host, rate=2.0)
        assert len(traffic.targets) == 2
        assert traffic.files == []
        traffic.targets.clear()
        find(host, tmp_path / "posts.jsonl")
    assert result["searches"] == len(traffic.targets)
    assert result["files"] == 450
    assert result["bytes"] == pytest.approx(sum(post["file_size"] for post in uploads), rel=0.2)
    assert result["seconds"] == round(result["requests"] / 2)
    assert result["requests"] == result["searches"] + result["files"]
    assert not result["exact"]


def test_a_plan_knows_limit_sample_blacklist_and_hidden_files(serve):
    uploads = [
        make_post(n, tag_string_general="comic" if n % 2 else "", is_banned=n % 4 == 0) for n in range(1, 101)
    ]
    with serve(uploads) as host:
        plain = replace(ALL, blacklist="")
        assert estimate(host, plain)["files"] == 75
        assert estimate(host, replace(plain, limit=20))["files"] == 15
        assert estimate(host, replace(plain, sample=40))["files"] == 30
        assert estimate(host, replace(plain, blacklist="comic"))["files"] == 25
        assert estimate(host, replace(plain, tags="nobody"))["files"] == 0


def test_a_site_that_does_not_say_how_many_leaves_the_limit(serve, traffic):
    traffic.troubles["/counts/"] = Answer(200, "application/json", b'{"counts":{"posts":null}}')
    with serve(make_posts(10)) as host:
        assert estimate(host, replace(ALL, limit=300))["files"] == 300


def test_with_posts_a_plan_is_exact_and_excludes_what_the_cache_holds(serve, traffic, tmp_path):
    uploads = [*make_posts(9), make_post(100, is_banned=True)]
    traffic.troubles[uploads[3]["md5"]] = Answer(404, "text/html", b"")
    with serve(uploads) as host:
        find(host, tmp_path / "posts.jsonl")
        with open_site(host, rate=0.5, clock=Clock()) as site:
            store = Store(site, tmp_path / "cache", Fetch())
            result = plan.plan_fetch(store, tmp_path / "posts.jsonl")
            assert result == {
                "searches": 0, "files": 9, "requests": 9, "local": 0, "seconds": 18, "exact": True,
                "bytes": sum(post["file_size"] for post in uploads[:9]),
            }  # fmt: skip
            traffic.targets.clear()
            fetch.fetch_files(store, tmp_path / "posts.jsonl", tmp_path / "out")
            assert len(traffic.files) == 9
            assert plan.plan_fetch(store, tmp_path / "posts.jsonl")["files"] == 0


def test_files_on_several_sites_are_downloaded_at_the_same_time(tmp_path):
    urls = [
        *(f"https://a.example/{n}.png" for n in range(6)),
        *(f"https://b.other/{n}.png" for n in range(4)),
    ]
    write_posts(
        tmp_path / "posts.jsonl",
        [{"id": n, "file_url": url, "file_ext": "png"} for n, url in enumerate(urls)],
    )
    with open_site("", "me", rate=0.5) as site:
        store = Store(site, tmp_path / "cache", Fetch())
        result = plan.plan_fetch(store, tmp_path / "posts.jsonl")
    assert (result["files"], result["seconds"], result["bytes"]) == (10, 12, 0)
    assert "an unknown number of bytes; at least 0 h 00 min 12 s" in plan.describe_plan(result)


def test_files_in_a_folder_take_no_request(tmp_path):
    posts = [
        {"id": 1, "file_url": "a.png", "file_size": 9},
        {"id": 2, "file_url": "b.mp4", "file_ext": "mp4"},
        {"id": 3, "file_url": "color/c.png", "sketch_url": "sketch/c.png"},
    ]
    write_posts(tmp_path / "posts.jsonl", posts)
    result = plan.plan_fetch(Folder(tmp_path, Fetch()), tmp_path / "posts.jsonl")
    assert result == {
        "searches": 0, "files": 0, "requests": 0, "local": 3, "bytes": 0, "seconds": 0, "exact": True,
    }  # fmt: skip
    assert plan.describe_plan(result) == "no requests; 3 files on this machine"
