"""Which posts to take: a search in the site's language, filters, and the draw of a sample."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from pipeline import chance
from pipeline.images.codec import SUFFIX_ALIASES
from pipeline.params import Search
from pipeline.sources import query
from pipeline.sources.posts import FullPost, Post, tags_of

AnyPost = TypeVar("AnyPost", bound=Post)

COLOR_NAMES = "aqua|black|blonde|blue|brown|gr[ae]y|green|orange|pink|purple|red|silver|white|yellow"
COLORED_PARTS = {part: re.compile(rf"(dark_|light_)?({COLOR_NAMES})_{part}") for part in ("hair", "eyes")}
NOT_TAG2PIX = {
    "comic", "photo", "photo_(medium)", "subtitled", "english", "english_text", "black_border",
    "multiple_views",
}  # fmt: skip


def compose_search(search: Search, level: str = "platinum") -> str:
    """Write a search in the site's language. Raise ValueError if it is refused to accounts of `level`."""
    limit = query.TAG_LIMITS[level]
    if len(query.counted_words(search.tags)) > limit:
        hint = "what to exclude belongs into blacklist"
        raise ValueError(f"tags must be at most {limit} for the level {level} ({hint}), got {search.tags!r}")
    if any(word.startswith(("order:", "random:")) for word in search.tags.lower().split()):
        raise ValueError(f"tags must not ask for an order, got {search.tags!r}")
    terms = search_terms(search)
    since, until = terms.pop("since", ""), terms.pop("until", "")
    days = f"date:{search.since}..{search.until}" if since or until else ""
    shape = [terms.pop(name) for name in ("size", "ratio")]
    return " ".join(filter(None, [*terms.values(), days, *shape]))


def search_terms(search: Search) -> dict[str, str]:
    """Write each filter of a search as tags and metatags, by name; a site keeps ratios to two decimals."""
    types = dict.fromkeys(SUFFIX_ALIASES.get(name, name) for name in search.types.split(","))
    terms = {
        "tags": search.tags,
        "deleted": "status:active",
        "rating": f"rating:{search.rating}",
        "score": f"score:>={search.score}",
        "types": f"filetype:{','.join(types)}",
        "size": f"width:>={search.size} height:>={search.size}",
        "ratio": f"ratio:{round(1 / search.ratio, 2):g}..{round(search.ratio, 2):g}",
    }
    if search.since:
        terms["since"] = f"date:{search.since}.."
    if search.until:
        terms["until"] = f"date:..{search.until}"
    return terms


def match_posts(
    posts: Iterable[FullPost], search: Search, tally: Counter[str] | None = None
) -> Iterator[FullPost]:
    """Yield the posts that a site would find; count the others by the first filter that rejected them.

    An unknown score, type or size passes. An unknown rating passes if `search.unrated` is take, and an
    unknown day of upload does not. Raise ValueError at once if the search cannot be read.
    """
    tests = {name: query.parse_search(term) for name, term in search_terms(search).items()}
    return count_failures(posts, tests, passing_unknown(search), Counter() if tally is None else tally)


def passing_unknown(search: Search) -> dict[str, str]:
    """Return the filters that a post passes if it lacks a field, with the field."""
    fields = {"score": "score", "types": "file_ext", "size": "image_width", "ratio": "image_width"}
    return fields | {"rating": "rating"} if search.unrated == "take" else fields


def count_failures(
    posts: Iterable[FullPost],
    tests: Mapping[str, query.PostTest],
    unknown: Mapping[str, str],
    tally: Counter[str],
) -> Iterator[FullPost]:
    for post in posts:
        for name, test in tests.items():
            lacks = name in unknown and is_unknown(post.get(unknown[name]), name)
            if not lacks and not test(post):
                tally[name] += 1
                break
        else:
            yield post


def is_unknown(value: object, name: str) -> bool:
    """Return whether the value of a filter's field is unknown; a score of 0 is not, a width of 0 is."""
    return value in (None, "") or (value == 0 and name != "score")


def select_posts(posts: Iterable[AnyPost], search: Search, tally: Counter[str]) -> Iterator[AnyPost]:
    """Yield the posts that pass every filter; count the others by the filter that rejected them."""
    unwanted, forgotten = set(search.blacklist.split()), set(search.forget.split())
    for post in posts:
        tags = set(tags_of(post))
        if is_forgotten(post, forgotten):
            tally["forgotten"] += 1
        elif tags & unwanted:
            tally["blacklist"] += 1
        elif search.recipe == "tag2pix" and not is_tag2pix(post, tags):
            tally["recipe"] += 1
        else:
            yield post


def is_forgotten(post: Post, names: set[str]) -> bool:
    """Return whether `names` holds the id of a post, md5:HASH of its file, or artist:NAME of an artist."""
    artists = {f"artist:{name}" for name in post.get("tag_string_artist", "").split()}
    return not {str(post["id"]), f"md5:{post.get('md5')}", *artists}.isdisjoint(names)


def is_tag2pix(post: Post, tags: set[str]) -> bool:
    """Return whether Tag2Pix (Kim et al., ICCV 2019) takes a post with these tags.

    It shows one person with one hair color and one eye color on a simple background; its longer side has at
    least 512 pixels, and the ratio of its sides is from 3:4 to 4:3.
    """
    width, height = post.get("image_width", 0), post.get("image_height", 0)
    return (
        max(width, height) >= 512
        and 3 * height <= 4 * width
        and 3 * width <= 4 * height
        and len(tags & {"1girl", "1boy"}) == 1
        and all(sum(map(bool, map(color.fullmatch, tags))) == 1 for color in COLORED_PARTS.values())
        and "simple_background" in tags
        and not tags & NOT_TAG2PIX
    )


def draw_posts(ids: np.ndarray, search: Search, tally: Counter[str]) -> np.ndarray:
    """Return the indices of the ids to keep: the largest `search.limit`, or `search.sample` drawn from those.

    `ids` is sorted. Whether one is drawn depends on the seed and the ids alone. The others are counted.
    """
    start = max(len(ids) - search.limit, 0) if search.limit else 0
    tally["limit"] += start
    if not 0 < search.sample < len(ids) - start:
        return np.arange(start, len(ids))
    tally["sample"] += len(ids) - start - search.sample
    draws = [chance.fraction(search.seed, "search", str(number)) for number in ids[start:]]
    return start + np.sort(np.argsort(draws)[: search.sample])
