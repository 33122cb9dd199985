"""A search -> posts.jsonl, from a site or from any other source.

A note beside it, posts.search.json, has the parameters, the newest id of the site and the hash of the file.
With it a later search adds what came since.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import params
from pipeline.errors import Halt
from pipeline.files import hash_file, read_note, remove_partials, write_note
from pipeline.progress import Tick, quiet
from pipeline.shards.ledger import open_ledger
from pipeline.sources import danbooru
from pipeline.sources.posts import (
    FullPost,
    Post,
    PostSource,
    Refused,
    read_posts,
    reduce_post,
    write_posts,
)
from pipeline.sources.selection import compose_search, draw_posts, match_posts, select_posts
from pipeline.untrusted import hide_secrets
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
    new: bool = False,
    tick: Tick = quiet,
) -> dict[str, Any]:
    """Write the posts that match `search` to `dest`; return their number, and that of the others by reason.

    A site is searched as an account of `level`, up to the id that the file `ceilings` remembers for it, else
    up to the newest. The `ledger` names the files and rows that cannot be used. A `new` search keeps the
    posts of `dest`, and adds those that came since. Raise ValueError for a search that the site would refuse,
    and Halt if nothing is found, or if a new search cannot add to `dest`.
    """
    counts: dict[str, Any] = {}
    left, passed = LeftOut(), Counter[str]()
    asked = asdict(replace(search, host=hide_secrets(search.host)))
    floor = read_ceiling(dest, asked) if new else 0
    chosen: Iterable[Post]
    if isinstance(source, Site):
        search = replace(search, limit=search.limit or params.SITE_LIMIT)
        tags = compose_search(search, level)
        ceiling = danbooru.id_ceiling(source, ceilings, new) if ceilings else danbooru.ask_newest_id(source)
        counts["ceiling"] = ceiling
        found = danbooru.browse_posts(source, tags, ceiling, left.tally, floor)
        chosen = islice(select_posts(found, search, left.tally), search.limit)
    else:
        matching = match_posts(take_posts(source.posts(), left), search, left.tally)
        chosen = map(reduce_post, select_posts(matching, search, left.tally))
    known = {post["id"] for post in read_posts(dest)} if new else set()
    if new:
        chosen = chain(read_posts(dest), (post for post in chosen if post["id"] not in known))
    draw = partial(draw_unique, search=search, passed=passed, tally=left.tally)
    written = write_posts(dest, reporting(chosen, search.limit, passed, tick), draw)
    if ledger:
        write_refused(ledger, left.refused)
    if not written:
        raise Halt(f"{search.host} has no post for this search {left.describe()}: ask for less")
    note = {"search": asked, "ceiling": counts.get("ceiling", 0), "sha256": hash_file(dest)}
    write_note(note_path(dest), note)
    remove_partials(dest.parent, note_path(dest).name)
    if new:
        counts["new"] = sum(post["id"] not in known for post in read_posts(dest))
    return counts | {"skipped": left.counts(), "posts": written}


def note_path(dest: Path) -> Path:
    return dest.with_suffix(".search.json")


def read_ceiling(dest: Path, asked: dict[str, Any]) -> int:
    """Return the newest id that the site had when `dest` was written; 0 if it is of no site.

    Raise Halt unless a search with the same parameters, and without a draw, wrote `dest` as it is.
    """
    note, again = read_note(note_path(dest)), "search without --new, or name another file"
    if not note or not dest.is_file() or note["sha256"] != hash_file(dest):
        raise Halt(f"{dest} is not as a search wrote it: {again}")
    if changed := [name for name, value in asked.items() if note["search"].get(name) != value]:
        raise Halt(f"{dest} is of a search with another {' and another '.join(changed)}: {again}")
    if asked["sample"]:
        raise Halt(f"{dest} holds a random draw, to which no post can be added: {again}")
    return int(note["ceiling"])


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
