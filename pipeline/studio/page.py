"""The page that colors drawings as a folder of files, which any static server can send."""

import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import Halt
from pipeline.models.network import ONNX_SUFFIX, SHIPPED, SHIPPED_ONNX, Network, load_onnx
from pipeline.studio.runtime import PACKAGE_VERSION

WEB = Path(__file__).parent / "web"
PAGE_NOTE, PAGE_MODEL, RUNTIME_FOLDER = "page.json", "model.onnx", "runtime"
FIRST_PARTS = ("index.html", "screens/color.js")  # the screen is loaded by its name
STYLES = ("app.css", "screens/color")  # those of other screens are left out
REFERENCE = re.compile(r'(?:from |import |import\(|new URL\(|href=|src=)"((?:[./]*)[\w/-]+\.(?:js|css|svg))"')


def save_page(folder: Path, model: Path, runtime: dict[str, bytes]) -> int:
    """Write the page with a model, an ONNX file, and the files of its runtime; return the number of bytes.

    Equal input gives equal bytes. Raise Halt if the model cannot be used, or if the folder has other files.
    """
    check_page_folder(folder)
    note: dict[str, Any] = {"mode": "static", "version": version("inkwash")}
    note |= {"model": describe_onnx(model), "why": "", "file": PAGE_MODEL, "project": None}
    parts = read_parts() | {f"{RUNTIME_FOLDER}/{name}": data for name, data in runtime.items()}
    parts |= {PAGE_MODEL: model.read_bytes(), PAGE_NOTE: files.dumps(note)}  # the note last
    with files.lock_folder(folder):
        for name, data in parts.items():
            files.write(folder / name, data)
    return sum(map(len, parts.values()))


def check_page_folder(folder: Path) -> None:
    """Raise Halt if a folder has files, but no page of ours."""
    if not folder.exists():
        return
    try:
        is_ours = json.loads((folder / PAGE_NOTE).read_bytes())["mode"] == "static"
    except (OSError, ValueError, LookupError, TypeError):
        is_ours = folder.is_dir() and not any(folder.iterdir())
    if not is_ours:
        raise Halt(f"{folder} is there already, and is no page: name another folder")


def describe_onnx(file: Path) -> dict[str, Any]:
    """Describe an ONNX file, as the page shows it. Raise Halt if it is none that prep export wrote."""
    title = "the model that ships with inkwash" if file.is_relative_to(SHIPPED) else file.stem
    return describe_network(load_onnx(file), title) | {"engine": f"ONNX Runtime Web {PACKAGE_VERSION}"}


def describe_network(network: Network, title: str) -> dict[str, Any]:
    """Describe a network, as the page shows it."""
    return {
        "title": title,
        "system": network.config["system"],
        "guides": network.guides,
        "multiple": network.multiple,
        "config": network.config,
        "sha256": network.weights,
        "engine": network.engine,
    }


def read_parts() -> dict[str, bytes]:
    """Read the files of the page that color drawings, by name: what the first ones refer to, and so on."""
    parts: dict[str, str] = {}
    waiting = list(FIRST_PARTS)
    while waiting:
        name = waiting.pop()
        if name in parts:
            continue
        lines = (WEB / name).read_text(encoding="utf-8").splitlines(keepends=True)
        parts[name] = "".join(line for line in lines if not names_other_style(line))
        found = (os.path.normpath(Path(name).parent / path) for path in REFERENCE.findall(parts[name]))
        waiting += [path.replace(os.sep, "/") for path in found]
    return {name: text.encode() for name, text in sorted(parts.items())}


def names_other_style(line: str) -> bool:
    """Return whether a line of index.html links the style of another screen."""
    return 'rel="stylesheet"' in line and not any(f'href="{name}' in line for name in STYLES)


def find_onnx(model: Path) -> Path | None:
    """Return the ONNX file of a model that has one: the file itself, or that of the one that ships."""
    if model.suffix == ONNX_SUFFIX:
        return model
    return SHIPPED_ONNX if model == SHIPPED else None
