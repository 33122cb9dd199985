"""A Danbooru on loopback, with accounts and faults, to test clients on."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import CACHE, Cache, progress, say
from stages.options import usage_errors


def booru(
    folder: Annotated[
        Path | None, typer.Argument(help="Pictures to serve.", show_default="the embedded sample")
    ] = None,
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8080,
    account: Annotated[
        list[str] | None, typer.Option(help="LOGIN:API_KEY:LEVEL (member, gold, platinum); may be repeated.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="The JSON file of faults, see above.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Serve a folder of pictures, or the embedded sample, as a Danbooru on this machine.

    With --faults it fails on demand, for example by this JSON file:

    [{"fault": "limit", "match": "^/posts", "every": 20, "seconds": 3},
     {"fault": "truncate", "match": "^/original/", "share": 0.1, "times": 2}]

    Every 20th request for posts is answered with 429, and so are all in the
    following 3 seconds. A tenth of the originals break off halfway, the first
    two times that each is requested. The first fault that matches a request
    decides. These keys select the requests of a fault, defaults in brackets:
    - match: a regular expression to find in path and query (any)
    - share: the share of these to hit, always the same ones (1)
    - times: how often each fails before it succeeds (always)

    The faults, and the keys of each:
    - limit: 429 once in every (10) requests and for seconds (5) after it, with
      Retry-After if retry_after (true); each request during that time adds
      penalty (0) seconds, 30 at most in total
    - canceled: 500 for a search over more than window (1000) ids
    - status: an error with this status (503)
    - edge: 403 with the page of a proxy that turns the client away
    - page: a web page with status 200
    - empty: no byte with status 200
    - truncate: the share keep (0.5) of the body, then the connection closes
    - short: the share keep (0.5) of the body, as if it were complete
    - stall: the share keep (0.5) of the body, then nothing for seconds (5)
    - corrupt: one wrong byte
    - type: other bytes, of content_type (video/mp4)
    - redirect: 302 to location (https://example.org/)
    """
    from pipeline.booru import catalog, sample, site
    from pipeline.booru.faults import read_faults

    with usage_errors():
        accounts = site.read_accounts(account or [])
    failing = read_faults(faults) if faults else None
    with progress("draw the sample") as tick:
        served = (
            catalog.folder_catalog(folder) if folder else sample.sample_catalog(cache / "site", tick=tick)
        )
    say(f"booru: {len(served.posts)} posts at http://127.0.0.1:{port}/posts.json, until Ctrl-C")
    with suppress(KeyboardInterrupt):
        site.serve_forever(served, port, accounts, failing)
