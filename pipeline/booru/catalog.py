"""The content of a site: its posts and their files."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import cast

from pipeline.local.folders import read_folder
from pipeline.sources.posts import CATEGORIES, SITE_DEFAULTS, FullPost, Refused

UPLOADED = "2020-01-01T00:00:00.000+00:00"  # of pictures in a folder


@dataclass(frozen=True)
class Catalog:
    """The posts of a site, sorted by id, and a function that reads the file of one.

    Searches and requests by id see posts that are added later. `by_md5` and `tags` do not, once they are
    computed.
    """

    posts: list[FullPost]
    read: Callable[[FullPost], bytes]

    @cached_property
    def by_md5(self) -> dict[str, list[FullPost]]:
        found: dict[str, list[FullPost]] = {}
        for post in self.posts:
            found.setdefault(post["md5"], []).append(post)
        return found

    @cached_property
    def tags(self) -> Counter[tuple[str, str]]:
        """Count the posts with each tag, as (tag, category)."""
        return Counter(
            (tag, category)
            for post in self.posts
            for category in CATEGORIES
            for tag in str(post.get(f"tag_string_{category}", "")).split()
        )


def folder_catalog(path: Path) -> Catalog:
    """Make a catalog of the pictures below a folder (see folders.py), without other files. Raise Halt.

    A Danbooru knows rating, score and date of every post; here those that are unknown are made up.
    """
    made_up = SITE_DEFAULTS | {"created_at": UPLOADED}
    found = [cast(FullPost, made_up | post) for post in read_folder(path) if not isinstance(post, Refused)]
    paths = {post["id"]: path / post.pop("file_url") for post in found}
    return Catalog(sorted(found, key=itemgetter("id")), lambda post: paths[post["id"]].read_bytes())
