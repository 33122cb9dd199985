"""A search -> posts.jsonl, from a site or from any other source."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import params
from pipeline.errors import Halt
from pipeline.progress import Tick, quiet
from pipeline.shards.ledger import open_ledger
from pipeline.sources import danbooru
from pipeline.sources.posts import FullPost, Post, PostSource, Refused, reduce_post, write_posts
from pipeline.sources.selection import compose_search, draw_posts, match_posts, select_posts
from pipeline.web.client import Site


@dataclass
class LeftOut:
    """What a search leaves out: posts by the filter, and files and rows that cannot be used; all ratings."""

    tally: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    ratings: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, int]:
        return dict(sorted((+self.tally + Counter(bad.reason for bad in self.refused)).items()))

    def describe(self) -> str:
        rated = f"; its posts are rated {list_counts(self.ratings)}" if self.tally["rating"] else ""
        return f"({list_counts(self.counts()) or 'not one was found'}){rated}"


def list_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def search_posts(
    source: Site | PostSource,
    dest: Path,
    search: params.Search,
    *,
    level: str = "anonymous",
    ceilings: Path | None = None,
    ledger: Path | None = None,
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Write the posts that match `search` to `dest`; return their number, and that of the others by reason.

    A site is searched as an account of `level`, up to the id that the file `ceilings` remembers for it, else
    up to the newest. The `ledger` names the files and rows that cannot be used. Raise ValueError for a search
    that the site would refuse, and Halt if nothing is found.
    """
    counts: dict[str, Any] = {}
    left, passed = LeftOut(), Counter[str]()
    chosen: Iterable[Post]
    if isinstance(source, Site):
        search = replace(search, limit=search.limit or params.SITE_LIMIT)
        tags = compose_search(search, level)
        ceiling = danbooru.id_ceiling(source, ceilings) if ceilings else danbooru.ask_newest_id(source)
        counts["ceiling"] = ceiling
        found = danbooru.browse_posts(source, tags, ceiling, left.tally)
        chosen = islice(select_posts(found, search, left.tally), search.limit)
    else:
        matching = match_posts(take_posts(source.posts(), left), search, left.tally)
        chosen = map(reduce_post, select_posts(matching, search, left.tally))
    draw = partial(draw_unique, search=search, passed=passed, tally=left.tally)
    written = write_posts(dest, reporting(chosen, search.limit, passed, tick), draw)
    if ledger:
        write_refused(ledger, left.refused)
    if not written:
        raise Halt(f"{search.host} has no post for this search {left.describe()}: ask for less")
    return counts | {"skipped": left.counts(), "posts": written}


def take_posts(found: Iterable[FullPost | Refused], left: LeftOut) -> Iterator[FullPost]:
    """Yield the posts of a source and count their ratings; collect the files and rows that cannot be used."""
    for post in found:
        if isinstance(post, Refused):
            left.refused.append(post)
        else:
            left.ratings[post.get("rating", "unknown")] += 1
            yield post


def draw_unique(
    ids: np.ndarray, search: params.Search, passed: Counter[str], tally: Counter[str]
) -> np.ndarray:
    """Draw among the ids, which are sorted and each once, and count the posts that had one of them before."""
    tally["same id"] += passed["posts"] - len(ids)
    return draw_posts(ids, search, tally)


def reporting(posts: Iterable[Post], limit: int, passed: Counter[str], tick: Tick) -> Iterator[Post]:
    for number, post in enumerate(posts, 1):
        passed["posts"] = number
        yield post
        tick(number, max(number, limit))


def write_refused(path: Path, refused: list[Refused]) -> None:
    """Write the table of files and rows that cannot be used; if all can, remove an earlier one."""
    if not refused:
        path.unlink(missing_ok=True)
        return
    with open_ledger(path, "reason", "detail", subject="name") as add:
        add((bad.name, bad.reason, bad.detail) for bad in refused)
