"""Posts -> shards of their files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.params import Fetch, Search
from stages.arguments import (
    CACHE,
    Cache,
    Dest,
    Metrics,
    ParamsFile,
    conclude,
    find_params,
    progress,
    read_params,
)
from stages.options import parse_section, unfold, usage_errors
from stages.site import Rate, is_site, open_host

if TYPE_CHECKING:
    from pipeline.sources.store import Folder, Store


@contextmanager
def open_files(
    host: str, cache: Path, rate: float | None, params: Fetch, again: bool = False
) -> Iterator["Folder | Store"]:
    """Open the files of the posts of `host`: a folder on disk, or a store of downloads.

    The files of a list may be on any site, or below its folder.
    """
    from pipeline.local.source import open_source
    from pipeline.sources.store import Folder, Store

    if is_site(host):
        with open_host(host, cache, rate) as site:
            yield Store(site, cache, params, again)
        return
    source = open_source(host)
    if not source.remote:
        yield Folder(source.root, params, cache)
        return
    with open_host("", cache, rate) as site:
        yield Store(site, cache, params, again, source)


@unfold
def fetch(
    posts: Annotated[Path, typer.Argument(help="The file of posts that search wrote.")],
    dest: Dest,
    fetch: Fetch,
    host: Annotated[
        str | None,
        typer.Option(
            help="The host searched.",
            rich_help_panel="Parameters",
            show_default="search.host of the file of --params, else sample",
        ),
    ] = None,
    params: ParamsFile = None,
    ledger: Annotated[
        Path | None, typer.Option(help="List missing files in this TSV.", show_default="rejects.tsv in DEST")
    ] = None,
    metrics: Metrics = None,
    again: Annotated[bool, typer.Option("--again", help="Request finally rejected files once more.")] = False,
    rate: Rate = None,
    cache: Cache = CACHE,
) -> None:
    """Download the files of the posts, each once, and verify them by md5 or by decoding.

    Transient failures stop the command at its end, unless they are tolerated;
    run it again to request only those files. Files that are hidden, gone,
    banned, moved, of a wrong type, truncated, mismatched or too big are
    requested again only with --again.
    """
    from pipeline.sources import fetch as fetching

    if host is None:
        path = find_params(params)
        with usage_errors():
            host = parse_section(Search, read_params(path).get("search") if path else {}).host
    with open_files(host, cache, rate, fetch, again) as files, progress("fetch") as tick:
        report = fetching.fetch_files(files, posts, dest, ledger=ledger, tick=tick)
    conclude("fetch", report, dest, metrics)
