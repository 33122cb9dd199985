"""The content of a site: its posts and their files."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path

from pipeline.sources.folders import folder_posts
from pipeline.sources.posts import CATEGORIES, FullPost


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
    """Make a catalog of the pictures below a folder (see folders.py). Raise Halt."""
    found = list(folder_posts(path))
    files = {post["id"]: file for file, post in found}
    posts = sorted((post for _, post in found), key=itemgetter("id"))
    return Catalog(posts, lambda post: files[post["id"]].read_bytes())
