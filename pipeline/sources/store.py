"""Files of a site, each downloaded once, checked, and kept in the cache.

In the cache folder, `files` holds them by their md5; `names` maps the addresses of files without a published
md5 to that of their bytes; `rejects` remembers files that are rejected for good, with the reason. A download
is a `.part` until it is checked, and resumes after an interruption.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from pipeline.files import dumps, write
from pipeline.params import Fetch
from pipeline.sources.checks import (
    FileDamaged,
    FileRejected,
    StoredFile,
    WantedFile,
    check_bytes,
    check_file,
    check_header,
    hash_file,
)
from pipeline.web.client import Site, is_web_page
from pipeline.web.ratelimit import SiteUnavailable

FINAL_STATUSES = {404: "gone", 410: "gone", 451: "banned"}
ADDRESS_ERRORS = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
DOWNLOAD_ROUNDS = 3  # downloads of a damaged file
MAX_REDIRECTS = 5  # redirects within a host
FILE_TRIES = 3  # of a request; fewer than for the API, since other files can be fetched meanwhile
DOWNLOAD_CHUNK = 1 << 16  # bytes
FILE_LOCKS = [Lock() for _ in range(1024)]  # by the hash of a file: two threads must not write the same .part


@dataclass(frozen=True)
class Store:
    """The files of a site, kept in the folder `cache`; with `again` it asks for rejected ones once more."""

    site: Site
    cache: Path
    params: Fetch
    again: bool = False

    @property
    def host(self) -> str:
        """The address of the site."""
        return self.site.host

    @property
    def notes(self) -> Path:
        """The folder of notes on finished shards."""
        return self.cache / "laid"

    @property
    def closed(self) -> bool:
        """Whether the site should not be asked any more."""
        return self.site.closed

    def stop(self) -> None:
        """End all downloads and waits."""
        self.site.hang_up()

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file, downloaded if necessary. Raise Reject. Several threads may call this."""
        with FILE_LOCKS[hash(file.md5 or file.url) % len(FILE_LOCKS)]:
            return self.find_or_download(file)

    def find_or_download(self, file: WantedFile) -> StoredFile:
        """Return a file that no other thread is downloading. Raise Reject."""
        if kept := self.find(file):
            return kept
        rejected = self.record("rejects", file)
        if rejected.is_file() and not self.again:
            raise FileRejected(*json.loads(rejected.read_bytes()))
        try:
            kept = self.download(file)
        except FileRejected as reject:
            if reject.reason != "transient":
                write(rejected, dumps(reject.args))
            raise
        rejected.unlink(missing_ok=True)
        return kept

    def record(self, shelf: str, file: WantedFile) -> Path:
        """Return the path of the record about an address on a shelf, `names` or `rejects`."""
        name = hashlib.sha256(self.address(file).encode()).hexdigest()
        return self.cache / shelf / name[:2] / name

    def address(self, file: WantedFile) -> str:
        """Return the address of a file."""
        return urljoin(f"{self.site.host}/", file.url)

    def path(self, md5: str, ext: str) -> Path:
        """Return the path of the file with an md5."""
        return self.cache / "files" / md5[:2] / f"{md5}.{ext}"

    def knows(self, file: WantedFile) -> bool:
        """Tell whether a file was received, or rejected for good, without reading it."""
        path = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
        return path.is_file() or self.record("rejects", file).is_file()

    def find(self, file: WantedFile) -> StoredFile | None:
        """Return a file that was received earlier, unless it is missing or its bytes changed since."""
        kept = StoredFile(self.path(file.md5, file.ext), file.md5)
        if not file.md5:
            name = self.record("names", file)
            if not name.is_file():
                return None
            known = json.loads(name.read_bytes())
            kept = StoredFile(self.path(known["md5"], file.ext), known["md5"], known["sha256"])
        if not kept.path.is_file():
            return None
        intact = hash_file(kept.path, "sha256") == kept.own if kept.own else hash_file(kept.path) == kept.md5
        return kept if intact else None

    def download(self, file: WantedFile) -> StoredFile:
        """Download a file; again, up to ROUNDS times, if it is damaged. Raise Reject."""
        part = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
        part = part.with_name(f"{part.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        rounds = 0
        while True:
            rounds += 1
            try:
                self.receive(file, part)
                check_file(file, part, self.params)
                return self.adopt(file, part)
            except FileDamaged:
                if rounds == DOWNLOAD_ROUNDS:
                    raise
            except FileRejected as reject:
                if reject.reason != "transient":
                    part.unlink(missing_ok=True)
                raise

    def receive(self, file: WantedFile, part: Path) -> None:
        """Append to `part` the bytes it lacks. Raise Reject, or Damage if some do not arrive."""
        have = part.stat().st_size if part.is_file() else 0
        if file.size and have >= file.size:
            return
        with self.request(file, have) as response:
            status = response.status_code
            resumes = status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if status == 416 or (status == 206 and not resumes):
                part.unlink()
                raise FileDamaged("truncated", f"nothing after {have} bytes")
            self.require_file(response)
            with part.open("ab" if resumes else "wb", buffering=0) as out:
                for piece in read_chunks(response):
                    if not out.tell():
                        check_header(piece, self.params)
                    if self.site.hung_up:
                        raise FileRejected("transient", "not waited for")
                    out.write(piece)
                    check_bytes(out.tell(), self.params)

    def require_file(self, response: requests.Response) -> None:
        """Raise Reject if a response is not a file, by its status and type."""
        status = response.status_code
        if status in FINAL_STATUSES:
            raise FileRejected(FINAL_STATUSES[status], str(status))
        if status == 403:
            raise FileRejected("transient", self.site.why)
        if status not in (200, 206):
            raise FileRejected("moved" if response.is_redirect else "gone", str(status))
        if is_web_page(response):
            raise FileRejected("wrong type", "a web page")

    def request(self, file: WantedFile, have: int) -> requests.Response:
        """Request the bytes of a file after the first `have`. Raise Reject if the site does not answer."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        try:
            return self.site.get(self.address(file), headers=headers, tries=FILE_TRIES, hops=MAX_REDIRECTS)
        except SiteUnavailable as error:
            raise FileRejected("transient", str(error)) from error
        except ADDRESS_ERRORS as error:
            raise FileRejected("gone", "no address") from error

    def adopt(self, file: WantedFile, part: Path) -> StoredFile:
        """Move a checked file to its place in `files`."""
        if file.md5:
            kept = StoredFile(self.path(file.md5, file.ext), file.md5)
        else:
            md5, own = hash_file(part), hash_file(part, "sha256")
            kept = StoredFile(self.path(md5, file.ext), md5, own)
            kept.path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(kept.path)
        if kept.own:
            write(self.record("names", file), dumps({"md5": kept.md5, "sha256": kept.own}))
        return kept


def read_chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of a response as it arrives. Raise Damage if the connection breaks or stalls.

    `iter_content` would wait until a piece is full, and lose it if the connection breaks.
    """
    try:
        while piece := response.raw.read1(DOWNLOAD_CHUNK):
            yield piece
    except ReadTimeoutError as error:
        raise FileDamaged("transient", "the connection stalled") from error
    except HTTPError as error:
        raise FileDamaged("truncated", "the connection broke") from error
