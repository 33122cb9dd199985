"""Requests to the studio, and a network for it that needs no weights."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from pipeline.models.network import Network

PORT, TOKEN = 8642, "the-token"
HOST = f"127.0.0.1:{PORT}"
ADDRESS = f"http://{HOST}"
HELD = {"X-Inkwash-Token": TOKEN}
GUIDES = ("cue", "reference", "none", "gray")


@dataclass
class Work:
    """What a network that needs no weights was asked to do; its picture is the sketch."""

    opened: int = 0
    running: int = 0
    most: int = 0  # at once

    def open(self, model: Path, device: str) -> Network:
        """Stand for `open_network`."""
        self.opened += 1
        return Network(self.infer, {"system": "wash", "side": 16}, GUIDES, 8, "0" * 64, "paper and pencil")

    def infer(self, given):
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(0.001)  # long enough for another thread to begin
        self.running -= 1
        return np.repeat(given["sketch"], 3, axis=1)


def arrays(*names, side=16, **given):
    """Return the body of a request that colors by white arrays of these names, or by these arrays."""
    shapes = {"sketch": (side, side), "mask": (side, side)}
    white = {name: np.full(shapes.get(name, (side, side, 3)), 255, np.uint8) for name in names or ["sketch"]}
    made = given or white
    head = {"arrays": [{"name": name, "shape": values.shape} for name, values in made.items()]}
    return json.dumps(head).encode() + b"\n" + b"".join(values.tobytes() for values in made.values())


def get_raw(app, target, method="GET", headers=(), receive=None):
    """Ask for a target that no client sends as it is; return status and body of the answer."""
    answered = []

    async def receive_nothing():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        answered.append(message)

    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", HOST.encode()), *headers],
    }
    asyncio.run(app(scope, receive or receive_nothing, send))
    return answered[0]["status"], b"".join(message.get("body", b"") for message in answered)


def is_sentence(answer):
    """Tell whether an answer is one sentence, without a trace of code."""
    document = json.loads(answer if isinstance(answer, bytes) else answer.content)
    error = document["error"]
    return set(document) == {"error"} and bool(error) and "\n" not in error and "Traceback" not in error
