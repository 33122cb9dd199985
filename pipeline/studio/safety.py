"""What protects the studio: who may ask it, how much they may send, and which pictures it opens.

A page of any site can send requests to a server on loopback, and a name of its own can lead there. So the
server answers under its own names alone, and only its own page, which knows the token, can change anything.
"""

import json
import logging
import secrets
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np
from anyio import fail_after
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import BadImage, Halt
from pipeline.images import codec
from pipeline.untrusted import safe_text

TOKEN_HEADER = "X-Inkwash-Token"
READING = ("GET", "HEAD")
METHODS = (*READING, "POST", "PUT")
OWN_SITES = ("same-origin", "none")  # of Sec-Fetch-Site: the page itself, and an address that a person typed
MOST_PIXELS = 50 * 10**6  # of a picture to open
MOST_BYTES = 1 << 20  # of a body, except those of LARGE_BODIES
LARGE_BODIES = {"/api/infer": 10 << 20, "/api/sketch": 64 << 20}  # bytes, by path
MOST_REQUESTS = 256  # at once
MOST_HELD = 1 << 28  # bytes of all their bodies
BUSY = "the studio has too much to answer: try again in a moment"
PATIENCE = 60  # seconds for the next part of a body
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NEVER_STORED = ("/api/", "/page.json")
LOGGER = logging.getLogger(__name__)


class Guard:
    """An application behind the checks of `refuse`, with bounded bodies, and with HEADERS on every answer."""

    def __init__(self, app: ASGIApp, port: int, token: str):
        self.app, self.port, self.token = app, port, token
        self.open = 0  # requests
        self.held = 0  # bytes of their bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self.answer(scope, receive, protected(scope, send))

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = refuse(scope, self.port, self.token)
        if refusal is None and self.open >= MOST_REQUESTS:
            refusal = answer_error(503, BUSY)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        body = Body(self, most_bytes(scope["path"]), receive)
        self.open += 1
        try:
            await self.app(scope, body.receive, send)
        finally:
            self.open -= 1
            self.held -= body.size


class Body:
    """The body of a request, stopped if it is longer than it may be, or comes too slowly."""

    def __init__(self, guard: Guard, most: int, receive: Receive):
        self.guard, self.most, self.source = guard, most, receive
        self.size, self.ended = 0, False

    async def receive(self) -> Message:
        """Return the next part. Raise HTTPException."""
        if self.ended:  # what comes next is the end of the connection
            return await self.source()
        try:
            with fail_after(PATIENCE):
                message = await self.source()
        except TimeoutError:
            raise HTTPException(408, "the request came too slowly: send it again") from None
        part = len(message.get("body", b""))
        self.size += part
        self.guard.held += part
        self.ended = not message.get("more_body", False)
        if self.size > self.most:
            raise HTTPException(413, too_long(self.most))
        if self.guard.held > MOST_HELD:
            raise HTTPException(503, BUSY)
        return message


def refuse(scope: Scope, port: int, token: str) -> Response | None:
    """Return the answer to a request that must not be served; None for the others."""
    headers, method = Headers(scope=scope), scope["method"]
    names = own_names(port)
    if not names.issuperset(headers.getlist("host")) or len(headers.getlist("host")) != 1:
        return answer_error(403, "this is not the address of the studio: open the one that it printed")
    foreign = not {f"http://{name}" for name in names}.issuperset(headers.getlist("origin"))
    if foreign or not {*OWN_SITES}.issuperset(headers.getlist("sec-fetch-site")):
        return answer_error(403, "another site asked for this: open the address that the studio printed")
    if method not in METHODS:
        return answer_error(405, f"the studio takes no {method[:20]}", {"Allow": ", ".join(METHODS)})
    given = "".join(headers.getlist(TOKEN_HEADER))
    if method not in READING and not secrets.compare_digest(given.encode(), token.encode()):
        return answer_error(403, "the token is missing or old: open the address that the studio printed last")
    length = headers.get("content-length", "0")
    most = most_bytes(scope["path"])
    if not length.isdecimal() or int(length[:20]) > most:
        return answer_error(413, too_long(most))
    return None


def own_names(port: int) -> set[str]:
    """Return what the Host of a request may be; a browser leaves out the port 80."""
    names = {"127.0.0.1", "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == 80 else set())


def protected(scope: Scope, send: Send) -> Send:
    """Add HEADERS to every answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if scope["path"].startswith(NEVER_STORED):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending


def most_bytes(path: str) -> int:
    return LARGE_BODIES.get(path, MOST_BYTES)


def too_long(most: int) -> str:
    return f"the request is longer than {most >> 20} MB: send less"


def answer_error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one sentence."""
    answer = answer_json({"error": safe_text(" ".join(sentence.split()))}, status)
    answer.headers.update(headers or {})
    return answer


async def fail_by_exception(request: Request, error: Exception) -> Response:
    """Say what stopped a request, as the command line says what stopped a command."""
    match error:
        case HTTPException(status_code=404, detail="Not Found"):
            return answer_error(404, "the studio has nothing at this address")
        case HTTPException(status_code=405, detail="Method Not Allowed"):
            return answer_error(405, "this address takes another method", error.headers)
        case HTTPException():
            return answer_error(error.status_code, error.detail, error.headers)
        case ClientDisconnect():
            return answer_error(400, "the request broke off")
        case BadImage():
            return answer_error(422, f"the picture cannot be used ({error}): take another")
        case Halt():
            return answer_error(422, str(error))
        case MemoryError():
            return answer_error(507, "out of memory: take a smaller picture, or close other programs")
        case OSError():
            return answer_error(500, str(error))
    trace = "".join(traceback.format_exception(error)).splitlines()
    LOGGER.error("%s", "\n".join(map(safe_text, trace)))
    return answer_error(500, f"a bug ({type(error).__name__}: {error}): the terminal tells more of it")


EXCEPTIONS: dict[Any, Any] = dict.fromkeys(
    (HTTPException, ClientDisconnect, BadImage, Halt, MemoryError, OSError, Exception), fail_by_exception
)


def answer_json(document: Any, status: int = 200) -> Response:
    """Answer with a document in its order. Raise ValueError for NaN and infinity, which are not JSON."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return Response(text.encode(), status, media_type="application/json")


async def read_json(request: Request) -> dict[str, Any]:
    """Read the JSON object that a request brings. Raise HTTPException if it is none."""
    try:
        document = json.loads(await request.body())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise HTTPException(400, "the request must bring a JSON object")
    return document


def open_picture(data: bytes, least: int = 1) -> np.ndarray:
    """Decode a picture as `codec.decode` does. Raise BadImage, for a large one by its header alone."""
    width, height = codec.read_size(data)
    if width * height > MOST_PIXELS:
        raise BadImage("too large")
    return codec.decode(data, least)
