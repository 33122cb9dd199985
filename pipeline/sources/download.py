"""The download of a file: requested, received, resumed and checked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.params import Fetch
from pipeline.sources.checks import (
    NOTHING_SEEN,
    FileDamaged,
    FileRejected,
    Seen,
    WantedFile,
    check_bytes,
    check_file,
    check_start,
)
from pipeline.sources.resume import continues, discard, read_validator, span_of, write_validator
from pipeline.web.bodies import BodyBroken, BodyStalled, BodyTooLong, read_chunks
from pipeline.web.client import Site
from pipeline.web.connection import ForbiddenAddress, Response
from pipeline.web.ratelimit import SiteUnavailable
from pipeline.web.responses import is_web_page, refusal

FINAL_STATUSES = {404: "gone", 410: "gone", 451: "banned"}
NO_PART = (304, 412, 416)  # answers to Range and If-Range without the rest of the file
DOWNLOAD_ROUNDS = 3  # downloads of a damaged file
FILE_TRIES = 3  # of a request; fewer than for the API, since other files can be fetched meanwhile
MAX_REDIRECTS = 5  # within a site


@dataclass(frozen=True)
class Download:
    """The download of the file at an address to `part`, which may have the beginning of it."""

    site: Site
    url: str
    file: WantedFile
    part: Path
    params: Fetch

    def run(self) -> str:
        """Download the file, several times if it is damaged; return its md5. Raise FileRejected."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(DOWNLOAD_ROUNDS)):
            try:
                return self.check(self.receive())
            except FileDamaged:
                if not left:
                    raise
            except FileRejected as reject:
                if reject.reason != "transient":
                    discard(self.part)
                raise
        raise AssertionError("the last round returns or raises")

    def receive(self) -> Seen:
        """Append to `part` the bytes it lacks. Raise FileRejected, or FileDamaged if some do not arrive."""
        have = self.part.stat().st_size if self.part.is_file() else 0
        if self.file.size and have >= self.file.size:
            return NOTHING_SEEN
        validator = read_validator(self.part)
        if have and not (validator["value"] or self.file.md5 or self.file.sha256):
            discard(self.part)  # nothing would tell that the rest is of the same file
            have = 0
        with self.request(have, validator["value"]) as response:
            status, total = response.status, span_of(response)[1]
            if status in NO_PART or (status == 206 and not continues(response, have, validator)):
                discard(self.part)
                raise FileDamaged("truncated", f"{status} after {have} bytes")
            require_file(response)
            if status == 200:
                discard(self.part)
                write_validator(self.part, response)
            seen = self.append(response)
        if status == 206 and total is not None and (size := self.part.stat().st_size) != total:
            if size > total:
                discard(self.part)
            raise FileDamaged("truncated", f"{size} of {total} bytes")
        return seen

    def append(self, response: Response) -> Seen:
        """Append the body of a response to the part. Raise FileRejected or FileDamaged."""
        md5, readable = hashlib.md5(), False
        with self.part.open("ab") as out:
            begun = size = out.tell()
            try:
                for chunk in read_chunks(response, self.params.megabytes * 10**6):
                    if not size:
                        readable = check_start(bytes(chunk), is_web_page(response), self.params)
                    if self.site.stopped:
                        raise FileRejected("transient", "not waited for")
                    out.write(chunk)
                    md5.update(chunk)
                    size += len(chunk)
                    check_bytes(size, self.params)
            except BodyStalled as error:
                raise FileDamaged("transient", str(error)) from error
            except BodyBroken as error:
                raise FileDamaged("truncated", str(error)) from error
            except BodyTooLong:
                raise FileRejected("too big", f"more than {self.params.megabytes} MB") from None
        return NOTHING_SEEN if begun else Seen(md5.hexdigest(), readable)

    def request(self, have: int, validator: str) -> Response:
        """Request the bytes of a file after the first `have`. Raise FileRejected if there is no response."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        if have and validator:
            headers["If-Range"] = validator
        try:
            return self.site.get(self.url, headers=headers, tries=FILE_TRIES, hops=MAX_REDIRECTS)
        except SiteUnavailable as error:
            raise FileRejected("transient", str(error)) from error
        except ForbiddenAddress as error:
            raise FileRejected("gone", str(error)) from error
        except ValueError as error:  # of urllib3 or the codec of host names
            raise FileRejected("gone", "no address") from error

    def check(self, seen: Seen) -> str:
        """Return the md5. Raise FileRejected for a wrong download; remove it unless more bytes can follow."""
        try:
            return check_file(self.file, self.part, self.params, seen)
        except FileRejected:
            if not 0 < self.part.stat().st_size < self.file.size:
                discard(self.part)
            raise


def require_file(response: Response) -> None:
    """Raise FileRejected if a response is not a file, by its status."""
    status = response.status
    if status in FINAL_STATUSES:
        raise FileRejected(FINAL_STATUSES[status], str(status))
    if status == 403:
        raise FileRejected("transient", str(refusal(response)))
    if status not in (200, 206):
        raise FileRejected("moved" if response.location else "gone", str(status))
