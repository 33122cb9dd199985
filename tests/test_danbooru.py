"""The client asks a real server over sockets: politely, completely, and never twice for a file."""

import dataclasses
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from random import Random

import pytest

from pipeline import Halt, booru, danbooru, files, samples
from pipeline.booru import Answer
from pipeline.catalog import CATEGORIES, Catalog, describe
from pipeline.danbooru import open_site
from pipeline.params import Search

ALL = Search(rating="g,s,q,e", score=-100, size=1)
FETCH = """
import sys
from pathlib import Path
from pipeline import danbooru
host, posts, dest, cache = sys.argv[1:]
with danbooru.open_site(host) as site:
    danbooru.fetch(site, Path(posts), Path(dest), shard=8, cache=Path(cache), threads=2)
"""


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        """Begin at zero."""
        self.now, self.slept = 0.0, []

    def monotonic(self):
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds):
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


class Traffic:
    """See every request that a site gets, and answer those in its place that hold a name in `troubles`."""

    def __init__(self):
        """See nothing yet."""
        self.targets, self.troubles = [], {}

    def __call__(self, target):
        """Return an answer in the site's place, or nothing."""
        self.targets.append(target)
        for name, answer in self.troubles.items():
            if name in target:
                return answer(target) if callable(answer) else answer
        return None

    @property
    def files(self):
        """List the files that were asked for."""
        return [target for target in self.targets if target.startswith("/original/")]


def read(post):
    """Return the file of a post."""
    return Random(post["id"]).randbytes(2000 + post["id"])


def make_post(number, **fields):
    """Make a post that every search of `ALL` finds."""
    fields = {"image_width": 600, "image_height": 700} | fields
    return describe(number, read({"id": number}), fields.pop("ext", "png"), **fields)


def make_posts(count):
    """Make posts with ids that leave gaps."""
    return [make_post(3 * number) for number in range(1, count + 1)]


@pytest.fixture
def traffic():
    """Watch the requests."""
    return Traffic()


@pytest.fixture
def serve(traffic):
    """Return what serves posts and opens a client of them."""

    def start(posts, read=read):
        return booru.serve(Catalog(posts, read), traffic)

    return start


def find(host, path, search=ALL):
    """Search a site and write the posts to a file."""
    with open_site(host) as site:
        danbooru.write_posts(path, danbooru.search(site, search))
    return danbooru.read_posts(path)


def fetch(host, folder, name="out", clock=time, shard=4, **options):
    """Fetch the posts that `find` wrote to `folder`; return what became of them."""
    with open_site(host, clock=clock) as site:
        return danbooru.fetch(
            site, folder / "posts.jsonl", folder / name, shard=shard, cache=folder / "cache", **options
        )


def content(column):
    """Return the bytes of every finished file of a column by name."""
    return {path.name: path.read_bytes() for path in column.iterdir() if path.suffix != ".part"}


def laid_down(column):
    """Return the samples of a sealed column."""
    return [sample for shard in samples.shards(column) for sample in shard]


# ---------------------------------------------------------------- search


def test_a_search_takes_the_newest_posts_and_writes_them_by_id(serve, tmp_path):
    with serve(make_posts(30)) as host:
        posts = find(host, tmp_path / "posts.jsonl", dataclasses.replace(ALL, limit=7))
    assert [post["id"] for post in posts] == [72, 75, 78, 81, 84, 87, 90]
    assert set(posts[0]) == set(danbooru.FIELDS.split(","))
    assert posts[0]["md5"] == hashlib.md5(read({"id": 72})).hexdigest()


def test_cursors_find_every_post_once(serve, traffic, tmp_path):
    with serve(make_posts(450)) as host:
        posts = find(host, tmp_path / "posts.jsonl")
    assert [post["id"] for post in posts] == [3 * number for number in range(1, 451)]
    assert len(traffic.targets) == 4  # 200, 200, 50 and none
    assert [re.findall(r"page=(\w+)", target) for target in traffic.targets] == [
        [],
        ["b753"],
        ["b153"],
        ["b3"],
    ]


def test_an_equal_answer_gives_equal_bytes_whatever_the_port(serve, tmp_path):
    for name in ("one", "two"):
        with serve(make_posts(5)) as host:
            find(host, tmp_path / name)
            assert host.rpartition(":")[2].encode() not in (tmp_path / name).read_bytes()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"127.0.0.1" not in (tmp_path / "one").read_bytes()


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), [1, 5]),
        (Search(rating="g,s"), [1, 2, 5]),
        (Search(score=-5), [1, 3, 5]),
        (Search(size=100), [1, 4, 5]),
        (Search(tags="solo -hat"), [5]),
        (Search(tags="hat id:..3", score=-5), [1, 3]),
    ],
)
def test_a_search_filters_and_never_finds_deleted_posts(serve, tmp_path, search, expected):
    posts = [
        make_post(1, score=5, tag_string_general="hat"),
        make_post(2, rating="s", tag_string_general="hat"),
        make_post(3, score=-5, tag_string_general="hat"),
        make_post(4, image_width=500),
        make_post(5, tag_string_general="solo"),
        make_post(6, is_deleted=True, tag_string_general="solo"),
        make_post(7, image_height=99),
    ]
    with serve(posts) as host:
        assert [post["id"] for post in find(host, tmp_path / "posts.jsonl", search)] == expected


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tags": "hat solo -monochrome"}, "tags must be at most 2 without an account"),
        ({"tags": "hat solo user:ann"}, "tags must be at most 2"),
        ({"tags": "hat dates: date"}, "tags must be at most 2"),
        ({"tags": "order:score"}, "tags must not ask for an order"),
        ({"rating": "safe"}, "rating must be some of g, s, q and e"),
        ({"rating": ""}, "rating must be"),
    ],
)
def test_a_search_that_the_site_would_refuse_is_never_sent(serve, traffic, fields, sentence):
    with serve(make_posts(1)) as host, open_site(host) as site, pytest.raises(ValueError, match=sentence):
        danbooru.search(site, Search(**fields))
    assert traffic.targets == []


def test_client_and_site_agree_on_what_does_not_count():
    assert set(danbooru.FREE) == set(booru.FREE)
    assert danbooru.TAG_LIMIT == booru.TAG_LIMIT
    assert danbooru.CATEGORIES == CATEGORIES


def test_progress_is_told_after_each_page(serve):
    seen = []
    with serve(make_posts(250)) as host, open_site(host) as site:
        list(danbooru.search(site, ALL, lambda *numbers: seen.append(numbers)))
    assert seen == [(200, 1000), (250, 1000)]


def test_nothing_found_stops_with_the_search_in_the_sentence(serve):
    sentence = r"no post for 'nobody status:active rating:g score:>=0"
    with serve(make_posts(1)) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, Search(tags="nobody")))


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id":"9"}', '{"id":3}', "7", ""])
def test_a_bad_line_among_the_posts_is_named(tmp_path, line):
    path = tmp_path / "posts.jsonl"
    path.write_text(f'{{"id":3}}\n{line}\n{{"id":9}}\n')
    with pytest.raises(Halt, match=r"posts\.jsonl line 2 is not the next post: run search again"):
        danbooru.read_posts(path)
    with pytest.raises(Halt, match="does not exist: run search first"):
        danbooru.read_posts(tmp_path / "nowhere")


# ---------------------------------------------------------------- manners


def test_a_site_elsewhere_is_not_asked_without_a_contact(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("opened a socket"))
    with pytest.raises(Halt, match="set PREP_CONTACT"), open_site("https://danbooru.donmai.us"):
        pass


@pytest.mark.parametrize(
    ("host", "who", "sentence"),
    [
        ("danbooru.donmai.us", {}, "host must be an address"),
        ("ftp://donmai.us", {}, "host must be an address"),
        ("http://donmai.us", {"login": "ann", "api_key": "secret"}, "host must begin with https"),
        ("https://donmai.us", {"login": "ann"}, "must be set together"),
        ("https://donmai.us", {"contact": "me\nX-Injected: 1"}, "must be printable ASCII"),
    ],
)
def test_bad_addresses_and_names_are_bad_parameters_that_keep_the_key_secret(host, who, sentence):
    with pytest.raises(ValueError, match=sentence) as error, open_site(host, **({"contact": "me"} | who)):
        pass
    assert "secret" not in str(error.value)


def test_the_agent_names_the_program_the_user_and_the_contact():
    with open_site("https://example.org", "me@example.org", "ann", "secret") as site:
        assert re.fullmatch(
            r"inkwash/[\d.]+ \(user ann; me@example\.org\)", site.session.headers["User-Agent"]
        )
        assert "secret" not in repr(site)


def test_a_site_elsewhere_gets_one_request_a_second_however_many_ask_and_loopback_any_number():
    clock = Clock()
    with open_site("https://example.org", "me", rate=2.0, clock=clock) as site:
        for _ in range(5):
            site.wait()
    assert clock.now == 2.0
    with open_site("http://127.0.0.1:9", clock=clock) as site:
        for _ in range(5):
            site.wait()
    assert clock.now == 2.0
    waits = []
    counter = Clock()
    counter.sleep = waits.append  # time stands still: all ask at once
    with open_site("https://example.org", "me", clock=counter) as site:
        threads = [threading.Thread(target=site.wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(waits) == [1.0, 2.0, 3.0]


def answers(*given):
    """Return what gives one answer after the other, then lets the site answer."""
    rest = list(given)
    return lambda target: rest.pop(0) if rest else None


def refuse(status, error="Some::Error", **headers):
    """Make an error in Danbooru's form."""
    body = files.dumps({"success": False, "error": error, "message": "no", "backtrace": []})
    return Answer(status, "application/json", body, headers)


def test_the_site_says_how_long_to_wait(serve, traffic):
    traffic.troubles["/posts.json"] = answers(
        refuse(429, **{"Retry-After": "7"}), refuse(429, **{"Retry-After": "30"})
    )
    clock = Clock()
    with serve(make_posts(3)) as host, open_site(host, clock=clock) as site:
        assert len(list(danbooru.search(site, ALL))) == 3
    assert clock.slept == [7, 30]


def test_without_a_word_from_the_site_the_wait_doubles_with_jitter(serve, traffic):
    traffic.troubles["/posts.json"] = answers(*map(refuse, (429, 500, 502, 503)))
    clock = Clock()
    with serve(make_posts(3)) as host, open_site(host, clock=clock) as site:
        assert len(list(danbooru.search(site, ALL))) == 3
    assert [2**n <= slept <= 2 * 2**n for n, slept in enumerate(clock.slept)] == [True] * 4
    assert any(slept != round(slept) for slept in clock.slept)


def test_after_five_tries_a_busy_site_is_left_alone(serve, traffic):
    traffic.troubles["/posts.json"] = refuse(504)
    sentence, clock = r"/posts\.json failed 5 times \(504 .*what was fetched is kept", Clock()
    with (
        serve(make_posts(3)) as host,
        open_site(host, clock=clock) as site,
        pytest.raises(Halt, match=sentence),
    ):
        list(danbooru.search(site, ALL))
    assert len(traffic.targets) == 5


def test_a_site_that_is_not_there_is_asked_five_times():
    sentence, clock = r"failed 5 times \(ConnectionError", Clock()
    with open_site("http://127.0.0.1:9", clock=clock) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, ALL))
    assert len(clock.slept) == 4


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse(400), r"400 Some::Error: no\): check host and tags"),
        (refuse(401), "check PREP_LOGIN and PREP_API_KEY"),
        (refuse(403), r"403 Some::Error: no\): ask for less, or with an account"),
        (refuse(422), "ask for fewer tags"),
        (refuse(302, Location="https://example.org/"), "refused"),
        (Answer(403, "text/html", b"<html>"), r"turned away the agent 'inkwash/.*check PREP_CONTACT"),
        (Answer(200, "text/html", b"<html>"), "is no JSON: check that host names a Danbooru"),
        (Answer(200, "application/json", b"{}"), "no list: check that host names a Danbooru"),
    ],
)
def test_a_refusal_stops_at_once_with_what_to_do(serve, traffic, answer, sentence):
    traffic.troubles["/posts.json"] = answer
    with serve(make_posts(3)) as host, open_site(host) as site, pytest.raises(Halt, match=sentence):
        list(danbooru.search(site, ALL))
    assert len(traffic.targets) == 1


def test_credentials_go_to_the_api_and_not_with_files_and_not_into_messages(serve, tmp_path):
    with serve(make_posts(2)) as host:
        find(host, tmp_path / "posts.jsonl")
        with open_site(host, login="ann", api_key="secret") as site:
            with pytest.raises(Halt, match="401 SessionLoader::AuthenticationFailure") as error:
                list(danbooru.search(site, ALL))  # the site has no accounts
            danbooru.fetch(
                site, tmp_path / "posts.jsonl", tmp_path / "out", shard=4, cache=tmp_path / "cache"
            )
    assert "secret" not in str(error.value)
    assert b"secret" not in b"".join(content(tmp_path / "out").values())


def test_a_site_on_loopback_cannot_send_the_client_elsewhere(tmp_path):
    danbooru.write_posts(
        tmp_path / "posts.jsonl", [make_post(1, file_url="https://example.org/original/1.png")]
    )
    with pytest.raises(Halt, match="points to https://example"):
        fetch("http://127.0.0.1:9", tmp_path)


# ---------------------------------------------------------------- fetch


def test_originals_arrive_byte_for_byte_in_shards_by_their_place(serve, tmp_path):
    posts = make_posts(9)
    fields = {"parent_id": 3, "rating": "s", "score": 4, "source": "here", "tag_string_artist": "ann"}
    posts[4] = make_post(15, ext="jpg", tag_string_general="solo hat", tag_string_meta="highres", **fields)
    seen = []
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        report = fetch(host, tmp_path, tick=lambda *numbers: seen.append(numbers))
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
        fetch(host, tmp_path, "one", threads=1)
        assert Counter(traffic.files).most_common(1)[0][1] == 1
        assert len(traffic.files) == 9
        fetch(host, tmp_path, "two", threads=8)
    assert len(traffic.files) == 9
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_only_new_posts_are_downloaded_when_the_search_grows(serve, traffic, tmp_path):
    for count in (5, 7):
        with serve(make_posts(count)) as host:
            find(host, tmp_path / "posts.jsonl")
            fetch(host, tmp_path)
    assert len(traffic.files) == 7
    assert len(laid_down(tmp_path / "out")) == 7


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(serve, traffic, tmp_path):
    with serve(make_posts(3)) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch(host, tmp_path, "one")
        victim = next((tmp_path / "cache" / "files").rglob("*.png"))
        victim.write_bytes(victim.read_bytes()[:-1] + b"!")
        fetch(host, tmp_path, "two")
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
        report = fetch(host, tmp_path, clock=Clock())
        asked = Counter(re.findall("[0-9a-f]{32}", " ".join(traffic.files)))
        before = len(traffic.files)
        traffic.troubles = {}
        fetch(host, tmp_path, "again", clock=Clock())
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
        assert fetch(host, tmp_path).rejected == {}
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
            report = danbooru.fetch(
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
            fetch(host, tmp_path, clock=Clock(), threads=1)
        assert not (tmp_path / "out" / "seal.json").exists()
        traffic.troubles = {}
        traffic.targets.clear()
        assert fetch(host, tmp_path).metrics()["written"] == 20
    assert len(traffic.files) == 14


def test_a_run_that_gets_no_file_at_all_is_no_success(serve, tmp_path):
    with serve([make_post(1, is_banned=True)]) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="no file could be fetched: see"):
            fetch(host, tmp_path)
    assert not (tmp_path / "out" / "seal.json").exists()


def test_the_edge_turning_the_client_away_midway_stops_the_run(serve, traffic, tmp_path):
    posts = make_posts(5)
    traffic.troubles[posts[2]["md5"]] = Answer(403, "text/html", b"<html>")
    with serve(posts) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="turned away the agent"):
            fetch(host, tmp_path)


def test_a_hostile_md5_or_type_names_no_file(serve, traffic, tmp_path):
    good = make_post(1)
    evil = [
        good | {"id": 2, "md5": "../../../etc/passwd", "file_url": "/x"},
        good | {"id": 3, "file_ext": "../png", "file_url": "/x"},
    ]
    with serve([good]) as host:
        danbooru.write_posts(tmp_path / "posts.jsonl", [*find(host, tmp_path / "posts.jsonl"), *evil])
        assert fetch(host, tmp_path).rejected == {"hidden": 1, "wrong type": 1}
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
        fetch(host, tmp_path, "killed", shard=8)
        asked = {target.rpartition("/")[2] for target in traffic.files}
        assert asked.isdisjoint(stored)
        assert len(asked) + len(stored) == 40
        with open_site(host) as site:
            danbooru.fetch(
                site, tmp_path / "posts.jsonl", tmp_path / "straight", shard=8, cache=tmp_path / "other"
            )
    assert content(tmp_path / "killed") == content(tmp_path / "straight")
    assert json.loads((tmp_path / "killed" / "seal.json").read_bytes())["written"] == 40
