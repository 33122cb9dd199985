"""Pictures in folders -> posts: any folder, and paired sets, whose pictures come with their sketches.

`file_url` is the path of a picture from the folder of the source, and `sketch_url` that of its sketch; or
else `sketch_half` names the half of the picture that is the sketch. The bytes of a file decide whether it is
a picture. A link is followed if it leads to a file.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage, Halt
from pipeline.files import PICTURE_SUFFIXES
from pipeline.images.codec import SIGNATURE_BYTES, identify, identify_file, read_size
from pipeline.local.records import BadRecord, complete_post, give_posts
from pipeline.local.sidecars import (
    MANIFEST,
    Manifests,
    full_name,
    read_manifests,
    read_sidecars,
    sidecar_paths,
)
from pipeline.shards.column import SEAL
from pipeline.sources.posts import FullPost, Refused, hash_id


@dataclass(frozen=True)
class Listing:
    """The content of a folder, sorted: pictures, other files that can be read, and what cannot be used."""

    root: Path
    pictures: list[Path]
    others: list[Path]
    refused: list[Refused]

    @property
    def described(self) -> list[Path]:
        """The pictures that a file beside them may describe."""
        return self.pictures if self.others or self.refused else []

    def name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()


def read_folder(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of the pictures in a folder."""
    listing = list_folder(path)
    yield from listing.refused
    yield from read_pictures(listing, path, listing.pictures, {})


def read_halves(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of a folder of pictures with the color on the left and the sketch on the right."""
    for post in read_folder(path):
        if isinstance(post, Refused):
            yield post
        else:
            yield {**post, "image_width": post["image_width"] // 2, "sketch_half": "right"}


def read_pairs(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of color/NAME.* that have a sketch/NAME.*. Raise Halt without one of the folders."""
    color, sketch = path / "color", path / "sketch"
    for folder in (color, sketch):
        require_folder(folder)
    listing = list_folder(path)
    sketch_of = match_pairs(listing.pictures, color, sketch)
    yield from listing.refused
    for file in sorted({*listing.pictures} - {*sketch_of, *sketch_of.values()}):
        yield Refused(listing.name(file), "no counterpart", "a pair is color/NAME and sketch/NAME")
    names = {path / file.with_suffix("").relative_to(color): file for file in sketch_of}
    for post in read_pictures(listing, color, sketch_of, names):
        if isinstance(post, Refused):
            yield post
        else:
            file = color / post["file_url"]
            yield {**post, "file_url": listing.name(file), "sketch_url": listing.name(sketch_of[file])}


def match_pairs(pictures: list[Path], color: Path, sketch: Path) -> dict[Path, Path]:
    """Return the sketch of each color picture: that of the same name, or one that differs in its suffix."""
    sketches: dict[Path, Path] = {}
    for file in pictures:
        if file.is_relative_to(sketch):
            sketches[file] = file
            sketches.setdefault(file.with_suffix(""), file)
    pairs = {}
    for file in pictures:
        if file.is_relative_to(color):
            name = sketch / file.relative_to(color)
            if found := sketches.get(name) or sketches.get(name.with_suffix("")):
                pairs[file] = found
    return pairs


def read_pictures(
    listing: Listing, home: Path, pictures: Iterable[Path], names: Mapping[Path, Path]
) -> Iterator[FullPost | Refused]:
    """Yield the posts of pictures, as seen from the folder `home`.

    Manifests may give other `names` of pictures than their paths.
    """
    manifests = [file for file in listing.others if file.name == MANIFEST]
    found: dict[str, Path] = {}
    if manifests:
        found = {full_name(name): file for name, file in names.items()}
        found |= {full_name(file): file for file in (*listing.others, *listing.pictures)}
    rows, refused = read_manifests(listing.root, manifests, found)
    yield from refused
    read = partial(read_post, home=home, rows=rows, alone=not listing.described)
    yield from give_posts((listing.name(file), partial(read, file)) for file in pictures)


# ---------------------------------------------------------------- which files


def list_folder(path: Path) -> Listing:
    """List what is below a folder. Raise Halt if no picture is, or if it holds shards."""
    require_folder(path)
    listing = Listing(path, [], [], [])
    for file in walk_folder(path):
        if bad := refusal_of(file, listing.name(file)):
            listing.refused.append(bad)
        elif identify_file(file) in PICTURE_SUFFIXES:
            listing.pictures.append(file)
        else:
            listing.others.append(file)
    if not listing.pictures:
        raise Halt(f"{path} holds no pictures: looked for {', '.join(PICTURE_SUFFIXES)} in its files")
    about = {sidecar for picture in listing.described for sidecar in sidecar_paths(picture)}
    for file in listing.others:
        if file not in about and file.name != MANIFEST:
            listing.refused.append(wrong_type(listing.name(file), identify_file(file)))
    return listing


def require_folder(path: Path) -> None:
    """Raise Halt for a path that is no folder, or a folder of shards."""
    if not path.is_dir():
        raise Halt(f"{path} does not exist: name a folder of pictures")
    if (path / SEAL).is_file() or any(path.glob("*.tar")):
        raise Halt(f"{path} holds shards: name a folder of pictures")


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
    if os.path.islink(file) and not os.path.isfile(file):  # methods of Path raise at too long a name
        return Refused(name, "link", "it leads to no file")
    if not os.path.exists(file):
        return Refused(name, "gone", "there is no such file")
    if not os.path.isfile(file) or not os.access(file, os.R_OK):
        return Refused(name, "unreadable", "it is not a file that can be read")
    return None


def wrong_type(name: str, kind: str) -> Refused:
    return Refused(name, "wrong type", f"a {kind} file" if kind else "no picture that can be read")


# ---------------------------------------------------------------- what they are


def read_post(file: Path, home: Path, rows: Manifests, alone: bool) -> FullPost:
    """Describe a picture by its bytes and by what the files beside it tell. Raise BadRecord.

    One that is `alone` has none; in a large folder, looking for them takes a sixth of the time.
    """
    told = {} if alone else read_sidecars(file, rows.get(file, []))
    return post_of_file(file, file.relative_to(home).as_posix(), told)


def post_of_file(file: Path, name: str, told: dict[str, Any]) -> FullPost:
    """Make the post of a picture from its bytes and the fields that its source tells. Raise BadRecord.

    A picture whose size cannot be read has width and height 0.
    """
    with file.open("rb") as opened:
        data = opened.read(SIGNATURE_BYTES)
        kind = identify(data)
        if kind not in PICTURE_SUFFIXES:
            raise BadRecord("wrong type", wrong_type(name, kind).detail)
        data += opened.read()
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
