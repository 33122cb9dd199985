"""The HTTP client: the only code that connects to other machines.

It decides how fast and how often a site is asked, and as whom. danbooru.py requests posts, store.py files.
"""

import ipaddress
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from pipeline.errors import Halt
from pipeline.web.ratelimit import (
    FORBIDDEN_STRIKES,
    MAX_STRIKES,
    STOPPED_WAITING,
    Clock,
    RateLimiter,
    SiteUnavailable,
)

API_TRIES = 5  # of a request to the API
BUSY_STATUSES = (500, 502, 503, 504, *range(520, 528))  # from 520 on, a proxy cannot reach the site
NETWORK_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
MAX_REFUSALS = 8  # responses 429 to one request
MAX_WAIT = 600  # seconds of a pause that a site asks for
RUN_LATER = "run again later, what was fetched is kept"
MAX_RATE = 10.0  # requests per second to a site off loopback


class SearchCanceled(Exception):
    """A search took the site's database too long."""


@dataclass(eq=False)
class Site:
    """A session with a site. Several threads may use it.

    Without a `host` it downloads from any sites. `rate` limits the requests per second to all hosts of a
    domain together, such as donmai.us; None means 1, and no limit on loopback.
    """

    session: requests.Session
    host: str
    rate: float | None = None
    # login and key, for the API alone: files may lie on other hosts
    auth: tuple[str, str] | None = field(default=None, repr=False)
    contact: str = ""  # address in the User-Agent; without it only loopback is asked
    clock: Clock = field(default_factory=Clock)
    timeout: tuple[float, float] = (10, 30)  # seconds to connect, and between two packets
    why: str = ""  # reason for the last failure
    hung_up: bool = False
    buckets: dict[str, RateLimiter] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    dice: Random = field(default_factory=Random)

    def ask(self, path: str, **query: str | int) -> Any:
        """Request JSON from the API. Raise Halt, or Canceled if a search takes too long."""
        with self.get(f"{self.host}{path}", query=query, auth=self.auth, stream=False) as response:
            if response.status_code != 200:
                raise self.refusal(response)
            try:
                return response.json()
            except requests.JSONDecodeError:
                raise Halt(f"{response.url} is no JSON: check that host names a Danbooru") from None

    def get(
        self,
        url: str,
        *,
        query: dict[str, str | int] | None = None,
        auth: tuple[str, str] | None = None,
        headers: dict[str, str] | None = None,
        tries: int = API_TRIES,
        hops: int = 0,
        stream: bool = True,
    ) -> requests.Response:
        """Send a request, again if the site is busy, and follow up to `hops` redirects within the host.

        With `stream` the caller reads the body. Raise Overload after the last try or once the site is closed,
        Halt for an address that must not be asked, or Canceled.
        """
        self.check(url)
        bucket, failed, refused = self.bucket(url), 0, 0
        while True:
            if self.hung_up or bucket.closed:
                raise SiteUnavailable(STOPPED_WAITING if self.hung_up else bucket.why)
            bucket.wait()
            answer = self.once(url, params=query, auth=auth or without_login, headers=headers, stream=stream)
            if isinstance(answer, str):
                if query and "QueryCanceled" in answer:
                    raise SearchCanceled(answer)
                failed += 1
                if failed == tries:
                    raise self.strike(bucket, f"{url} failed {tries} times ({answer}): {RUN_LATER}")
                self.clock.sleep(self.delay(failed))
            elif answer.status_code == 429:
                refused += 1
                self.slow_down(answer, refused)
            elif hops and answer.is_redirect and (there := same_host_redirect(answer)):
                answer.close()
                url, query, hops = there, None, hops - 1
            else:
                self.note(answer)
                return answer

    def once(self, url: str, **given: Any) -> requests.Response | str:
        """Send a request and return the response, or the reason for having none."""
        given |= {"proxies": without_proxies(url), "timeout": self.timeout, "allow_redirects": False}
        try:
            response = self.session.get(url, **given)
        except NETWORK_ERRORS as error:
            return type(error).__name__
        if response.status_code not in BUSY_STATUSES:
            return response
        with response:
            return describe_error(response)

    def check(self, url: str) -> None:
        """Raise Halt for an address that must not be asked."""
        if self.host and is_loopback(self.host) != is_loopback(url):
            raise Halt(f"{self.host} points to {url}: name that site as the host to ask it")
        if not is_loopback(url) and not self.contact:
            raise Halt(
                f"{urlsplit(url).hostname} must know whom to write to: set PREP_CONTACT to your address"
            )

    def bucket(self, url: str) -> RateLimiter:
        """Return the rate limiter of an address, which all hosts of its domain share."""
        near, name = is_loopback(url), domain(url)
        with self.lock:
            if name not in self.buckets:
                rate = self.rate or (0 if near else 1)
                self.buckets[name] = RateLimiter(1 / rate if rate else 0, self.clock)
            return self.buckets[name]

    def slow_down(self, response: requests.Response, times: int) -> None:
        """After a 429, pause for as long as Retry-After says, else for 1, 2, 4... seconds.

        `times` counts the responses 429 to this request. Raise Overload if they do not end.
        """
        after, bucket = response.headers.get("Retry-After", ""), self.bucket(response.url)
        response.close()
        seconds = int(after) if after.isdecimal() else self.delay(times)
        said = f"{domain(response.url)} answered 429, too many requests,"
        if seconds > MAX_WAIT:
            raise self.strike(bucket, f"{said} for the next {seconds} seconds: {RUN_LATER}", MAX_STRIKES)
        if times > MAX_REFUSALS:
            raise self.strike(
                bucket, f"{said} however long it was left alone: {RUN_LATER}, more slowly", MAX_STRIKES
            )
        bucket.pause(seconds)

    def delay(self, times: int) -> float:
        """Return 1, 2, 4... seconds, and up to as many more at random to keep clients apart."""
        return 2 ** (times - 1) * (1 + self.dice.random())

    def note(self, response: requests.Response) -> None:
        """Reset the strikes after a success; count those for a 403."""
        bucket = self.bucket(response.url)
        if response.status_code == 403:
            self.strike(bucket, str(self.refusal(response)), FORBIDDEN_STRIKES)
        else:
            bucket.strikes = 0

    def strike(self, bucket: RateLimiter, why: str, count: int = 1) -> SiteUnavailable:
        """Count strikes, and return an exception that says why."""
        with bucket.lock:
            bucket.strikes += count
            bucket.why = self.why = why
        return SiteUnavailable(why)

    def hang_up(self) -> None:
        """Send no more requests, and end all waiting."""
        self.hung_up = True
        self.clock.stop()

    @property
    def closed(self) -> bool:
        """Whether every site that was asked failed too often, or `hang_up` was called."""
        with self.lock:
            buckets = list(self.buckets.values())
        return self.hung_up or (bool(buckets) and all(bucket.closed for bucket in buckets))

    def refusal(self, response: requests.Response) -> Halt:
        """Return an exception that says why the site refused, and what to do."""
        said = f"{domain(response.url)} refused {response.request.path_url} ({describe_error(response)})"
        if response.status_code == 401:
            return Halt(f"{said}: check PREP_LOGIN and PREP_API_KEY")
        if response.status_code == 403 and is_web_page(response):
            agent = self.session.headers["User-Agent"]
            return Halt(f"{said}, its edge turned away the agent {agent!r}: check PREP_CONTACT, ask later")
        if response.status_code == 403:
            return Halt(f"{said}: ask for less, or with an account that may")
        if response.status_code == 422:
            return Halt(f"{said}: ask for fewer tags, or set PREP_LEVEL to what the account is")
        return Halt(f"{said}: check host and tags")


@contextmanager
def open_site(
    host: str,
    contact: str = "",
    login: str = "",
    api_key: str = "",
    *,
    rate: float | None = None,
    clock: Clock | None = None,
) -> Iterator[Site]:
    """Open a session with a site; with an empty `host`, with any sites that files lie on.

    Raise ValueError for a bad address, contact or rate, and Halt if the site needs a contact that is missing.
    """
    host = host.rstrip("/")
    near, secure = is_loopback(host), urlsplit(host).scheme == "https"
    if "@" in host:
        raise ValueError("host must not hold a login: set PREP_LOGIN and PREP_API_KEY")
    if host and not re.match(r"https?://[^\s/?#]", host):
        raise ValueError(f"host must be an address such as https://danbooru.donmai.us, got {host!r}")
    if bool(login) != bool(api_key):
        raise ValueError("PREP_LOGIN and PREP_API_KEY must be set together, got one of them")
    if host and api_key and not near and not secure:
        raise ValueError(f"host must begin with https:// where an API key is set, got {host!r}")
    if rate is not None and not near and not 0 < rate <= MAX_RATE:
        raise ValueError(f"rate must be above 0 and at most {MAX_RATE:g} off loopback, got {rate:g}")
    agent = f"inkwash/{version('inkwash')} (user {login or 'anonymous'}; {contact or 'loopback'})"
    if not (agent + api_key).isascii() or not (agent + api_key).isprintable():
        raise ValueError(f"contact, login and API key must be printable ASCII, got {agent!r}")
    with requests.Session() as session:
        session.headers["User-Agent"] = agent
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=32))
        auth = (login, api_key) if login else None
        site = Site(session, host, rate, auth, contact, clock or Clock())
        if host:
            site.check(host)
        yield site


def without_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send no credentials, not even those for this host in the user's .netrc."""
    return request


def without_proxies(url: str) -> dict[str, str | None]:
    """Return settings that keep requests to loopback from the proxies of the environment."""
    return dict.fromkeys(("http", "https", "all")) if is_loopback(url) else {}


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine."""
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def same_host_redirect(response: requests.Response) -> str:
    """Return the target of a redirect if it is on the same host, else ""; http may become https."""
    there = urljoin(response.url, response.headers["Location"])
    before, after = urlsplit(response.url), urlsplit(there)
    if (before.scheme, before.netloc) == (after.scheme, after.netloc):
        return there
    raised = (before.scheme, after.scheme) == ("http", "https") and before.port == after.port is None
    return there if raised and before.netloc == after.netloc else ""


def domain(url: str) -> str:
    """Return the part of the name that all hosts of a site share: the last two labels, or an IP address."""
    name = urlsplit(url).hostname or ""
    return name if re.fullmatch(r"[\d.]+|.*:.*", name) else ".".join(name.split(".")[-2:])


def is_web_page(response: requests.Response) -> bool:
    """Tell whether a response is a web page."""
    return response.headers.get("Content-Type", "").startswith("text/html")


def describe_error(response: requests.Response) -> str:
    """Return the status of a response, with the error and the message of Danbooru if there are any."""
    try:
        error = response.json()
        return f"{response.status_code} {error['error']}: {error['message']}"
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return str(response.status_code)
