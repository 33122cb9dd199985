"""Lists: tables of addresses, and of paths below the folder of the list -> posts."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.errors import Halt
from pipeline.images.codec import FILE_SIGNATURES, SUFFIX_ALIASES
from pipeline.local.dumps import parse_line, read_json_lines
from pipeline.local.folders import post_of_file, refusal_of
from pipeline.local.records import ALIASES, FIELD_PARSERS, BadRecord, complete_post, parse_record
from pipeline.local.sidecars import lower_names, read_delimited
from pipeline.sources.posts import FullPost, Refused, hash_id

ADDRESS_FIELDS = ("url", "path")  # columns, of which the first that is filled in counts
ListRow = tuple[str, dict[str, Any] | bytes]  # name and values; the bytes of a line of JSON


def read_list(path: Path) -> Iterator[FullPost | Refused]:
    """Yield the posts of a list. Raise Halt if it does not exist or has another form."""
    readers: dict[str, Callable[[Path], Iterable[ListRow]]] = {
        ".csv": read_table,
        ".tsv": read_table,
        ".jsonl": number_lines,
        ".parquet": read_parquet,
    }
    if not path.is_file():
        raise Halt(f"{path} is not a list: there is no such file")
    if path.suffix.lower() not in readers:
        raise Halt(f"{path} is not a list: name a file that ends in {', '.join(readers)}")
    owners: dict[int, str] = {}
    for name, row in readers[path.suffix.lower()](path):
        try:
            post = post_of_row(parse_line(row) if isinstance(row, bytes) else row, path.parent)
            owner = owners.setdefault(post["id"], name)
            yield post if owner == name else Refused(name, "same id", f"{owner} has the id {post['id']}")
        except BadRecord as bad:
            yield Refused(name, bad.reason, bad.detail)


def read_table(path: Path) -> Iterator[ListRow]:
    """Yield the rows of a table separated by commas, or by tabs. Raise Halt."""
    for number, row in enumerate(read_delimited(path), 1):
        if number == 1:
            require_address(path, row)
        yield f"row {number}", row


def number_lines(path: Path) -> Iterator[ListRow]:
    return ((f"row {number}", line) for number, line in read_json_lines(path))


def read_parquet(path: Path) -> Iterator[ListRow]:
    """Yield the rows of a Parquet file, without the columns that no post has. Raise Halt."""
    from pyarrow.parquet import ParquetFile  # takes half a second

    try:
        file = ParquetFile(path)
    except ValueError as error:
        raise Halt(f"{path} is not a Parquet file ({error}): repair it") from error
    with file:
        names = file.schema_arrow.names
        require_address(path, [name.lower() for name in names])
        other = {"hash", "artist", "author", *ADDRESS_FIELDS, *ALIASES, *FIELD_PARSERS}
        wanted = [name for name in names if name.lower() in other or name.lower().startswith("tag")]
        rows = (row for batch in file.iter_batches(columns=wanted) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            yield f"row {number}", row


def require_address(path: Path, names: Iterable[str]) -> None:
    """Raise Halt unless a table has a column of addresses."""
    if not set(names) & {*ADDRESS_FIELDS}:
        raise Halt(f"{path} has no column url or path, but {', '.join(map(str, names))}: name the column url")


def post_of_row(row: dict[str, Any], folder: Path) -> FullPost:
    """Make a post of a row of a list that is in `folder`. Raise BadRecord if it is none."""
    row = lower_names(row)
    address = next((str(row[name]).strip() for name in ADDRESS_FIELDS if row.get(name) not in (None, "")), "")
    if digest := row.get("hash"):
        row["sha256" if len(str(digest)) == 64 else "md5"] = digest
    fields = parse_record(row)
    if re.match(r"https?:", address, re.IGNORECASE):
        check_address(address)
        suffix = re.search(r"\.([A-Za-z0-9]+)[^./]*$", urlsplit(address).path)
        ext = suffix.group(1).lower() if suffix else ""
        ext = SUFFIX_ALIASES.get(ext, ext)
        known = {"file_ext": ext} if ext in FILE_SIGNATURES else {}  # of other names only the bytes tell
        return complete_post({"id": hash_id(address)} | known | fields | {"file_url": address})
    name = local_name(address, folder)
    post = post_of_file(folder / name, name, fields)
    for kind in ("md5", "sha256"):
        if kind in fields and fields[kind] != hashlib.new(kind, (folder / name).read_bytes()).hexdigest():
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
    scheme = re.match(r"([a-z][a-z0-9+.-]+):", address, re.IGNORECASE)
    if not address or (scheme and scheme[1].lower() != "file"):
        raise BadRecord(
            "bad url", f"url must begin with http:// or https://, or be a path, got {address[:80]!r}"
        )
    if scheme:
        try:
            parts = urlsplit(address)
        except ValueError:
            raise BadRecord("bad url", f"url must be a path, got {address[:80]!r}") from None
        if parts.netloc not in ("", "localhost"):
            raise BadRecord("bad url", f"url must be a file of this machine, got {address[:80]!r}")
        address = url2pathname(parts.path)
    if "\0" in address:
        raise BadRecord("bad url", "url must be a path, got one with a zero byte")
    home = os.path.abspath(folder)
    full = os.path.normpath(os.path.join(home, address))
    name = Path(os.path.relpath(full, home)).as_posix()
    if name == "." or name.split("/")[0] == "..":
        raise BadRecord("outside", f"path must be below the folder of the list, got {address[:80]!r}")
    if refused := refusal_of(folder / name, name):
        raise BadRecord(refused.reason, refused.detail)
    return name
