"""The cache -> one of bounded size."""

from typing import Annotated

import typer

from pipeline.upkeep.cache import collect_garbage
from stages.arguments import CACHE, Cache


def gc(
    gigabytes: Annotated[
        float, typer.Option(min=0, help="What the cache may hold, in gigabytes; 0 empties it.")
    ] = 20.0,
    downloads: Annotated[
        bool, typer.Option("--downloads", help="Count and remove downloads too; a site must give them again.")
    ] = False,
    cache: Cache = CACHE,
) -> None:
    """Remove from the cache what was used least recently, until it is small enough; all can be made again."""
    freed = collect_garbage(cache, int(gigabytes * 1e9), downloads)
    removed, left = freed.bytes / 1e6, freed.left / 1e6
    typer.echo(f"gc: {freed.entries} entries, {removed:.1f} MB removed; {left:.1f} MB left in {cache}")
