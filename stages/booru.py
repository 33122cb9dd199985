"""A site on loopback, for anybody's client."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import CACHE, Cache, progress
from stages.options import usage


def booru(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Pictures to serve.  [default: the embedded sample]", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
    account: Annotated[
        list[str] | None,
        typer.Option(
            help="LOGIN:API_KEY:LEVEL of an account, which is member, gold or platinum; may be repeated.",
            show_default=False,
        ),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="JSON file of what is to go wrong, see above.", show_default=False)
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Serve a folder of pictures, or the embedded sample, as a Danbooru on this machine.

    With --faults it fails as a JSON file says, for instance

    [{"fault": "limit", "match": "^/posts", "every": 20, "seconds": 3},
     {"fault": "truncate", "match": "^/original/", "share": 0.1, "times": 2}]

    which answers each 20th question about posts with 429, and whatever is
    asked in the 3 seconds after it; and which breaks a tenth of the originals
    off halfway, the first two times that each is asked for. The first fault
    that hits a request decides. Which requests a fault hits is said by
    - match: a regular expression that the path and query hold (all do)
    - share: the share of these that it hits, always the same ones (1)
    - times: how often each fails before it is answered properly (always)

    What happens is said by the fault and its own keys, here with their
    defaults in brackets:
    - limit: 429 once in every (10) requests and for seconds (5) after it, with
      Retry-After if retry_after (true); each request meanwhile makes it last
      penalty (0) seconds longer, 30 at most together
    - canceled: 500 for a search that spans more than window (1000) ids
    - status: an error with this status (503)
    - edge: 403 with the page by which the site's edge turns a client away
    - page: a web page with status 200
    - empty: no byte with status 200
    - truncate: the share keep (0.5) of the body, then the connection closes
    - short: the share keep (0.5) of the body, as if that were all
    - stall: the share keep (0.5) of the body, then nothing for seconds (5)
    - corrupt: one wrong byte
    - type: other bytes, of content_type (video/mp4)
    - redirect: 302 to location (https://example.org/)
    """
    from pipeline import booru as site
    from pipeline import catalog, sample
    from pipeline.faults import read_faults

    with usage():
        accounts = site.read_accounts(account or [])
    failing = read_faults(faults) if faults else None
    with progress("draw the sample") as tick:
        held = catalog.folder(folder) if folder else sample.sample(cache / "site", tick=tick)
    typer.echo(f"booru: {len(held.posts)} posts at http://127.0.0.1:{port}/posts.json, until Ctrl-C")
    with suppress(KeyboardInterrupt):
        site.forever(held, port, accounts, failing)
