"""Danbooru's search language: a search -> a test of posts.

The loopback site answers searches with it, and the client filters the posts of dumps, folders and lists.
"""

import math
import operator
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from pipeline.sources.posts import FullPost

FREE_METATAGS = (  # metatags that do not count towards the limit of tags
    "status", "rating", "limit", "is", "id", "date", "age", "filesize", "filetype", "parent", "child", "md5",
    "width", "height", "duration", "mpixels", "ratio", "score", "favcount", "tagcount", "pixiv",
)  # fmt: skip
COUNTED_METATAGS = ("order", "random", "source", "user", "pool")  # metatags that count
TAG_LIMITS = {"anonymous": 2, "member": 2, "gold": 6, "platinum": math.inf}  # of a search, by account level
COMPARISONS = {  # the longer ones first
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
    "=": operator.eq, "": operator.eq,
}  # fmt: skip
PostTest = Callable[[FullPost], bool]


def counted_words(tags: str) -> list[str]:
    """List the words of a search that count towards the limit of tags, with or without a leading minus."""
    return [word for word in tags.split() if not re.match(rf"-?({'|'.join(FREE_METATAGS)}):", word.lower())]


def parse_search(tags: str) -> PostTest:
    """Turn a search into a test of posts. Raise ValueError if it cannot be read."""
    tests = [parse_term(word) for word in tags.lower().split()]
    return lambda post: all(test(post) for test in tests)


def parse_term(word: str) -> PostTest:
    """Turn one word of a search into a test: a tag or a metatag, negated by a leading minus."""
    if word.startswith("-") and len(word) > 1:
        test = parse_term(word[1:])
        return lambda post: not test(post)
    name, colon, value = word.partition(":")
    if colon and name in METATAGS:
        return METATAGS[name](value)
    if colon and (name in FREE_METATAGS or name in COUNTED_METATAGS):
        raise ValueError(f"the metatag {name} is not known here")
    return lambda post: word in post["tag_string"].split()


def one_of(name: str, text: str) -> PostTest:
    words = text.split(",")
    return lambda post: post.get(name) in words


def in_range(value: Callable[[FullPost], Any], read: Callable[[str], Any], text: str) -> PostTest:
    """Test whether a value is in one of several ranges: 5, 5..10, 5.., ..10, >=5, >5, <=5, <5.

    `read` turns a bound into a number or a date, or raises ValueError. None is in no range.
    """
    spans = [parse_span(part, read) for part in text.split(",")]
    return lambda post: value(post) is not None and any(inside(value(post)) for inside in spans)


def parse_span(text: str, read: Callable[[str], Any]) -> Callable[[Any], bool]:
    """Turn one range into a test of values."""
    low, dots, high = text.partition("..")
    if dots:
        bounds = [(operator.ge, low), (operator.le, high)]
    else:
        sign, bound = split_sign(text)
        bounds = [(COMPARISONS[sign], bound or "nothing")]
    checks = [(compare, read(bound)) for compare, bound in bounds if bound]
    return lambda value: all(compare(value, bound) for compare, bound in checks)


def split_sign(text: str) -> tuple[str, str]:
    """Split a range such as ">=5" into a key of COMPARISONS and the rest."""
    sign = next(filter(text.startswith, COMPARISONS))
    return sign, text.removeprefix(sign)


def as_number(text: str) -> float:
    """Read a number, or a ratio such as 4:3. Raise ValueError."""
    try:
        over, _, under = text.partition(":")
        return float(over) / float(under or 1)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a number") from None


def as_date(text: str) -> date:
    """Read a date such as 2024-05-31. Raise ValueError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2024-05-31") from None


def aspect(post: FullPost) -> float:
    """Return width divided by height, to two decimals as the site keeps it."""
    return round(post["image_width"] / max(post["image_height"], 1), 2)


def has_status(text: str) -> PostTest:
    tests = {
        "active": lambda post: not post["is_deleted"],
        "deleted": lambda post: post["is_deleted"],
        "banned": lambda post: post["is_banned"],
        "any": lambda post: True,
    }
    if text not in tests:
        raise ValueError(f"the status {text} is not known here")
    return tests[text]


def has_parent(text: str) -> PostTest:
    """Test whether a post is the parent with an id or its child, has a parent (any) or has none (none)."""
    if text in ("any", "none"):
        return lambda post: (post["parent_id"] is None) == (text == "none")
    return lambda post: text in (str(post["id"]), str(post["parent_id"]))


def number_in(name: str) -> Callable[[str], PostTest]:
    """Return a metatag that tests a field against ranges of numbers."""
    return partial(in_range, number_of(name), as_number)


def day_of(post: FullPost) -> date | None:
    """Return the day of upload; None if it is unknown."""
    return as_date(post["created_at"][:10]) if post.get("created_at") else None


def number_of(name: str) -> Callable[[FullPost], Any]:
    return lambda post: post.get(name)  # None if it is unknown


METATAGS: dict[str, Callable[[str], PostTest]] = {
    "status": has_status,
    "parent": has_parent,
    "rating": lambda text: one_of("rating", ",".join(word[:1] for word in text.split(","))),
    "filetype": partial(one_of, "file_ext"),
    "md5": partial(one_of, "md5"),
    "id": number_in("id"),
    "score": number_in("score"),
    "width": number_in("image_width"),
    "height": number_in("image_height"),
    "filesize": number_in("file_size"),
    "ratio": partial(in_range, aspect, lambda text: round(as_number(text), 2)),
    "mpixels": partial(in_range, lambda post: post["image_width"] * post["image_height"] / 1e6, as_number),
    "date": partial(in_range, day_of, as_date),
    "order": lambda text: lambda post: True,  # it sorts the page
}
