"""Metadata in the spellings of dumps and lists -> posts with every field in its usual form."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

from pipeline.errors import Halt
from pipeline.sources.posts import MAX_ID, POST_DEFAULTS, TAG_FIELDS, FullPost, tags_of

NUMBER_FIELDS = ("id", "score", "image_width", "image_height", "file_size")
FLAG_FIELDS = ("has_children", "is_deleted", "is_banned")
TEXT_FIELDS = ("source", "created_at", "license", *TAG_FIELDS)
HASH_FIELDS = {"md5": 32, "sha256": 64}  # hexadecimal digits
RECORD_FIELDS = (*NUMBER_FIELDS, *FLAG_FIELDS, *TEXT_FIELDS, *HASH_FIELDS, "rating", "parent_id", "file_ext")
DEFAULT_DAY = "2020-01-01T00:00:00.000+00:00"  # of posts without a date


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the line, object) of JSON lines, which may be gzipped. Raise Halt."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    with halt_naming(path, "line", number):
                        record = json.loads(line)
                        if not isinstance(record, dict):
                            raise ValueError("not an object")
                    yield number, record
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Halt(f"{path} is damaged ({error}): get it again") from error


@contextmanager
def halt_naming(path: Path, unit: str, number: int) -> Iterator[None]:
    """Turn an error in a line or a row into a Halt that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise Halt(f"{path} {unit} {number} is no post ({error}): repair it or remove it") from error


def complete_post(given: Mapping[str, Any]) -> FullPost:
    """Make a post of fields in any spelling, and fill in the defaults. Raise ValueError or TypeError.

    Numbers and booleans may be strings, a rating may be a word, and parent 0 means none. Unknown fields are
    dropped.
    """
    post = (
        POST_DEFAULTS
        | {"created_at": DEFAULT_DAY}
        | {n: given[n] for n in RECORD_FIELDS if given.get(n) not in (None, "")}
    )
    post |= {name: parse_integer(name, post[name]) for name in NUMBER_FIELDS if name in post}
    post |= {name: str(post[name]).lower() in ("true", "t", "1") for name in FLAG_FIELDS}
    post |= {name: join_words(post[name]) for name in TEXT_FIELDS if name in post}
    post |= {name: str(post[name]).lower() for name in HASH_FIELDS if name in post}
    post["rating"] = str(post["rating"])[0].lower()
    post["parent_id"] = parse_integer("parent_id", post["parent_id"] or 0) or None
    post["file_ext"] = str(post["file_ext"]).lower().replace("jpeg", "jpg")
    pixel_hash = given.get("pixel_hash") or dict(given.get("media_asset") or {}).get("pixel_hash")
    post["media_asset"] = {"pixel_hash": pixel_hash}
    check_post(post)
    post["tag_string"] = " ".join(sorted(tags_of(cast(FullPost, post))))
    return cast(FullPost, post)


def check_post(post: Mapping[str, Any]) -> None:
    """Raise ValueError for a value that later stages cannot use."""
    if not 0 < post["id"] < MAX_ID:
        raise ValueError(f"id must be an integer from 1 to {MAX_ID - 1}, got {post['id']}")
    if post["rating"] not in "gsqe":
        raise ValueError(f"rating must be g, s, q or e, got {post['rating']!r}")
    if not re.fullmatch("[a-z0-9]+", post["file_ext"]):  # it becomes part of a path
        raise ValueError(f"file_ext must be letters and digits, got {post['file_ext']!r}")
    for name, digits in HASH_FIELDS.items():
        if name in post and not re.fullmatch(f"[0-9a-f]{{{digits}}}", post[name]):
            raise ValueError(f"{name} must be {digits} hexadecimal digits, got {post[name]!r}")
    date.fromisoformat(post["created_at"][:10])


def parse_integer(name: str, value: object) -> int:
    """Read an integer from a number or a string. Raise ValueError."""
    try:
        return int(str(value).removesuffix(".0"))
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None


def join_words(value: object) -> str:
    """Return words as text: those of a list joined by spaces."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
