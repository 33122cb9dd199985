"""Which posts to take: a search in the site's language, filters, and the draw of a sample."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from pipeline import chance
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
    return f"{search.tags} {search_terms(search)} {search_shape(search)}".strip()


def search_terms(search: Search) -> str:
    """Write status, rating, score, file type and date as metatags."""
    days = f" date:{search.since}..{search.until}" if search.since or search.until else ""
    return f"status:active rating:{search.rating} score:>={search.score} filetype:{search.types}{days}"


def search_shape(search: Search) -> str:
    """Write the size of the picture as metatags; the site keeps ratios to two decimals."""
    narrow, wide = round(1 / search.ratio, 2), round(search.ratio, 2)
    return f"width:>={search.size} height:>={search.size} ratio:{narrow:g}..{wide:g}"


def match_posts(posts: Iterable[FullPost], search: Search) -> Iterator[FullPost]:
    """Yield the posts that a site would find. A post of unknown size (width 0) fits every size.

    Raise ValueError at once if the search cannot be read.
    """
    fits = query.parse_search(f"{search.tags} {search_terms(search)}")
    in_shape = query.parse_search(search_shape(search))
    return (post for post in posts if fits(post) and (not post["image_width"] or in_shape(post)))


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
    """Return whether `names` holds the id of a post, or artist:NAME for one of its artists."""
    artists = {f"artist:{name}" for name in post.get("tag_string_artist", "").split()}
    return not {str(post["id"]), *artists}.isdisjoint(names)


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


def draw_posts(ids: np.ndarray, search: Search) -> np.ndarray:
    """Return the indices of the ids to keep: the largest `search.limit`, or `search.sample` drawn from those.

    `ids` is sorted. Whether one is drawn depends on the seed and the ids alone.
    """
    start = max(len(ids) - search.limit, 0)
    if not 0 < search.sample < len(ids) - start:
        return np.arange(start, len(ids))
    draws = [chance.fraction(search.seed, "search", str(number)) for number in ids[start:]]
    return start + np.sort(np.argsort(draws)[: search.sample])
