"""An HTTP server on loopback for a function from request to answer.

An answer may fail in transfer: the server sends part of its body, pauses, and closes the connection.
"""

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_CONNECTIONS = 256  # at a time, each with a thread


@dataclass(frozen=True)
class Request:
    """A request: path and query as sent, headers (capitalized as in User-Agent), address of the server."""

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = "http://127.0.0.1"
    method: str = "GET"

    @cached_property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> dict[str, str]:
        """Return the parameters of the target; the last one of equal names counts."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """A response: status, content type, body, and additional headers.

    With `keep` below 1 the server sends only that share of the body, although Content-Length counts all of
    it, waits for `pause` seconds and closes the connection.
    """

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: float = 1.0
    pause: float = 0.0


def apply_range(answer: Answer, request: Request) -> Answer:
    """Reduce an answer that accepts ranges to the requested one, such as `bytes=5-` or `bytes=5-9`."""
    match = re.fullmatch("bytes=([0-9]{1,18})-([0-9]{0,18})", request.headers.get("Range", ""))
    if not match or answer.status != 200 or "Accept-Ranges" not in answer.headers:
        return answer
    size = len(answer.body)
    start, stop = int(match[1]), min(int(match[2] or size) + 1, size)
    if start >= size:
        return Answer(416, "text/html", b"", {"Content-Range": f"bytes */{size}"})
    if start >= stop:  # the last byte comes before the first
        return answer
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(answer, status=206, body=answer.body[start:stop], headers={**answer.headers, **span})


class Server(ThreadingHTTPServer):
    """Serve a function on a port of 127.0.0.1 (0: a free one), each connection in its own thread.

    Where there are too many connections, the oldest is closed, so that slow clients keep no others out.
    """

    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], Answer]):
        self.respond, self.lock = respond, threading.Lock()
        self.connections: list[socket.socket] = []  # the oldest first
        super().__init__(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.connections.append(request)
            too_many = self.connections[:-MAX_CONNECTIONS]
        hang_up(too_many)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection whose thread ends."""
        with self.lock:
            self.connections.remove(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and end all connections."""
        super().server_close()
        with self.lock:
            hang_up(self.connections)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgment of its head

    def do_GET(self) -> None:
        try:
            urlsplit(self.path)
        except ValueError:
            return self.send_error(400)
        headers = {name.title(): value for name, value in self.headers.items()}
        answer = self.server.respond(Request(self.path, headers, self.server.address, self.command))
        self.send_response(answer.status)
        usual = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for name, value in {**usual, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(answer.body[: int(len(answer.body) * answer.keep)])
        if answer.keep < 1 or answer.pause:
            self.connection.settimeout(answer.pause)
            with suppress(OSError):
                self.connection.recv(1)  # wait, but not for a connection that ended
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass  # log nothing


def hang_up(connections: list[socket.socket]) -> None:
    """End connections, so that their threads end."""
    for connection in connections:
        with suppress(OSError):  # it ended by itself
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def run_server(respond: Callable[[Request], Answer]) -> Iterator[str]:
    """Serve a function in the background on a free port, and yield the address."""
    with Server(0, respond) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
