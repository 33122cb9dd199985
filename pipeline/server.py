"""HTTP on loopback, a function from request to answer: what `booru` listens with.

An answer may also say how its sending goes wrong: how much of the body is sent, and how long nothing follows.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What is asked: the path and query as they were sent, the headers, and the address that was asked.

    Names of headers are written as in User-Agent, however they were sent.
    """

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = "http://127.0.0.1"
    method: str = "GET"

    @cached_property
    def path(self) -> str:
        """Return the target without its query."""
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> dict[str, str]:
        """Return the parameters of the target; the last of equal names counts."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What goes back: status, content type, body, and headers beside the usual ones.

    With `keep` below 1 only that share of the body is sent, though all of it is declared; then nothing comes
    for `pause` seconds, and the connection is closed.
    """

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: float = 1.0
    pause: float = 0.0


def ranged(answer: Answer, request: Request) -> Answer:
    """Reduce an answer to the Range that is asked for, if it accepts ranges: `bytes=5-` or `bytes=5-9`."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if not match or answer.status != 200 or "Accept-Ranges" not in answer.headers:
        return answer
    size = len(answer.body)
    start, stop = int(match[1]), min(int(match[2] or size) + 1, size)
    if start >= size:
        return Answer(416, "text/html", b"", {"Content-Range": f"bytes */{size}"})
    if start >= stop:  # the last byte stands before the first
        return answer
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(answer, status=206, body=answer.body[start:stop], headers={**answer.headers, **span})


class Server(ThreadingHTTPServer):
    """A function on a port of 127.0.0.1, each connection in a thread of its own."""

    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], Answer]):
        """Listen on `port`, or on any free one for 0."""
        self.respond, self.closing = respond, threading.Event()
        super().__init__(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def server_close(self) -> None:
        """Stop listening, and wake the connections that pause."""
        self.closing.set()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep silent about a client that hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgment of its head

    def do_GET(self) -> None:
        """Answer a request."""
        headers = {name.title(): value for name, value in self.headers.items()}
        answer = self.server.respond(Request(self.path, headers, self.server.address, self.command))
        self.send_response(answer.status)
        usual = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
        for name, value in {**usual, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.send_body(answer)

    do_HEAD = do_GET

    def send_body(self, answer: Answer) -> None:
        """Send as much of a body as its answer says, and as slowly."""
        self.wfile.write(answer.body[: int(len(answer.body) * answer.keep)])
        if answer.keep < 1 or answer.pause:
            self.server.closing.wait(answer.pause)
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep silent."""


@contextmanager
def running(respond: Callable[[Request], Answer]) -> Iterator[str]:
    """Answer in the background on a free port, and yield the address."""
    with Server(0, respond) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
