"""The files of posts: checked in their folder, or downloaded once and kept in the cache.

In the cache, `files` holds them by their md5; `names` maps the addresses of files without a published md5 to
the hashes of their bytes; `rejects` remembers files that are rejected for good, with the reason. A download
is a `.part` until it is checked, and resumes after an interruption. What identifies the file at the site, to
resume with, is kept in a `.validator` beside it.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TypedDict

import requests

from pipeline.errors import Halt
from pipeline.files import dumps, hash_file, read_note, write, write_note
from pipeline.params import Fetch
from pipeline.sources.checks import (
    FileDamaged,
    FileRejected,
    WantedFile,
    check_bytes,
    check_file,
    check_start,
)
from pipeline.sources.posts import Post, PostSource, Refused, is_address
from pipeline.untrusted import HIDDEN, hide_secrets
from pipeline.web.bodies import BodyBroken, BodyStalled, BodyTooLong, codings_of, read_chunks
from pipeline.web.client import Site
from pipeline.web.connection import ForbiddenAddress
from pipeline.web.ratelimit import SiteUnavailable
from pipeline.web.responses import is_web_page, refusal

FINAL_STATUSES = {404: "gone", 410: "gone", 451: "banned"}
NO_PART = (304, 412, 416)  # answers to Range and If-Range without the rest of the file
DOWNLOAD_ROUNDS = 3  # downloads of a damaged file
MAX_REDIRECTS = 5  # within a site
MAX_VALIDATOR = 1000  # characters
FILE_TRIES = 3  # of a request; fewer than for the API, since other files can be fetched meanwhile
FILE_LOCKS = [Lock() for _ in range(1024)]  # by the hash of a file: two threads must not write the same .part


class Validator(TypedDict):
    """What identifies a file at its site while only a part of it has arrived."""

    value: str  # a strong ETag, or Last-Modified; "" if there is neither
    total: int | None  # bytes


@dataclass(frozen=True)
class StoredFile:
    """A checked file; its `sha256` too if no md5 was published, so that changes are noticed."""

    path: Path
    md5: str
    sha256: str = ""


@dataclass(frozen=True)
class Folder:
    """The files in a folder; those of the posts of a source that has its pictures on disk."""

    root: Path
    params: Fetch

    host, again, closed = "", False, False  # see Store

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file of the folder. Raise FileRejected if it is not the wanted one."""
        name, path = PurePosixPath(file.url), self.root / file.url
        if name.is_absolute() or ".." in name.parts or not path.is_file():  # a link to a file is one
            raise FileRejected("gone", "not in the folder")
        check_bytes(path.stat().st_size, self.params)
        check_file(replace(file, width=0, height=0), path, self.params)  # a dump may give the original's size
        return StoredFile(path, *hashes_of(file, path))

    def complete(self, post: Post) -> Post:
        return post

    def stop(self) -> None:
        """Do nothing, since nothing is downloaded."""


@dataclass(frozen=True)
class Store:
    """The files of a site, kept in the folder `cache`; with `again` it asks for rejected ones once more.

    Those of a list may be on any site, or below its folder; the list is `source`.
    """

    site: Site
    cache: Path
    params: Fetch
    again: bool = False
    source: PostSource | None = None

    @property
    def host(self) -> str:
        return self.site.host

    @property
    def closed(self) -> bool:
        return self.site.closed

    def stop(self) -> None:
        """End all downloads and waits."""
        self.site.stop()

    @cached_property
    def secret_addresses(self) -> dict[int, str]:
        """The addresses of a list that hold secrets, by the id of their post; read from the list."""
        posts = self.source.posts() if self.source else ()
        found = {post["id"]: post.get("file_url", "") for post in posts if not isinstance(post, Refused)}
        return {number: url for number, url in found.items() if hide_secrets(url) != url}

    def complete(self, post: Post) -> Post:
        """Return a post with the secrets of its address, which `posts.jsonl` leaves out. Raise Halt."""
        if not self.source or HIDDEN not in post.get("file_url", ""):
            return post
        if post["id"] not in self.secret_addresses:
            raise Halt(f"the list no longer has the address of post {post['id']}: run search again")
        return post | {"file_url": self.secret_addresses[post["id"]]}

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file, downloaded if necessary. Raise FileRejected. Several threads may call this."""
        if self.source and self.is_local(file):
            return Folder(self.source.root, self.params).obtain(file)
        with FILE_LOCKS[hash(file.md5 or file.url) % len(FILE_LOCKS)]:
            if stored := self.find(file):
                return stored
            rejected = self.record("rejects", file)
            if (known := read_note(rejected)) and not self.again:
                raise FileRejected(known["reason"], known["detail"])
            try:
                stored = self.download(file)
            except FileRejected as reject:
                if reject.reason != "transient":
                    url = hide_secrets(file.url)
                    write_note(rejected, {"reason": reject.reason, "detail": reject.detail, "url": url})
                raise
            rejected.unlink(missing_ok=True)
            return stored

    def is_local(self, file: WantedFile) -> bool:
        return self.source is not None and not is_address(file.url)

    def record(self, shelf: str, file: WantedFile) -> Path:
        """Return the path of the record about an address on a shelf, `names` or `rejects`."""
        name = hashlib.sha256(self.address(file).encode()).hexdigest()
        return self.cache / shelf / name[:2] / name

    def address(self, file: WantedFile) -> str:
        return file.url if is_address(file.url) else f"{self.site.host}/{file.url.lstrip('/')}"

    def path(self, md5: str, ext: str) -> Path:
        return self.cache / "files" / md5[:2] / f"{md5}.{ext or 'bin'}"

    def knows(self, file: WantedFile) -> bool:
        """Return whether a file was received, or was rejected for good, without reading it."""
        path = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
        return path.is_file() or self.record("rejects", file).is_file()

    def find(self, file: WantedFile) -> StoredFile | None:
        """Return a file that was received earlier, unless it is missing or its bytes changed since."""
        known = {"md5": file.md5, "sha256": ""}
        if not file.md5:
            known = read_note(self.record("names", file))
            if known is None:
                return None
        stored = StoredFile(self.path(known["md5"], file.ext), known["md5"], known["sha256"])
        kind = "sha256" if stored.sha256 else "md5"
        intact = stored.path.is_file() and hash_file(stored.path, kind) == known[kind]
        return stored if intact else None

    def download(self, file: WantedFile) -> StoredFile:
        """Download a file, several times if it is damaged. Raise FileRejected."""
        part = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
        part = part.with_name(f"{part.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        rounds = 0
        while True:
            rounds += 1
            try:
                self.receive(file, part)
                self.check(file, part)
                return self.adopt(file, part)
            except FileDamaged:
                if rounds == DOWNLOAD_ROUNDS:
                    raise
            except FileRejected as reject:
                if reject.reason != "transient":
                    discard(part)
                raise

    def receive(self, file: WantedFile, part: Path) -> None:
        """Append to `part` the bytes it lacks. Raise FileRejected, or FileDamaged if some do not arrive."""
        have = part.stat().st_size if part.is_file() else 0
        if file.size and have >= file.size:
            return
        validator = read_validator(part)
        if have and not (validator["value"] or file.md5 or file.sha256):
            discard(part)  # nothing would tell that the rest is of the same file
            have = 0
        with self.request(file, have, validator["value"]) as response:
            status, total = response.status_code, span_of(response)[1]
            if status in NO_PART or (status == 206 and not continues(response, have, validator)):
                discard(part)
                raise FileDamaged("truncated", f"{status} after {have} bytes")
            require_file(response)
            if status == 200:
                discard(part)
                write_validator(part, response)
            self.append(response, part)
        if status == 206 and total is not None and (size := part.stat().st_size) != total:
            if size > total:
                discard(part)
            raise FileDamaged("truncated", f"{size} of {total} bytes")

    def append(self, response: requests.Response, part: Path) -> None:
        """Append the body of a response to `part`. Raise FileRejected or FileDamaged."""
        with part.open("ab", buffering=0) as out:
            try:
                for chunk in read_chunks(response, self.params.megabytes * 10**6):
                    if not out.tell():
                        check_start(chunk, is_web_page(response), self.params)
                    if self.site.stopped:
                        raise FileRejected("transient", "not waited for")
                    out.write(chunk)
                    check_bytes(out.tell(), self.params)
            except BodyStalled as error:
                raise FileDamaged("transient", str(error)) from error
            except BodyBroken as error:
                raise FileDamaged("truncated", str(error)) from error
            except BodyTooLong:
                raise FileRejected("too big", f"more than {self.params.megabytes} MB") from None

    def request(self, file: WantedFile, have: int, validator: str) -> requests.Response:
        """Request the bytes of a file after the first `have`. Raise FileRejected if there is no response."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        if have and validator:
            headers["If-Range"] = validator
        try:
            return self.site.get(self.address(file), headers=headers, tries=FILE_TRIES, hops=MAX_REDIRECTS)
        except SiteUnavailable as error:
            raise FileRejected("transient", str(error)) from error
        except ForbiddenAddress as error:
            raise FileRejected("gone", str(error)) from error
        except ValueError as error:  # of requests, urllib3 or the codec of host names
            raise FileRejected("gone", "no address") from error

    def check(self, file: WantedFile, part: Path) -> None:
        """Raise FileRejected for a wrong download, and remove it unless more bytes can follow."""
        try:
            check_file(file, part, self.params)
        except FileRejected:
            if not 0 < part.stat().st_size < file.size:
                discard(part)
            raise

    def adopt(self, file: WantedFile, part: Path) -> StoredFile:
        """Move a checked file to its place in `files`."""
        md5, sha256 = hashes_of(file, part)
        stored = StoredFile(self.path(md5, file.ext), md5, sha256)
        stored.path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(stored.path)
        discard(part)
        if sha256:
            write_note(
                self.record("names", file), {"md5": md5, "sha256": sha256, "url": hide_secrets(file.url)}
            )
        return stored


def hashes_of(file: WantedFile, path: Path) -> tuple[str, str]:
    """Return the md5 of a checked file, and its SHA-256 if no md5 was published, else ""."""
    return (file.md5, "") if file.md5 else (hash_file(path, "md5"), hash_file(path))


def require_file(response: requests.Response) -> None:
    """Raise FileRejected if a response is not a file, by its status."""
    status = response.status_code
    if status in FINAL_STATUSES:
        raise FileRejected(FINAL_STATUSES[status], str(status))
    if status == 403:
        raise FileRejected("transient", str(refusal(response)))
    if status not in (200, 206):
        raise FileRejected("moved" if response.is_redirect else "gone", str(status))


def validator_path(part: Path) -> Path:
    return part.with_suffix(".validator")


def discard(part: Path) -> None:
    """Remove a part and its validator; first the validator, without which a part is not resumed."""
    validator_path(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def read_validator(part: Path) -> Validator:
    """Return the validator of a part; an empty one if there is none, or if it is damaged."""
    try:
        known = json.loads(validator_path(part).read_bytes())
        return {"value": str(known["value"]), "total": known["total"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {"value": "", "total": None}


def write_validator(part: Path, response: requests.Response) -> None:
    """Keep what identifies a file that arrives from its beginning, unless it is packed."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    value = etag if etag.startswith('"') else date
    if (
        not codings_of(response)
        and value.isascii()
        and value.isprintable()
        and 0 < len(value) < MAX_VALIDATOR
    ):
        length = response.headers.get("Content-Length", "")
        total = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        write(validator_path(part), dumps(Validator(value=value, total=total)), sync=False)


def span_of(response: requests.Response) -> tuple[int, int | None]:
    """Return where a part of a file starts, and the bytes of the whole if known; (-1, None) for no part."""
    text = response.headers.get("Content-Range", "")
    span = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", text)
    if not span:
        return -1, None
    return int(span[1]), None if span[2] == "*" else int(span[2])


def continues(response: requests.Response, have: int, validator: Validator) -> bool:
    """Return whether a response has the bytes after the first `have` of the file that the validator is of."""
    start, total = span_of(response)
    if start != have or validator["total"] not in (None, total) or codings_of(response):
        return False
    kind = "ETag" if validator["value"].startswith('"') else "Last-Modified"
    return response.headers.get(kind, validator["value"]) == validator["value"]
