"""Which file of a post to have, and whether a file that arrived is that one."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import images
from pipeline.images import SUFFIXES, BadImage
from pipeline.params import Fetch

REASONS = (
    "hidden", "gone", "banned", "moved", "wrong type", "truncated", "mismatch", "too big", "transient",
)  # fmt: skip
PAGES = (b"<!doctype html", b"<html")


class Reject(Exception):
    """Give the reason why a file cannot be had, one of REASONS, and a detail for the ledger."""

    def __init__(self, reason: str, detail: str = ""):
        """Name the reason."""
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Damage(Reject):
    """Give the reason why a file did not arrive whole, though it may the next time."""


@dataclass(frozen=True)
class Wanted:
    """The file to have of a post; what is not known of it is empty or 0."""

    url: str
    ext: str
    md5: str = ""
    sha256: str = ""
    size: int = 0  # bytes
    width: int = 0  # pixels
    height: int = 0


@dataclass(frozen=True)
class Kept:
    """A checked file; `own` is our SHA-256 of one without a published md5."""

    path: Path
    md5: str
    own: str = ""


def wanted(post: dict, params: Fetch) -> Wanted:
    """Name the file to have of a post. Raise Reject if it is out of reach or of no use."""
    md5, size = post.get("md5", ""), (post.get("image_width", 0), post.get("image_height", 0))
    if not post.get("file_url") or not re.fullmatch("[0-9a-f]{32}|", md5):
        raise Reject("banned" if post.get("is_banned") else "hidden")
    if post.get("file_ext") not in SUFFIXES:
        raise Reject("wrong type", f"a {post.get('file_ext')} file")
    file = Wanted(
        post["file_url"], post["file_ext"], md5, post.get("sha256", ""), post.get("file_size", 0), *size
    )
    if variant := post.get("variants", {}).get(params.variant):
        if variant["file_ext"] not in SUFFIXES:
            raise Reject("wrong type", f"a {variant['file_ext']} file")
        file = Wanted(variant["url"], variant["file_ext"], width=variant["width"], height=variant["height"])
    refuse_heavy(file.size, params)
    refuse_large(file.width, file.height, params)
    return file


def refuse_heavy(size: int, params: Fetch) -> None:
    """Raise Reject if a file has too many bytes."""
    if size > params.megabytes * 10**6:
        raise Reject("too big", f"{size} bytes or more")


def refuse_large(width: int, height: int, params: Fetch) -> None:
    """Raise Reject if a picture has too many pixels."""
    if width * height > params.megapixels * 10**6:
        raise Reject("too big", f"{width} x {height} pixels")


def look(source: bytes | Path, params: Fetch) -> None:
    """Raise Reject if a picture's header, as far as it can be read, tells of too many pixels."""
    try:
        size = images.measure(source)
    except BadImage as error:
        if str(error) == "too large":
            raise Reject("too big", str(error)) from error
        return
    refuse_large(*size, params)


def local(root: Path, file: Wanted, params: Fetch) -> Kept:
    """Return a file of a folder. Raise Reject if it is not what it should be."""
    path = root / file.url
    if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
        raise Reject("gone", "not in the folder")
    refuse_heavy(path.stat().st_size, params)
    check(replace(file, width=0, height=0), path, params, keep=True)  # in a dump they may be the original's
    return Kept(path, file.md5) if file.md5 else Kept(path, digest(path), digest(path, "sha256"))


def check(file: Wanted, path: Path, params: Fetch, keep: bool = False) -> None:
    """Raise Reject or Damage if a file is not what was wanted; remove it unless `keep` or more may follow."""
    size = path.stat().st_size
    try:
        look(path, params)
        if file.md5 and digest(path) == file.md5:
            return
        refuse_other(file, path, size)
        if file.md5:
            raise Damage("mismatch", "another md5")
        check_picture(file, path)
    except Reject:
        if not (keep or 0 < size < file.size):
            path.unlink()
        raise


def refuse_other(file: Wanted, path: Path, size: int) -> None:
    """Raise Damage for a file that is not whole, Reject for one of another type."""
    with path.open("rb") as opened:
        head = opened.read(512)
    if not head:
        raise Damage("truncated", "zero bytes")
    if head.lstrip().lower().startswith(PAGES):
        raise Reject("wrong type", "a web page")
    kind = images.identify(head)
    if file.md5 and kind and kind != images.TWINS.get(file.ext, file.ext):
        raise Reject("wrong type", f"a {kind} file for {file.ext}")
    if size < file.size:
        raise Damage("truncated", f"{size} of {file.size} bytes")
    if not file.md5 and kind not in SUFFIXES:
        raise Reject("wrong type", "no picture")


def check_picture(file: Wanted, path: Path) -> None:
    """Decode all of a file that has no published md5. Raise Damage if that fails or the size is another."""
    if file.sha256 and digest(path, "sha256") != file.sha256:
        raise Damage("mismatch", "another SHA-256")
    try:
        images.decode(path.read_bytes())
    except BadImage as error:
        raise Damage("truncated", str(error)) from error
    size = images.measure(path)
    if file.width and size != (file.width, file.height):
        raise Damage("mismatch", f"{size[0]} x {size[1]} pixels for {file.width} x {file.height}")


def digest(path: Path, name: str = "md5") -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()
