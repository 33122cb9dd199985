"""A search -> posts.jsonl, from a site, a dump, a folder or a list."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline import Halt, danbooru, params
from pipeline.posts import Post, reduce, write_posts
from pipeline.progress import Tick, quiet
from pipeline.selection import choose, compose, draw_posts, matching
from pipeline.sources import Source
from pipeline.web.client import Site


def search(
    place: Site | Source,
    dest: Path,
    search: params.Search,
    *,
    level: str = "anonymous",
    ceilings: Path | None = None,
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Write the posts that match `search` to `dest`; return their number, and that of the others by reason.

    A site is searched as an account of `level`, up to the id that the file `ceilings` remembers for it, by
    default the newest id of all. After each post `tick` gets the number found and the limit. Raise ValueError
    for a search that the site would refuse, before sending it, and Halt if nothing is found.
    """
    tally, ceiling = Counter[str](), {}
    chosen: Iterable[Post]
    if isinstance(place, Site):
        tags = compose(search, level)
        newest = danbooru.ceiling(place, ceilings) if ceilings else danbooru.newest(place)
        ceiling = {"ceiling": newest}
        chosen = islice(choose(danbooru.browse(place, tags, newest), search, tally), search.limit)
    else:
        chosen = map(reduce, choose(matching(place.posts(), search), search, tally))
    written = write_posts(dest, reporting(chosen, search.limit, tick), partial(draw_posts, search=search))
    skipped = dict(sorted(tally.items()))
    if not written:
        why = ", ".join(f"{reason} {count}" for reason, count in skipped.items()) or "not one was found"
        raise Halt(f"{search.host} has no post for this search ({why}): ask for less")
    return ceiling | {"skipped": skipped, "posts": written}


def reporting(posts: Iterable[Post], limit: int, tick: Tick) -> Iterator[Post]:
    """Yield the posts, and report each one to `tick`."""
    for number, post in enumerate(posts, 1):
        yield post
        tick(number, max(number, limit))
