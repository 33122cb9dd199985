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
CATEGORY_NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}  # of tags
BY_ID = itemgetter("id")


class ApiError(Exception):
    """An error that the API answers with: (status, Danbooru's name of the error, message)."""


def bad_request(message: str) -> ApiError:
    return ApiError(400, "ActionController::BadRequest", message)


def parse_allowed(text: str, level: str) -> query.PostTest:
    """Turn a search into a test of posts. Raise ApiError if it has too many tags or cannot be parsed."""
    limit = query.TAG_LIMITS[level]
    if len(query.counted_words(text)) > limit:
        message = f"You cannot search for more than {limit} tags at a time."
        raise ApiError(422, "PostQuery::TagLimitError", message)
    try:
        return query.parse_search(text)
    except ValueError as error:
        raise bad_request(f"{error}.") from None


def count_matches(posts: list[FullPost], params: Mapping[str, str], level: str) -> int:
    """Count the posts that a search finds. Raise ApiError."""
    text = params.get("tags", "")
    test = parse_allowed(text, level)
    return sum(map(test, posts_in_reach(posts, text, "")))


def browse_page(posts: list[FullPost], params: Mapping[str, str], level: str) -> list[FullPost]:
    """Return the requested page of posts sorted by id; test no more than needed. Raise ApiError."""
    text, page = params.get("tags", ""), params.get("page", "1")
    test, (side, number), limit = parse_allowed(text, level), read_page(page), read_limit(params, 200)
    reach = posts_in_reach(posts, text, page)
    if side == "a":
        return list(islice(filter(test, reach), limit))[::-1]
    start = 0 if side == "b" else max(number - 1, 0) * limit
    orders = re.findall(r"(?<!\S)order:(\S+)", text.lower())
    if side == "b" or not orders:
        return list(islice(filter(test, reversed(reach)), start, start + limit))
    name, sign = ORDERS.get(orders[-1], ORDERS["id_desc"])
    value = query.number_of(name)
    found = sorted(filter(test, reach), key=lambda post: (sign * value(post), -post["id"]))
    return found[start : start + limit]


def posts_in_reach(posts: list[FullPost], text: str, page: str) -> list[FullPost]:
    """Return the posts that the ids of a search and a page allow. Raise ValueError or ApiError."""
    return posts_between(posts, *search_bounds(text, page, newest_id(posts)))


def newest_id(posts: list[FullPost]) -> int:
    """Return the largest id of posts sorted by id, or 0."""
    return posts[-1]["id"] if posts else 0


def posts_between(posts: list[FullPost], low: float, high: float) -> list[FullPost]:
    """Return the posts with ids from `low` to `high`, of posts sorted by id."""
    return posts[bisect_left(posts, low, key=BY_ID) : bisect_right(posts, high, key=BY_ID)]


def search_bounds(text: str, page: str, newest: int) -> tuple[float, float]:
    """Return the least and the greatest id that a page of a search may hold. Raise ValueError or ApiError."""
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
    """Read a page such as 3, b500 (below that id) or a500 (above it), as (side, number). Raise ApiError."""
    match = re.fullmatch(r"([ab]?)(\d{1,18})", page)
    if not match:
        raise bad_request("page is not a number.")
    if not match[1] and int(match[2]) > 1000:
        raise ApiError(410, "PaginationExtension::PaginationError", "You cannot go beyond page 1000.")
    return match[1], int(match[2])


def read_limit(params: Mapping[str, str], most: int) -> int:
    """Return the requested number of results, 20 by default and at most `most`. Raise ApiError."""
    limit = params.get("limit", "20")
    if not re.fullmatch(r"\d{1,18}", limit):
        raise bad_request("limit is not a number.")
    return min(int(limit), most)


def list_tags(catalog: Catalog, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the named tags, or all, the most used first; none is empty. Raise ApiError."""
    side, number = read_page(params.get("page", "1"))
    if side:
        raise bad_request("tags have no cursors here.")
    names = set(params.get("search[name]", "").lower().split(",")) - {""}
    found = [item for item in catalog.tags.items() if not names or item[0][0] in names]
    ranked = sorted(found, key=lambda item: (-item[1], item[0][0]))
    limit = read_limit(params, 1000)
    start = max(number - 1, 0) * limit
    return [
        {"name": name, "post_count": posts, "category": CATEGORY_NUMBERS[category]}
        for (name, category), posts in ranked[start : start + limit]
    ]
