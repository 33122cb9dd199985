"""Search a Danbooru through its API."""

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import write_json
from pipeline.sources.posts import DANBOORU_FIELDS, FullPost, Post, reduce_post
from pipeline.web.client import SearchCanceled, Site

PAGE_SIZE = 200  # posts, the most that a site gives
ONLY_FIELDS = ",".join((*DANBOORU_FIELDS, "media_asset[pixel_hash,variants]"))


def browse_posts(site: Site, tags: str, ceiling: int) -> Iterator[Post]:
    """Yield the posts with ids up to `ceiling`, newest first.

    If a search takes the site's database too long, search smaller ranges of ids. Raise Halt.
    """
    high = width = ceiling  # end and length of the range of ids that the next request searches
    while high > 0:
        low = max(high - width, 0) + 1
        try:
            page = ask_page(site, {"tags": f"{tags} id:{low}..{ceiling}", "page": f"b{high + 1}"})
        except SearchCanceled as error:
            if low == high:
                raise Halt(f"{site.host} cannot even search one id ({error}): ask for fewer tags") from None
            width = (high - low + 1) // 2
            continue
        ids = [post["id"] for post in page]
        if not all(low <= number <= high for number in ids):
            raise Halt(f"{site.host} gave posts that were not asked for: check that host names a Danbooru")
        yield from (reduce_post(post, site.host) for post in page)
        high = min(ids, default=low) - 1
        width *= 1 if page else 2


def ask_newest_id(site: Site) -> int:
    page = ask_page(site, {"limit": 1, "only": "id"})
    if not page:
        raise Halt(f"{site.host} has no posts: check that host names a Danbooru")
    return page[0]["id"]


def ask_page(site: Site, query: dict[str, str | int]) -> list[FullPost]:
    """Request a page of posts, by default a full one. Raise Halt if the response is not one."""
    full: dict[str, str | int] = {"limit": PAGE_SIZE, "only": ONLY_FIELDS}
    page = site.ask("/posts.json", **(full | query))
    if not isinstance(page, list) or not all(map(is_post, page)):
        raise Halt(f"{site.host} answered a search with no list of posts: check that host names a Danbooru")
    return page


def is_post(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("id")) is int


def id_ceiling(site: Site, path: Path) -> int:
    """Return the id up to which to search a site: the newest when it was first searched, kept in `path`."""
    try:
        known = json.loads(path.read_bytes()) if path.is_file() else {}
        ceiling = int(known.get(site.host, 0))
    except (ValueError, TypeError, AttributeError):
        raise Halt(f"{path} does not hold the newest id of each site: repair it or remove it") from None
    if not ceiling:
        ceiling = ask_newest_id(site)
        write_json(path, known | {site.host: ceiling})
    return ceiling


def ask_count(site: Site, tags: str) -> int | None:
    """Request the number of posts that a search finds; None if the site does not know it. Raise Halt."""
    try:
        return site.ask("/counts/posts.json", tags=tags)["counts"]["posts"]
    except SearchCanceled:
        return None
    except (KeyError, TypeError):
        raise Halt(f"{site.host} answered a count with none: check that host names a Danbooru") from None
