"""The sites that `host` may name: how to open them, and the options for requests to them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.params import Search
from stages.options import usage_errors

if TYPE_CHECKING:  # it imports urllib3, which takes a tenth of a second that --help can spare
    from pipeline.web.client import Site

Rate = Annotated[
    float | None,
    typer.Option(
        envvar="PREP_RATE",
        min=0,
        help="Requests per second to all hosts of one domain, at most 10 off loopback.",
        show_default="1, and no limit on loopback",
    ),
]
Level = Annotated[
    Literal["anonymous", "member", "gold", "platinum"],
    typer.Option(envvar="PREP_LEVEL", help="The account's level, which limits the tags of a search."),
]


def is_site(host: str) -> bool:
    """Return whether `host` names a site, not a source on disk."""
    return host == "sample" or host.startswith(("http://", "https://"))


def check_search(search: Search, level: str) -> None:
    """Refuse a search that a site would refuse an account of `level`, or that cannot be read."""
    from pipeline.sources.query import parse_search
    from pipeline.sources.selection import compose_search

    with usage_errors():
        if is_site(search.host):
            compose_search(search, level)
        else:
            parse_search(compose_search(search))


@contextmanager
def open_host(host: str, cache: Path, rate: float | None) -> Iterator["Site"]:
    """Open a site as the account in PREP_LOGIN, PREP_API_KEY and PREP_CONTACT, or serve and open the sample.

    A lock in the cache lets only one command at a time send requests, so that two do not send twice as many.
    """
    from filelock import FileLock

    from pipeline.web.client import open_site

    if host == "sample":
        sample = import_module("stages.sample")  # by name: see there
        with sample.serve_sample(cache) as url, open_site(url) as site:
            yield site
        return
    account = [os.environ.get(f"PREP_{name}", "") for name in ("CONTACT", "LOGIN", "API_KEY")]
    cache.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with usage_errors():
            site = stack.enter_context(open_site(host, *account, rate=rate))
        stack.enter_context(FileLock(cache / "site.lock"))
        yield site
