"""A search and its fetch -> how much they take."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Fetch, Search
from stages.arguments import CACHE, Cache
from stages.fetch import open_files
from stages.options import unfold, usage_errors
from stages.site import Level, Rate, is_site, open_host


@unfold
def plan(
    search: Search,
    fetch: Fetch,
    posts: Annotated[
        Path | None, typer.Argument(help="The posts that search wrote.", show_default="ask the site")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    rate: Rate = None,
    level: Level = "member",
    cache: Cache = CACHE,
) -> None:
    """Estimate the requests, files, bytes and time of a search and its fetch."""
    from pipeline.sources import plan as planning
    from pipeline.sources.selection import compose_search

    with usage_errors():
        compose_search(search, level)
        if posts is None and not is_site(search.host):
            raise ValueError("posts must be named for a host that is not a site: search first")
    if posts is None:
        with open_host(search.host, cache, rate) as site:
            estimate = planning.plan_search(site, search, fetch, level)
    else:
        with open_files(search.host, cache, rate, fetch) as files:
            estimate = planning.plan_fetch(files, posts)
    typer.echo(json.dumps(estimate, indent=2) if as_json else f"plan: {planning.describe_plan(estimate)}")
