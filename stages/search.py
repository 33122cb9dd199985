"""A search -> posts."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.params import Search
from stages.arguments import CACHE, Cache, Metrics, progress, summarize_counts
from stages.options import unfold, usage
from stages.site import Level, Rate, is_site, searched


@unfold
def search(
    dest: Annotated[
        Path, typer.Argument(help="The file to write, one post a line, sorted by id.", show_default=False)
    ],
    search: Search,
    metrics: Metrics = None,
    rate: Rate = None,
    level: Level = "member",
    cache: Cache = CACHE,
) -> None:
    """Find posts, whatever has them.

    \b
    --host says where to look:
      sample                 pictures that this program draws itself
      https://danbooru...    a Danbooru; safebooru.donmai.us has rating g alone
      PATH                   a folder of pictures; NAME.json beside one may
                             hold Danbooru's fields
      dump:PATH              a Danbooru20xx dump, old or new: metadata/*.json
                             beside original/0123/ or 512px/0123/
      list:PATH.csv          addresses in a column url, also .tsv, .jsonl and
                             .parquet; md5 or sha256 are checked; id, width,
                             height, rating, score, artist, tags, source and
                             license are kept
      pairs:PATH             color/NAME and sketch/NAME
      halves:PATH            pictures with color left, sketch right

    The sketches of pairs and halves become a column by sketchify --method own.

    Of a Danbooru the newest id is remembered in ceilings.json beside DEST, so
    that a search finds the same posts later; remove its line there to see
    newer ones.
    """
    from pipeline import query, selection
    from pipeline import search as searching

    with usage():
        if is_site(search.host):
            selection.compose(search, level)
        else:
            query.parse(selection.compose(search))
    ceilings = None if search.host == "sample" else dest.with_name("ceilings.json")
    with searched(search.host, cache, rate) as place, progress("search", "post") as tick:
        told = searching.search(place, dest, search, level=level, ceilings=ceilings, tick=tick)
    if metrics:
        files.write_json(metrics, told)
    skipped = summarize_counts(told["skipped"])
    typer.echo(
        f"search: {told['posts']} posts written to {dest}" + (f"; skipped: {skipped}" if skipped else "")
    )
