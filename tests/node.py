"""The modules of the page, called from Python by Node."""

import atexit
import base64
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
WEB = ROOT / "pipeline" / "studio" / "web"
NODE = shutil.which("node")
LONGEST = 120  # seconds that a call may take
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")


class ScriptError(Exception):
    """An error that a function of the page threw."""


def call(module: str, name: str, *given: Any) -> Any:
    """Call a function that a module of the page exports, such as call("engine/flats.js", "fillFlats", ...).

    Arrays of NumPy become images, (H, W) or (H, W, C), or typed arrays (N,), and come back as arrays. Raise
    ScriptError if the function throws.
    """
    return run_node({"module": (WEB / module).as_uri(), "name": name, "given": pack(given)})


def call_each(module: str, name: str, cases: list) -> list:
    """Call a function once for each list of arguments, in one go."""
    return run_node({"module": (WEB / module).as_uri(), "name": name, "given": pack(cases), "each": True})


@cache
def start_node() -> subprocess.Popen:
    """Start Node once for all calls of this process."""
    assert NODE
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    node = subprocess.Popen([NODE, "--stack-size=4000", ROOT / "tests" / "studio" / "run.mjs"], **pipes)
    atexit.register(node.communicate)  # ends its input, and so itself
    return node


def run_node(job: dict) -> Any:
    node = start_node()
    late = Timer(LONGEST, node.kill)
    late.start()
    node.stdin.write(json.dumps(job).encode() + b"\n")
    node.stdin.flush()
    answered = node.stdout.readline()
    late.cancel()
    if not answered:
        start_node.cache_clear()
        raise ScriptError(f"Node ended with {node.wait()}")
    answer = json.loads(answered)
    if "error" in answer:
        raise ScriptError(answer["error"], answer["stack"])
    return unpack(answer["value"])


def pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"shape": value.shape, "kind": value.dtype.name, "base64": data}
    if isinstance(value, dict):
        return {name: pack(each) for name, each in value.items()}
    return [pack(each) for each in value] if isinstance(value, list | tuple) else value


def unpack(value: Any) -> Any:
    if isinstance(value, dict) and "base64" in value:
        return np.frombuffer(base64.b64decode(value["base64"]), value["kind"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {name: unpack(each) for name, each in value.items()}
    return [unpack(each) for each in value] if isinstance(value, list) else value
