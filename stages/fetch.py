"""Posts -> their files in shards."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.params import Fetch
from stages.arguments import CACHE, Cache, Dest, Metrics, conclude, progress
from stages.options import unfold
from stages.site import Rate, fetched


@unfold
def fetch(
    posts: Annotated[Path, typer.Argument(help="The posts that search wrote.", show_default=False)],
    dest: Dest,
    fetch: Fetch,
    host: Annotated[str, typer.Option(help="What was searched.", rich_help_panel="Parameters")] = "sample",
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="Write the key and the reason of each file that could not be had here.  "
            "[default: rejects.tsv in DEST]",
            show_default=False,
        ),
    ] = None,
    metrics: Metrics = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask once more for what was rejected for good.")
    ] = False,
    rate: Rate = None,
    cache: Cache = CACHE,
) -> None:
    """Download the files of the posts, each once, checked by md5 or decoded whole.

    What fails for now (transient) stops the command at the end, unless it is
    tolerated; run it again to ask for those files alone. What is hidden, gone,
    banned, moved, of a wrong type, truncated, a mismatch or too big is not
    asked for again, save with --again.
    """
    from pipeline import fetch as fetching

    with fetched(host, cache, rate) as place, progress("fetch") as tick:
        tally = fetching.fetch(place, posts, dest, fetch, cache=cache, ledger=ledger, again=again, tick=tick)
    conclude("fetch", tally, dest, metrics)
