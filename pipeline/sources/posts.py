"""Posts, and the file that keeps them: one JSON object a line, sorted by id.

A post is a dict with Danbooru's field names, whether it comes from a site, a dump, a folder or a list.
"""

import hashlib
import json
import re
import reprlib
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Required, TypedDict, cast

import numpy as np

from pipeline.errors import Halt
from pipeline.files import dumps, open_atomic, remove_partials
from pipeline.untrusted import (
    MAX_INTEGER,
    Test,
    hide_secrets,
    is_flag,
    is_integer,
    is_number,
    is_text,
    matches,
    without_login,
)

CATEGORIES = ("artist", "character", "copyright", "general", "meta")  # of tags
TAG_FIELDS = tuple(f"tag_string_{category}" for category in CATEGORIES)
KEPT_VARIANTS = ("sample", "720x720")
MAX_ID = 2**53  # JSON keeps smaller ids exactly
MAX_OWN_ID = 2**52  # sources give smaller ids; the others are hashes of names
Draw = Callable[[np.ndarray], np.ndarray]  # takes all ids, sorted; returns the indices of those to keep


class SizedFile(TypedDict):
    """The file of a post in one of the smaller sizes that a site offers."""

    url: str
    width: int  # pixels
    height: int
    file_ext: str


class Post(TypedDict, total=False):
    """A post as `posts.jsonl` keeps it; a field that is unknown or empty is absent."""

    id: Required[int]  # from 0 to MAX_ID - 1; from MAX_OWN_ID on it is `hash_id` of a name
    md5: str  # of the original file, as published
    sha256: str  # of the file, as a list gives it
    rating: str  # g (general), s (sensitive), q (questionable) or e (explicit)
    score: float  # up votes minus down votes of a site; lists may have decimals
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
    "source": "", "image_width": 0, "image_height": 0, "parent_id": None, "has_children": False,
    "is_deleted": False, "is_banned": False, "media_asset": {"pixel_hash": None},
    **dict.fromkeys(TAG_FIELDS, ""),
}  # fmt: skip
SITE_DEFAULTS = POST_DEFAULTS | {"rating": "g", "score": 0}  # a site has these of every post


@dataclass(frozen=True)
class Refused:
    """A file, a line or a row that is no post: its name, the reason, which is counted, and a detail."""

    name: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class PostSource:
    """The folder of the files, whether some lie on sites, and what yields the posts, in any order."""

    root: Path
    posts: Callable[[], Iterator[FullPost | Refused]]
    remote: bool = False


def hash_id(name: str) -> int:
    """Return the id of a post whose source gives none: a hash of its relative path or its address.

    It is from MAX_OWN_ID to MAX_ID - 1, and no other post can change it. The chance that any two of a million
    names have one id is about 1 in 10,000.
    """
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).digest()
    return MAX_OWN_ID + int.from_bytes(digest[:8]) % MAX_OWN_ID


def is_variants(value: Any) -> bool:
    """Tell whether a value is the smaller files of a post: by type, objects with address, size, suffix."""
    return isinstance(value, dict) and all(map(is_variant, value.values()))


def is_variant(value: Any) -> bool:
    tests = {"url": is_text, "width": is_integer, "height": is_integer, "file_ext": IS_SUFFIX}
    return isinstance(value, dict) and all(test(value.get(name)) for name, test in tests.items())


IS_SUFFIX = matches("[a-z0-9]{1,200}")
FORMS: dict[str, tuple[Test, str]] = {
    "id": (is_integer, f"an integer from 0 to {MAX_INTEGER}"),
    "parent_id": (is_integer, f"an integer from 0 to {MAX_INTEGER}"),
    "md5": (matches("[0-9a-f]{32}"), "32 hexadecimal digits"),
    "sha256": (matches("[0-9a-f]{64}"), "64 hexadecimal digits"),
    "rating": (matches("[gsqe]"), "g, s, q or e"),
    "score": (is_number, "a number"),
    "file_ext": (IS_SUFFIX, "letters and digits"),
    "file_size": (is_integer, "a number of bytes"),
    "image_width": (is_integer, "a number of pixels"),
    "image_height": (is_integer, "a number of pixels"),
    "sketch_half": (matches("right"), "right"),
    "is_banned": (is_flag, "true or false"),
    "variants": (is_variants, "files by their type, each with url, width, height and file_ext"),
    **dict.fromkeys(("source", "license", "pixel_hash", "file_url", "sketch_url"), (is_text, "a text")),
    **dict.fromkeys(TAG_FIELDS, (is_text, "a text")),
}  # fmt: skip


def check_form(post: Any) -> None:
    """Raise ValueError for a value that is no post, by the first field of another type, bounds or form."""
    if not isinstance(post, dict):
        raise ValueError("it is no object")
    for name, (test, rule) in FORMS.items():
        value = post.get(name)
        if (value is not None or name == "id") and not test(value):
            raise ValueError(f"{name} must be {rule}, got {reprlib.repr(value)}")


def describe_post(number: int, data: bytes, ext: str, **fields: Any) -> FullPost:
    """Make the post with id `number` from the bytes of its file; `fields` override the defaults."""
    uploaded = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    post = {"id": number, "created_at": uploaded.isoformat("T", "milliseconds")} | SITE_DEFAULTS | fields
    post |= {"md5": hashlib.md5(data).hexdigest(), "file_size": len(data), "file_ext": ext}
    post["tag_string"] = " ".join(sorted(tags_of(cast(Post, post))))
    return cast(FullPost, post)


def tags_of(post: Post) -> list[str]:
    return " ".join(str(post.get(name, "")) for name in TAG_FIELDS).split()


def reduce_post(post: FullPost, host: str = "") -> Post:
    """Keep the fields that later stages use and that are not empty.

    Addresses on `host` become paths, since the port of a site on loopback differs from run to run. Addresses
    lose their login, which is never sent. Those of a list and of sources lose their secrets.
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
            part[name] = without_login(re.sub(rf"^{re.escape(host)}(?=/)", "", part[name]))
    if isinstance(source := kept.get("source"), str):
        kept["source"] = hide_secrets(source)
    if isinstance(url := kept.get("file_url"), str) and not host and is_address(url):
        kept["file_url"] = hide_secrets(url)  # the list keeps the whole address, which fetch reads
    extra = {"pixel_hash": asset.get("pixel_hash"), "variants": variants}
    return cast(Post, kept | {name: value for name, value in extra.items() if value})


def is_address(url: str) -> bool:
    """Tell whether the file of a post is on a site, and not below the folder of its source."""
    return bool(re.match("https?://", url, re.IGNORECASE))


def post_key(post: Post) -> str:
    """Return the key of a post's sample: its id with at least nine digits."""
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
            except (ValueError, RecursionError):
                raise Halt(f"{path} line {number} is no JSON: run search again") from None
            try:
                check_form(post)
                if post["id"] <= last:
                    raise ValueError("its id is not above the one before")
            except ValueError as error:
                raise Halt(f"{path} line {number} is not the next post ({error}): run search again") from None
            last = post["id"]
            yield cast(Post, {name: value for name, value in post.items() if value is not None})


def count_posts(path: Path) -> int:
    with open_posts(path) as file:
        return sum(1 for _ in file)


def open_posts(path: Path) -> BinaryIO:
    """Open a file of posts. Raise Halt if it does not exist."""
    if not path.is_file():
        raise Halt(f"{path} does not exist: run search first")
    return path.open("rb")
