"""The server of the studio: files as answers, the routes of all screens, and the socket on loopback.

A file is a module of the page, or one of a column, which is sent whole or as the range that is asked for.
"""

import errno
import hashlib
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from pipeline.errors import Halt
from pipeline.files import READ_AHEAD, halt_on_disconnect, open_for_reading
from pipeline.studio import coloring, editing, limits, project, runs, sketching
from pipeline.studio.columns import DataFile
from pipeline.studio.dataset import samples, twins
from pipeline.studio.page import WEB
from pipeline.studio.safety import EXCEPTIONS, Guard
from pipeline.studio.state import Studio

ROUTES = [  # each makes the routes of a module
    coloring.color_routes,
    editing.edit_routes,
    limits.limit_routes,
    project.project_routes,
    runs.run_routes,
    samples.sample_routes,
    sketching.sketch_routes,
    twins.twin_routes,
]
LOOPBACK = "127.0.0.1"
PORT = 8642  # a browser keeps the drawings of an address, to which the port belongs
TYPES = {  # not the table of the system, which may call a module plain text
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".tar": "application/x-tar",
    ".tsv": "text/tab-separated-values; charset=utf-8",
}
PAGE_TYPES = (".html", ".css", ".js", ".svg")
SENT_AT_ONCE = 1 << 20  # bytes to read at once
FEWEST_AHEAD = 1 << 16  # bytes to read from a URL at once
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
SIDES = range(16, 1025)  # of a small picture, in pixels
MOST_LETTERS = 200  # of a key


def build_app(studio: Studio) -> ASGIApp:
    routes = [route for make in (*ROUTES, file_routes) for route in make(studio)]
    app = Starlette(routes=routes, exception_handlers=EXCEPTIONS)
    app.router.redirect_slashes = False
    return Guard(app, studio.port, studio.token)


def listen(port: int | None = None) -> socket.socket:
    """Listen on a port of loopback, 0 for a free one; without one on PORT, or a free one if that is taken.

    Raise Halt if the port cannot be used.
    """
    if port is None:
        try:
            return listen(PORT)
        except Halt:
            return listen(0)
    server = socket.socket()
    if os.name == "posix":  # elsewhere the option lets two programs share a port
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((LOOPBACK, port))
        server.listen(2048)
    except OSError as error:
        server.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise Halt(f"the port {port} cannot be used ({error}): name another, or 0 for a free one") from None
    return server


def serve_page(studio: Studio, server: socket.socket) -> None:
    """Serve until an interrupt, and end what is being answered; then raise KeyboardInterrupt."""
    config = uvicorn.Config(
        build_app(studio),
        log_level="critical",  # `fail_by_exception` tells of bugs
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[server])


# ---------------------------------------------------------------- files


def file_routes(studio: Studio) -> list[Route]:
    async def data(request: Request) -> Response:
        column, name = request.path_params["column"], request.path_params["name"]
        found = await studio.run(studio.columns.file, column, name)
        return await send_file(studio, request, found)

    async def thumb(request: Request) -> Response:
        asked = request.query_params
        column, key, member, side = (asked.get(name, "") for name in ("column", "key", "member", "side"))
        if not side.isdecimal() or int(side[:9]) not in SIDES or len(key) > MOST_LETTERS:
            raise HTTPException(400, f"side must be {SIDES.start} to {SIDES.stop - 1} pixels")
        made = await studio.run(studio.columns.thumb, column, key, member, int(side))
        return Response(made, media_type="image/png")

    return [
        Route("/data/{column:path}/{name}", data),
        Route("/api/thumb", thumb),
        Route("/{path:path}", send_page),
    ]


async def send_page(request: Request) -> Response:
    """Send a file of the page; its folder is read each time, so that an edit needs no new start."""
    found = {path.relative_to(WEB).as_posix(): path for path in WEB.rglob("*") if path.suffix in PAGE_TYPES}
    path = found.get(request.path_params["path"] or "index.html")
    if path is None or path.is_symlink():
        raise HTTPException(404)
    data = path.read_bytes()
    headers = tag_headers(hashlib.sha256(data).hexdigest())
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=TYPES[path.suffix])


async def send_file(studio: Studio, request: Request, file: DataFile) -> Response:
    """Send a file, or the range of it that is asked for."""
    headers = tag_headers(file.sha256) | {"Accept-Ranges": "bytes"}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    is_same = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    asked = request.headers.get("range", "") if is_same and request.method == "GET" else ""
    part = find_range(asked, file.size)
    headers["Content-Length"] = str(len(part))
    status = 206 if asked.startswith("bytes=") else 200
    if status == 206:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    media = TYPES[file.path.suffix]
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media)
    stream, start = await studio.run(open_part, file.path, part)
    return StreamingResponse(read_part(studio, stream, start, len(part)), status, headers, media)


def find_range(asked: str, size: int) -> range:
    """Return the bytes that a Range header asks for, all of them without one. Raise HTTPException.

    A server need not serve several ranges at once, and this one does not.
    """
    if not asked.startswith("bytes="):  # no range, or a unit that is to be ignored (RFC 9110, 14.2)
        return range(size)
    found = RANGE.fullmatch(asked.replace(" ", ""))
    first, last = found.groups() if found else ("", "")
    if first:
        part = range(int(first), min(int(last) + 1, size) if last else size)
    else:
        part = range(max(0, size - int(last)), size) if last else range(0)
    if not part:
        raise HTTPException(416, "the file has no such range of bytes", {"Content-Range": f"bytes */{size}"})
    return part


def open_part(path: Path, part: range) -> tuple[BinaryIO, bytes]:
    """Open a file at a range, and read the beginning of it, so that what fails does so before the answer."""
    try:
        with halt_on_disconnect(path):
            stream = open_for_reading(path, min(max(len(part), FEWEST_AHEAD), READ_AHEAD))
            stream.seek(part.start)
            return stream, stream.read(min(len(part), SENT_AT_ONCE))
    except FileNotFoundError:
        raise HTTPException(404, f"{path} does not exist, or its server does not answer") from None


async def read_part(studio: Studio, stream: BinaryIO, chunk: bytes, left: int) -> AsyncIterator[bytes]:
    """Yield `left` bytes of a stream, of which `chunk` was read."""
    with stream:
        while chunk:
            yield chunk
            left -= len(chunk)
            chunk = await studio.run(stream.read, min(left, SENT_AT_ONCE))


def tag_headers(sha256: str) -> dict[str, str]:
    """Let a browser keep a file, but ask each time whether it is still the same."""
    return {"ETag": f'"{sha256}"', "Cache-Control": "no-cache"}


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the browser has the file with this tag."""
    known = request.headers.get("if-none-match", "")
    return known == "*" or tag in (each.strip().removeprefix("W/") for each in known.split(","))
