"""A search -> posts.jsonl, from a site or from any other source."""

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
from pipeline.sources.posts import Post, reduce_post, write_posts
from pipeline.sources.selection import compose_search, draw_posts, match_posts, select_posts
from pipeline.sources.source import PostSource
from pipeline.web.client import Site


def search_posts(
    source: Site | PostSource,
    dest: Path,
    search: params.Search,
    *,
    level: str = "anonymous",
    ceilings: Path | None = None,
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Write the posts that match `search` to `dest`; return their number, and that of the others by reason.

    A site is searched as an account of `level`, up to the id that the file `ceilings` remembers for it, else
    up to the newest. Raise ValueError for a search that the site would refuse, and Halt if nothing is found.
    """
    counts: dict[str, Any] = {}
    tally = Counter[str]()
    chosen: Iterable[Post]
    if isinstance(source, Site):
        tags = compose_search(search, level)
        ceiling = danbooru.id_ceiling(source, ceilings) if ceilings else danbooru.ask_newest_id(source)
        counts["ceiling"] = ceiling
        found = danbooru.browse_posts(source, tags, ceiling, tally)
        chosen = islice(select_posts(found, search, tally), search.limit)
    else:
        chosen = map(reduce_post, select_posts(match_posts(source.posts(), search), search, tally))
    written = write_posts(dest, reporting(chosen, search.limit, tick), partial(draw_posts, search=search))
    skipped = dict(sorted((+tally).items()))
    if not written:
        reasons = ", ".join(f"{reason} {count}" for reason, count in skipped.items())
        raise Halt(
            f"{search.host} has no post for this search ({reasons or 'not one was found'}): ask for less"
        )
    return counts | {"skipped": skipped, "posts": written}


def reporting(posts: Iterable[Post], limit: int, tick: Tick) -> Iterator[Post]:
    for number, post in enumerate(posts, 1):
        yield post
        tick(number, max(number, limit))
