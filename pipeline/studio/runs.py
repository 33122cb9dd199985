"""The screen of runs: which there are, what changed from one to another, and the pictures that changed most.

The functions that read runs come from the commands, as DVC does. They take turns, but for drawing pictures,
which takes long and goes on in the background.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.progress import Tick
from pipeline.studio.safety import answer_json, read_json
from pipeline.studio.state import Studio

LONGEST_WORD = 4096
PICTURES = 4  # that gained most, and that lost most
KEPT = 4  # pairs of runs whose pictures stay in memory
PATIENCE_WITH_DRAWING = 0.3  # seconds until an answer says how far it is


def run_routes(studio: Studio) -> list[Route]:
    turn, drawings = CapacityLimiter(1), Drawings()

    async def list_all(request: Request) -> Response:
        found = await to_thread.run_sync(studio.functions["list_runs"], studio.home, limiter=turn)
        return answer_json(found)

    async def compare(request: Request) -> Response:
        words = parse_words(await read_json(request), "before", "after")
        work = partial(studio.functions["compare_runs"], studio.home, *words)
        return answer_json(await to_thread.run_sync(work, limiter=turn))

    async def pictures(request: Request) -> Response:
        given = await read_json(request)
        before, after, pair = parse_words(given, "before", "after", "id")
        if given.get("stop"):
            drawings.stop(pair)
            return answer_json({})
        draw = partial(studio.functions["draw_runs"], studio.home, before, after, PICTURES)
        found = await studio.run(drawings.get, pair, draw)
        return answer_json(found, 202 if "done" in found else 200)

    return [
        Route("/api/runs", list_all),
        Route("/api/diff", compare, methods=["POST"]),
        Route("/api/diff/pictures", pictures, methods=["POST"]),
    ]


def parse_words(given: dict[str, Any], *names: str) -> list[str]:
    """Return texts of a request. Raise HTTPException if one is missing or too long."""
    words = [given.get(name) for name in names]
    if not all(isinstance(word, str) and 0 < len(word) < LONGEST_WORD for word in words):
        raise HTTPException(400, f"the request must name {' and '.join(names)}")
    return [str(word) for word in words]


class Stopped(Exception):
    """A person at the page does not want the pictures any more."""


@dataclass
class Drawing:
    """The pictures of a pair of runs, drawn in a thread of its own."""

    draw: Callable[[Tick], dict[str, Any]]
    done: int = 0
    total: int = 0
    stopped: bool = False
    result: dict[str, Any] | None = None
    error: Exception | None = None
    thread: Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            self.result = self.draw(self.tick)
        except Exception as error:
            self.error = error

    def tick(self, done: int, total: int) -> None:
        if self.stopped:
            raise Stopped
        self.done, self.total = done, total


class Drawings:
    """The drawings of the last pairs of runs, by a hash of what decides them."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, Drawing] = OrderedDict()

    def get(self, pair: str, draw: Callable[[Tick], dict[str, Any]]) -> dict[str, Any]:
        """Return the pictures of a pair, or how many parts of them are done; begin if nothing was begun.

        Raise what stopped the drawing, once.
        """
        drawing = self.known.get(pair) or Drawing(draw)
        self.known[pair] = drawing
        self.known.move_to_end(pair)
        while len(self.known) > KEPT:
            self.known.popitem(last=False)[1].stopped = True
        drawing.thread.join(PATIENCE_WITH_DRAWING)
        if drawing.error:
            self.known.pop(pair, None)
            raise drawing.error
        return drawing.result or {"done": drawing.done, "total": drawing.total}

    def stop(self, pair: str) -> None:
        """Stop drawing at the next picture; what is finished stays."""
        drawing = self.known.get(pair)
        if drawing and drawing.result is None:
            drawing.stopped = True
            self.known.pop(pair, None)
