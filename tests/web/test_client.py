"""The client names itself to a site, keeps its credentials to itself, and keeps its pace."""

import re
import socket
from base64 import b64encode

import pytest
from rig import Clock, make_posts
from wire import API, FILE, Wire

from pipeline.errors import Halt
from pipeline.web.client import open_site
from pipeline.web.connection import proxy_of

PROXIED = ("cdn.donmai.us", "example.org", "www.example.org:8080")


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


def name_proxy(monkeypatch, proxy):
    """Let the environment name a proxy, and nothing that goes past it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, proxy)
    monkeypatch.delenv("no_proxy")


def test_proxies_of_the_environment_are_used_off_loopback_only(serve, traffic, monkeypatch):
    with serve(make_posts(1)) as host:
        name_proxy(monkeypatch, host.replace("//", "//ann:s%20t@"))
        with open_site("http://example.org", "me@example.org", clock=Clock()) as site:
            site.get("http://example.org/posts.json?limit=1")
        assert traffic.targets == ["http://example.org/posts.json?limit=1"]
        login = "Basic " + b64encode(b"ann:s t").decode()
        assert traffic.requests[0].headers["Proxy-Authorization"] == login
        name_proxy(monkeypatch, "http://127.0.0.1:9")
        for name in (host, ""):  # a list may hold addresses on loopback
            with open_site(name, clock=Clock()) as site:
                site.get(f"{host}/posts.json")
    assert traffic.targets[1:] == ["/posts.json"] * 2


def test_no_proxy_is_used_for_the_hosts_that_the_environment_leaves_out(monkeypatch):
    name_proxy(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.org,localhost")
    found = [proxy_of(f"{scheme}://{host}/") for scheme in ("http", "https") for host in PROXIED]
    assert found == ["http://127.0.0.1:9", "", ""] * 2


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
