"""Search a Danbooru through its API."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pipeline.errors import Halt
from pipeline.files import write_json
from pipeline.sources.posts import DANBOORU_FIELDS, FullPost, Post, check_form, reduce_post
from pipeline.untrusted import is_integer, plain_text
from pipeline.web.client import SearchCanceled, Site

PAGE_SIZE = 200  # posts, the most that a site gives
FEWEST_POSTS = 20  # in a page, unless it is the last
MAX_WASTED = 20  # pages in a row with too few posts
MAX_PAGES = 100_000  # of a search; twice as many as all posts of Danbooru fill
ONLY_FIELDS = ",".join((*DANBOORU_FIELDS, "media_asset[pixel_hash,variants]"))


def browse_posts(
    site: Site, tags: str, ceiling: int, tally: Counter[str] | None = None, floor: int = 0
) -> Iterator[Post]:
    """Yield the posts with ids above `floor`, up to `ceiling`, newest first; count those that are malformed.

    If a search takes the site's database too long, search smaller ranges of ids. Raise Halt.
    """
    tally, wasted = Counter() if tally is None else tally, 0
    high, width = ceiling, ceiling - floor  # end and length of the range of ids to ask for next
    for _ in range(MAX_PAGES):
        if high <= floor:
            return
        low = max(high - width, floor) + 1
        try:
            page = ask_page(site, {"tags": f"{tags} id:{low}..{ceiling}", "page": f"b{high + 1}"})
        except SearchCanceled as error:
            if low == high:
                raise Halt(f"{site.host} cannot even search one id ({error}): ask for fewer tags") from None
            width = (high - low + 1) // 2
            continue
        inside = [post for post in page if has_id(post) and low <= post["id"] <= high]
        if page and not inside:
            raise Halt(f"{site.host} gave posts that were not asked for: check that host names a Danbooru")
        posts = parse_page(inside, site.host)
        tally["malformed"] += len(page) - len(posts)
        few = page and (not posts or (low == floor + 1 and len(page) < FEWEST_POSTS))
        wasted = wasted + 1 if few else 0
        if wasted == MAX_WASTED:
            raise Halt(
                f"{site.host} gave {wasted} pages with too few posts: check that host names a Danbooru"
            )
        yield from posts
        high = min((post["id"] for post in inside), default=low) - 1
        width *= 1 if page else 2
    raise Halt(f"{site.host} gave more than {MAX_PAGES:,} pages: ask for less")


def ask_newest_id(site: Site) -> int:
    page = ask_page(site, {"limit": 1, "only": "id"})
    if not page:
        raise Halt(f"{site.host} has no posts: check that host names a Danbooru")
    return next(post["id"] for post in page if has_id(post))


def ask_page(site: Site, query: dict[str, str | int]) -> list[Any]:
    """Request a page of posts, by default a full one. Raise Halt if not a single one in it has an id."""
    full: dict[str, str | int] = {"limit": PAGE_SIZE, "only": ONLY_FIELDS}
    page = site.ask("/posts.json", **(full | query))
    if not isinstance(page, list) or (page and not any(map(has_id, page))):
        raise Halt(f"{site.host} answered a search with no list of posts: check that host names a Danbooru")
    return page


def has_id(value: Any) -> bool:
    return isinstance(value, dict) and is_integer(value.get("id"), 1)


def parse_page(page: list[Any], host: str) -> list[Post]:
    """Return the posts of a page as `posts.jsonl` keeps them, without those that are malformed."""
    posts = []
    for value in page:
        try:
            posts.append(parse_post(value, host))
        except (ValueError, KeyError, TypeError):
            continue
    return posts


def parse_post(value: Any, host: str) -> Post:
    """Make a post of what a site gave. Raise ValueError, KeyError or TypeError if it is malformed."""
    asset = value.get("media_asset") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(asset, dict | None):
        raise ValueError("not a post")
    given = {name: value.get(name) for name in DANBOORU_FIELDS}
    given |= {name: plain_text(text) for name, text in given.items() if isinstance(text, str)}
    post = reduce_post(cast(FullPost, given | {"media_asset": asset}), host)
    check_form(post)
    for url in (post.get("file_url", "/"), *(file["url"] for file in post.get("variants", {}).values())):
        if not re.match("https?://|/(?!/)", url):
            raise ValueError("a file must have an address")
    return post


def id_ceiling(site: Site, path: Path, renew: bool = False) -> int:
    """Return the id up to which to search a site, and keep it in `path`.

    It is the newest when the site was first searched, or now if it is to be renewed.
    """
    try:
        known = json.loads(path.read_bytes()) if path.is_file() else {}
        ceiling = int(known.get(site.host, 0))
    except (ValueError, TypeError, AttributeError):
        raise Halt(f"{path} does not hold the newest id of each site: repair it or remove it") from None
    if renew or not ceiling:
        ceiling = ask_newest_id(site)
        write_json(path, known | {site.host: ceiling})
    return ceiling


def ask_count(site: Site, tags: str) -> int | None:
    """Request the number of posts that a search finds; None if the site does not know it. Raise Halt."""
    try:
        count = site.ask("/counts/posts.json", tags=tags)["counts"]["posts"]
    except SearchCanceled:
        return None
    except (KeyError, TypeError):
        count = ""
    if count is not None and not is_integer(count):
        raise Halt(f"{site.host} answered a count with none: check that host names a Danbooru")
    return count
