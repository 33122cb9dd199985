"""Lists: tables of addresses, and of paths below the folder of the list -> posts."""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.errors import Halt
from pipeline.images.codec import FILE_SIGNATURES, SUFFIX_ALIASES
from pipeline.local.folders import post_of_file, refusal_of
from pipeline.local.records import BadRecord, complete_post, give_posts, is_told, parse_record
from pipeline.local.tables import TableRow, lower_names, read_delimited, read_json_lines, read_parquet
from pipeline.sources.checks import hash_file
from pipeline.sources.posts import FullPost, Refused, hash_id

ADDRESS_FIELDS = ("url", "path")  # columns, of which the first that is filled in counts
LIST_READERS: dict[str, Callable[[Path], Iterator[TableRow]]] = {
    ".csv": partial(read_delimited, wanted=ADDRESS_FIELDS),
    ".tsv": partial(read_delimited, wanted=ADDRESS_FIELDS),
    ".jsonl": read_json_lines,
    ".parquet": partial(read_parquet, wanted=ADDRESS_FIELDS),
}


def read_list(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of a list. Raise Halt if it does not exist or has another form."""
    if not path.is_file():
        raise Halt(f"{path} is not a list: there is no such file")
    if path.suffix.lower() not in LIST_READERS:
        raise Halt(f"{path} is not a list: name a file that ends in {', '.join(LIST_READERS)}")
    rows = LIST_READERS[path.suffix.lower()](path)
    return give_posts((f"row {row.number}", partial(read_row, row, path.parent)) for row in rows)


def read_row(row: TableRow, folder: Path) -> FullPost:
    """Make a post of a row of a list that is in `folder`. Raise BadRecord if it is none."""
    values = lower_names(row.read())
    address = next((str(values[name]).strip() for name in ADDRESS_FIELDS if is_told(values.get(name))), "")
    if digest := values.get("hash"):
        values["sha256" if len(str(digest)) == 64 else "md5"] = digest
    fields = parse_record(values)
    if scheme := re.match("https?:", address, re.IGNORECASE):
        return remote_post(scheme[0].lower() + address[scheme.end() :], fields)
    return local_post(local_name(address, folder), folder, fields)


def remote_post(address: str, fields: dict[str, Any]) -> FullPost:
    """Make the post of a file on a site. Raise BadRecord."""
    check_address(address)
    suffix = re.search(r"\.([A-Za-z0-9]+)[^./]*$", urlsplit(address).path)
    ext = suffix.group(1).lower() if suffix else ""
    ext = SUFFIX_ALIASES.get(ext, ext)
    known = {"file_ext": ext} if ext in FILE_SIGNATURES else {}  # of other names only the bytes tell
    return complete_post({"id": hash_id(address)} | known | fields | {"file_url": address})


def local_post(name: str, folder: Path, fields: dict[str, Any]) -> FullPost:
    """Make the post of a file below `folder`. Raise BadRecord if it is no picture, or has other hashes."""
    post = post_of_file(folder / name, name, fields)
    for kind in ("md5", "sha256"):
        if kind in fields and fields[kind] != hash_file(folder / name, kind):
            raise BadRecord("mismatch", f"another {kind}")
    return post


def check_address(address: str) -> None:
    """Raise BadRecord for an address whose host cannot be asked."""
    try:
        parts = urlsplit(address)
        labels = (parts.hostname or "").rstrip(".").encode("idna").split(b".")
        broken = not all(labels) or re.search(r"\s", parts.netloc) or (parts.port or 0) < 0
    except ValueError:
        broken = True
    if broken:
        raise BadRecord(
            "bad url", f"url must begin with http:// or https:// and a host, got {address[:80]!r}"
        )


def local_name(address: str, folder: Path) -> str:
    """Return the path of a file below a folder, given as a path or a file URL. Raise BadRecord."""
    home = os.path.abspath(folder)
    full = os.path.normpath(os.path.join(home, local_path(address, home)))
    name = Path(os.path.relpath(full, home)).as_posix()
    if name == "." or name.split("/")[0] == "..":
        raise BadRecord("outside", f"path must be below the folder of the list, got {address[:80]!r}")
    if refused := refusal_of(folder / name, name):
        raise BadRecord(refused.reason, refused.detail)
    return name


def local_path(address: str, home: str) -> str:
    """Return the path that an address names; backslashes may divide it. Raise BadRecord."""
    scheme = re.match("([a-z][a-z0-9+.-]+):", address.lower())
    if address and os.path.exists(os.path.join(home, address)):
        return address
    if address and not scheme:
        return address.replace("\\", "/")
    try:
        parts = urlsplit(address)
        known = scheme and scheme[1] == "file" and parts.netloc in ("", "localhost")
    except ValueError:
        known = False
    if not known:
        rule = "url must begin with http:// or https://, or be a file of this machine"
        raise BadRecord("bad url", f"{rule}, got {address[:80]!r}")
    return url2pathname(parts.path)
