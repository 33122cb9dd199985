"""Posts, and the file that keeps them: one JSON object a line, sorted by id.

A post is a dict with Danbooru's field names, whether it comes from a site, a dump, a folder or a list.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Required, TypedDict, cast

import numpy as np

from pipeline.errors import Halt
from pipeline.files import dumps, open_atomic, remove_partials

CATEGORIES = ("artist", "character", "copyright", "general", "meta")  # of tags
TAG_FIELDS = tuple(f"tag_string_{category}" for category in CATEGORIES)
KEPT_VARIANTS = ("sample", "720x720")
MAX_ID = 2**53  # JSON keeps smaller ids exactly
Draw = Callable[[np.ndarray], np.ndarray]  # takes all ids, sorted; returns the indices of those to keep


class SizedFile(TypedDict):
    """The file of a post in one of the smaller sizes that a site offers."""

    url: str
    width: int  # pixels
    height: int
    file_ext: str


class Post(TypedDict, total=False):
    """A post as `posts.jsonl` keeps it; a field that is unknown or empty is absent."""

    id: Required[int]  # from 0 to MAX_ID - 1
    md5: str  # of the original file, as published
    sha256: str  # of the file, as a list gives it
    rating: str  # g (general), s (sensitive), q (questionable) or e (explicit)
    score: int  # up votes minus down votes
    file_ext: str  # of the original, such as png
    file_size: int  # of the original, in bytes
    image_width: int  # of the original, in pixels
    image_height: int
    parent_id: int | None  # the post of which this is a variation
    source: str  # where the picture was first published
    license: str
    file_url: str  # an address, or a path below the folder of the source; absent if the picture is hidden
    sketch_url: str  # the same of the picture's own sketch
    sketch_half: str  # "right" if the right half of the file is the sketch
    is_banned: bool  # taken down at the artist's request
    tag_string_artist: str  # tags, separated by spaces
    tag_string_character: str
    tag_string_copyright: str
    tag_string_general: str
    tag_string_meta: str
    pixel_hash: str  # MD5 of the decoded pixels, as published
    variants: dict[str, SizedFile]  # by type, one of KEPT_VARIANTS


POST_FIELDS = tuple(name for name in Post.__annotations__ if name not in ("pixel_hash", "variants"))
DANBOORU_FIELDS = tuple(
    name for name in POST_FIELDS if name not in ("sha256", "license", "sketch_url", "sketch_half")
)


class FullPost(Post, total=False):
    """A post as a source gives it, with the fields that only a search reads."""

    created_at: str  # time of upload, ISO 8601
    tag_string: str  # all tags, sorted
    has_children: bool
    is_deleted: bool
    media_asset: dict[str, Any] | None  # pixel_hash, and a list of variants, each with its type
    large_file_url: str  # the size "sample", or the original
    is_restricted: bool  # shown to gold and platinum accounts alone


POST_DEFAULTS: dict[str, Any] = {  # of the fields of a FullPost that its source leaves out
    "rating": "g", "score": 0, "source": "", "image_width": 0, "image_height": 0, "parent_id": None,
    "has_children": False, "is_deleted": False, "is_banned": False, "media_asset": {"pixel_hash": None},
    **dict.fromkeys(TAG_FIELDS, ""),
}  # fmt: skip


def describe_post(number: int, data: bytes, ext: str, **fields: Any) -> FullPost:
    """Make the post with id `number` from the bytes of its file; `fields` override the defaults."""
    uploaded = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    post = {"id": number, "created_at": uploaded.isoformat("T", "milliseconds")} | POST_DEFAULTS | fields
    post |= {"md5": hashlib.md5(data).hexdigest(), "file_size": len(data), "file_ext": ext}
    post["tag_string"] = " ".join(sorted(tags_of(cast(Post, post))))
    return cast(FullPost, post)


def tags_of(post: Post) -> list[str]:
    return " ".join(str(post.get(name, "")) for name in TAG_FIELDS).split()


def reduce_post(post: FullPost, host: str = "") -> Post:
    """Keep the fields that later stages use and that are not empty.

    Addresses on `host` become paths, since the port of a site on loopback differs from run to run.
    """
    asset = post.get("media_asset") or {}
    given = {name: post.get(name) for name in POST_FIELDS}
    kept = {name: value for name, value in given.items() if value not in (None, "") and value is not False}
    variants = {
        variant["type"]: {name: variant[name] for name in ("url", "width", "height", "file_ext")}
        for variant in asset.get("variants") or ()
        if variant["type"] in KEPT_VARIANTS
    }
    for part in (kept, *variants.values()):
        for name in {"file_url", "url"} & set(part):
            part[name] = re.sub(rf"^{re.escape(host)}(?=/)", "", part[name])
    extra = {"pixel_hash": asset.get("pixel_hash"), "variants": variants}
    return cast(Post, kept | {name: value for name, value in extra.items() if value})


def post_key(post: Post) -> str:
    return f"{post['id']:09d}"


def write_posts(path: Path, posts: Iterable[Post], draw: Draw | None = None) -> int:
    """Write posts, which may come in any order, sorted by id, and return their number.

    Without `draw` all are kept. The first of several posts with one id counts. Memory holds their ids alone:
    posts wait on disk. If none is left, no file is written.
    """
    ids, ends = array("q"), array("Q", [0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path.parent) as spool:
        for post in posts:
            spool.write(dumps(post) + b"\n")
            ids.append(post["id"])
            ends.append(spool.tell())
        numbers, places = np.unique(np.array(ids, np.int64), return_index=True)
        if draw:
            places = places[draw(numbers)]
        if len(places):
            with open_atomic(path) as file:
                for place in places:
                    spool.seek(ends[place])
                    file.write(spool.read(ends[place + 1] - ends[place]))
    remove_partials(path.parent, path.name)
    return len(places)


def read_posts(path: Path) -> Iterator[Post]:
    """Yield the posts of a file. Raise Halt if it does not exist, or at a line that is not the next post."""
    last = -1
    with open_posts(path) as file:
        for number, line in enumerate(file, 1):
            try:
                post = json.loads(line)
                in_place = last < post["id"] < MAX_ID and type(post["id"]) is int
            except (ValueError, KeyError, TypeError):
                in_place = False
            if not in_place:
                raise Halt(f"{path} line {number} is not the next post: run search again")
            last = post["id"]
            yield post


def count_posts(path: Path) -> int:
    with open_posts(path) as file:
        return sum(1 for _ in file)


def open_posts(path: Path) -> BinaryIO:
    """Open a file of posts. Raise Halt if it does not exist."""
    if not path.is_file():
        raise Halt(f"{path} does not exist: run search first")
    return path.open("rb")
