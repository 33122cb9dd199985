"""Connections that wait for no slow response, and that reach this machine only by a name that says so."""

import io
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import CONTINUE, HTTPResponse, IncompleteRead
from threading import Lock
from typing import Any, Self
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import certifi
from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPHeaderDict,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Timeout,
    make_headers,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pipeline.errors import Halt
from pipeline.web.addresses import host_name, is_loopback, is_loopback_name, is_this_machine

GRACE = 60.0  # seconds that a response may take, plus one more for each LEAST_RATE bytes of its body
LEAST_RATE = 10_000  # bytes per second
MAX_HEAD = 256_000  # bytes of a response before its body
FIRST_READ = 1 << 16  # bytes at most, of which some may be of the body
POOL_SIZE = 32  # connections to a host that stay open


class ForbiddenAddress(Halt):
    """An address leads to a machine that must not be asked."""


class PacedReader(io.RawIOBase):
    """The bytes of a response, `body` of which were of its body.

    Reading raises ConnectionError if its head is too long, and TimeoutError if its body comes too slowly,
    however many other bytes come: there is no end to chunk extensions and trailers.
    """

    def __init__(self, raw: io.RawIOBase):
        self.raw, self.start, self.total, self.body = raw, time.monotonic(), 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self.body:
            buffer = memoryview(buffer)[:FIRST_READ]
        count = self.raw.readinto(buffer)
        self.total += count or 0
        if not self.body and self.total > MAX_HEAD:
            raise ConnectionError(f"a head of more than {MAX_HEAD} bytes")
        if time.monotonic() - self.start > GRACE + self.body / LEAST_RATE:
            raise TimeoutError(f"slower than {LEAST_RATE} bytes per second")
        return count

    def close(self) -> None:
        self.raw.close()
        super().close()


class PacedResponse(HTTPResponse):
    """A response with a least rate. What a site says before it answers is skipped: 100 to 199."""

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None):
        super().__init__(sock, debuglevel, method, url)
        self.reader = PacedReader(self.fp.detach())
        self.fp = io.BufferedReader(self.reader)

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if 100 <= status < 200 else status, reason

    def readinto1(self, buffer: Any) -> int:
        """Read what has arrived of the body, 0 bytes at its end. Raise IncompleteRead if it breaks off."""
        if self.fp is None:
            return 0
        room = len(buffer) if self.length is None else min(len(buffer), self.length)
        if self.chunked or not self.reader.body:  # what came with the head is there: `readinto1` would wait
            data = self.read1(room) if self.chunked else self.fp.read1(room)
            count = len(data)
            buffer[:count] = data
        else:
            count = self.fp.readinto1(buffer[:room])
        if self.length is not None:
            self.length -= count
        if self.fp and (not count or self.length == 0):
            self._close_conn()  # type: ignore[attr-defined]  # of the body: the connection stays
        if not count and self.length:
            raise IncompleteRead(b"", self.length)
        self.reader.body += count
        return count


class CheckedConnection(HTTPConnection):
    """A connection that checks where its name led to, before it sends a request."""

    response_class = PacedResponse

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        ip = ipaddress.ip_address(opened.getpeername()[0].partition("%")[0])
        name = self.host.lower().strip("[]").rstrip(".")
        if not self.proxy and is_this_machine(ip) and not is_loopback_name(name):
            opened.close()
            raise ForbiddenAddress(f"{self.host} leads to this machine: name it as {ip} to ask it")
        return opened


class CheckedHTTPSConnection(CheckedConnection, HTTPSConnection):
    """The same over TLS."""


class CheckedPool(HTTPConnectionPool):
    """A pool of checked connections."""

    ConnectionCls = CheckedConnection


class CheckedHTTPSPool(HTTPSConnectionPool):
    """A pool of checked connections over TLS."""

    ConnectionCls = CheckedHTTPSConnection


POOLS = {"http": CheckedPool, "https": CheckedHTTPSPool}


@dataclass(eq=False)
class Response:
    """The response to a request: its body arrives, or `content` has it."""

    url: str
    asked: Mapping[str, str]  # the headers of the request
    raw: BaseHTTPResponse
    body: PacedResponse
    content: bytes = b""

    @property
    def status(self) -> int:
        return self.raw.status

    @property
    def headers(self) -> HTTPHeaderDict:
        return self.raw.headers

    @property
    def location(self) -> str:
        """The target of a redirect, "" if it is none."""
        return self.raw.get_redirect_location() or ""

    def read_into(self, buffer: memoryview) -> int:
        """Read what has arrived of the body, 0 bytes at its end. Raise OSError or HTTPException."""
        count = self.body.readinto1(buffer)
        if not count:
            self.raw.release_conn()  # for the next request
        return count

    def close(self) -> None:
        """Close the connection, unless the body has arrived whole."""
        self.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Connections:
    """Open connections to any hosts, by the proxies of the environment. Several threads may use them.

    They keep no cookies, know no logins, and leave bodies, redirects and failures to the caller.
    """

    def __init__(self) -> None:
        self.managers: dict[tuple[str, str], PoolManager] = {}  # by scheme and proxy
        self.lock = Lock()

    def send(self, url: str, headers: Mapping[str, str], timeout: tuple[float, float]) -> Response:
        """Send a GET request; `timeout` has the seconds to connect, and between two packets.

        Raise HTTPError of urllib3; LocationValueError, one of them, or UnicodeError for what is no address.
        """
        if "*" in host_name(url):  # a pattern; as a name that nobody knows it would be asked for again
            raise LocationParseError(url)
        raw = self.manager(url).urlopen(
            "GET",
            url,
            headers=headers,
            timeout=Timeout(connect=timeout[0], read=timeout[1]),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        return Response(url, headers, raw, raw._original_response)  # type: ignore[attr-defined]

    def manager(self, url: str) -> PoolManager:
        kind = (url.partition(":")[0].lower(), proxy_of(url))
        with self.lock:
            if kind not in self.managers:
                self.managers[kind] = open_manager(*kind)
            return self.managers[kind]

    def close(self) -> None:
        for manager in self.managers.values():
            manager.clear()


def proxy_of(url: str) -> str:
    """Return the proxy that the environment names for an address, "" for none; loopback has none."""
    if is_loopback(url):
        return ""
    proxies = getproxies()
    proxy = proxies.get(url.partition(":")[0].lower()) or proxies.get("all", "")
    return "" if not proxy or proxy_bypass(host_name(url)) else proxy


def open_manager(scheme: str, proxy: str) -> PoolManager:
    """Open pools of connections to hosts, direct or by a proxy."""
    options: dict[str, Any] = {"maxsize": POOL_SIZE}
    if scheme == "https":
        options["ssl_context"] = tls_context()
    if not proxy:
        manager = PoolManager(**options)
    elif proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager  # of the package PySocks

        return SOCKSProxyManager(proxy, **options)  # the proxy looks names up, so that none can be checked
    else:
        login = parse_url(proxy).auth
        given = make_headers(proxy_basic_auth=unquote(login)) if login else None
        manager = ProxyManager(proxy, proxy_headers=given, **options)
    manager.pool_classes_by_scheme = POOLS
    return manager


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the authorities of certifi, or those that the environment names."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
