"""The client waits as a site asks, asks a busy one again, and leaves it alone when it refuses."""

import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from rig import Clock, answers, make_posts, refuse
from wire import FILE, Wire

from pipeline.booru.server import Answer
from pipeline.booru.site import EDGE_CHALLENGE
from pipeline.errors import Halt
from pipeline.web.bodies import BodyStalled, read_chunks
from pipeline.web.client import API_TRIES, MAX_REFUSALS, SearchCanceled, open_site
from pipeline.web.ratelimit import MAX_STRIKES, SiteUnavailable
from pipeline.web.responses import retry_after


def test_the_site_says_how_long_to_wait(loopback, traffic):
    traffic.troubles["/posts.json"] = answers(
        refuse(429, **{"Retry-After": "7"}), refuse(429, **{"Retry-After": "30"})
    )
    assert len(loopback.ask("/posts.json")) == 3
    assert loopback.clock.slept == [7, 30]


@pytest.mark.parametrize("statuses", [(429, 429, 429, 429), (500, 502, 503, 504)])
def test_without_retry_after_the_wait_doubles_with_jitter(loopback, traffic, statuses):
    traffic.troubles["/posts.json"] = answers(*map(refuse, statuses))
    assert len(loopback.ask("/posts.json")) == 3
    slept = loopback.clock.slept
    assert [2**n <= seconds <= 2 * 2**n for n, seconds in enumerate(slept)] == [True] * 4
    assert any(seconds != round(seconds) for seconds in slept)


def test_two_clients_do_not_return_together():
    with open_site("http://127.0.0.1:9") as one, open_site("http://127.0.0.1:9") as other:
        assert [one.delay(1) for _ in range(3)] != [other.delay(1) for _ in range(3)]


def test_a_site_that_always_answers_429_is_left_alone_with_a_sentence(loopback, traffic):
    traffic.troubles["/posts.json"] = refuse(429)
    with pytest.raises(SiteUnavailable, match=r"^127\.0\.0\.1 answered 429, .*more slowly$"):
        loopback.ask("/posts.json")
    assert len(traffic.targets) == MAX_REFUSALS + 1
    assert loopback.closed


def test_refusals_of_many_at_once_are_not_counted_together(loopback, traffic):
    left = dict.fromkeys("0123", MAX_REFUSALS)

    def answer(target):
        left[target[-1]] -= 1
        return refuse(429, **{"Retry-After": "1"}) if left[target[-1]] >= 0 else None

    traffic.troubles["/posts.json"] = answer
    threads = [threading.Thread(target=loopback.ask, args=["/posts.json"], kwargs={"x": n}) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traffic.targets) == 4 * (MAX_REFUSALS + 1)
    assert not loopback.closed


def test_an_address_that_is_always_refused_ends_though_others_are_answered(loopback, traffic):
    traffic.troubles["/lazy"] = lambda target: loopback.ask("/posts.json") and refuse(429)
    with pytest.raises(SiteUnavailable):
        loopback.get(f"{loopback.host}/lazy")


def test_a_retry_after_of_hours_ends_the_run_at_once(loopback, traffic):
    traffic.troubles["/posts.json"] = refuse(429, **{"Retry-After": "86400"})
    with pytest.raises(SiteUnavailable, match=r"429.* for the next 86400 seconds: run again later"):
        loopback.ask("/posts.json")
    assert len(traffic.targets) == 1
    assert loopback.clock.slept == []
    assert loopback.closed


@pytest.mark.parametrize("status", [429, 503])
def test_a_date_says_how_long_to_wait_by_the_clock_of_the_site(loopback, traffic, status):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    traffic.troubles["/posts.json"] = answers(refuse(status, **{"Retry-After": until}))
    assert len(loopback.ask("/posts.json")) == 3
    assert len(loopback.clock.slept) == 1
    assert 19 <= loopback.clock.now <= 22  # dates have whole seconds
    late = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": "Sun, 06 Nov 1994 08:49:57 GMT"}
    assert 20 <= retry_after(Wire(donmai_us=(200, late)).send(FILE, {}, (1, 1))) <= 21


@pytest.mark.parametrize("status", [429, 503])
def test_a_number_of_seconds_counts_for_every_busy_answer(loopback, traffic, status):
    traffic.troubles["/posts.json"] = answers(refuse(status, **{"Retry-After": "33"}))
    loopback.ask("/posts.json")
    assert loopback.clock.slept == [33]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "text",
    ["-5", "soon", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT", "\u0663", ""],
)
def test_a_retry_after_that_says_nothing_counts_as_none(loopback, traffic, status, text):
    answer = refuse(status, **{"Retry-After": text.encode().decode("latin-1")})
    traffic.troubles["/posts.json"] = answers(answer)
    assert len(loopback.ask("/posts.json")) == 3
    assert 1 <= loopback.clock.now <= 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("text", ["9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "86400"])
def test_a_site_that_wants_to_be_left_alone_for_long_is(loopback, traffic, status, text):
    traffic.troubles["/posts.json"] = refuse(status, **{"Retry-After": text})
    with pytest.raises(
        SiteUnavailable, match=rf"{status}.* for the next \d{{5,10}} seconds: run again later"
    ):
        loopback.ask("/posts.json")
    assert len(traffic.targets) == 1


def test_hanging_up_ends_all_waiting_at_once_and_all_asking(serve, traffic):
    traffic.troubles["/posts.json"] = refuse(429, **{"Retry-After": "600"})
    ends = []

    def ask():
        try:
            site.ask("/posts.json")
        except SiteUnavailable as error:
            ends.append(str(error))

    with serve(make_posts(1)) as host, open_site(host) as site:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        while site.limiter(host).pause_end == 0:
            time.sleep(0.001)
        site.stop()
        for thread in threads:
            thread.join(5)
        assert ends == ["stopped while waiting for the site: run again to go on"] * 3
        assert site.closed
        asked = len(traffic.targets)
        with pytest.raises(SiteUnavailable, match="stopped"):
            site.get(
                f"{host.replace('127.0.0.1', 'localhost')}/robots.txt"
            )  # another domain, without a pause
        assert len(traffic.targets) == asked


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_after_five_tries_a_busy_site_is_left_alone(loopback, traffic, status):
    traffic.troubles["/posts.json"] = refuse(status)
    sentence = rf"/posts\.json failed 5 times \({status} Some::Error: no\): .*what was fetched is kept"
    with pytest.raises(SiteUnavailable, match=sentence):
        loopback.ask("/posts.json")
    assert len(traffic.targets) == API_TRIES


def test_a_site_that_is_not_there_is_asked_five_times():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        with open_site(f"http://127.0.0.1:{deaf.getsockname()[1]}", clock=Clock()) as site:
            with pytest.raises(SiteUnavailable, match=r"failed 5 times \(NewConnectionError\)"):
                site.ask("/posts.json")
            assert len(site.clock.slept) == API_TRIES - 1


def test_a_site_that_sends_nothing_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opening = open_site(f"http://127.0.0.1:{silent.getsockname()[1]}", clock=Clock())
        with opening as site:
            site.timeout = (5, 0.05)
            with pytest.raises(SiteUnavailable, match=r"failed 5 times \(ReadTimeoutError\)"):
                site.ask("/posts.json")


@pytest.mark.parametrize("pause", [0, 60])
def test_an_answer_that_breaks_off_or_stalls_is_asked_for_again(loopback, traffic, pause):
    loopback.timeout = (5, 0.1)
    body = b'[{"id": 1}, {"id": 2}]'
    broken = Answer(200, "application/json", body, keep=0.5, pause=pause)
    traffic.troubles["/posts.json"] = answers(broken, broken)
    assert len(loopback.ask("/posts.json")) == 3
    assert len(traffic.targets) == 3


def test_the_time_to_connect_is_not_that_between_two_packets(loopback, traffic):
    loopback.timeout = (60, 0.1)
    traffic.troubles["/a"] = Answer(200, "image/jpeg", bytes(1000), keep=0.5, pause=2)  # then it hangs up
    with loopback.get(f"{loopback.host}/a") as response, pytest.raises(BodyStalled):
        list(read_chunks(response, 1000))


def test_a_canceled_search_is_reported_at_once_and_is_no_strike(loopback, traffic):
    traffic.troubles["/posts.json"] = refuse(500, "ActiveRecord::QueryCanceled")
    for _ in range(2 * MAX_STRIKES):
        with pytest.raises(SearchCanceled):
            loopback.ask("/posts.json", tags="hat")
    assert len(traffic.targets) == 2 * MAX_STRIKES
    assert not loopback.clock.slept
    assert not loopback.closed
    with pytest.raises(SiteUnavailable):  # a file is no search
        loopback.get(f"{loopback.host}/posts.json")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse(400), r"400 Some::Error: no\): check host and tags"),
        (refuse(401), "check PREP_LOGIN and PREP_API_KEY"),
        (refuse(403, "User::PrivilegeError"), r"403 User::\w+: no\): ask for less, or with an account"),
        (refuse(404, "ActiveRecord::RecordNotFound"), r"404 .*: check host and tags"),
        (refuse(410), r"410 .*: check host and tags"),
        (refuse(422), "ask for fewer tags, or set PREP_LEVEL"),
        (refuse(302, Location="https://example.org/"), r"refused .*302.*: check host and tags"),
        (EDGE_CHALLENGE, r"turned away this program: check PREP_CONTACT, ask later$"),
        (Answer(200, "text/html", b"<html>"), "is no JSON: check that host names a Danbooru"),
        (Answer(200, "application/json", b""), "is no JSON: check that host names a Danbooru"),
    ],
)
def test_a_refusal_stops_at_once_with_what_to_do(loopback, traffic, answer, sentence):
    traffic.troubles["/posts.json"] = answer
    with pytest.raises(Halt, match=sentence):
        loopback.ask("/posts.json")
    assert len(traffic.targets) == 1


@pytest.mark.parametrize(
    ("answer", "times"), [(refuse(503), MAX_STRIKES), (refuse(403), 3), (EDGE_CHALLENGE, 3)]
)
def test_failed_requests_in_a_row_close_the_site(loopback, traffic, answer, times):
    traffic.troubles["/original"] = answer
    url = f"{loopback.host}/original"

    def strike():
        try:
            loopback.get(url)
        except SiteUnavailable:
            return

    for _ in range(times - 1):
        strike()
    loopback.get(f"{loopback.host}/lost")  # a 404, and an answer
    for _ in range(times - 1):
        strike()
        assert not loopback.closed
    strike()
    assert loopback.closed
    assert loopback.limiter(url).reason
    asked = len(traffic.targets)
    with pytest.raises(SiteUnavailable, match=re.escape(loopback.limiter(url).reason)):
        loopback.get(url)
    assert len(traffic.targets) == asked


def test_a_closed_domain_does_not_close_the_others(elsewhere):
    wire = Wire(dead_org=("dead", {}))
    site = elsewhere(wire, host="")
    site.get("https://example.org/a")
    for _ in range(MAX_STRIKES + 2):
        with pytest.raises(SiteUnavailable, match=r"dead\.org/a failed 2 times"):
            site.get("https://dead.org/a", tries=2)
    assert len(wire.requests) == 1 + MAX_STRIKES * 2
    assert not site.closed
    assert site.get("https://example.org/a").status == 200
