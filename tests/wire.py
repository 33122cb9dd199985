"""Connections in place of the network, for the tests of web."""

from io import BytesIO
from typing import NamedTuple

from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from pipeline.web.addresses import domain
from pipeline.web.connection import Response

API = "https://danbooru.donmai.us"


FILE = "https://cdn.donmai.us/original/a.png"


class Request(NamedTuple):
    """A request that was recorded."""

    url: str
    headers: dict


class Wire:
    """Connections in place of the network: they record every request and send none."""

    def __init__(self, clock=None, **respond):
        """Answer 200, or as `respond` gives it by domain, such as donmai_us=(403, {})."""
        self.clock, self.respond, self.requests, self.starts = clock, respond, [], []
        self.body = b"[]"

    def send(self, url, headers, timeout):
        status, answered = self.respond.get(domain(url).replace(".", "_"), (200, {}))
        self.requests.append(Request(url, headers))
        self.starts.append(self.clock.now if self.clock else 0)
        if status == "dead":
            raise ProtocolError
        raw = HTTPResponse(b"", answered, status, preload_content=False)
        return Response(url, headers, raw, BytesIO(self.body))

    @property
    def credentials(self):
        """List the Authorization headers of the requests."""
        return [request.headers.get("Authorization") for request in self.requests]
