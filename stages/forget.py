"""Names -> a project without them."""

from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import CACHE, Cache, progress
from stages.options import usage_errors

NEXT_STEPS = (
    "dvc repro renews metrics, sheets and the model, which was trained on what is gone; then "
    "dvc gc --workspace --cloud empties DVC's cache and remote of it"
)


def forget(
    names: Annotated[
        list[str],
        typer.Argument(metavar="ID|artist:NAME", help="Posts and artists to forget.", show_default=False),
    ],
    posts: Annotated[Path, typer.Option(help="The posts that search wrote.")] = Path("data/posts.jsonl"),
    data: Annotated[Path, typer.Option(help="Folder below which the columns lie.")] = Path("data"),
    params: Annotated[Path, typer.Option(help="Parameters, to keep the posts out.")] = Path("params.yaml"),
    cache: Cache = CACHE,
) -> None:
    """Remove posts from the project: list, columns, packed shards, cache. They never come back."""
    from pipeline.upkeep import forget as forgetting

    with usage_errors():
        words = forgetting.parse_names(names)
    with progress("forget", "shard") as tick:
        removed = forgetting.forget_posts(
            words, params=params, posts=posts, data=data, cache=cache, tick=tick
        )
    if not removed:
        typer.echo(f"forget: {' '.join(words)} not found in this project; {params} keeps it out")
        return
    places = ", ".join(f"{count} from {place}" for place, count in removed.items())
    typer.echo(f"forget: removed {places}; {params} keeps them out\nforget: {NEXT_STEPS}")
