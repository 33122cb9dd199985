"""A search -> posts.jsonl, whatever has the posts: a site, a dump, a folder, a list."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from pipeline import Halt, danbooru, params
from pipeline.posts import choose, compose, matching, reduce, write_posts
from pipeline.report import listing
from pipeline.site import Site
from pipeline.sources import Source


def search(
    place: Site | Source,
    dest: Path,
    search: params.Search,
    *,
    level: str = "anonymous",
    ceilings: Path | None = None,
    tick: Callable[[int, int], None] = lambda found, limit: None,
) -> dict:
    """Write the posts that are asked for to `dest` and return the counts.

    A site is asked as an account of `level`, for ids up to the one that the file `ceilings` remembers for it,
    or else the newest. After each post `tick` gets the number found and the most that are wanted. Raise
    ValueError for a search that the site would refuse, before it is asked, and Halt if nothing is found.
    """
    skipped, told = Counter(), {}
    if isinstance(place, Site):
        tags = compose(search, level)
        told["ceiling"] = danbooru.ceiling(place, ceilings) if ceilings else danbooru.newest(place)
        found = danbooru.browse(place, tags, told["ceiling"])
        chosen = islice(choose(found, search, skipped), search.limit)
    else:
        chosen = map(reduce, choose(matching(place.posts(), search), search, skipped))
    written = write_posts(dest, watched(chosen, search.limit, tick), search)
    told["skipped"] = dict(sorted(skipped.items()))
    if not written:
        why = listing(told["skipped"]) or "not one was found"
        raise Halt(f"{search.host} has no post for this search ({why}): ask for less")
    return told | {"posts": written}


def watched(posts: Iterable[dict], limit: int, tick: Callable[[int, int], None]) -> Iterator[dict]:
    """Yield the posts and tell their number."""
    for number, post in enumerate(posts, 1):
        yield post
        tick(number, max(number, limit))
