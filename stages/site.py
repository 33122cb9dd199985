"""What `host` may name, and the manners of asking it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from stages.options import usage

Rate = Annotated[
    float | None,
    typer.Option(
        envvar="PREP_RATE",
        min=0,
        help="Requests per second to the hosts of one domain together, at most 10 off loopback.",
        show_default="1, and no limit on loopback",
    ),
]
Level = Annotated[
    Literal["anonymous", "member", "gold", "platinum"],
    typer.Option(envvar="PREP_LEVEL", help="What the account is, which decides how many tags it may search."),
]


@contextmanager
def searched(host: str, cache: Path, rate: float | None) -> Iterator:
    """Open what is to be searched: a site, or a source on disk."""
    from pipeline import sources

    if is_site(host):
        with asked(host, cache, rate) as site:
            yield site
    else:
        yield sources.open_source(host)


@contextmanager
def fetched(host: str, cache: Path, rate: float | None) -> Iterator:
    """Open where files are: a site, whatever sites the addresses of a list lie on, or a folder."""
    from pipeline import sources

    root = None if is_site(host) else sources.open_source(host).root
    if root:
        yield root
        return
    with asked(host if is_site(host) else "", cache, rate) as site:
        yield site


def is_site(host: str) -> bool:
    """Tell a site from what lies on disk."""
    return host == "sample" or host.startswith(("http://", "https://"))


@contextmanager
def asked(host: str, cache: Path, rate: float | None) -> Iterator:
    """Open a site; the sample is served on loopback meanwhile.

    Who asks is told by the environment: PREP_CONTACT, PREP_LOGIN and PREP_API_KEY. By way of one cache folder
    only one command at a time asks, so that two never ask twice as fast.
    """
    from filelock import FileLock

    from pipeline.site import open_site

    if host == "sample":
        sample = import_module("stages.sample")  # by name: see there
        with sample.serve_sample(cache) as url, open_site(url) as site:
            yield site
        return
    who = {name: os.environ.get(f"PREP_{name.upper()}", "") for name in ("contact", "login", "api_key")}
    cache.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with usage():
            site = stack.enter_context(open_site(host, **who, rate=rate))
        stack.enter_context(FileLock(cache / "site.lock"))
        yield site
