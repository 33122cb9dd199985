"""A search -> the file of its posts."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from pipeline import files
from pipeline.params import Search
from pipeline.upkeep.report import summarize_counts, to_metrics
from stages.arguments import CACHE, Cache, Metrics, progress, say
from stages.options import unfold
from stages.site import Level, Rate, check_search, is_site, open_host


@unfold
def search(
    dest: Annotated[Path, typer.Argument(help="The file to write: one post per line, sorted by id.")],
    search: Search,
    new: Annotated[
        bool, typer.Option("--new", help="Keep the posts of DEST, and add those since the last search.")
    ] = False,
    metrics: Metrics = None,
    rate: Rate = None,
    level: Level = "member",
    cache: Cache = CACHE,
) -> None:
    """List the pictures to take from a site, a folder, a dump or a list.

    Each line of DEST is a post: the address or path of a picture, its id, and
    what is known about it, such as tags, rating, artist and license.

    \b
    --host says where to look:
      sample                 pictures that this program draws itself
      https://danbooru...    a Danbooru; safebooru.donmai.us has rating g only
      PATH                   a folder of pictures; what is known about them may
                             be in NAME.json, NAME.EXT.json, NAME.txt,
                             NAME.EXT.txt or MANIFEST.csv
      dump:PATH              a Danbooru20xx dump, old or new: metadata/*.json
                             next to original/0123/ or 512px/0123/
      list:PATH.csv          addresses, or paths below the folder of the list,
                             in a column url or path; also .tsv, .jsonl and
                             .parquet; md5 or sha256 are verified; id, width,
                             height, rating, score, artist, tags, source and
                             license are kept
      pairs:PATH             pictures color/NAME with sketches sketch/NAME
      halves:PATH            pictures with the color left, the sketch right

    `prep sketchify --method own` turns the sketches of pairs and halves into a
    column.

    The last line counts the pictures that were left out, by the filter that
    did so. Files and rows that cannot be used are listed in search.tsv next to
    DEST, with the reason.

    A search of a Danbooru writes the site's newest id to ceilings.json next to
    DEST, so that later searches find the same posts. With --new it asks only
    for newer ones, adds them to DEST, and writes the newest id again.
    """
    from pipeline.local.source import open_source
    from pipeline.sources import search as searching

    check_search(search, level)
    if new and metrics:
        raise typer.BadParameter("--new counts only what it adds: leave out --metrics, or search in full")
    online = is_site(search.host)
    ceilings = None if search.host == "sample" else dest.with_name("ceilings.json")
    ledger = dest.with_name("search.tsv")
    opened = open_host(search.host, cache, rate) if online else nullcontext(open_source(search.host))
    with files.lock_files(dest, ledger, metrics), opened as source, progress("search", "post") as tick:
        counts = searching.search_posts(
            source, dest, search, level=level, ceilings=ceilings, ledger=ledger, new=new, tick=tick
        )
        if metrics:
            files.write_json(metrics, to_metrics(counts))
    skipped = summarize_counts(counts["skipped"])
    written = f"{counts['posts']} posts written to {dest}" + (f", {counts['new']} of them new" if new else "")
    say(f"search: {written}" + (f"; skipped: {skipped}" if skipped else ""))
    if ledger.is_file():
        say(f"search: {ledger} lists the files and rows that cannot be used")
