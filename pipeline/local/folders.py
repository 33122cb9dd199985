"""Pictures in folders -> posts: any folder, and paired sets, whose pictures come with their sketches.

`file_url` is the path of a picture from the folder of the source, and `sketch_url` that of its sketch; or
else `sketch_half` names the half of the picture that is the sketch. The bytes of a file decide whether it is
a picture. A link is followed if it leads to a file.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage, Halt
from pipeline.files import PICTURE_SUFFIXES
from pipeline.images.codec import identify_file, read_size
from pipeline.local.records import BadRecord, complete_post
from pipeline.local.sidecars import (
    MANIFEST,
    plain_name,
    read_manifests,
    read_sidecars,
    sidecar_paths,
)
from pipeline.shards.column import SEAL
from pipeline.sources.posts import FullPost, Refused, hash_id


@dataclass(frozen=True)
class Listing:
    """The content of a folder, sorted: the pictures, and the files that are neither these nor about them."""

    pictures: list[Path]
    manifests: list[Path]
    refused: list[Refused]


def read_folder(path: Path, below: str = "") -> Iterator[FullPost | Refused]:
    """Yield the posts of the pictures in a folder, or only of those in the folder `below` in it."""
    root = path / below
    listing = list_folder(root)
    yield from listing.refused
    above = [path / MANIFEST] if below and (path / MANIFEST).is_file() else []
    rows = read_manifests(path, [*above, *listing.manifests])
    owners: dict[int, str] = {}
    for file in listing.pictures:
        post = read_post(file, root, rows.get(plain_name(file.relative_to(path).as_posix()), []))
        if isinstance(post, Refused):
            yield post
            continue
        name = file.relative_to(root).as_posix()
        owner = owners.setdefault(post["id"], name)
        if owner != name:
            yield Refused(name, "same id", f"{owner} has the id {post['id']}")
        else:
            yield post | {"file_url": file.relative_to(path).as_posix()}


def read_halves(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of a folder of pictures with the color on the left and the sketch on the right."""
    for post in read_folder(path):
        if isinstance(post, Refused):
            yield post
        else:
            yield {**post, "image_width": post["image_width"] // 2, "sketch_half": "right"}


def read_pairs(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of color/NAME.* and sketch/NAME.*. Raise Halt if one of them lacks the other."""
    colors, sketches = map_names(path / "color"), map_names(path / "sketch")
    for name in sorted(colors.keys() ^ sketches.keys()):
        there, lacks = (colors, "sketch") if name in colors else (sketches, "color")
        raise Halt(
            f"{path / there[name]} has no counterpart in {path / lacks}: add it, or remove the picture"
        )
    sketch_of = {color: sketches[name] for name, color in colors.items()}
    for post in read_folder(path, "color"):
        yield post if isinstance(post, Refused) else {**post, "sketch_url": sketch_of[post["file_url"]]}


def map_names(path: Path) -> dict[str, str]:
    """Map the names of the pictures below a folder to their paths from its parent. Raise Halt."""
    found: dict[str, str] = {}
    for file in list_folder(path).pictures:
        name = file.relative_to(path.parent).as_posix()
        twin = found.setdefault(file.with_suffix("").relative_to(path).as_posix(), name)
        if twin != name:
            raise Halt(f"{path.parent / twin} and {file} have the same name: rename one of them")
    return found


# ---------------------------------------------------------------- which files


def list_folder(path: Path) -> Listing:
    """List the pictures below a folder. Raise Halt if there are none, or if it holds shards."""
    if not path.is_dir():
        raise Halt(f"{path} does not exist: name a folder of pictures")
    if (path / SEAL).is_file() or any(path.glob("*.tar")):
        raise Halt(f"{path} holds shards: name a folder of pictures")
    pictures, manifests, refused, others = [], [], [], []
    for file in walk_folder(path):
        name = file.relative_to(path).as_posix()
        if bad := refusal_of(file, name):
            refused.append(bad)
        elif (kind := identify_file(file)) in PICTURE_SUFFIXES:
            pictures.append(file)
        elif file.name == MANIFEST:
            manifests.append(file)
        else:
            others.append((file, name, kind))
    if not pictures:
        raise Halt(f"{path} holds no pictures: looked for {', '.join(PICTURE_SUFFIXES)} in its files")
    about = {sidecar for picture in pictures for sidecar in sidecar_paths(picture)}
    refused += [wrong_type(name, kind) for file, name, kind in others if file not in about]
    return Listing(pictures, manifests, refused)


def walk_folder(path: Path) -> list[Path]:
    """List what is below a folder but is no folder that can be read, sorted by folders and names.

    A link to a folder is listed and not followed.
    """
    found = []
    for folder, names, files in os.walk(path):
        home = Path(folder)
        found += [home / name for name in files]
        found += [
            home / name
            for name in names
            if not os.access(home / name, os.R_OK | os.X_OK) or (home / name).is_symlink()
        ]
    return sorted(found, key=lambda file: file.parts)


def refusal_of(file: Path, name: str) -> Refused | None:
    """Return why a file cannot be read; None if it can. Nothing but a regular file is opened."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return Refused(ascii(name)[1:-1], "bad name", "not UTF-8")
    if file.is_symlink() and not file.is_file():
        return Refused(name, "link", "it leads to no file")
    if not file.exists():
        return Refused(name, "gone", "there is no such file")
    if not file.is_file() or not os.access(file, os.R_OK):
        return Refused(name, "unreadable", "it is not a file that can be read")
    return None


def wrong_type(name: str, kind: str) -> Refused:
    return Refused(name, "wrong type", f"a {kind} file" if kind else "no picture that can be read")


# ---------------------------------------------------------------- what they are


def read_post(file: Path, root: Path, rows: list[dict[str, Any]]) -> FullPost | Refused:
    """Describe a picture below `root` by its bytes and by what the files beside it tell."""
    name = file.relative_to(root).as_posix()
    try:
        return post_of_file(file, name, read_sidecars(file, rows))
    except BadRecord as bad:
        return Refused(name, bad.reason, bad.detail)


def post_of_file(file: Path, name: str, told: dict[str, Any]) -> FullPost:
    """Make the post of a picture from its bytes and the fields that its source tells. Raise BadRecord.

    A picture whose size cannot be read has width and height 0.
    """
    kind = identify_file(file)
    if kind not in PICTURE_SUFFIXES:
        raise BadRecord("wrong type", wrong_type(name, kind).detail)
    data = file.read_bytes()
    try:
        width, height = read_size(data)
    except BadImage:
        width, height = 0, 0
    own = {
        "md5": hashlib.md5(data).hexdigest(),
        "file_size": len(data),
        "file_ext": kind,
        "image_width": width,
        "image_height": height,
    }
    return complete_post({"id": hash_id(name), "source": name} | told | own) | {"file_url": name}
