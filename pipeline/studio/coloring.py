"""The network of the page: GET /api/model tells of it, and POST /api/infer runs it.

The body of a request is a line of JSON, {"arrays": [{"name": "sketch", "shape": [H, W]}, ...]}, and then the
uint8 values of these arrays, one array after another. Names and shapes are those of `given` in
`tiles.colorize_picture`. The answer is the picture, uint8 (H, W, 3).

The page asks again with each stroke. One request is computed at a time; of those that wait, only the newest
stays, and the others are answered with 409 at once.
"""

import json
import math
from typing import Any

import numpy as np
from anyio import CancelScope
from anyio import Lock as Turn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import Halt
from pipeline.models.network import Arrays, Network, open_network
from pipeline.models.tiles import colorize_picture
from pipeline.studio.page import describe_network
from pipeline.studio.safety import answer_json
from pipeline.studio.state import Studio
from pipeline.untrusted import is_integer

MOST_PIXELS_EACH = 1 << 20  # of an array: wash takes 4 GB for so many
LONGEST_HEAD = 4096  # bytes
GUIDE_ARRAYS = {"gray": ["color", "mask"], "none": []}  # others have one of their own name
TILE = 2048  # pixels, as that of `prep colorize`


class Painter:
    """A network that is opened when it is first needed, in the thread that computes with it."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.network: Network | None = None

    def open(self) -> Network:
        """Return the network. Raise Halt if it cannot be used; the next call tries again."""
        if self.network is None:
            try:
                self.network = open_network(self.studio.model, self.studio.device)
            except ModuleNotFoundError as error:
                extra = "color" if error.name == "onnxruntime" else "train"
                advice = f"install inkwash[{extra}], then start prep studio again"
                raise Halt(f"{self.studio.model} needs a package ({error}): {advice}") from None
        return self.network

    def describe(self) -> dict[str, Any]:
        """Describe the network, or say why there is none."""
        try:
            network = self.open()
        except (Halt, OSError) as why:
            return {"model": None, "why": str(why)}
        return {"model": describe_network(network, self.studio.title), "why": ""}

    def color(self, given: Arrays) -> bytes:
        """Color a picture. Raise HTTPException for inputs that the network does not take."""
        network = self.open()
        check_names(network, given)
        try:
            return colorize_picture(network, given, TILE).tobytes()
        except ValueError as error:
            raise HTTPException(400, str(error)) from error


class Newest:
    """Lets one request through at a time; of those that wait, the newest."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.waiting: CancelScope | None = None

    async def paint(self, painter: Painter, request: Request) -> Response:
        with CancelScope() as scope:
            if self.waiting:
                self.waiting.cancel()
            self.waiting = scope
            try:
                given = parse_arrays(await request.body())
                await self.turn.acquire()
            finally:
                if self.waiting is scope:
                    self.waiting = None
        if scope.cancelled_caught:
            raise HTTPException(409, "a newer request took the place of this one")
        try:
            picture = await painter.studio.paint(painter.color, given)
        finally:
            self.turn.release()
        return Response(picture, media_type="application/octet-stream")


def color_routes(studio: Studio) -> list[Route]:
    painter, newest = Painter(studio), Newest()

    async def page(request: Request) -> Response:
        return answer_json({"mode": "studio", "version": studio.version})

    async def model(request: Request) -> Response:
        return answer_json(await studio.paint(painter.describe))  # which may take seconds to open it

    async def infer(request: Request) -> Response:
        return await newest.paint(painter, request)

    return [
        Route("/page.json", page),
        Route("/api/model", model),
        Route("/api/infer", infer, methods=["POST"]),
    ]


def parse_arrays(body: bytes) -> Arrays:
    """Read the arrays of a request. Raise HTTPException if it is not as the module says."""
    head = body[:LONGEST_HEAD].partition(b"\n")[0]
    place, given = len(head) + 1, {}
    try:
        for entry in json.loads(head)["arrays"]:
            name, shape = entry["name"], entry["shape"]
            check_shape(name, shape)
            if name in given:
                raise ValueError(f"{name} comes twice")
            values = np.frombuffer(body, np.uint8, math.prod(shape), place)
            given[name], place = values.reshape(shape), place + values.size
        if place != len(body):
            raise ValueError("the body is longer than its arrays")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise HTTPException(400, f"the arrays cannot be read ({error})") from None
    return given


def check_shape(name: Any, shape: Any) -> None:
    """Raise ValueError unless an array of this name and shape may be sent."""
    fits = isinstance(name, str) and isinstance(shape, list) and all(is_integer(each, 1) for each in shape)
    if not fits or shape[2:] not in ([], [3], [4]) or len(shape) < 2:
        raise ValueError("an array must have a name and a shape: two sides, and 3 or 4 channels if not 1")
    if math.prod(shape[:2]) > MOST_PIXELS_EACH:
        raise ValueError(
            f"an array must have at most {MOST_PIXELS_EACH:,} pixels, got {shape[0]} x {shape[1]}"
        )


def check_names(network: Network, given: Arrays) -> None:
    """Raise HTTPException unless a network takes arrays of these names."""
    if given.keys() not in [{"sketch", *GUIDE_ARRAYS.get(guide, [guide])} for guide in network.guides]:
        guides = " or ".join(network.guides)
        raise HTTPException(
            400, f"the network takes a sketch and {guides}, got {', '.join(given) or 'nothing'}"
        )
