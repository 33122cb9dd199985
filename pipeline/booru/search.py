"""Searches of the loopback site: a page of posts, their count, and the list of tags."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import islice
from math import inf
from operator import itemgetter
from typing import Any

from pipeline.booru.catalog import Catalog
from pipeline.sources import query
from pipeline.sources.posts import FullPost

ORDERS = {"id": ("id", 1), "id_desc": ("id", -1), "score": ("score", -1), "score_asc": ("score", 1)}
CATEGORY_NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}  # of tag categories
BY_ID = itemgetter("id")


class ApiError(Exception):
    """A request gets an error for an answer: (status, Danbooru's name of the error, message)."""


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that cannot be read."""
    return ApiError(400, "ActionController::BadRequest", message)


def parse_allowed(text: str, level: str) -> query.PostTest:
    """Turn a search into a test of posts. Raise Refusal if it has too many tags or cannot be read."""
    limit = query.TAG_LIMITS[level]
    if len(query.counted_words(text)) > limit:
        raise ApiError(
            422, "PostQuery::TagLimitError", f"You cannot search for more than {limit} tags at a time."
        )
    try:
        return query.parse_search(text)
    except ValueError as error:
        raise bad_request(f"{error}.") from None


def count_matches(posts: list[FullPost], asked: Mapping[str, str], level: str) -> int:
    """Count the posts that a search finds. Raise Refusal."""
    text = asked.get("tags", "")
    return sum(
        map(parse_allowed(text, level), posts_between(posts, *search_bounds(text, "", newest_id(posts))))
    )


def browse_page(posts: list[FullPost], asked: Mapping[str, str], level: str) -> list[FullPost]:
    """Return the page that a request asks for, from posts sorted by id. Raise Refusal.

    It tests no more posts than it needs.
    """
    text, page = asked.get("tags", ""), asked.get("page", "1")
    test, (side, number), limit = parse_allowed(text, level), read_page(page), read_limit(asked, 200)
    near = posts_between(posts, *search_bounds(text, page, newest_id(posts)))
    if side == "a":
        return list(islice(filter(test, near), limit))[::-1]
    if side == "b":
        return list(islice(filter(test, reversed(near)), limit))
    start = max(number - 1, 0) * limit
    names = re.findall(r"(?<!\S)order:(\S+)", text.lower())
    if not names:
        return list(islice(filter(test, reversed(near)), start, start + limit))
    name, sign = ORDERS.get(names[-1], ORDERS["id_desc"])
    value = query.number_of(name)
    found = sorted(filter(test, near), key=lambda post: (sign * value(post), -post["id"]))
    return found[start : start + limit]


def newest_id(posts: list[FullPost]) -> int:
    """Return the largest id of posts sorted by id."""
    return posts[-1]["id"] if posts else 0


def posts_between(posts: list[FullPost], low: float, high: float) -> list[FullPost]:
    """Return the posts with ids from `low` to `high`, from posts sorted by id."""
    return posts[bisect_left(posts, low, key=BY_ID) : bisect_right(posts, high, key=BY_ID)]


def search_bounds(text: str, page: str, newest: int) -> tuple[float, float]:
    """Return the least and the greatest id that a page of a search may hold.

    Raise ValueError or Refusal if they cannot be read.
    """
    low, high = 1.0, float(newest)
    for ids in re.findall(r"(?<!\S)id:(\S+)", text.lower()):
        least, most = id_bounds(ids)
        low, high = max(low, least), min(high, most)
    side, number = read_page(page or "1")
    if side == "a":
        low = max(low, number + 1)
    if side == "b":
        high = min(high, number - 1)
    return low, high


def id_bounds(text: str) -> tuple[float, float]:
    """Return the least and the greatest integer in ranges such as 5..10,>20. Raise ValueError."""
    ends = [span_ends(part) for part in text.split(",")]
    return min(low for low, _ in ends), max(high for _, high in ends)


def span_ends(text: str) -> tuple[float, float]:
    """Return the least and the greatest integer in one range. Raise ValueError."""
    low, dots, high = text.partition("..")
    if dots:
        return query.as_number(low) if low else -inf, query.as_number(high) if high else inf
    sign, bound = query.split_sign(text)
    if not bound:
        return -inf, inf
    value = query.as_number(bound)
    ends = {">": (value + 1, inf), ">=": (value, inf), "<": (-inf, value - 1), "<=": (-inf, value)}
    return ends.get(sign, (value, value))


def read_page(page: str) -> tuple[str, int]:
    """Read a page such as 3, b500 (below that id) or a500 (above it), as (side, number). Raise Refusal."""
    match = re.fullmatch(r"([ab]?)(\d{1,18})", page)
    if not match:
        raise bad_request("page is not a number.")
    if not match[1] and int(match[2]) > 1000:
        raise ApiError(410, "PaginationExtension::PaginationError", "You cannot go beyond page 1000.")
    return match[1], int(match[2])


def read_limit(asked: Mapping[str, str], most: int) -> int:
    """Read how many a request asks for, 20 by default and at most `most`. Raise Refusal."""
    if not re.fullmatch(r"\d{1,18}", asked.get("limit", "20")):
        raise bad_request("limit is not a number.")
    return min(int(asked.get("limit", "20")), most)


def list_tags(catalog: Catalog, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the tags that a request names, or all, those with the most posts first. Raise Refusal.

    Every tag has a post here, so search[hide_empty] changes nothing.
    """
    side, number = read_page(asked.get("page", "1"))
    if side:
        raise bad_request("tags have no cursors here.")
    names = set(asked.get("search[name]", "").lower().split(",")) - {""}
    found = [item for item in catalog.tags.items() if not names or item[0][0] in names]
    ranked = sorted(found, key=lambda item: (-item[1], item[0][0]))
    limit = read_limit(asked, 1000)
    start = max(number - 1, 0) * limit
    return [
        {"name": name, "post_count": posts, "category": CATEGORY_NUMBERS[category]}
        for (name, category), posts in ranked[start : start + limit]
    ]
