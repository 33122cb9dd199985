"""Pictures in folders -> posts: any folder, and paired sets, whose pictures come with their sketches.

`file_url` is the path of a picture from the folder of the source, and `sketch_url` that of its sketch; or
else `sketch_half` names the half of the picture that is the sketch.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage, Halt
from pipeline.images.codec import read_size
from pipeline.shards.loose import LooseBatch, list_parts, loose_key
from pipeline.sources.posts import FullPost, describe_post


def read_folder(path: Path, below: str = "") -> Iterator[FullPost]:
    """Yield the posts of the pictures in a folder, or only of those in the folder `below` in it."""
    for file, post in folder_posts(path / below):
        yield {**post, "file_url": file.relative_to(path).as_posix()}


def read_halves(path: Path) -> Iterator[FullPost]:
    """Yield the posts of a folder of pictures with the color on the left and the sketch on the right."""
    for post in read_folder(path):
        yield {**post, "image_width": post["image_width"] // 2, "sketch_half": "right"}


def read_pairs(path: Path) -> Iterator[FullPost]:
    """Yield the posts of color/NAME.* and sketch/NAME.*. Raise Halt if one of them lacks the other."""
    colors, sketches = map_names(path / "color"), map_names(path / "sketch")
    for name in sorted(colors.keys() ^ sketches.keys()):
        there, lacks = (colors, "sketch") if name in colors else (sketches, "color")
        raise Halt(
            f"{path / there[name]} has no counterpart in {path / lacks}: add it, or remove the picture"
        )
    sketch_of = {color: sketches[name] for name, color in colors.items()}
    for post in read_folder(path, "color"):
        yield {**post, "sketch_url": sketch_of[post["file_url"]]}


def map_names(path: Path) -> dict[str, str]:
    """Map the names of the pictures below a folder to their paths from its parent. Raise Halt."""
    return {loose_key(file, path): file.relative_to(path.parent).as_posix() for file in list_pictures(path)}


def folder_posts(path: Path) -> Iterator[tuple[Path, FullPost]]:
    """Yield every picture below a folder and its post, numbered from 1 in the order of their names.

    NAME.json next to a picture overrides its fields, except md5, file_size and file_ext, which come from the
    file. Raise Halt if there are no pictures, or if two posts have one id.
    """
    files: dict[int, Path] = {}
    root = path.parent if path.is_file() else path
    for number, file in enumerate(list_pictures(path), 1):
        post = read_post(number, file, root)
        twin = files.setdefault(post["id"], file)
        if twin is not file:
            raise Halt(f"{twin} and {file} both have the id {post['id']}: change it in a JSON file")
        yield file, post


def list_pictures(path: Path) -> list[Path]:
    """List the pictures below a folder in the order of their names. Raise Halt if there are none."""
    parts = list_parts(path)
    if not isinstance(parts[0], LooseBatch):
        raise Halt(f"{path} holds shards: name a folder of pictures")
    return [file for batch in parts for file in batch.paths]


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
