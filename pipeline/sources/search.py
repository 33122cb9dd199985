"""A search -> posts.jsonl, from a site, a dump, a folder or a list."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.errors import Halt
from pipeline.progress import Tick, quiet
from pipeline.sources import danbooru
from pipeline.sources.places import PostSource
from pipeline.sources.posts import Post, reduce_post, write_posts
from pipeline.sources.selection import compose_search, draw_posts, match_posts, select_posts
from pipeline.web.client import Site


def search_posts(
    place: Site | PostSource,
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
        tags = compose_search(search, level)
        newest = danbooru.id_ceiling(place, ceilings) if ceilings else danbooru.ask_newest_id(place)
        ceiling = {"ceiling": newest}
        chosen = islice(select_posts(danbooru.browse_posts(place, tags, newest), search, tally), search.limit)
    else:
        chosen = map(reduce_post, select_posts(match_posts(place.posts(), search), search, tally))
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
