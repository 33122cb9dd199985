"""A site on loopback, for anybody's client."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import CACHE, Cache, progress


def booru(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Pictures to serve.  [default: the embedded sample]", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
    cache: Cache = CACHE,
) -> None:
    """Serve a folder of pictures, or the embedded sample, as a Danbooru on this machine."""
    from pipeline import booru as site
    from pipeline import catalog

    with progress("draw the sample") as tick:
        held = catalog.folder(folder) if folder else catalog.sample(cache / "site", tick=tick)
    typer.echo(f"booru: {len(held.posts)} posts at http://127.0.0.1:{port}/posts.json, until Ctrl-C")
    with suppress(KeyboardInterrupt):
        site.forever(held, port)
