"""Which file of a post to take, and whether a file is the right one and whole."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import BadImage
from pipeline.files import PICTURE_SUFFIXES
from pipeline.images import codec
from pipeline.params import Fetch
from pipeline.sources.posts import Post

REASONS = (
    "hidden", "gone", "banned", "moved", "wrong type", "truncated", "mismatch", "too big", "transient",
)  # fmt: skip
HTML_STARTS = (b"<!doctype html", b"<html")


class FileRejected(Exception):
    """A file cannot be obtained: the reason, one of REASONS, and a detail for the ledger."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class FileDamaged(FileRejected):
    """A file did not arrive whole, but may the next time."""


@dataclass(frozen=True)
class WantedFile:
    """The file to take of a post; unknown fields are empty or 0."""

    url: str
    ext: str
    md5: str = ""  # as published
    sha256: str = ""
    size: int = 0  # bytes
    width: int = 0  # pixels
    height: int = 0


@dataclass(frozen=True)
class StoredFile:
    """A checked file; `own` is its SHA-256 if no md5 was published, so that changes are noticed."""

    path: Path
    md5: str
    own: str = ""


def choose_file(post: Post, params: Fetch) -> WantedFile:
    """Return the file to take of a post. Raise Reject if it is hidden, too large or not a picture."""
    file = original(post)
    if variant := post.get("variants", {}).get(params.variant):
        require_picture(variant["file_ext"])
        file = WantedFile(
            variant["url"], variant["file_ext"], width=variant["width"], height=variant["height"]
        )
    check_bytes(file.size, params)
    check_dimensions(file.width, file.height, params)
    return file


def original(post: Post) -> WantedFile:
    """Return the original file of a post. Raise Reject if it is hidden or not a picture."""
    md5, size = post.get("md5", ""), (post.get("image_width", 0), post.get("image_height", 0))
    if not post.get("file_url") or not re.fullmatch("[0-9a-f]{32}|", md5):
        raise FileRejected("banned" if post.get("is_banned") else "hidden")
    ext = str(post.get("file_ext"))
    require_picture(ext)
    return WantedFile(post["file_url"], ext, md5, post.get("sha256", ""), post.get("file_size", 0), *size)


def require_picture(ext: str) -> None:
    """Raise Reject for a file type that is not a picture."""
    if ext not in PICTURE_SUFFIXES:
        raise FileRejected("wrong type", f"a {ext} file")


def check_bytes(size: int, params: Fetch) -> None:
    """Raise Reject if a file has too many bytes."""
    if size > params.megabytes * 10**6:
        raise FileRejected("too big", f"{size} bytes or more")


def check_dimensions(width: int, height: int, params: Fetch) -> None:
    """Raise Reject if a picture has too many pixels."""
    if width * height > params.megapixels * 10**6:
        raise FileRejected("too big", f"{width} x {height} pixels")


def check_header(source: bytes | Path, params: Fetch) -> None:
    """Raise Reject if the header of a picture, as far as it can be read, gives too many pixels."""
    try:
        size = codec.read_size(source)
    except BadImage as error:
        if str(error) == "too large":
            raise FileRejected("too big", str(error)) from error
        return
    check_dimensions(*size, params)


def check_file(file: WantedFile, path: Path, params: Fetch, keep: bool = False) -> None:
    """Raise Reject or Damage if a file is not the wanted one; remove it, unless `keep` or it is too short."""
    size = path.stat().st_size
    try:
        check_header(path, params)
        if file.md5 and hash_file(path) == file.md5:
            return
        check_type(file, path, size)
        if file.md5:
            raise FileDamaged("mismatch", "another md5")
        check_picture(file, path)
    except FileRejected:
        if not (keep or 0 < size < file.size):
            path.unlink()
        raise


def check_type(file: WantedFile, path: Path, size: int) -> None:
    """Raise Damage if a file is empty or too short, Reject if it is of another type."""
    with path.open("rb") as opened:
        head = opened.read(512)
    if not head:
        raise FileDamaged("truncated", "zero bytes")
    if head.lstrip().lower().startswith(HTML_STARTS):
        raise FileRejected("wrong type", "a web page")
    kind = codec.identify(head)
    if file.md5 and kind and kind != codec.SUFFIX_ALIASES.get(file.ext, file.ext):
        raise FileRejected("wrong type", f"a {kind} file for {file.ext}")
    if size < file.size:
        raise FileDamaged("truncated", f"{size} of {file.size} bytes")
    if not file.md5 and kind not in PICTURE_SUFFIXES:
        raise FileRejected("wrong type", "no picture")


def check_picture(file: WantedFile, path: Path) -> None:
    """Decode the whole of a file without a published md5. Raise Damage if that fails or the size differs."""
    if file.sha256 and hash_file(path, "sha256") != file.sha256:
        raise FileDamaged("mismatch", "another SHA-256")
    try:
        codec.decode(path.read_bytes())
    except BadImage as error:
        raise FileDamaged("truncated", str(error)) from error
    size = codec.read_size(path)
    if file.width and size != (file.width, file.height):
        raise FileDamaged("mismatch", f"{size[0]} x {size[1]} pixels for {file.width} x {file.height}")


def hash_file(path: Path, name: str = "md5") -> str:
    """Return the hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


@dataclass(frozen=True)
class Folder:
    """The files in a folder; those of the posts of a source that has its pictures on disk."""

    root: Path
    params: Fetch

    host, notes, again, closed = "", None, False, False  # see store.Store

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file of the folder. Raise Reject if it is not what it should be."""
        path = self.root / file.url
        if not path.resolve().is_relative_to(self.root.resolve()) or not path.is_file():
            raise FileRejected("gone", "not in the folder")
        check_bytes(path.stat().st_size, self.params)
        unsized = replace(file, width=0, height=0)  # in a dump they may be those of the original
        check_file(unsized, path, self.params, keep=True)
        return (
            StoredFile(path, file.md5)
            if file.md5
            else StoredFile(path, hash_file(path), hash_file(path, "sha256"))
        )

    def stop(self) -> None:
        """Do nothing, since nothing is downloaded."""
