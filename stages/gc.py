"""The cache -> a cache of bounded size."""

from typing import Annotated

import typer

from pipeline.upkeep.cache import collect_garbage
from stages.arguments import CACHE, Cache, say


def gc(
    gigabytes: Annotated[float, typer.Option(min=0, help="Largest size of the cache; 0 empties it.")] = 20.0,
    downloads: Annotated[
        bool, typer.Option("--downloads", help="Include downloads; the site must send them again.")
    ] = False,
    cache: Cache = CACHE,
) -> None:
    """Remove the least recently used entries until the cache is small enough; all can be computed again."""
    freed = collect_garbage(cache, int(gigabytes * 1e9), downloads)
    removed, left = freed.bytes / 1e6, freed.left / 1e6
    say(f"gc: {freed.entries} entries, {removed:.1f} MB removed; {left:.1f} MB left in {cache}")
