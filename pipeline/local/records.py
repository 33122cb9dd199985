"""Metadata records in any spelling -> the fields of a post in their usual form.

This is the one door for metadata from dumps, lists and the files beside pictures: each value gets its type
here, or the record is refused with a reason.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any, cast

from pipeline.images.codec import SUFFIX_ALIASES
from pipeline.local.tags import parse_tags
from pipeline.sources.posts import (
    MAX_ID,
    MAX_OWN_ID,
    POST_DEFAULTS,
    TAG_FIELDS,
    FullPost,
    Refused,
    check_form,
    tags_of,
)
from pipeline.untrusted import plain_text

RATINGS = {
    "general": "g", "safe": "s", "sensitive": "s", "questionable": "q", "explicit": "e", "r-18": "e",
    "r-18g": "e", **{letter: letter for letter in "gsqe"},
}  # fmt: skip
UNKNOWN_NAMES = ("unknown", "unrated", "none", "null", "nan")  # of a rating that its source does not know
FLAG_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
ALIASES = {  # other names of fields
    "width": "image_width", "height": "image_height", "date": "created_at", "licence": "license",
}  # fmt: skip


class BadRecord(Exception):
    """A record is no post: the reason, and a detail."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def give_posts(makers: Iterable[tuple[str, Callable[[], FullPost]]]) -> Iterator[FullPost | Refused]:
    """Yield the post that each function makes, or why it makes none, by the name of its file or row.

    Of several posts with one id the first counts.
    """
    owners: dict[int, str] = {}
    for name, make in makers:
        try:
            post = make()
        except BadRecord as bad:
            yield Refused(name, bad.reason, bad.detail)
            continue
        owner = owners.setdefault(post["id"], name)
        yield post if owner == name else Refused(name, "same id", f"{owner} has the id {post['id']}")


def parse_record(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a post that a record tells, each with its type. Raise BadRecord for a bad value.

    Numbers and booleans may be strings, a rating may be a word, and parent 0 means none. Fields that no post
    has, and values that are empty or not a number, are dropped.
    """
    given = {ALIASES.get(name, name): value for name, value in given.items() if is_told(value)}
    asset = given.get("media_asset")
    if isinstance(asset, dict) and is_told(asset.get("pixel_hash")):
        given.setdefault("pixel_hash", asset["pixel_hash"])
    fields = {}
    for name, (parse, rule) in FIELD_PARSERS.items():
        if name in given:
            try:
                fields[name] = parse(given[name])
            except (ValueError, TypeError, KeyError, OverflowError):
                detail = f"{name} must be {rule}, got {str(given[name])[:80]!r}"
                raise BadRecord(f"bad {name}", detail) from None
    try:
        fields |= parse_tags(given)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecord("bad tags", f"tags must be a text or a list of names ({error})") from None
    return {name: value for name, value in fields.items() if value is not None}


def complete_post(fields: Mapping[str, Any]) -> FullPost:
    """Make a post of the fields that are known; what is unknown stays absent, or empty. Raise BadRecord."""
    post = POST_DEFAULTS | dict(fields)
    named = {tag for field in TAG_FIELDS if field != "tag_string_general" for tag in post[field].split()}
    post["tag_string_general"] = " ".join(
        tag for tag in post["tag_string_general"].split() if tag not in named
    )
    try:
        check_form(post)
    except ValueError as error:
        raise BadRecord(f"bad {str(error).split()[0]}", str(error)) from None
    post["media_asset"] = {"pixel_hash": post.pop("pixel_hash", None)}
    post["tag_string"] = " ".join(sorted(tags_of(cast(FullPost, post))))
    return cast(FullPost, post)


def is_told(value: Any) -> bool:
    return value is not None and value != "" and value == value  # NaN, a missing number, differs from itself


# ---------------------------------------------------------------- single values, or ValueError


def parse_number(value: Any) -> float:
    """Read a finite number; an integer if it has no fraction."""
    number = value if isinstance(value, int) else float(str(value))
    if isinstance(value, bool) or not math.isfinite(number) or abs(number) >= MAX_ID:
        raise ValueError
    return int(number) if number == int(number) else number


def parse_integer(low: int, high: int, value: Any) -> int:
    """Read an integer from `low` to `high`."""
    number = parse_number(value)
    if not isinstance(number, int) or not low <= number <= high:
        raise ValueError
    return number


def parse_parent(value: Any) -> int | None:
    return parse_integer(0, MAX_ID - 1, value) or None


def parse_flag(value: Any) -> bool:
    return FLAG_WORDS[str(value).strip().lower()]


def parse_rating(value: Any) -> str | None:
    word = str(value).strip().lower()
    if word not in UNKNOWN_NAMES and word not in RATINGS:
        raise ValueError
    return RATINGS.get(word)


def parse_text(value: Any) -> str:
    words = value if isinstance(value, list) else [value]
    if not all(isinstance(word, str | int | float) for word in words):
        raise ValueError
    return plain_text(" ".join(map(str, words)))


def parse_suffix(value: Any) -> str:
    suffix = str(value).strip().lower().removeprefix(".")
    if not re.fullmatch("[a-z0-9]+", suffix):  # it becomes part of a path
        raise ValueError
    return SUFFIX_ALIASES.get(suffix, suffix)


def parse_hash(digits: int, value: Any) -> str:
    digest = str(value).strip().lower()
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", digest):
        raise ValueError
    return digest


def parse_day(value: Any) -> str:
    text = str(value)[:40]
    date.fromisoformat(text[:10])
    return text


WHOLE = (partial(parse_integer, 0, MAX_ID - 1), "an integer")
FLAG = (parse_flag, "true or false")
HASH = (partial(parse_hash, 32), "32 hexadecimal digits")
TEXT = (parse_text, "a text")
FIELD_PARSERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "id": (partial(parse_integer, 1, MAX_OWN_ID - 1), f"an integer from 1 to {MAX_OWN_ID - 1}"),
    "parent_id": (parse_parent, "an integer"),
    "score": (parse_number, "a number"),
    "rating": (parse_rating, "g, s, q or e"),
    "image_width": WHOLE, "image_height": WHOLE, "file_size": WHOLE,
    "has_children": FLAG, "is_deleted": FLAG, "is_banned": FLAG,
    "source": TEXT, "license": TEXT, "pixel_hash": TEXT,
    "created_at": (parse_day, "a date such as 2024-05-31"),
    "file_ext": (parse_suffix, "letters and digits"),
    "md5": HASH,
    "sha256": (partial(parse_hash, 64), "64 hexadecimal digits"),
}  # fmt: skip
