"""What a search and a fetch will take, for people and scripts."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Fetch, Search
from stages.arguments import CACHE, Cache
from stages.options import unfold, usage
from stages.site import Level, Rate, fetched, is_site, searched


@unfold
def plan(
    search: Search,
    fetch: Fetch,
    posts: Annotated[
        Path | None,
        typer.Argument(
            help="The posts that search wrote, to be exact.  [default: ask the site for an estimate]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    rate: Rate = None,
    level: Level = "member",
    cache: Cache = CACHE,
) -> None:
    """Say how many requests, files and bytes a search and its fetch take, and how long, before the first."""
    from pipeline import plan as planning
    from pipeline.selection import compose

    with usage():
        compose(search, level)
        if posts is None and not is_site(search.host):
            raise ValueError("posts must be named for what is no site: search first, it asks nobody")
    if posts is None:
        with searched(search.host, cache, rate) as site:
            told = planning.plan_search(site, search, fetch, level)
    else:
        with fetched(search.host, cache, rate) as place:
            told = planning.plan_fetch(place, posts, fetch, cache)
    typer.echo(json.dumps(told, indent=2) if as_json else f"plan: {planning.describe(told)}")
