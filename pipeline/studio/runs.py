"""The screen of runs: which there are, what changed from one to another, and the pictures that changed most.

The functions that read runs come from the commands, as DVC does. They take turns, but for drawing pictures,
which takes long and goes on in the background.
"""

from functools import partial
from threading import Lock
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.studio.dataset.background import Background, Say, answer_when_ready
from pipeline.studio.safety import answer_json, read_json
from pipeline.studio.state import Studio

LONGEST_WORD = 1024
PICTURES = 4  # that gained most, and that lost most
KEPT = 4  # pairs of runs whose pictures stay in memory


def run_routes(studio: Studio) -> list[Route]:
    turn, drawings, models = CapacityLimiter(1), Background[dict[str, Any]](KEPT), Lock()

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

        def draw(say: Say) -> dict[str, Any]:
            def tick(done: int, total: int) -> None:
                say(f"Both models color the pictures: {done} of {total} steps are done.")

            with models:  # two at once would take each other's cores and memory
                say("The studio begins to read.")
                return studio.functions["draw_runs"](studio.home, before, after, pair, PICTURES, tick)

        return await answer_when_ready(studio, drawings.get, pair, draw)

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
