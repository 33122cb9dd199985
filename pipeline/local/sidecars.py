"""The metadata that people keep beside their pictures -> the fields of a post.

In this order, the first file that tells a field counts: NAME.json, NAME.EXT.json as gallery-dl writes it,
NAME.txt and NAME.EXT.txt with tags, and the rows of MANIFEST.csv in the folder of the picture or in one above
it.
"""

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.local.records import BadRecord, parse_record
from pipeline.local.tables import TableRow, lower_names, open_text, read_delimited
from pipeline.sources.posts import Refused

MANIFEST = "MANIFEST.csv"
NAME_COLUMNS = ("path", "file", "file_name", "filename", "name")  # of a manifest
OWN_FIELDS = (  # the picture itself tells these
    "md5", "sha256", "file_size", "file_ext", "image_width", "image_height", "width", "height",
)  # fmt: skip
BOORU_WORD = re.compile(r"\S_\S|\b[1-6]\+?(girl|boy|other)s?\b")  # no caption in sentences has one
Manifests = dict[Path, list[TableRow]]  # the rows about each file, those of the nearest table first


def sidecar_paths(path: Path) -> list[Path]:
    """List the files that may describe a picture, whatever its own suffix is, the most important first."""
    stem, name = path.with_suffix("").name, path.name
    names = (f"{stem}.json", f"{name}.json", f"{stem}.txt", f"{name}.txt")
    return [path.with_name(each) for each in names if each != name]


def read_sidecars(path: Path, rows: Iterable[TableRow]) -> dict[str, Any]:
    """Return what the files beside a picture, and the rows of manifests, tell of it. Raise BadRecord."""
    told: dict[str, Any] = {}
    records = (*map(read_sidecar, sidecar_paths(path)), *(lower_names(row.read()) for row in rows))
    for record in filter(None, records):
        own = {name: value for name, value in record.items() if name not in OWN_FIELDS}
        told = parse_record(own) | told
    return told


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what a file tells; {} if there is none. Raise BadRecord."""
    if not os.path.isfile(path):  # a method of Path would raise at too long a name
        return {}
    try:
        return read_caption(path) if path.suffix == ".txt" else read_object(path)
    except OSError as error:
        raise BadRecord("unreadable", f"{path.name}: {error.strerror}") from None


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raise BadRecord if it holds anything else.

    The ids of other sites than Danbooru are dropped: several pictures share them.
    """
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadRecord("bad JSON", f"{path.name}: {error}") from None
    if not isinstance(fields, dict):
        raise BadRecord("bad JSON", f"{path.name} does not hold the fields of a post")
    if fields.get("category") not in (None, "danbooru"):
        fields = {name: value for name, value in fields.items() if name not in ("id", "parent_id")}
    return fields


def read_caption(path: Path) -> dict[str, Any]:
    """Return the tags in a text file. Raise BadRecord if it is no text.

    Without a comma it is a list of tags, divided by spaces, if it has words that only such lists have;
    otherwise it is one phrase, as in "a girl with a hat".
    """
    try:
        with open_text(path) as file:
            text = file.read()
    except UnicodeError as error:
        raise BadRecord("bad text", f"{path.name} is not UTF-8 or UTF-16 ({error})") from None
    return {"tags": text if BOORU_WORD.search(text) else [text]}


def read_manifests(
    root: Path, paths: Iterable[Path], found: Mapping[str, Path]
) -> tuple[Manifests, list[Refused]]:
    """Return the rows of manifests by file, and the manifests and rows that cannot be used.

    A row names its file from the folder of the manifest by the first of NAME_COLUMNS that does; `found` has
    the files below `root` by their full names.
    """
    rows: Manifests = {}
    refused = []
    for path in sorted(paths, key=lambda path: len(path.parts), reverse=True):
        title = path.relative_to(root).as_posix()
        try:
            for row in read_delimited(path, NAME_COLUMNS):
                told = [str(row.values.get(column) or "") for column in NAME_COLUMNS]
                names = [full_name(path.parent / name.strip().replace("\\", "/")) for name in told]
                if file := next((found[name] for name in names if name in found), None):
                    rows.setdefault(file, []).append(row)
                else:
                    bad = row.bad or BadRecord("gone", "there is no such file")
                    refused.append(Refused(f"{title} row {row.number}", bad.reason, bad.detail))
        except Halt as error:
            refused.append(Refused(title, "bad manifest", str(error)))
    return rows, refused


def full_name(path: Path) -> str:
    """Return the absolute path of a file in the form by which manifests find it."""
    return unicodedata.normalize("NFC", os.path.abspath(path))
