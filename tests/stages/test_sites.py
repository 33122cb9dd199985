"""Search, fetch and plan with sites on loopback and folders, and the site itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3
from made import make_set, run_prep

from pipeline import files
from pipeline.booru import catalog, site

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_search_of_a_folder_takes_any_number_of_tags_and_rejects_unknown_metatags(capsys):
    make_set("pictures")
    search = ["search", "posts.jsonl", "--host", "pictures", "--size", "1", "--tags"]
    assert run_prep(capsys, *search, "-a -b -c -d -e -f -g")[0] == 0
    code, _, err = run_prep(capsys, *search, "pixiv:5")
    assert (code, "the metatag pixiv is not known here" in err) == (2, True)


def test_a_new_search_says_how_many_posts_it_added_and_writes_no_metrics(capsys):
    make_set("pictures")
    search = ["search", "posts.jsonl", "--host", "pictures", "--size", "1"]
    assert run_prep(capsys, *search)[0] == 0
    Path("pictures/0.png").rename("pictures/other.png")
    said = "search: 4 posts written to posts.jsonl, 1 of them new\n"
    assert run_prep(capsys, *search, "--new") == (0, said, "")
    assert run_prep(capsys, *search, "--new") == (0, said.replace("1 of", "0 of"), "")
    code, _, err = run_prep(capsys, *search, "--new", "--metrics", "m.json")
    assert (code, "leave out --metrics" in err) == (2, True)


def test_a_plan_is_printed_as_a_sentence_or_as_json(capsys):
    make_set("pictures")
    with site.serve(catalog.folder_catalog(Path("pictures"))) as host:
        code, out, _ = run_prep(capsys, "plan", "--host", host, "--size", "1")
        assert (code, out.split(";")[0]) == (0, "plan: about 6 requests, 3 for posts and 3 for files")
        run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")
        code, out, _ = run_prep(capsys, "plan", "posts.jsonl", "--host", host, "--rate", "0.5", "--json")
    plan = json.loads(out)
    assert (plan["files"], plan["requests"], plan["seconds"], plan["exact"]) == (3, 3, 6, True)


def test_a_plan_for_what_lies_on_this_machine_counts_its_files_and_writes_nothing(capsys, monkeypatch):
    monkeypatch.setenv("PREP_CONTACT", "me@example.org")
    make_set("pictures")
    for name in ("color", "sketch"):
        make_set(f"pairs/{name}")
    lines = "path,url\npictures/0.png,\n,https://a.example/1.png\n,https://b.example/2.png\n"
    Path("list.csv").write_text(lines, encoding="utf-8")
    before = sorted(Path().rglob("*"))
    for host, sentence in {
        "pictures": "no requests; 3 files on this machine",
        "halves:pictures": "no requests; 3 files on this machine",
        "pairs:pairs": "no requests; 6 files on this machine",
        "list:list.csv": "2 requests, 0 for posts and 2 for files; an unknown number of bytes; "
        "at least 0 h 00 min 01 s; 1 files on this machine",
    }.items():
        assert run_prep(capsys, "plan", "--host", host, "--size", "1") == (0, f"plan: {sentence}\n", "")
    assert {*Path().rglob("*")} - {*before} <= {Path(".prep"), Path(".prep/site.lock")}


def test_a_host_may_contain_spaces_quotes_and_shell_commands(capsys):
    folder = """it's a "set"; touch ran $HOME `ls`"""
    make_set(folder)
    for host in (folder, f"halves:{folder}"):
        assert run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")[0] == 0
        code, out, _ = run_prep(capsys, "fetch", "posts.jsonl", "original", "--host", host)
        assert (code, out) == (0, "fetch: 3 of 3 written to original\n")
        assert run_prep(capsys, "plan", "posts.jsonl", "--host", host)[0] == 0


def test_the_newest_id_at_the_first_search_of_a_site_bounds_the_later_ones(capsys):
    make_set("pictures")
    held = catalog.folder_catalog(Path("pictures"))
    with site.serve(held) as host:
        search = ["search", "posts.jsonl", "--host", host, "--size", "1", "--metrics", "search.json"]
        assert run_prep(capsys, *search)[1] == "search: 3 posts written to posts.jsonl\n"
        first = Path("posts.jsonl").read_bytes()
        newest = held.posts[-1]["id"]
        held.posts.append(held.posts[-1] | {"id": newest + 1})
        assert run_prep(capsys, *search)[0] == 0
        assert Path("posts.jsonl").read_bytes() == first
        assert json.loads(Path("search.json").read_bytes())["counts"][0]["ceiling"] == newest
        assert json.loads(Path("ceilings.json").read_bytes()) == {host: newest}
        Path("ceilings.json").unlink()
        assert run_prep(capsys, *search)[1] == "search: 4 posts written to posts.jsonl\n"


def test_again_requests_finally_rejected_files_once_more(capsys):
    make_set("pictures")
    held = catalog.folder_catalog(Path("pictures"))
    lost = Path("pictures/1.png").read_bytes()
    with site.serve(held) as host:
        run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")
        Path("pictures/1.png").unlink()
        fetch = ["fetch", "posts.jsonl", "out", "--host", host]
        assert run_prep(capsys, *fetch)[1] == "fetch: 2 of 3 written to out; rejected: gone 1\n"
        files.write(Path("pictures/1.png"), lost)
        assert run_prep(capsys, *fetch)[1] == "fetch: 2 of 3 written to out; rejected: gone 1\n"
        assert run_prep(capsys, *fetch, "--again")[1] == "fetch: 3 of 3 written to out\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_site_serves_a_folder_until_it_is_interrupted(drawing):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n",
    ]
    files.write_json(Path("faults.json"), [{"fault": "page", "match": "^/counts"}])
    arguments = [
        "prep",
        "booru",
        ".",
        "--port",
        str(port),
        "--account",
        "ann:key:gold",
        "--faults",
        "faults.json",
    ]
    command[-1] += f"import sys; sys.argv = {arguments}\n"
    command[-1] += "from stages.prep import main; main()"
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout.readline().startswith("booru: 1 posts at http://127.0.0.1")
        asked = {"headers": {"User-Agent": "test/1 (user a; b)"} | urllib3.make_headers(basic_auth="ann:key")}
        url = f"http://127.0.0.1:{port}/posts.json?tags=-a -b -c -d -e -f"
        posts = eventually(lambda: urllib3.request("GET", url, retries=False, **asked).json())
        page = urllib3.request("GET", f"http://127.0.0.1:{port}/counts/posts.json", **asked)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=10) == 0
    assert [post["file_size"] for post in posts] == [drawing.stat().st_size]
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html")


def eventually(request):
    """Repeat a request until the site answers."""
    for _ in range(100):
        with suppress(urllib3.exceptions.HTTPError):
            return request()
        time.sleep(0.05)
    raise AssertionError("the site never answered")
