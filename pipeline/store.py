"""The file of a post: asked for once, checked, and kept by md5 beside the outputs.

Below the cache folder, `files` holds what arrived, by the md5 of its bytes; `names` tells which bytes an
address gave where no md5 was published; `rejects` holds what was decided for good. A file that arrives is a
`.part` until it is checked, and goes on where it was after an interruption.
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

from pipeline.check import Damage, Kept, Reject, Wanted, check, digest, look, refuse_heavy
from pipeline.files import dumps, write
from pipeline.params import Fetch
from pipeline.site import Overload, Site, is_page

FINAL = {404: "gone", 410: "gone", 451: "banned"}
NO_ADDRESS = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
ROUNDS = 3  # times that a damaged file is asked for
HOPS = 5  # redirects within one host
TRIES = 3  # of one request for a file: the others can go on meanwhile
PIECE = 1 << 16  # bytes
TURNS = [Lock() for _ in range(1024)]  # by file: two threads must not write to one part


@dataclass(frozen=True)
class Store:
    """Where files are kept and asked for; with `again` the verdicts of earlier runs do not count."""

    site: Site
    cache: Path
    params: Fetch
    again: bool = False

    def obtain(self, file: Wanted) -> Kept:
        """Return a file, after downloading it if need be; of two who want one, one waits. Raise Reject."""
        with TURNS[hash(file.md5 or file.url) % len(TURNS)]:
            return self.settle(file)

    def settle(self, file: Wanted) -> Kept:
        """Return a file that nobody else is asking for. Raise Reject."""
        if kept := self.find(file):
            return kept
        verdict = self.place("rejects", file)
        if verdict.is_file() and not self.again:
            raise Reject(*json.loads(verdict.read_bytes()))
        try:
            kept = self.download(file)
        except Reject as reject:
            if reject.reason != "transient":
                write(verdict, dumps(reject.args))
            raise
        verdict.unlink(missing_ok=True)
        return kept

    def place(self, shelf: str, file: Wanted) -> Path:
        """Return the path for what is known of an address."""
        name = hashlib.sha256(self.address(file).encode()).hexdigest()
        return self.cache / shelf / name[:2] / name

    def address(self, file: Wanted) -> str:
        """Return where to ask for a file."""
        return urljoin(f"{self.site.host}/", file.url)

    def shelve(self, md5: str, ext: str) -> Path:
        """Return the path of the bytes that have an md5."""
        return self.cache / "files" / md5[:2] / f"{md5}.{ext}"

    def knows(self, file: Wanted) -> bool:
        """Tell whether a file was received or rejected for good, without looking into it."""
        shelf = self.shelve(file.md5, file.ext) if file.md5 else self.place("names", file)
        return shelf.is_file() or self.place("rejects", file).is_file()

    def find(self, file: Wanted) -> Kept | None:
        """Find a file that an earlier run received; one whose bytes have changed since does not count."""
        kept = Kept(self.shelve(file.md5, file.ext), file.md5)
        if not file.md5:
            name = self.place("names", file)
            if not name.is_file():
                return None
            known = json.loads(name.read_bytes())
            kept = Kept(self.shelve(known["md5"], file.ext), known["md5"], known["sha256"])
        if not kept.path.is_file():
            return None
        intact = digest(kept.path, "sha256") == kept.own if kept.own else digest(kept.path) == kept.md5
        return kept if intact else None

    def download(self, file: Wanted) -> Kept:
        """Ask for a file until it is whole. Raise Reject."""
        part = self.shelve(file.md5, file.ext) if file.md5 else self.place("names", file)
        part = part.with_name(f"{part.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        for last in (*[False] * (ROUNDS - 1), True):
            try:
                self.receive(file, part)
                check(file, part, self.params)
                return self.adopt(file, part)
            except Damage:
                if last:
                    raise
            except Reject as reject:
                if reject.reason != "transient":
                    part.unlink(missing_ok=True)
                raise

    def receive(self, file: Wanted, part: Path) -> None:
        """Write to `part` what it still lacks. Raise Reject, or Damage if it does not all arrive."""
        have = part.stat().st_size if part.is_file() else 0
        if file.size and have >= file.size:
            return
        with self.request(file, have) as response:
            status = response.status_code
            goes_on = status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if status == 416 or (status == 206 and not goes_on):
                part.unlink()
                raise Damage("truncated", f"nothing after {have} bytes")
            if status in FINAL:
                raise Reject(FINAL[status], str(status))
            if status == 403:
                raise Reject("transient", self.site.why)
            if status not in (200, 206):
                raise Reject("moved" if response.is_redirect else "gone", str(status))
            if is_page(response):
                raise Reject("wrong type", "a web page")
            with part.open("ab" if goes_on else "wb", buffering=0) as out:
                for piece in pieces(response):
                    if not out.tell():
                        look(piece, self.params)
                    if self.site.hung_up:
                        raise Reject("transient", "not waited for")
                    out.write(piece)
                    refuse_heavy(out.tell(), self.params)

    def request(self, file: Wanted, have: int) -> requests.Response:
        """Ask for the bytes of a file after the first `have`. Raise Reject if the site does not answer."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        try:
            return self.site.get(self.address(file), headers=headers, tries=TRIES, hops=HOPS)
        except Overload as error:
            raise Reject("transient", str(error)) from error
        except NO_ADDRESS as error:
            raise Reject("gone", "no address") from error

    def adopt(self, file: Wanted, part: Path) -> Kept:
        """Give a checked file its name."""
        if file.md5:
            kept = Kept(self.shelve(file.md5, file.ext), file.md5)
        else:
            md5, own = digest(part), digest(part, "sha256")
            kept = Kept(self.shelve(md5, file.ext), md5, own)
            kept.path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(kept.path)
        if kept.own:
            write(self.place("names", file), dumps({"md5": kept.md5, "sha256": kept.own}))
        return kept


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of an answer as it comes in. Raise Damage if the connection breaks or stalls.

    `iter_content` would wait until a piece is full, and lose it when the connection breaks.
    """
    try:
        while piece := response.raw.read1(PIECE):
            yield piece
    except ReadTimeoutError as error:
        raise Damage("transient", "the connection stalled") from error
    except HTTPError as error:
        raise Damage("truncated", "the connection broke") from error
