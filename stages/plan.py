"""A search and its fetch -> how much they take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from pipeline.params import Fetch, Search
from stages.arguments import CACHE, AsJson, Cache, emit, emit_json, progress
from stages.fetch import open_files
from stages.options import unfold
from stages.site import Level, Rate, check_search, is_site, open_host


@unfold
def plan(
    search: Search,
    fetch: Fetch,
    posts: Annotated[
        Path | None, typer.Argument(help="The posts that search wrote.", show_default="search first")
    ] = None,
    as_json: AsJson = False,
    rate: Rate = None,
    level: Level = "member",
    cache: Cache = CACHE,
) -> None:
    """Estimate the requests, files, bytes and time of a search and its fetch, without fetching a file.

    Without POSTS, a site is asked how many posts match, and how large the newest of them are; a folder, dump
    or list is searched to the end.
    """
    from pipeline.sources import plan as planning

    check_search(search, level)
    if posts is None and is_site(search.host):
        with open_host(search.host, cache, rate) as site:
            estimate = planning.plan_search(site, search, fetch, level)
    else:
        with found_posts(search, posts) as found, open_files(search.host, cache, rate, fetch) as files:
            estimate = planning.plan_fetch(files, found)
    if as_json:
        emit_json(estimate)
    else:
        emit(f"plan: {planning.describe_plan(estimate)}")


@contextmanager
def found_posts(search: Search, posts: Path | None) -> Iterator[Path]:
    """Give the file of posts, or search a source on this machine for them into a temporary folder."""
    from pipeline.local.source import open_source
    from pipeline.sources.search import search_posts

    if posts:
        yield posts
        return
    with TemporaryDirectory() as folder, progress("search", "post") as tick:
        found = Path(folder) / "posts.jsonl"
        search_posts(open_source(search.host), found, search, tick=tick)
        yield found
