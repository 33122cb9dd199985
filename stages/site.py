"""What `host` may name: the embedded sample, a folder of pictures, or the address of a Danbooru."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import progress
from stages.options import usage

Rate = Annotated[
    float,
    typer.Option(
        envvar="PREP_RATE", help="Requests per second, at most 10, to a site elsewhere.", max=10, min=0.01
    ),
]
RATE = 1.0


@contextmanager
def asked(host: str, cache: Path, rate: float) -> Iterator:
    """Open the site that `host` names; the sample and a folder are served on loopback meanwhile.

    Who asks is told by the environment: PREP_CONTACT, PREP_LOGIN and PREP_API_KEY.
    """
    from pipeline import booru, catalog, danbooru

    who = {name: os.environ.get(f"PREP_{name.upper()}", "") for name in ("contact", "login", "api_key")}
    if host.startswith(("http://", "https://")):
        with ExitStack() as stack:
            with usage():
                site = stack.enter_context(danbooru.open_site(host, **who, rate=rate))
            yield site
        return
    if host == "sample":
        with progress("draw the sample") as tick:
            held = catalog.sample(cache / "site", tick=tick)
    else:
        held = catalog.folder(Path(host))
    with booru.serve(held) as url, danbooru.open_site(url) as site:
        yield site
