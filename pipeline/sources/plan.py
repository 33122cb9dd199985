"""Estimates of what a search and a fetch take, made without downloading a file."""

import math
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import TypedDict

from pipeline import params
from pipeline.sources import danbooru
from pipeline.sources.checks import FileRejected, WantedFile, choose_file
from pipeline.sources.posts import Post, read_posts
from pipeline.sources.selection import compose_search, select_posts
from pipeline.sources.store import Folder, Store
from pipeline.web.client import Site
from pipeline.web.ratelimit import RateLimiter


class Plan(TypedDict):
    """What a search and its fetch take."""

    searches: int  # requests for posts
    files: int  # requests for files
    requests: int
    local: int  # files on this machine, which take no request
    bytes: int  # to download; 0 if unknown
    seconds: int  # the least that the rate limit allows; 0 without a limit
    exact: bool  # or an estimate


def plan_search(site: Site, search: params.Search, fetch: params.Fetch, level: str) -> Plan:
    """Estimate a search, and the fetch of its posts, from a count and the page of the newest posts.

    Raise ValueError for a search that the site would refuse, before sending it, and Halt if it fails.
    """
    tags = compose_search(search, level)
    found = danbooru.ask_count(site, tags)
    page = danbooru.ask_page(site, {"tags": tags})
    chosen = list(select_posts(danbooru.parse_page(page, site.host), search, Counter()))
    share = len(chosen) / len(page) if page else 0
    limit = search.limit or params.SITE_LIMIT
    known = limit if found is None else found
    posts = min(round(known * share), limit)
    searches = 2  # for the newest id, and for the empty page at the end
    if posts:
        searches += math.ceil(min(known, posts / share) / danbooru.PAGE_SIZE)
    taken = min(posts, search.sample or posts)
    files = [file for post in chosen if (file := reachable_file(post, fetch))]
    count = round(taken * len(files) / len(chosen)) if chosen else 0
    size = fmean(file.size for file in files) if files else 0
    seconds = (searches + count) * site.limiter(site.host).interval
    return make_plan(searches, count, round(count * size), seconds)


def plan_fetch(files: Folder | Store, source: Path) -> Plan:
    """Count what fetching the posts in `source` takes, without the files that the cache already holds.

    Hosts of different domains are asked at the same time. Files in a folder take no request.
    """
    turns, size, local = Counter[RateLimiter](), 0, 0
    for post in read_posts(source):
        file = reachable_file(files.complete(post), files.params)
        if file is None:
            continue
        if isinstance(files, Folder) or files.is_local(file):
            local += 1 + ("sketch_url" in post)
        elif not files.knows(file):
            turns[files.site.limiter(files.address(file))] += 1
            size += file.size
    seconds = max((count * limiter.interval for limiter, count in turns.items()), default=0)
    return make_plan(0, turns.total(), size, seconds, local)


def reachable_file(post: Post, fetch: params.Fetch) -> WantedFile | None:
    try:
        return choose_file(post, fetch)
    except FileRejected:
        return None


def make_plan(searches: int, files: int, size: int, seconds: float, local: int | None = None) -> Plan:
    """Make a plan, which is exact if the number of local files is known."""
    return {
        "searches": searches, "files": files, "requests": searches + files, "local": local or 0,
        "bytes": size, "seconds": round(seconds), "exact": local is not None,
    }  # fmt: skip


def describe_plan(plan: Plan) -> str:
    local = f"; {plan['local']:,} files on this machine" if plan["local"] else ""
    if not plan["requests"]:
        return f"no requests{local}"
    about = "" if plan["exact"] else "about "
    kinds = f"{plan['searches']:,} for posts and {plan['files']:,} for files"
    size = f"{plan['bytes'] / 1e6:,.0f} MB" if plan["bytes"] else "an unknown number of bytes"
    time = "no rate limit"
    if plan["seconds"]:
        hours, rest = divmod(plan["seconds"], 3600)
        time = f"at least {hours} h {rest // 60:02} min {rest % 60:02} s"
    return f"{about}{plan['requests']:,} requests, {kinds}; {size}; {time}{local}"
