"""Sources that are not a site -> posts.

A source is a folder of pictures, a metadata dump with its folders of pictures, a list of addresses, or a
paired set, whose pictures come with their sketches. `file_url` locates the file of a post, and `sketch_url`
its sketch; or else `sketch_half` names the half of the file that is the sketch.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import Halt
from pipeline.files import PICTURE_SUFFIXES
from pipeline.shards.loose import loose_key
from pipeline.sources.folders import folder_posts, picture_batches
from pipeline.sources.posts import TAG_FIELDS, FullPost
from pipeline.sources.records import HASH_FIELDS, RECORD_FIELDS, complete_post, halt_naming, read_records

FIELD_ALIASES = {  # other names of fields that a list may use
    "width": "image_width",
    "height": "image_height",
    "artist": "tag_string_artist",
    "tags": "tag_string_general",
}
DUMP_CATEGORIES = {
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "meta",
}  # categories of tags in old dumps


@dataclass(frozen=True)
class PostSource:
    """The folder of the files, None if they lie on sites; and what yields the posts, in any order."""

    root: Path | None
    posts: Callable[[], Iterator[FullPost]]


def open_source(host: str) -> PostSource:
    """Open a folder of pictures, or dump:PATH, list:PATH, pairs:PATH or halves:PATH.

    Raise Halt, here or while the posts are read, for a file that is missing or has another form.
    """
    kind, _, rest = host.partition(":")
    if kind == "list" and rest:
        return open_list(Path(rest))
    openers = {"dump": open_dump, "pairs": open_pairs, "halves": open_halves}
    opener, path = (openers[kind], Path(rest)) if kind in openers and rest else (open_folder, Path(host))
    if not path.is_dir():
        raise Halt(
            f"{path} is not a folder: name one, or sample, the address of a Danbooru, or dump:, list:, "
            "pairs: or halves: before a path"
        )
    return opener(path)


# ---------------------------------------------------------------- folders and pairs


def open_folder(path: Path) -> PostSource:
    """Open a folder of pictures."""
    return PostSource(path, partial(located_posts, path, path))


def located_posts(root: Path, path: Path) -> Iterator[FullPost]:
    """Yield the posts of the pictures below `path`; their paths are relative to `root`."""
    for file, post in folder_posts(path):
        yield {**post, "file_url": file.relative_to(root).as_posix()}


def open_halves(path: Path) -> PostSource:
    """Open a folder of pictures with the color on the left and the sketch on the right."""

    def posts() -> Iterator[FullPost]:
        for post in located_posts(path, path):
            yield {**post, "image_width": post["image_width"] // 2, "sketch_half": "right"}

    return PostSource(path, posts)


def open_pairs(path: Path) -> PostSource:
    """Open color/NAME.* and sketch/NAME.*. Raise Halt if one of them lacks the other."""
    colors, sketches = map_names(path / "color"), map_names(path / "sketch")
    for name in sorted(colors.keys() ^ sketches.keys()):
        there, lacks = (colors, "sketch") if name in colors else (sketches, "color")
        raise Halt(
            f"{path / there[name]} has no counterpart in {path / lacks}: add it, or remove the picture"
        )
    sketch_of = {color: sketches[name] for name, color in colors.items()}

    def posts() -> Iterator[FullPost]:
        for post in located_posts(path, path / "color"):
            yield {**post, "sketch_url": sketch_of[post["file_url"]]}

    return PostSource(path, posts)


def map_names(path: Path) -> dict[str, str]:
    """Map the names of the pictures below a folder to their paths from its parent. Raise Halt."""
    files = (file for batch in picture_batches(path) for file in batch.paths)
    return {loose_key(file, path): file.relative_to(path.parent).as_posix() for file in files}


# ---------------------------------------------------------------- dumps


def open_dump(path: Path) -> PostSource:
    """Open metadata/*.json next to folders of pictures: original/, or else 512px/. Raise Halt."""
    home = path / "metadata"
    found = home.rglob("*") if home.is_dir() else path.iterdir()
    files = sorted(file for file in found if re.search(r"\.jsonl?(\.gz)?$", file.name) and file.is_file())
    buckets = [name for name in ("original", "512px") if (path / name).is_dir()]
    if not files or not buckets:
        raise Halt(
            f"{path} is not a dump: it needs JSON lines in metadata/, and pictures in original/ or 512px/"
        )

    def posts() -> Iterator[FullPost]:
        for file in files:
            for number, record in read_records(file):
                with halt_naming(file, "line", number):
                    post = post_of_record(record, buckets[0])
                yield post

    return PostSource(path, posts)


def post_of_record(record: dict[str, Any], bucket: str) -> FullPost:
    """Make a post of a record of a dump, old or new. Raise ValueError, KeyError or TypeError if it is none.

    The pictures in 512px/ are smaller copies, so hash and size in bytes of the originals are dropped.
    """
    for name in ("id", "rating", "file_ext"):
        if record.get(name) in (None, ""):
            raise ValueError(f"it has no {name}")
    names: dict[str, list[str]] = {field: [] for field in TAG_FIELDS}
    for tag in record.get("tags") or ():
        names[f"tag_string_{DUMP_CATEGORIES.get(str(tag['category']), 'general')}"].append(tag["name"])
    post = complete_post({field: " ".join(tags) for field, tags in names.items()} | record)
    if bucket == "512px":
        post.pop("md5", None)
        post.pop("file_size", None)
        post["file_ext"] = "jpg" if post["file_ext"] in PICTURE_SUFFIXES else post["file_ext"]
    post["file_url"] = f"{bucket}/{post['id'] % 1000:04d}/{post['id']}.{post['file_ext']}"
    return post


# ---------------------------------------------------------------- lists


def open_list(path: Path) -> PostSource:
    """Open a list of addresses. Raise Halt if it does not exist or has another form."""
    readers = {
        ".csv": read_delimited,
        ".tsv": read_delimited,
        ".jsonl": read_json_rows,
        ".parquet": read_parquet,
    }
    if path.suffix not in readers or not path.is_file():
        raise Halt(f"{path} is not a list: name a file that ends in {', '.join(readers)}")

    def posts() -> Iterator[FullPost]:
        seen = set()
        for number, row in enumerate(readers[path.suffix](path), 1):
            with halt_naming(path, "row", number):
                post = post_of_row(number, row)
                if post["id"] in seen:
                    raise ValueError(f"another row has the id {post['id']}")
            seen.add(post["id"])
            yield post

    return PostSource(None, posts)


def read_delimited(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table separated by commas, or by tabs. Raise Halt."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        except (UnicodeDecodeError, csv.Error) as error:
            raise Halt(f"{path} is not a table in UTF-8 ({error}): repair it") from error


def read_json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines. Raise Halt."""
    return (row for _, row in read_records(path))


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, without the columns that no post has. Raise Halt."""
    from pyarrow.parquet import ParquetFile  # takes half a second

    try:
        file = ParquetFile(path)
    except ValueError as error:
        raise Halt(f"{path} is not a Parquet file ({error}): repair it") from error
    with file:
        wanted = {"url", "hash", "pixel_hash", *FIELD_ALIASES, *RECORD_FIELDS}
        for batch in file.iter_batches(columns=[n for n in file.schema_arrow.names if n in wanted]):
            yield from batch.to_pylist()


def post_of_row(number: int, row: dict[str, Any]) -> FullPost:
    """Make a post of a row. Raise ValueError, KeyError or TypeError if it is none."""
    given = {
        name: value for name, value in row.items() if value not in (None, "") and value == value
    }  # no NaN
    url = str(given.get("url", ""))
    if not re.match(r"https?://[^/\s]+", url):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    if "artist" in given:  # one name, and a tag has no spaces
        given["artist"] = re.sub(r"\s+", "_", str(given["artist"]).strip().lower())
    if "hash" in given:
        given["sha256" if len(str(given["hash"])) == HASH_FIELDS["sha256"] else "md5"] = given["hash"]
    suffix = re.search(r"\.([A-Za-z0-9]+)[^./]*$", urlsplit(url).path)
    default = {"id": number, "file_ext": suffix.group(1) if suffix else "jpg"}
    fields = {FIELD_ALIASES.get(name, name): value for name, value in given.items()}
    post = complete_post(default | fields)
    post["file_url"] = url
    return post
