"""The server of the studio: its routes behind the guard, and the socket on loopback that it listens on."""

import errno
import os
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from pipeline.errors import Halt
from pipeline.studio import coloring, editing, limits, project, runs, sending, sketching
from pipeline.studio.dataset import samples, twins
from pipeline.studio.safety import EXCEPTIONS, Guard
from pipeline.studio.sending import send_page
from pipeline.studio.state import Studio

ROUTES = [  # each makes the routes of a module
    coloring.color_routes,
    editing.edit_routes,
    limits.limit_routes,
    project.project_routes,
    runs.run_routes,
    samples.sample_routes,
    sending.file_routes,
    sketching.sketch_routes,
    twins.twin_routes,
]
LOOPBACK = "127.0.0.1"
LAST_SECONDS = 3  # seconds for answers that are on their way when the server ends


def build_app(studio: Studio) -> ASGIApp:
    routes = [route for make in ROUTES for route in make(studio)]
    app = Starlette(routes=[*routes, Route("/{path:path}", send_page)], exception_handlers=EXCEPTIONS)
    app.router.redirect_slashes = False
    return Guard(app, studio.port, studio.token)


def listen(port: int) -> socket.socket:
    """Listen on a port of loopback, 0 for a free one. Raise Halt if it is taken."""
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
    """Serve until an interrupt, which is raised again as KeyboardInterrupt."""
    config = uvicorn.Config(
        build_app(studio),
        log_level="error",
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=LAST_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[server])
