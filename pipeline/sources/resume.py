"""What is kept of an interrupted download, so that what resumes it is of the same file.

A download is a `.part` until it is checked. The `.validator` beside it identifies the file at its site.
"""

import re
from pathlib import Path
from typing import TypedDict

from pipeline.files import read_note, write_note
from pipeline.web.bodies import codings_of
from pipeline.web.connection import Response

MAX_VALIDATOR = 1000  # characters


class Validator(TypedDict):
    """What identifies a file at its site while only a part of it has arrived."""

    value: str  # a strong ETag, or Last-Modified; "" if there is neither
    total: int | None  # bytes


def validator_path(part: Path) -> Path:
    return part.with_suffix(".validator")


def discard(part: Path) -> None:
    """Remove a part and its validator; first the validator, without which a part is not resumed."""
    validator_path(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def read_validator(part: Path) -> Validator:
    """Return the validator of a part; an empty one if there is none, or if it is damaged."""
    return read_note(validator_path(part)) or Validator(value="", total=None)


def write_validator(part: Path, response: Response) -> None:
    """Keep what identifies a file that arrives from its beginning, unless it is packed."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    value = etag if etag.startswith('"') else date
    usable = value.isascii() and value.isprintable() and 0 < len(value) < MAX_VALIDATOR
    if usable and not codings_of(response):
        length = response.headers.get("Content-Length", "")
        total = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        write_note(validator_path(part), Validator(value=value, total=total), sync=False)


def span_of(response: Response) -> tuple[int, int | None]:
    """Return where a part of a file starts, and the bytes of the whole if known; (-1, None) for no part."""
    text = response.headers.get("Content-Range", "")
    span = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", text)
    if not span:
        return -1, None
    return int(span[1]), None if span[2] == "*" else int(span[2])


def continues(response: Response, have: int, validator: Validator) -> bool:
    """Return whether a response has the bytes after the first `have` of the file that the validator is of."""
    start, total = span_of(response)
    if start != have or validator["total"] not in (None, total) or codings_of(response):
        return False
    kind = "ETag" if validator["value"].startswith('"') else "Last-Modified"
    return response.headers.get(kind, validator["value"]) == validator["value"]
