"""Metadata records of dumps and lists, in any spelling -> posts with every field in its usual form."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pipeline.errors import Halt
from pipeline.files import PICTURE_SUFFIXES
from pipeline.sources.posts import MAX_ID, POST_DEFAULTS, TAG_FIELDS, FullPost, tags_of

NUMBER_FIELDS = ("id", "score", "image_width", "image_height", "file_size")
FLAG_FIELDS = ("has_children", "is_deleted", "is_banned")
TEXT_FIELDS = ("source", "created_at", "license", *TAG_FIELDS)
HASH_FIELDS = {"md5": 32, "sha256": 64}  # hexadecimal digits
RECORD_FIELDS = (*NUMBER_FIELDS, *FLAG_FIELDS, *TEXT_FIELDS, *HASH_FIELDS, "rating", "parent_id", "file_ext")
RECORD_DEFAULTS = POST_DEFAULTS | {"created_at": "2020-01-01T00:00:00.000+00:00"}
DUMP_CATEGORIES = {"1": "artist", "3": "copyright", "4": "character", "5": "meta"}  # of tags in old dumps
FIELD_ALIASES = {  # other names of fields that a list may use
    "width": "image_width", "height": "image_height", "artist": "tag_string_artist",
    "tags": "tag_string_general",
}  # fmt: skip


def complete_post(given: Mapping[str, Any]) -> FullPost:
    """Make a post of fields in any spelling, and fill in the defaults. Raise ValueError or TypeError.

    Numbers and booleans may be strings, a rating may be a word, and parent 0 means none. Unknown fields are
    dropped.
    """
    post = RECORD_DEFAULTS | {
        name: given[name] for name in RECORD_FIELDS if given.get(name) not in (None, "")
    }
    post |= {name: parse_integer(name, post[name]) for name in NUMBER_FIELDS if name in post}
    post |= {name: str(post[name]).lower() in ("true", "t", "1") for name in FLAG_FIELDS}
    post |= {name: join_words(post[name]) for name in TEXT_FIELDS if name in post}
    post |= {name: str(post[name]).lower() for name in HASH_FIELDS if name in post}
    post["rating"] = str(post["rating"])[0].lower()
    post["parent_id"] = parse_integer("parent_id", post["parent_id"] or 0) or None
    post["file_ext"] = str(post["file_ext"]).lower().replace("jpeg", "jpg")
    pixel_hash = given.get("pixel_hash") or dict(given.get("media_asset") or {}).get("pixel_hash")
    post["media_asset"] = {"pixel_hash": pixel_hash}
    check_post(post)
    post["tag_string"] = " ".join(sorted(tags_of(cast(FullPost, post))))
    return cast(FullPost, post)


def check_post(post: Mapping[str, Any]) -> None:
    """Raise ValueError for a value that later stages cannot use."""
    if not 0 < post["id"] < MAX_ID:
        raise ValueError(f"id must be an integer from 1 to {MAX_ID - 1}, got {post['id']}")
    if post["rating"] not in "gsqe":
        raise ValueError(f"rating must be g, s, q or e, got {post['rating']!r}")
    if not re.fullmatch("[a-z0-9]+", post["file_ext"]):  # it becomes part of a path
        raise ValueError(f"file_ext must be letters and digits, got {post['file_ext']!r}")
    for name, digits in HASH_FIELDS.items():
        if name in post and not re.fullmatch(f"[0-9a-f]{{{digits}}}", post[name]):
            raise ValueError(f"{name} must be {digits} hexadecimal digits, got {post[name]!r}")
    date.fromisoformat(post["created_at"][:10])


def parse_integer(name: str, value: object) -> int:
    try:
        return int(str(value).removesuffix(".0"))
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None


def join_words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


@contextmanager
def halt_naming(path: Path, unit: str, number: int) -> Iterator[None]:
    """Turn an error in a line or a row into a Halt that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise Halt(f"{path} {unit} {number} is no post ({error}): repair it or remove it") from error


def read_dump(path: Path) -> Iterator[FullPost]:
    """Yield the posts of metadata/*.json next to pictures in original/, or else in 512px/. Raise Halt."""
    home = path / "metadata"
    found = home.rglob("*") if home.is_dir() else path.iterdir()
    files = sorted(file for file in found if re.search(r"\.jsonl?(\.gz)?$", file.name) and file.is_file())
    folders = [name for name in ("original", "512px") if (path / name).is_dir()]
    if not files or not folders:
        raise Halt(
            f"{path} is not a dump: it needs JSON lines in metadata/, and pictures in original/ or 512px/"
        )
    for file in files:
        for number, record in read_json_lines(file):
            with halt_naming(file, "line", number):
                post = post_of_record(record, folders[0])
            yield post


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the line, object) of JSON lines, which may be gzipped. Raise Halt."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    with halt_naming(path, "line", number):
                        record = json.loads(line)
                        if not isinstance(record, dict):
                            raise ValueError("not an object")
                    yield number, record
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Halt(f"{path} is damaged ({error}): get it again") from error


def post_of_record(record: dict[str, Any], folder: str) -> FullPost:
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
    if folder == "512px":
        post.pop("md5", None)
        post.pop("file_size", None)
        post["file_ext"] = "jpg" if post["file_ext"] in PICTURE_SUFFIXES else post["file_ext"]
    post["file_url"] = f"{folder}/{post['id'] % 1000:04d}/{post['id']}.{post['file_ext']}"
    return post


def read_list(path: Path) -> Iterator[FullPost]:
    """Yield the posts of a list of addresses. Raise Halt if it does not exist or has another form."""
    readers = {
        ".csv": read_delimited,
        ".tsv": read_delimited,
        ".jsonl": lambda path: (row for _, row in read_json_lines(path)),
        ".parquet": read_parquet,
    }
    if path.suffix not in readers or not path.is_file():
        raise Halt(f"{path} is not a list: name a file that ends in {', '.join(readers)}")
    seen = set()
    for number, row in enumerate(readers[path.suffix](path), 1):
        with halt_naming(path, "row", number):
            post = post_of_row(number, row)
            if post["id"] in seen:
                raise ValueError(f"another row has the id {post['id']}")
        seen.add(post["id"])
        yield post


def read_delimited(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table separated by commas, or by tabs. Raise Halt."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        except (UnicodeDecodeError, csv.Error) as error:
            raise Halt(f"{path} is not a table in UTF-8 ({error}): repair it") from error


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
    # NaN, which Parquet has for a missing number, differs from itself
    given = {name: value for name, value in row.items() if value not in (None, "") and value == value}
    url = str(given.get("url", ""))
    if not re.match(r"https?://[^/\s]+", url):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    if "artist" in given:  # one name, and a tag has no spaces
        given["artist"] = re.sub(r"\s+", "_", str(given["artist"]).strip().lower())
    if "hash" in given:
        given["sha256" if len(str(given["hash"])) == HASH_FIELDS["sha256"] else "md5"] = given["hash"]
    suffix = re.search(r"\.([A-Za-z0-9]+)[^./]*$", urlsplit(url).path)
    default = {"id": number, "file_ext": suffix.group(1) if suffix else "jpg"}
    post = complete_post(default | {FIELD_ALIASES.get(name, name): given[name] for name in given})
    post["file_url"] = url
    return post
