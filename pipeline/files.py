"""Write files that are either whole or not there."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def whole(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once all of it is written.

    An exception, a kill or a full disk leaves whatever bore the name before; with `sync` a power cut too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: Path, data: bytes, sync: bool = True) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole(path, sync) as file:
        file.write(data)


def dumps(value: Any) -> bytes:
    """Encode a value as JSON whose bytes depend on the value alone."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    ).encode()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, for people and for `git diff`."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    write(path, f"{text}\n".encode())


def link(source: Path, path: Path) -> None:
    """Give a finished file a second name, or a copy where the file system has no links."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(source)
    except OSError:
        write(path, source.read_bytes())
