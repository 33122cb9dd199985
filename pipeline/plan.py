"""What a search and a fetch will take, said before any file is asked for."""

import math
from collections import Counter
from pathlib import Path
from statistics import fmean

from pipeline import danbooru, params
from pipeline.check import Reject, Wanted, wanted
from pipeline.posts import read_posts, reduce
from pipeline.selection import choose, compose
from pipeline.site import Site
from pipeline.store import Store


def plan_search(site: Site, search: params.Search, fetch: params.Fetch, level: str) -> dict:
    """Estimate what a search takes, and the fetch of its posts, by a count and one page of the newest.

    Raise ValueError for a search that the site would refuse, before it is asked, and Halt if it has no posts.
    """
    tags = compose(search, level)
    found = danbooru.count(site, tags)
    page = danbooru.listed(site, {"tags": tags, "limit": danbooru.PAGE, "only": danbooru.ONLY})
    chosen = [reduce(post) for post in choose(page, search, Counter())]
    share = len(chosen) / len(page) if page else 0
    known = search.limit if found is None else found
    posts = min(round(known * share), search.limit)
    pages = math.ceil(min(known, posts / share) / danbooru.PAGE) + 2 if posts else 2  # the newest id, the end
    taken = min(posts, search.sample or posts)
    files = [file for post in chosen if (file := reachable(post, fetch))]
    count = round(taken * len(files) / len(chosen)) if chosen else 0
    size = fmean(file.size for file in files) if files else 0
    seconds = (pages + count) * site.bucket(site.host).interval
    return cost(pages, count, round(count * size), seconds, exact=False)


def plan_fetch(site: Site | Path, source: Path, fetch: params.Fetch, cache: Path) -> dict:
    """Count what fetching the posts in `source` takes, beside what the folder `cache` already holds.

    Of files in a folder nobody is asked.
    """
    if not isinstance(site, Site):
        return cost(0, 0, 0, 0, exact=True)
    store, turns, size = Store(site, cache, fetch), Counter(), 0
    for post in read_posts(source):
        file = reachable(post, fetch)
        if file and not store.knows(file):
            turns[site.bucket(store.address(file))] += 1
            size += file.size
    seconds = max((count * bucket.interval for bucket, count in turns.items()), default=0)
    return cost(0, turns.total(), size, seconds, exact=True)


def reachable(post: dict, fetch: params.Fetch) -> Wanted | None:
    """Name the file of a post; nothing if there is none to ask for."""
    try:
        return wanted(post, fetch)
    except Reject:
        return None


def cost(searches: int, files: int, size: int, seconds: float, exact: bool) -> dict:
    """Put the numbers of a plan together; seconds are those that the rate demands, 0 without a limit."""
    return {
        "searches": searches,
        "files": files,
        "requests": searches + files,
        "bytes": size,
        "seconds": round(seconds),
        "exact": exact,
    }


def describe(plan: dict) -> str:
    """Put a plan into words."""
    about = "" if plan["exact"] else "about "
    kinds = f"{plan['searches']:,} for posts and {plan['files']:,} for files"
    size = f"{plan['bytes'] / 1e6:,.0f} MB" if plan["bytes"] else "an unknown number of bytes"
    hours, rest = divmod(plan["seconds"], 3600)
    time = (
        f"at least {hours} h {rest // 60:02} min {rest % 60:02} s" if plan["seconds"] else "no limit of rate"
    )
    return f"{about}{plan['requests']:,} requests, {kinds}; {size}; {time}"
