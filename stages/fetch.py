"""Posts -> originals in shards."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Fetch
from stages.arguments import CACHE, Cache, Dest, Metrics, conclude, progress
from stages.options import unfold
from stages.site import RATE, Rate, asked


@unfold
def fetch(
    posts: Annotated[Path, typer.Argument(help="The posts that search wrote.", show_default=False)],
    dest: Dest,
    fetch: Fetch,
    host: Annotated[
        str, typer.Option(help="The site that was searched.", rich_help_panel="Parameters")
    ] = "sample",
    metrics: Metrics = None,
    rate: Rate = RATE,
    cache: Cache = CACHE,
) -> None:
    """Download the originals of the posts, each file once and checked by md5."""
    from pipeline import fetch as fetching

    with asked(host, cache, rate) as site, progress("fetch") as tick:
        report = fetching.fetch(site, posts, dest, shard=fetch.shard, cache=cache, tick=tick)
    conclude("fetch", report, dest, metrics, None)
