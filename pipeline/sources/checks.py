"""Which file of a post to take, and whether a file is the right one and whole."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import BadImage
from pipeline.files import PICTURE_SUFFIXES, hash_file
from pipeline.images import codec
from pipeline.params import Fetch
from pipeline.sources.posts import Post

HTML_STARTS = (b"<!doctype html", b"<html")


class FileRejected(Exception):
    """A file cannot be obtained: the reason, and a detail for the ledger.

    The reason is hidden, gone, banned, moved, wrong type, truncated, mismatch, too big, or transient.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class FileDamaged(FileRejected):
    """A file did not arrive whole, but may the next time."""


@dataclass(frozen=True)
class WantedFile:
    """The file to take of a post; unknown fields are empty or 0."""

    url: str  # an address, or a path below the folder of the source
    ext: str  # as published; if it is unknown, the bytes decide
    md5: str = ""  # as published
    sha256: str = ""
    size: int = 0  # bytes
    width: int = 0  # pixels
    height: int = 0


class Seen(NamedTuple):
    """What was seen of a file while it arrived in one piece; the rest is found by reading it."""

    md5: str = ""
    readable: bool = False  # whether its header was, and gives no more pixels than allowed


NOTHING_SEEN = Seen()


def choose_file(post: Post, params: Fetch) -> WantedFile:
    """Return the file to take of a post. Raise FileRejected if it is hidden, too large or not a picture."""
    md5, size = post.get("md5", ""), (post.get("image_width", 0), post.get("image_height", 0))
    if not post.get("file_url") or not re.fullmatch("[0-9a-f]{32}|", md5):
        raise FileRejected("banned" if post.get("is_banned") else "hidden")
    ext, sha256 = post.get("file_ext", ""), post.get("sha256", "")
    file = WantedFile(post["file_url"], ext, md5, sha256, post.get("file_size", 0), *size)
    require_picture(file)
    if small := post.get("variants", {}).get(params.variant):
        file = WantedFile(small["url"], small["file_ext"], width=small["width"], height=small["height"])
        require_picture(file)
    check_bytes(file.size, params)
    check_dimensions(file.width, file.height, params)
    return file


def require_picture(file: WantedFile) -> None:
    if file.ext and file.ext not in PICTURE_SUFFIXES:
        raise FileRejected("wrong type", f"a {file.ext} file")


def check_bytes(size: int, params: Fetch) -> None:
    if size > params.megabytes * 10**6:
        raise FileRejected("too big", f"{size} bytes or more")


def check_dimensions(width: int, height: int, params: Fetch) -> None:
    if width * height > params.megapixels * 10**6:
        raise FileRejected("too big", f"{width} x {height} pixels")


def check_header(source: bytes | Path, params: Fetch) -> bool:
    """Return whether the header of a picture can be read. Raise FileRejected if it gives too many pixels."""
    try:
        check_dimensions(*codec.read_size(source), params)
    except BadImage as error:
        if str(error) == "too large":
            raise FileRejected("too big", str(error)) from error
        return False
    return True


def check_start(start: bytes, web_page: bool, params: Fetch) -> bool:
    """Return whether the header can be read by the start of a file.

    Raise FileRejected for a page without a picture, and for too many pixels.
    """
    if web_page and not codec.identify(start):
        raise FileRejected("wrong type", "a web page")
    return check_header(start, params)


def check_file(file: WantedFile, path: Path, params: Fetch, seen: Seen = NOTHING_SEEN) -> str:
    """Return the md5 of the file at `path`. Raise FileRejected or FileDamaged if it is not the wanted one."""
    if not seen.readable:
        check_header(path, params)
    md5 = seen.md5 or hash_file(path, "md5")
    if md5 == file.md5:
        return md5
    check_type(file, path)
    if file.md5:
        raise FileDamaged("mismatch", "another md5")
    check_picture(file, path)
    return md5


def check_type(file: WantedFile, path: Path) -> None:
    """Raise FileDamaged if a file is empty or too short, FileRejected if it is of another type."""
    size = path.stat().st_size
    with path.open("rb") as opened:
        head = opened.read(512)
    if not head:
        raise FileDamaged("truncated", "zero bytes")
    if head.lstrip().lower().startswith(HTML_STARTS):
        raise FileRejected("wrong type", "a web page")
    kind = codec.identify(head)
    if file.md5 and file.ext and kind and kind != codec.SUFFIX_ALIASES.get(file.ext, file.ext):
        raise FileRejected("wrong type", f"a {kind} file for {file.ext}")
    if size < file.size:
        raise FileDamaged("truncated", f"{size} of {file.size} bytes")
    if not file.md5 and kind not in PICTURE_SUFFIXES:
        raise FileRejected("wrong type", "no picture")


def check_picture(file: WantedFile, path: Path) -> None:
    """Decode a file without a published md5. Raise FileDamaged if that fails, or if hash or size differ."""
    if file.sha256 and hash_file(path) != file.sha256:
        raise FileDamaged("mismatch", "another SHA-256")
    try:
        codec.decode(path.read_bytes())
    except BadImage as error:
        raise FileDamaged("truncated", str(error)) from error
    size = codec.read_size(path)
    if file.width and size != (file.width, file.height):
        raise FileDamaged("mismatch", f"{size[0]} x {size[1]} pixels for {file.width} x {file.height}")
