"""The HTTP client: the only code that connects to other machines.

It decides which addresses are asked, how fast and how often, and as whom.
"""

import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

from urllib3.exceptions import HTTPError, LocationValueError

from pipeline.errors import Halt
from pipeline.web.addresses import domain, host_name, is_loopback, show_address
from pipeline.web.bodies import BodyBroken, BodyTooLong, load_body, parse_json
from pipeline.web.connection import Connections, ForbiddenAddress, Response
from pipeline.web.ratelimit import MAX_STRIKES, STOPPED_WAITING, Clock, RateLimiter, SiteUnavailable
from pipeline.web.responses import describe_error, redirect_of, refusal, retry_after

API_TRIES = 5  # of a request to the API
BUSY_STATUSES = {408, 425, *range(500, 600)} - {501, 505}  # those two are for good
MAX_ANSWER = 16_000_000  # bytes of an answer of the API
MAX_ERROR = 64_000  # bytes of an answer that says why there is none
FORBIDDEN_STRIKES = 4  # for a 403: three in a row mean that the site does not want us
MAX_REFUSALS = 8  # responses 429 to one request
MAX_WAIT = 600  # seconds; a site that asks for a longer pause is left alone
MAX_RATE = 10.0  # requests per second to a site off loopback
PLAIN_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
RUN_LATER = "run again later, what was fetched is kept"

Query = dict[str, str | int] | None
Headers = dict[str, str] | None


class SearchCanceled(Exception):
    """A search took the site's database too long."""


@dataclass(eq=False)
class Site:
    """A session with a site. Several threads may use it.

    Without a `host` it downloads from any sites. `rate` limits the requests per second to all hosts of a
    domain together, such as donmai.us; None means 1, and no limit on loopback.
    """

    connections: Connections
    host: str
    agent: str
    rate: float | None = None
    auth: tuple[str, str] | None = field(default=None, repr=False)  # login and key, for the API alone
    contact: str = ""  # address in the User-Agent; without it only loopback is asked
    clock: Clock = field(default_factory=Clock)
    timeout: tuple[float, float] = (10, 30)  # seconds to connect, and between two packets
    stopped: bool = False
    limiters: dict[str, RateLimiter] = field(default_factory=dict)  # by domain
    lock: threading.Lock = field(default_factory=threading.Lock)
    random: Random = field(default_factory=Random)

    def ask(self, path: str, **query: str | int) -> Any:
        """Request JSON from the API. Raise Halt, or SearchCanceled if a search takes too long."""
        with self.get(f"{self.host}{path}", query=query) as response:
            if response.status != 200:
                raise refusal(response)
            try:
                return parse_json(response.content)
            except ValueError:
                address = show_address(response.url)
                raise Halt(f"{address} is no JSON: check that host names a Danbooru") from None

    def get(
        self, url: str, query: Query = None, headers: Headers = None, tries: int = API_TRIES, hops: int = 0
    ) -> Response:
        """Send a request, again if the site is busy, and follow up to `hops` redirects within the site.

        With a `query` it goes to the API, with the credentials, and the body is read at once; without one the
        caller reads the body as it arrives. Raise SiteUnavailable after the last try or once the site is
        closed, Halt for an address that must not be asked, or SearchCanceled.
        """
        failed = refused = 0
        while True:
            self.require_allowed(url)
            limiter = self.limiter(url)
            self.take_turn(limiter)
            response = self.send(url, query, headers)
            if isinstance(response, str) or response.status in BUSY_STATUSES:
                failed += 1
                reason = response if isinstance(response, str) else describe_error(response)
                if query and "QueryCanceled" in reason:
                    raise SearchCanceled(reason)
                if failed == tries:
                    said = f"{show_address(url)} failed {tries} times ({reason})"
                    raise limiter.strike(f"{said}: {RUN_LATER}")
                asked = None if isinstance(response, str) else self.asked_pause(response)
                self.clock.sleep(self.delay(failed)) if asked is None else limiter.pause(asked)
            elif response.status == 429:
                refused += 1
                self.obey_retry_after(response, refused)
            elif hops and (target := redirect_of(response)):
                response.close()
                url, hops = target, hops - 1
            elif response.status == 403:
                limiter.strike(str(refusal(response)), FORBIDDEN_STRIKES)
                return response
            else:
                limiter.strikes = 0
                return response

    def take_turn(self, limiter: RateLimiter) -> None:
        """Wait until a request may start. Raise SiteUnavailable if none may any more."""
        if self.stopped or limiter.closed:
            raise SiteUnavailable(STOPPED_WAITING if self.stopped else limiter.reason)
        limiter.wait()

    def send(self, url: str, query: Query, headers: Headers) -> Response | str:
        """Send a request once and return the response, or the reason why there is none.

        The body is read if it comes from the API, or if it says why there is no file.
        """
        asked = PLAIN_HEADERS | {"User-Agent": self.agent} | (headers or {})
        if query is not None and self.auth:
            asked["Authorization"] = f"Basic {b64encode(':'.join(self.auth).encode()).decode()}"
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            response = self.connections.send(url, asked, self.timeout)
            if query is not None and response.status == 200:
                load_body(response, MAX_ANSWER)
        except LocationValueError:  # what is no address does not become one
            raise
        except (HTTPError, BodyBroken) as error:
            return type(error).__name__
        except BodyTooLong:
            size = f"more than {MAX_ANSWER / 1e6:g} MB"
            raise Halt(f"{show_address(url)} is {size}: check that host names a Danbooru") from None
        explained = query is not None and response.status != 200
        if explained or response.status in (403, *BUSY_STATUSES):
            with suppress(BodyBroken, BodyTooLong):
                load_body(response, MAX_ERROR)
        return response

    def require_allowed(self, url: str) -> None:
        """Raise Halt for an address that must not be asked."""
        if self.host and is_loopback(self.host) != is_loopback(url):
            address = show_address(url)
            raise ForbiddenAddress(f"{self.host} points to {address}: name that site as the host to ask it")
        if not is_loopback(url) and not self.contact:
            raise Halt(f"{host_name(url)} must know whom to write to: set PREP_CONTACT to your address")

    def limiter(self, url: str) -> RateLimiter:
        """Return the rate limiter of an address, which all hosts of its domain share."""
        rate = self.rate or (0 if is_loopback(url) else 1)
        with self.lock:
            return self.limiters.setdefault(domain(url), RateLimiter(1 / rate if rate else 0, self.clock))

    def obey_retry_after(self, response: Response, times: int) -> None:
        """After a 429, pause for as long as Retry-After says, else for 1, 2, 4... seconds.

        `times` counts the responses 429 to this request. Raise SiteUnavailable if they do not end.
        """
        asked, limiter = self.asked_pause(response), self.limiter(response.url)
        response.close()
        if times > MAX_REFUSALS:
            said = f"{domain(response.url)} answered 429, too many requests,"
            reason = f"{said} however long it was left alone: {RUN_LATER}, more slowly"
            raise limiter.strike(reason, MAX_STRIKES)
        limiter.pause(self.delay(times) if asked is None else asked)

    def asked_pause(self, response: Response) -> int | None:
        """Return the seconds of Retry-After, None without one. Raise SiteUnavailable if they are too many."""
        seconds = retry_after(response)
        if seconds is not None and seconds > MAX_WAIT:
            response.close()
            why = "429, too many requests," if response.status == 429 else f"{response.status},"
            said = f"{domain(response.url)} answered {why} for the next {seconds} seconds"
            raise self.limiter(response.url).strike(f"{said}: {RUN_LATER}", MAX_STRIKES)
        return seconds

    def delay(self, times: int) -> float:
        """Return 1, 2, 4... seconds, and up to as many more at random to keep clients apart."""
        return 2 ** (times - 1) * (1 + self.random.random())

    def stop(self) -> None:
        """Send no more requests, and end all waiting."""
        self.stopped = True
        self.clock.stop()

    @property
    def closed(self) -> bool:
        """Whether every site that was asked failed too often, or `stop` was called."""
        with self.lock:
            limiters = list(self.limiters.values())
        return self.stopped or (bool(limiters) and all(limiter.closed for limiter in limiters))


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
    host, local = host.rstrip("/"), is_loopback(host)
    if "@" in host:
        raise ValueError("host must not hold a login: set PREP_LOGIN and PREP_API_KEY")
    if host and not re.match(r"https?://[^\s/?#]", host):
        raise ValueError(f"host must be an address such as https://danbooru.donmai.us, got {host!r}")
    if bool(login) != bool(api_key):
        raise ValueError("PREP_LOGIN and PREP_API_KEY must be set together, got one of them")
    if host and api_key and not local and urlsplit(host).scheme != "https":
        raise ValueError(f"host must begin with https:// where an API key is set, got {host!r}")
    if rate is not None and not local and not 0 < rate <= MAX_RATE:
        raise ValueError(f"rate must be above 0 and at most {MAX_RATE:g} off loopback, got {rate:g}")
    agent = f"inkwash/{version('inkwash')} (user {login or 'anonymous'}; {contact or 'loopback'})"
    if not (agent + api_key).isascii() or not (agent + api_key).isprintable():
        raise ValueError(f"contact, login and API key must be printable ASCII, got {agent!r}")
    with closing(Connections()) as connections:
        auth = (login, api_key) if login else None
        site = Site(connections, host, agent, rate, auth, contact, clock or Clock())
        if host:
            site.require_allowed(host)
        yield site
