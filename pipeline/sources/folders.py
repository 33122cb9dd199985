"""A folder of pictures -> posts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage, Halt
from pipeline.images.codec import read_size
from pipeline.shards.loose import LooseBatch, list_parts
from pipeline.sources.posts import FullPost, describe_post


def folder_posts(path: Path) -> Iterator[tuple[Path, FullPost]]:
    """Yield every picture below a folder and its post, numbered from 1 in the order of their names.

    NAME.json next to a picture overrides its fields, except md5, file_size and file_ext, which come from the
    file. Raise Halt if there are no pictures, or if two posts have one id.
    """
    listed = picture_batches(path)
    files: dict[int, Path] = {}
    for number, file in enumerate((file for batch in listed for file in batch.paths), 1):
        post = read_post(number, file, listed[0].root)
        twin = files.setdefault(post["id"], file)
        if twin is not file:
            raise Halt(f"{twin} and {file} both have the id {post['id']}: change it in a JSON file")
        yield file, post


def picture_batches(path: Path) -> list[LooseBatch]:
    """List the pictures below a folder in the order of their names. Raise Halt if there are none."""
    units = list_parts(path)
    if not isinstance(units[0], LooseBatch):
        raise Halt(f"{path} holds shards: name a folder of pictures")
    return units


def read_post(number: int, path: Path, root: Path) -> FullPost:
    """Describe a picture file: its name begins with the artist, and its path below `root` is the source.

    A file that cannot be decoded has width and height 0. Raise Halt for a bad JSON file.
    """
    data = path.read_bytes()
    try:
        width, height = read_size(data)
    except BadImage:
        width, height = 0, 0
    name = re.sub(r"(_[^_]*|\d+)$", "", path.stem)
    fields: dict[str, Any] = {
        "id": number,
        "image_width": width,
        "image_height": height,
        "source": path.relative_to(root).as_posix(),
        "tag_string_artist": re.sub(r"[\s_]+", "_", name.lower()).strip("_"),
    } | read_fields(path.with_suffix(".json"))
    return describe_post(fields.pop("id"), data, path.suffix[1:].lower().replace("jpeg", "jpg"), **fields)


def read_fields(path: Path) -> dict[str, Any]:
    """Read a JSON file of Danbooru's fields; {} if there is none. Raise Halt if it holds anything else."""
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("id", 0), int):
        raise Halt(f"{path} does not hold the fields of a post: repair it or remove it")
    return {name: value for name, value in fields.items() if value is not None}
