"""Ask a Danbooru, politely: the only socket out.

`search` finds posts, `write_posts` keeps them as one JSON object a line; `fetch` asks for their files.
"""

import ipaddress
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from pipeline import Halt, params, query
from pipeline.files import dumps, write

TRIES = 5  # of a request
SILENCE = 3  # requests in a row that all tries failed: the site is down
BUSY = (429, 500, 502, 503, 504)
PAGE = 200  # posts, the most that a site gives
FIELDS = (
    "id,md5,rating,score,file_ext,file_size,image_width,image_height,parent_id,source,file_url,"
    "tag_string_artist,tag_string_character,tag_string_copyright,tag_string_general,tag_string_meta"
)

# ---------------------------------------------------------------- requests


class Overload(Halt):
    """Say that a site gave no answer, however often it was asked."""


@dataclass(eq=False)
class Site:
    """A site and the manners of asking it; `clock` has `monotonic` and `sleep`, as the module `time` does."""

    session: requests.Session
    host: str
    interval: float  # seconds between two requests, by however many threads
    # for the API alone: files may lie elsewhere
    auth: tuple[str, str] | None = field(default=None, repr=False)
    clock: Any = time
    timeout: tuple[float, float] = (10, 30)  # seconds to connect, and between two packets
    free: float = 0.0  # when the next request may start
    silence: int = 0  # requests in a row that got no answer
    lock: threading.Lock = field(default_factory=threading.Lock)
    dice: Random = field(default_factory=partial(Random, 0))

    def ask(self, path: str, **query):
        """Ask the API and return what its JSON says. Raise Halt."""
        with self.get(f"{self.host}{path}", query, self.auth) as response:
            if response.status_code == 200:
                try:
                    return response.json()
                except requests.JSONDecodeError:
                    raise Halt(f"{response.url} is no JSON: check that host names a Danbooru") from None
            raise self.refusal(response)

    def get(self, url: str, query: dict | None = None, auth=None) -> requests.Response:
        """Send a request, again if the site is busy. Raise Overload after the last try."""
        if is_loopback(self.host) and not is_loopback(url):
            raise Halt(f"{self.host} on loopback points to {url}: name that site as the host to ask it")
        for attempt in range(TRIES):
            self.wait()
            try:
                response = self.session.get(
                    url, params=query, auth=auth, timeout=self.timeout, stream=True, allow_redirects=False
                )
            except (requests.ConnectionError, requests.Timeout) as error:
                trouble, after = type(error).__name__, ""
            else:
                if response.status_code not in BUSY:
                    self.silence = 0
                    return response
                trouble, after = complaint(response), response.headers.get("Retry-After", "")
                response.close()
            self.back_off(attempt, after)
        self.silence += 1
        raise Overload(f"{url} failed {TRIES} times ({trouble}): run again later, what was fetched is kept")

    def wait(self) -> None:
        """Wait for this request's turn."""
        with self.lock:
            now = self.clock.monotonic()
            start = max(now, self.free)
            self.free = start + self.interval
        if start > now:
            self.clock.sleep(start - now)

    def back_off(self, attempt: int, after: str) -> None:
        """Let nobody ask for as long as the site wishes, else 1, 2, 4... seconds and up to as much more."""
        with self.lock:
            delay = int(after) if after.isdecimal() else 2**attempt * (1 + self.dice.random())
            self.free = max(self.free, self.clock.monotonic() + delay)

    def refusal(self, response: requests.Response) -> Halt:
        """Put into words why the site refused, and what to do."""
        said = f"{self.host} refused {response.request.path_url} ({complaint(response)})"
        if response.status_code == 401:
            return Halt(f"{said}: check PREP_LOGIN and PREP_API_KEY")
        if response.status_code == 403 and is_page(response):
            agent = self.session.headers["User-Agent"]
            return Halt(f"{said}, its edge turned away the agent {agent!r}: check PREP_CONTACT, ask later")
        if response.status_code == 403:
            return Halt(f"{said}: ask for less, or with an account that may")
        if response.status_code == 422:
            return Halt(f"{said}: ask for fewer tags")
        return Halt(f"{said}: check host and tags")


@contextmanager
def open_site(
    host: str, contact: str = "", login: str = "", api_key: str = "", *, rate: float = 1.0, clock=time
) -> Iterator[Site]:
    """Open a site, to be asked at most `rate` times a second unless it is on loopback.

    Raise ValueError for a bad address or contact, and Halt if there is no contact for a site that needs one.
    """
    host = host.rstrip("/")
    near, secure = is_loopback(host), urlsplit(host).scheme == "https"
    if not re.match("https?://.", host):
        raise ValueError(f"host must be an address such as https://danbooru.donmai.us, got {host!r}")
    if bool(login) != bool(api_key):
        raise ValueError("PREP_LOGIN and PREP_API_KEY must be set together, got one of them")
    if api_key and not near and not secure:
        raise ValueError(f"host must begin with https:// to be told an API key, got {host!r}")
    if not near and not contact:
        raise Halt(f"{host} must know whom to write to: set PREP_CONTACT to your address")
    agent = f"inkwash/{version('inkwash')} (user {login or 'anonymous'}; {contact or 'loopback'})"
    if not (agent.isascii() and agent.isprintable()):
        raise ValueError(f"login and contact must be printable ASCII, got {agent!r}")
    with requests.Session() as session:
        session.trust_env = not near
        session.headers["User-Agent"] = agent
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=32))
        auth = (login, api_key) if login else None
        yield Site(session, host, 0 if near else 1 / rate, auth, clock)


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine's own."""
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_page(response: requests.Response) -> bool:
    """Tell whether an answer is a web page."""
    return response.headers.get("Content-Type", "").startswith("text/html")


def complaint(response: requests.Response) -> str:
    """Return the status of an answer, and what Danbooru says of it."""
    try:
        error = response.json()
        return f"{response.status_code} {error['error']}: {error['message']}"
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return str(response.status_code)


# ---------------------------------------------------------------- posts


def search(
    site: Site, search: params.Search, tick: Callable[[int, int], None] = lambda found, limit: None
) -> Iterator[dict]:
    """Yield the newest posts that are asked for, reduced to FIELDS, newest first.

    After each page `tick` gets the number of posts found and the most that are wanted. Raise ValueError for a
    search that the site would refuse, before it is asked, and Halt if nothing is found.
    """
    return browse(site, compose(search), search.limit, tick)


def compose(search: params.Search) -> str:
    """Write a search in the site's language. Raise ValueError for too many tags or an unknown rating."""
    words = search.tags.split()
    if len(query.counted(search.tags)) > query.LIMITS["anonymous"]:
        raise ValueError(f"tags must be at most 2 without an account, got {search.tags!r}")
    if any(word.startswith(("order:", "random:")) for word in words):
        raise ValueError(f"tags must not ask for an order, got {search.tags!r}")
    if not search.rating or set(search.rating.split(",")) - set("gsqe"):
        raise ValueError(f"rating must be some of g, s, q and e joined by commas, got {search.rating!r}")
    least = f"score:>={search.score} width:>={search.size} height:>={search.size}"
    return " ".join([*words, "status:active", f"rating:{search.rating}", least])


def browse(site: Site, tags: str, limit: int, tick: Callable[[int, int], None]) -> Iterator[dict]:
    """Yield up to `limit` posts, page by page down the ids."""
    found, cursor = 0, {}
    while found < limit:
        page = site.ask("/posts.json", tags=tags, limit=PAGE, only=FIELDS, **cursor)
        if not isinstance(page, list):
            raise Halt(f"{site.host} answered a search with no list: check that host names a Danbooru")
        if not page:
            break
        page = page[: limit - found]
        yield from (relative(site.host, post) for post in page)
        found += len(page)
        cursor = {"page": f"b{min(post['id'] for post in page)}"}
        tick(found, limit)
    if not found:
        raise Halt(f"{site.host} has no post for {tags!r}: ask for less")


def relative(host: str, post: dict) -> dict:
    """Drop the site's own address from where a file is: it may be a port of today."""
    if post.get("file_url", "").startswith(f"{host}/"):
        return post | {"file_url": post["file_url"].removeprefix(host)}
    return post


def write_posts(path: Path, posts: Iterable[dict]) -> int:
    """Write posts sorted by id, one JSON object a line, and return their number."""
    lines = [dumps(post) + b"\n" for post in sorted(posts, key=lambda post: post["id"])]
    write(path, b"".join(lines))
    return len(lines)


def read_posts(path: Path) -> list[dict]:
    """Read the posts of a file. Raise Halt if there is none, and for a line that is no post in its place."""
    if not path.is_file():
        raise Halt(f"{path} does not exist: run search first")
    posts, last = [], -1
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            post = json.loads(line)
            in_place = post["id"] > last
        except (ValueError, KeyError, TypeError):
            in_place = False
        if not in_place:
            raise Halt(f"{path} line {number} is not the next post: run search again")
        posts.append(post)
        last = post["id"]
    return posts
