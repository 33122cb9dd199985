"""Tags -> posts."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.params import Search
from stages.arguments import CACHE, Cache, Metrics, progress
from stages.options import unfold, usage
from stages.site import RATE, Rate, asked


@unfold
def search(
    dest: Annotated[
        Path, typer.Argument(help="The file to write, one post a line, sorted by id.", show_default=False)
    ],
    search: Search,
    metrics: Metrics = None,
    rate: Rate = RATE,
    cache: Cache = CACHE,
) -> None:
    """Find posts by tags, rating, score and size."""
    from pipeline import danbooru

    with usage():
        danbooru.compose(search)
    with asked(search.host, cache, rate) as site, progress("search", "post") as tick:
        posts = danbooru.write_posts(dest, danbooru.search(site, search, tick))
    if metrics:
        files.write_json(metrics, {"posts": posts})
    typer.echo(f"search: {posts} posts written to {dest}")
