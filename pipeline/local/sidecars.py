"""The metadata that people keep beside their pictures -> the fields of a post.

In this order, the first file that tells a field counts: NAME.json, NAME.EXT.json as gallery-dl writes it,
NAME.txt with tags, and the rows of MANIFEST.csv in the folder of the picture or in one above it.
"""

import csv
import json
import posixpath
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.local.records import BadRecord, parse_record

MANIFEST = "MANIFEST.csv"
OWN_FIELDS = (  # the picture itself tells these
    "md5", "sha256", "file_size", "file_ext", "image_width", "image_height", "width", "height",
)  # fmt: skip
Manifests = dict[str, list[dict[str, Any]]]  # the rows about a picture by its path, the nearest table first


def sidecar_paths(path: Path) -> list[Path]:
    """List the files that may describe a picture, whatever its own suffix is, the most important first."""
    names = [path.with_suffix(".json"), path.with_name(f"{path.name}.json"), path.with_suffix(".txt")]
    return [name for name in names if name != path]


def read_sidecars(path: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the files beside a picture, and the rows of manifests, tell of it. Raise BadRecord."""
    told: dict[str, Any] = {}
    for record in (*map(read_sidecar, sidecar_paths(path)), *rows):
        own = {name: value for name, value in record.items() if name not in OWN_FIELDS}
        told = parse_record(own) | told
    return told


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what a file tells; {} if there is none. Raise BadRecord."""
    if not path.is_file():
        return {}
    return read_caption(path) if path.suffix == ".txt" else read_object(path)


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
    """Return the tags in a text file. Raise BadRecord if it is not UTF-8."""
    try:
        return {"tags": path.read_text(encoding="utf-8-sig")}
    except UnicodeDecodeError as error:
        raise BadRecord("bad text", f"{path.name} is not UTF-8 ({error.reason})") from None


def read_manifests(root: Path, paths: Iterable[Path]) -> Manifests:
    """Return the rows of manifests, by the path of their picture from `root`. Raise Halt."""
    found: Manifests = {}
    for path in sorted(paths, key=lambda path: len(path.parts), reverse=True):
        folder = path.parent.relative_to(root).as_posix()
        for number, row in enumerate(read_delimited(path), 1):
            if number == 1 and "path" not in row:
                raise Halt(f"{path} has no column path, but {', '.join(map(str, row))}: name the column path")
            name = str(row.get("path") or "").strip().replace("\\", "/")
            found.setdefault(plain_name(posixpath.join(folder, name)), []).append(row)
    return found


def plain_name(name: str) -> str:
    """Return a relative path in the form by which manifests find it."""
    return unicodedata.normalize("NFC", posixpath.normpath(name))


def read_delimited(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table separated by commas, or by tabs, with names in small letters. Raise Halt."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            yield from map(lower_names, rows)
        except (UnicodeDecodeError, csv.Error) as error:
            raise Halt(f"{path} is not a table in UTF-8 ({error}): repair it") from error


def lower_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the names of its columns in small letters, and the author as the artist."""
    lower = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
    if not lower.get("artist") and "author" in lower:
        lower["artist"] = lower["author"]
    return lower
