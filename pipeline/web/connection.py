"""Connections that wait for no slow response, and that reach this machine only by a name that says so."""

import io
import ipaddress
import socket
import time
from http.client import CONTINUE, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from pipeline.errors import Halt
from pipeline.web.addresses import is_loopback_name, is_this_machine

GRACE = 60.0  # seconds that a response may take, plus one more for each LEAST_RATE bytes of its body
LEAST_RATE = 10_000  # bytes per second
MAX_HEAD = 256_000  # bytes of a response before its body


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

    def read1(self, n: int = -1) -> bytes:
        data = super().read1(n)
        self.reader.body += len(data)
        return data


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


class CheckedAdapter(HTTPAdapter):
    """An adapter for `requests` that opens checked connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = POOLS
        return manager


class PlainSession(requests.Session):
    """A session that keeps no cookies, sends no logins of its own, and leaves bodies and redirects alone."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["Accept-Encoding"] = "gzip, deflate"
        for scheme in ("http://", "https://"):
            self.mount(scheme, CheckedAdapter(pool_maxsize=32))
        self.stream = True
        self.auth = lambda request: (
            request
        )  # without a function, the logins of the user's .netrc would be sent

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: for a target, requests would read the body of a redirect, however long."""
        return None
