"""Posts -> shards of their files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.params import Fetch
from stages.arguments import CACHE, Cache, Dest, Metrics, conclude, progress, read_params
from stages.options import unfold
from stages.site import Rate, is_site, open_host

if TYPE_CHECKING:
    from pipeline.sources.store import Folder, Store


@contextmanager
def open_files(
    host: str, cache: Path, rate: float | None, params: Fetch, again: bool = False
) -> Iterator["Folder | Store"]:
    """Open the files of the posts of `host`: a folder, or a store of what a site sends.

    The files of a list may lie on any sites.
    """
    from pipeline.sources.source import open_source
    from pipeline.sources.store import Folder, Store

    root = None if is_site(host) else open_source(host).root
    if root:
        yield Folder(root, params)
        return
    with open_host(host if is_site(host) else "", cache, rate) as site:
        yield Store(site, cache, params, again)


@unfold
def fetch(
    posts: Annotated[Path, typer.Argument(help="The posts that search wrote.", show_default=False)],
    dest: Dest,
    fetch: Fetch,
    host: Annotated[
        str, typer.Option(help="Where search found the posts.", rich_help_panel="Parameters")
    ] = "sample",
    params: Annotated[
        Path | None,
        typer.Option(help="Take the host from the section `search` of this YAML file.", show_default=False),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="File for the key of each post without a file, and the reason.  "
            "[default: rejects.tsv in DEST]",
            show_default=False,
        ),
    ] = None,
    metrics: Metrics = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask again for files that were rejected for good.")
    ] = False,
    rate: Rate = None,
    cache: Cache = CACHE,
) -> None:
    """Download the files of the posts, each once, checked by md5 or decoded whole.

    Files that failed for now (transient) stop the command at the end, unless
    they are tolerated; run it again to ask for them alone. Files that are
    hidden, gone, banned, moved, of a wrong type, truncated, a mismatch or too
    big are asked for again only with --again.
    """
    from pipeline.sources import fetch as fetching

    if params:
        host = read_params(params)["search"]["host"]
    with open_files(host, cache, rate, fetch, again) as files, progress("fetch") as tick:
        tally = fetching.fetch_files(files, posts, dest, ledger=ledger, tick=tick)
    conclude("fetch", tally, dest, metrics)
