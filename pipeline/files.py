"""Files that are either complete or absent, in a folder or behind a URL.

A path is a `pathlib.Path`, or for a URL a `upath.UPath`, which has the same methods. Only this module treats
them differently: an object of a store appears when its upload is complete, so it needs no temporary name; and
requests are slow, so we read ahead and ask for all sizes at once.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard, cast

from pipeline.errors import Halt

if TYPE_CHECKING:  # of the extra `urls`
    from upath import UPath

READ_AHEAD = 1 << 23  # bytes of a remote file to read at once
CONNECTION_ERRORS = (  # of drivers, by module, when a connection fails; other failures are an OSError
    ("botocore.exceptions", "ConnectionError"),
    ("botocore.exceptions", "HTTPClientError"),
    ("aiohttp", "ClientError"),
)
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")  # their drivers cache listings
LONGEST_BASE = 200  # bytes of a name that others are made from; a file system takes 255
LOCK = ".prep.lock"  # in a folder that a command writes, or after the name of a file
PICTURE_SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "avif", "tif", "tiff")


def to_path(text: str) -> Path:
    """Turn a path, or a URL that fsspec knows, into a path object.

    fsspec reads credentials and endpoints from its own settings. Raise Halt if a URL cannot be used.
    """
    if "://" not in text:
        return Path(text)
    from upath import UPath  # of the extra `urls`

    try:
        options: dict[str, Any] = (
            {"use_listings_cache": False} if text.partition(":")[0] in OBJECT_STORES else {}
        )
        path = UPath(text.rstrip("/"), **options)
        path.exists()
    except ImportError as error:
        raise Halt(f"{text} needs a package ({error}): install inkwash[urls], or the one it names") from error
    except Exception as error:  # drivers of fsspec raise anything, and no code of ours runs here
        raise Halt(f"{text} cannot be reached ({error}): check the URL, and fsspec's settings") from error
    return Path(path) if isinstance(path, os.PathLike) else path


@contextmanager
def halt_on_disconnect(*given: object) -> Iterator[None]:
    """Raise Halt if a connection to one of the URLs in `given` fails in the body."""
    try:
        yield
    except broken_connections() as error:
        urls = " or ".join(str(path) for path in given if hasattr(path, "fs"))
        raise Halt(
            f"{urls} stopped answering ({error}): see that it answers, then run the same command to go on"
        ) from error


def broken_connections() -> tuple[type[Exception], ...]:
    """Return the classes of CONNECTION_ERRORS; a driver that was not imported cannot have failed."""
    loaded = ((sys.modules.get(module), name) for module, name in CONNECTION_ERRORS)
    return tuple(getattr(module, name) for module, name in loaded if module)


def is_remote(path: "Path | UPath") -> TypeGuard["UPath"]:
    return not isinstance(path, Path)


def open_for_reading(path: Path, ahead: int = READ_AHEAD) -> BinaryIO:
    """Open a file for many small reads; of a remote file, `ahead` bytes are read at once."""
    return path.open("rb", buffering=ahead) if is_remote(path) else path.open("rb")


def hash_file(path: Path, name: str = "sha256") -> str:
    """Return the hash of a file as hexadecimal digits, without reading it whole into memory."""
    with open_for_reading(path) as file:
        return hashlib.file_digest(cast(Any, file), name).hexdigest()


def read_lines(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the lines of a file from the offset `start` on; read little more than the lines consumed."""
    if is_remote(path):
        file: BinaryIO = io.BufferedReader(cast(Any, path.open("rb", buffering=1 << 18)))
    else:
        file = path.open("rb")
    with file:
        file.seek(start)
        yield from file


def list_sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file in a folder by name, in bytes."""
    if not is_remote(folder):
        return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    listed = folder.fs.ls(folder.path, detail=True)
    return {entry["name"].rpartition("/")[2]: entry["size"] for entry in listed if entry["type"] == "file"}


def list_files(folder: Path) -> list[Path]:
    """List the files in a folder and its subfolders, sorted by folders and names."""
    if is_remote(folder):
        found = (name.removeprefix(folder.path).strip("/").split("/") for name in folder.fs.find(folder.path))
    else:
        found = (path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file())
    return [folder.joinpath(*parts) for parts in sorted(map(tuple, found))]


@contextmanager
def open_atomic(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when it is complete.

    An exception, a kill or a full disk leaves the old file; with `sync` a power cut does so too.
    """
    if is_remote(path):
        with TemporaryDirectory(prefix="prep-") as folder:
            with Path(folder, path.name).open("xb") as file:
                yield file
            upload(Path(folder, path.name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{cut_name(path.name)}.{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def cut_name(name: str) -> str:
    """Cut a name so that a file system still takes it with the 39 letters of a partial file around it."""
    return os.fsdecode(os.fsencode(name)[:LONGEST_BASE])


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and raise Halt if another command writes to it; a URL has no lock."""
    with hold_lock(folder / LOCK, folder):
        yield


@contextmanager
def lock_files(*paths: Path | None) -> Iterator[None]:
    """Make the folders of some files, and raise Halt if another command writes one of the files."""
    with ExitStack() as stack:
        for path in dict.fromkeys(filter(None, paths)):
            stack.enter_context(hold_lock(path.with_name(f".{cut_name(path.name)}{LOCK}"), path))
        yield


@contextmanager
def hold_lock(path: Path, dest: Path) -> Iterator[None]:
    """Lock the file at `path`, or raise Halt if another command holds it and so writes to `dest`.

    The kernel frees the lock of a command that dies. The file is removed before the lock is freed.
    """
    if is_remote(path):
        yield
        return
    from filelock import FileLock, Timeout  # importing it takes a while, and few commands need it

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path, timeout=0).acquire()
    except Timeout:
        raise Halt(f"another command writes to {dest}: wait for it, or name another place") from None
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no open file
                path.unlink(missing_ok=True)


def remove_partials(folder: Path, name: str = "") -> None:
    """Remove the partial files that kills left of `name`, or of all files; no process may be writing them."""
    if is_remote(folder):
        return
    partial = re.compile(rf"\.{re.escape(cut_name(name)) or '.+'}\.[0-9a-f]+\.part")
    for path in folder.iterdir():
        if partial.fullmatch(path.name):
            path.unlink()


def write(path: Path, data: bytes, sync: bool = True) -> None:
    """Write `data` to `path`, completely or not at all."""
    with open_atomic(path, sync) as file:
        file.write(data)


def upload(source: Path, path: "UPath") -> None:
    """Copy a complete file to a URL. Raise Halt if its bucket does not exist."""
    try:
        path.fs.put_file(str(source), path.path)
    except FileNotFoundError as error:
        raise Halt(f"{path} cannot be written ({error}): make its bucket or folder first") from error


def dumps(value: Any) -> bytes:
    """Encode a value as JSON; equal values give equal bytes. Raise ValueError for NaN and infinity."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    ).encode()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, for people and for `git diff`; no two processes at a time."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    write(path, f"{text}\n".encode())
    remove_partials(path.parent, path.name)


def write_note(path: Path, value: Any, sync: bool = True) -> None:
    """Write a value as JSON below a hash of it and of the file's name, which `read_note` checks."""
    body = dumps(value)
    write(path, f"{note_check(path, body)}\n".encode() + body, sync)


def read_note(path: Path) -> Any:
    """Return the value of a note; None if there is none, or if it is damaged or another file's note."""
    try:
        check, _, body = path.read_bytes().partition(b"\n")
    except (FileNotFoundError, IsADirectoryError):
        return None
    return json.loads(body) if check == note_check(path, body).encode() else None


def note_check(path: Path, body: bytes) -> str:
    return hashlib.sha256(f"{path.name}\n".encode() + body).hexdigest()


def link_or_copy(source: Path, path: Path) -> None:
    """Link a complete file to `path`, or copy it if the file system has no links."""
    if is_remote(path):
        upload(source, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(source)
    except OSError:
        write(path, source.read_bytes())


def remove_folder(folder: Path) -> None:
    if is_remote(folder):
        folder.fs.rm(folder.path, recursive=True)
    else:
        shutil.rmtree(folder)
