"""Posts and artists -> a project without them."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from stages.arguments import CACHE, DATA, PARAMS, Cache, Data, Params, progress, say
from stages.options import usage_errors

METRICS = Path("metrics")
PURGE = "if one may be of these posts, prep gc --gigabytes 0 --downloads removes them"
NEXT_STEPS = (
    "dvc repro renews metrics, sheets and the model, which was trained on these pictures; then "
    "dvc gc --workspace --cloud removes them from DVC's cache and remote. Other folders, such as those of "
    "colored pictures or comparisons, were not searched"
)


def forget(
    names: Annotated[
        list[str],
        typer.Argument(metavar="ID|artist:NAME|md5:HASH", help="Posts, artists and files to forget."),
    ],
    posts: Annotated[Path, typer.Option(help="The file of posts that search wrote.")] = DATA / "posts.jsonl",
    data: Data = DATA,
    params: Params = PARAMS,
    metrics: Annotated[
        Path, typer.Option(help="The folder of the metrics, whose sheets are removed.")
    ] = METRICS,
    cache: Cache = CACHE,
) -> None:
    """Remove posts from the list, the columns, the packed shards and the cache, and keep them out."""
    from pipeline.files import lock_folder
    from pipeline.upkeep.forget import forget_posts, list_posts, parse_names
    from pipeline.upkeep.staging import list_columns
    from pipeline.upkeep.traces import count_unnamed

    with usage_errors():
        words = parse_names(names)
    with ExitStack() as stack:
        for column in list_columns(data):
            stack.enter_context(lock_folder(column))
        tick = stack.enter_context(progress("forget", "shard"))
        removed = forget_posts(
            words, params=params, posts=posts, data=data, cache=cache, metrics=metrics, tick=tick
        )
    if unnamed := count_unnamed(cache, list(list_posts(posts)), data):
        say(f"forget: no post names {unnamed} files in {cache / 'files'}, so they stay: {PURGE}", err=True)
    if not removed:
        say(f"forget: {' '.join(words)} not found in this project; {params} keeps it out")
        return
    places = ", ".join(f"{count} from {place}" for place, count in removed.items())
    say(f"forget: removed {places}; {params} keeps them out\nforget: {NEXT_STEPS}")
