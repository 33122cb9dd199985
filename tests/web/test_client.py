"""The client names itself to a site, keeps its pace, and leaves it alone when it refuses."""

import gzip
import io
import json
import re
import socket
import threading
import time
import tracemalloc
from base64 import b64encode
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from requests.adapters import BaseAdapter
from rig import Clock, answers, make_posts, refuse

from pipeline.booru.server import Answer, run_server
from pipeline.booru.site import EDGE_CHALLENGE
from pipeline.errors import Halt
from pipeline.web import bodies, client
from pipeline.web.addresses import domain
from pipeline.web.client import API_TRIES, MAX_REFUSALS, SearchCanceled, open_site
from pipeline.web.connection import ForbiddenAddress
from pipeline.web.ratelimit import MAX_STRIKES, SiteUnavailable
from pipeline.web.responses import refusal, retry_after

API = "https://danbooru.donmai.us"
FILE = "https://cdn.donmai.us/original/a.png"


class Wire(BaseAdapter):
    """An adapter in place of the network: it records every request and sends none."""

    def __init__(self, clock=None, **respond):
        """Answer 200, or as `respond` gives it by domain, such as donmai_us=(403, {})."""
        super().__init__()
        self.clock, self.respond, self.requests, self.starts = clock, respond, [], []
        self.proxies, self.body = None, b"[]"

    def send(self, request, proxies=None, **kwargs):
        self.requests.append(request)
        self.starts.append(self.clock.now if self.clock else 0)
        self.proxies = proxies
        status, headers = self.respond.get(domain(request.url).replace(".", "_"), (200, {}))
        if status == "dead":
            raise requests.ConnectionError
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers.update(headers)
        response.raw = io.BytesIO(self.body)
        return response

    def close(self):
        pass

    @property
    def credentials(self):
        """List the Authorization headers of the requests."""
        return [request.headers.get("Authorization") for request in self.requests]


@pytest.fixture
def elsewhere():
    """Return a function that opens a site off loopback, with a wire in place of the network."""

    with ExitStack() as stack:

        def start(wire, host=API, contact="me@example.org", **given):
            site = stack.enter_context(open_site(host, contact, clock=wire.clock or Clock(), **given))
            for scheme in ("http://", "https://"):
                site.session.mount(scheme, wire)
            return site

        yield start


@pytest.fixture
def loopback(serve):
    """Serve three posts and open the site, with a clock whose time passes only in `sleep`."""
    with serve(make_posts(3)) as host, open_site(host, clock=Clock()) as site:
        yield site


# ---------------------------------------------------------------- contact and credentials


def test_no_socket_is_opened_off_loopback_without_a_contact(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("opened a socket"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: pytest.fail("looked up a name"))
    with pytest.raises(Halt, match=r"danbooru\.donmai\.us must know .*: set PREP_CONTACT"), open_site(API):
        pass
    with open_site("") as site, pytest.raises(Halt, match=r"cdn\.donmai\.us must know"):
        site.get(FILE)


@pytest.mark.parametrize(
    ("host", "who", "sentence"),
    [
        ("danbooru.donmai.us", {}, "host must be an address"),
        ("ftp://donmai.us", {}, "host must be an address"),
        ("https:///posts", {}, "host must be an address"),
        ("https://ann:secret@donmai.us", {}, "host must not hold a login"),
        ("http://donmai.us", {"login": "ann", "api_key": "secret"}, "host must begin with https"),
        ("https://donmai.us", {"login": "ann"}, "must be set together"),
        ("https://donmai.us", {"api_key": "secret"}, "must be set together"),
        ("https://donmai.us", {"contact": "me\nX-Injected: 1"}, "must be printable ASCII"),
        ("https://donmai.us", {"contact": "mé"}, "must be printable ASCII"),
        ("https://donmai.us", {"login": "ann", "api_key": "secret\u2028"}, "must be printable ASCII"),
    ],
)
def test_bad_addresses_and_names_are_bad_parameters_that_keep_the_key_secret(host, who, sentence):
    with pytest.raises(ValueError, match=sentence) as error, open_site(host, **({"contact": "me"} | who)):
        pass
    assert "secret" not in str(error.value)


def test_the_agent_names_the_program_the_user_and_the_contact(elsewhere):
    wire = Wire()
    elsewhere(wire, login="ann", api_key="secret").ask("/posts.json")
    elsewhere(wire).ask("/posts.json")
    agents = [request.headers["User-Agent"] for request in wire.requests]
    assert re.fullmatch(r"inkwash/\d[\w.]* \(user ann; me@example\.org\)", agents[0])
    assert re.fullmatch(r"inkwash/\d[\w.]* \(user anonymous; me@example\.org\)", agents[1])


def test_credentials_go_to_the_api_alone_and_are_seen_nowhere(elsewhere):
    wire = Wire()
    site = elsewhere(wire, login="ann", api_key="secret")
    site.ask("/posts.json", tags="hat")
    site.get(FILE)
    site.get(f"{API}/original/a.png")
    assert wire.credentials == ["Basic " + b64encode(b"ann:secret").decode(), None, None]
    assert not any("secret" in request.url for request in wire.requests)
    assert "secret" not in repr(site)


def test_a_refused_key_is_not_repeated(serve):
    with serve([]) as host, open_site(host, login="ann", api_key="secret") as site:
        with pytest.raises(Halt, match=r"401 .*: check PREP_LOGIN and PREP_API_KEY") as error:
            site.ask("/posts.json")
        assert "secret" not in str(error.value)


def test_the_passwords_and_logins_of_the_environment_are_never_sent(
    elsewhere, serve, traffic, tmp_path, monkeypatch
):
    names = ("danbooru.donmai.us", "cdn.donmai.us", "127.0.0.1")
    text = "".join(f"machine {name} login ann password secret\n" for name in names)
    (tmp_path / "netrc").write_text(text)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PREP_LOGIN", "ann")
    monkeypatch.setenv("PREP_API_KEY", "secret")
    wire = Wire()
    site = elsewhere(wire)
    site.ask("/posts.json")
    site.get(FILE)
    with serve(make_posts(1)) as host, open_site(host) as site:
        site.ask("/posts.json")
    assert wire.credentials == [None, None]
    assert "Authorization" not in traffic.requests[0].headers


def test_proxies_of_the_environment_are_used_off_loopback_only(elsewhere, serve, traffic, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    wire = Wire()
    elsewhere(wire).ask("/posts.json")
    assert wire.proxies["https"] == "http://127.0.0.1:9"
    with serve(make_posts(1)) as host:
        for name in (host, ""):  # a list may hold addresses on loopback
            with open_site(name, clock=Clock()) as site:
                site.get(f"{host}/posts.json")
    assert len(traffic.targets) == 2


def test_a_key_for_the_api_does_not_keep_a_list_from_being_fetched(elsewhere):
    wire = Wire()
    elsewhere(wire, host="", login="ann", api_key="secret").get(FILE)
    assert wire.credentials == [None]


def test_a_site_on_loopback_cannot_redirect_off_loopback_nor_the_reverse(elsewhere, loopback):
    loopback.contact = "me"
    with pytest.raises(Halt, match=f"points to {FILE}: name that site"):
        loopback.get(FILE)
    with pytest.raises(Halt, match="points to http://localhost/a: name that site"):
        elsewhere(Wire()).get("http://localhost/a")


# ---------------------------------------------------------------- rate


def test_the_hosts_of_a_domain_share_a_rate_limiter_and_domains_do_not(elsewhere):
    wire = Wire(Clock())
    site = elsewhere(wire)
    for url in (API, FILE, API, "https://example.org/a", FILE):
        site.get(url)
    assert wire.starts == [0, 1, 2, 2, 3]


def test_a_rate_applies_off_loopback_and_on_loopback_where_the_default_is_none(elsewhere, serve):
    wire = Wire(Clock())
    site = elsewhere(wire, rate=4.0)
    for _ in range(5):
        site.get(API)
    assert wire.starts == [0, 0.25, 0.5, 0.75, 1]
    for rate, end in ((None, 0), (2.0, 2)):
        clock = Clock()
        with serve(make_posts(1)) as host, open_site(host, rate=rate, clock=clock) as site:
            for _ in range(5):
                site.ask("/posts.json")
        assert clock.now == end


@pytest.mark.parametrize("rate", [0, -1, 10.5, float("nan")])
@pytest.mark.parametrize("host", [API, ""])
def test_no_site_off_loopback_gets_more_than_ten_requests_a_second(host, rate):
    sentence = "rate must be above 0 and at most 10 off loopback"
    with pytest.raises(ValueError, match=sentence), open_site(host, "me", rate=rate):
        pass


# ---------------------------------------------------------------- patience


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
    response = requests.Response()  # of a site whose clock is late
    response.headers["Date"] = "Sun, 06 Nov 1994 08:49:37 GMT"
    response.headers["Retry-After"] = "Sun, 06 Nov 1994 08:49:57 GMT"
    assert 20 <= retry_after(response) <= 21


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


# ---------------------------------------------------------------- trouble


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
            with pytest.raises(SiteUnavailable, match=r"failed 5 times \(ConnectionError\)"):
                site.ask("/posts.json")
            assert len(site.clock.slept) == API_TRIES - 1


def test_a_site_that_sends_nothing_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opening = open_site(f"http://127.0.0.1:{silent.getsockname()[1]}", clock=Clock())
        with opening as site:
            site.timeout = (5, 0.05)
            with pytest.raises(SiteUnavailable, match=r"failed 5 times \(ReadTimeout\)"):
                site.ask("/posts.json")


@pytest.mark.parametrize("pause", [0, 60])
def test_an_answer_that_breaks_off_or_stalls_is_asked_for_again(loopback, traffic, pause):
    loopback.timeout = (5, 0.1)
    body = b'[{"id": 1}, {"id": 2}]'
    broken = Answer(200, "application/json", body, keep=0.5, pause=pause)
    traffic.troubles["/posts.json"] = answers(broken, broken)
    assert len(loopback.ask("/posts.json")) == 3
    assert len(traffic.targets) == 3


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
    assert site.get("https://example.org/a").status_code == 200


# ---------------------------------------------------------------- redirects


def test_redirects_within_a_host_are_followed_up_to_a_number(traffic):
    def respond(request):
        left = int(request.path[1:])
        if not left:
            return Answer(200, "text/plain", request.headers["Range"].encode())
        return Answer(302, "text/plain", b"", {"Location": f"/{left - 1}"})

    with run_server(respond) as host, open_site(host) as site:
        assert site.get(f"{host}/3", headers={"Range": "bytes=5-"}, hops=3).content == b"bytes=5-"
        assert site.get(f"{host}/3", hops=2).status_code == 302
        assert site.get(f"{host}/1").status_code == 302


@pytest.mark.parametrize(
    ("before", "after", "followed"),
    [
        ("http://example.org/a", "https://example.org/b", True),
        ("https://example.org/a", "//example.org/b", True),
        ("https://example.org/a", "http://example.org/b", False),
        ("https://example.org/a", "https://www.example.org/b", True),
        ("https://img1.example.org/a", "https://img2.example.org/b", True),
        ("https://example.org/a", "https://example.org:443/b", True),
        ("https://example.org/a", "https://badexample.org/b", False),
        ("https://example.org/a", "https://example.org.evil.net/b", False),
        ("https://example.org/a", "https://example.org:8443/b", False),
        ("https://example.org/a", "https://[/b", False),
        ("https://example.org/a", "file:///etc/passwd", False),
        ("https://example.org/a", "https://ann@example.org/b", False),
        ("http://example.org:8080/a", "https://example.org/b", False),
        ("http://example.org/a", "ftp://example.org/b", False),
        ("https://example.org/a", "http://127.0.0.1/b", False),
    ],
)
def test_a_redirect_is_followed_within_a_site_alone_and_never_to_less_safety(
    elsewhere, before, after, followed
):
    wire = Wire(example_org=(302, {"Location": after}))
    site = elsewhere(wire, host="")
    assert site.get(before, hops=1).status_code == 302
    assert len(wire.requests) == 1 + followed
    assert not followed or wire.requests[1].url.endswith("/b")


def test_a_redirect_to_a_name_in_utf_8_leads_there():
    def respond(request):
        if request.path == "/a":
            return Answer(302, "text/plain", b"", {"Location": "/\u3042".encode().decode("latin-1")})
        return Answer(200, "text/plain", request.path.encode())

    with run_server(respond) as host, open_site(host) as site:
        assert site.get(f"{host}/a", hops=1).content == b"/%E3%81%82"


# ---------------------------------------------------------------- bounds


def slow_site(*pieces):
    """Serve each connection with pieces of bytes, the last of them again and again, one each 10 ms."""

    def serve_one(connection):
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            for piece in pieces[:-1]:
                connection.sendall(piece)
            while True:
                connection.sendall(pieces[-1])
                time.sleep(0.01)

    def accept():
        with suppress(OSError):
            while True:
                threading.Thread(target=serve_one, args=[listening.accept()[0]], daemon=True).start()

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    return listening


HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 O", b"K"),  # a status line without end
        (HEAD % 200, b"X: 1\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
        (HEAD % 200 + b"Content-Length: 99999\r\n\r\n", b" "),
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),  # a chunk extension without end
        (HEAD % 200 + b"\r\n", b" "),
        (HEAD % 503 + b"\r\n", b" "),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,),  # much, and nothing of a body
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\n \r\n"),
        (HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n" * 1000),
    ],
)
def test_an_answer_that_drips_or_has_no_end_is_given_up(monkeypatch, pieces):
    monkeypatch.setattr(bodies, "GRACE", 0.1)
    began = time.monotonic()
    with slow_site(*pieces) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_site(host, clock=Clock()) as site, pytest.raises(SiteUnavailable, match="failed 5 times"):
            site.ask("/posts.json")
    assert time.monotonic() - began < 5


def test_what_a_site_says_before_it_answers_is_skipped():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    with slow_site(early, HEAD % 200 + b"Content-Length: 2\r\n\r\n[]") as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_site(host) as site:
            assert site.ask("/posts.json") == []


def test_headers_take_little_memory():
    flood = HEAD % 200 + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 60_000) for number in range(90))
    with slow_site(flood) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        tracemalloc.start()
        with open_site(host, clock=Clock()) as site, pytest.raises(SiteUnavailable, match="failed 5 times"):
            site.ask("/posts.json")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_members_of_gzip_may_begin_anywhere_in_what_arrives(size):
    body = b"".join(gzip.compress(b"%d" % number) for number in range(30)) + bytes(9)
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    assert b"".join(bodies.unpack(pieces, "gzip")) == b"".join(b"%d" % number for number in range(30))


@pytest.mark.parametrize("status", [200, 302, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_takes_little_memory_whatever_its_status(
    loopback, traffic, monkeypatch, status, packed
):
    monkeypatch.setattr(client, "MAX_ANSWER", 1_000_000)
    body = gzip.compress(bytes(100_000_000), 1) if packed else b" " * 100_000_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    headers |= {"Location": "/posts.json"} if status == 302 else {}
    traffic.troubles["/posts.json"] = Answer(status, "application/json", body, headers)
    tracemalloc.start()
    with pytest.raises(Halt):
        loopback.ask("/posts.json")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 5000 + b"]", b"\xff\xfe\x00", b'"\\u12"']
)
@pytest.mark.parametrize("status", [200, 403, 503])
def test_an_answer_that_cannot_be_parsed_is_a_sentence(loopback, traffic, body, status):
    traffic.troubles["/posts.json"] = Answer(status, "application/json", body)
    with pytest.raises(Halt, match=r"is no JSON|refused|failed 5 times"):
        loopback.ask("/posts.json")


def test_a_name_that_leads_to_this_machine_is_not_asked(monkeypatch, traffic, serve):
    with serve(make_posts(1)) as host:
        port = int(host.rpartition(":")[2])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        opening = open_site("", "me@example.org", rate=10, clock=Clock())
        with opening as site, pytest.raises(ForbiddenAddress, match=r"evil\.example leads to this machine"):
            site.get(f"http://evil.example:{port}/posts.json")
        assert traffic.targets == []


def test_no_answer_of_a_site_brings_login_key_or_contact_into_a_message(elsewhere):
    wire = Wire()
    site = elsewhere(wire, login="annie", api_key="secret")
    echo = {"error": "No annie", "message": "me@example.org secret YW5uaWU6c2VjcmV0"}
    for status in (403, 422, 503):
        wire.respond["donmai_us"] = (status, {"Content-Type": "application/json"})
        wire.body = json.dumps(echo).encode()
        with pytest.raises(Halt, match=rf"{status} No \*\*\*: \*\*\* \*\*\* \*\*\*"):
            site.ask("/posts.json")
        with suppress(Halt):
            assert "annie" not in str(refusal(site.get(FILE, tries=1)))


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.1", "0.0.0.0"])
def test_a_name_of_this_machine_is_asked_in_any_spelling(serve, name):
    with serve(make_posts(1)) as host, open_site(host.replace("127.0.0.1", name)) as site:
        assert len(site.ask("/posts.json")) == 1
