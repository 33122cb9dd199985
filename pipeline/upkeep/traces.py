"""Traces of posts by provenance: which file of a cache or of a project was made from which post."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.files import read_note, write
from pipeline.run.memo import load_made
from pipeline.shards.column import find_columns, list_shards
from pipeline.sources.posts import Post
from pipeline.untrusted import hide_secrets

UNFINISHED_SUFFIXES = (".part", ".validator")  # of downloads whose post no file tells


@dataclass
class CacheTraces:
    """The files of a cache that were made from some posts, the notes that name them last."""

    downloads: list[Path] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)
    notes: list[Path] = field(default_factory=list)

    def __iter__(self) -> Iterator[Path]:
        yield from (*self.downloads, *self.made, *self.notes)


def post_addresses(post: Post) -> set[str]:
    """Return the addresses of all files of a post, without secrets."""
    variants = post.get("variants", {}).values()
    urls = [post.get("file_url"), post.get("sketch_url"), *(variant["url"] for variant in variants)]
    return {hide_secrets(url) for url in urls if url}


def noted_address(note: dict[str, Any]) -> str:
    """Return the address that a note is about, without secrets, which older versions noted."""
    return hide_secrets(str(note.get("url", "")))


def find_cache_traces(cache: Path, keys: set[str], md5s: set[str], urls: set[str]) -> CacheTraces:
    """Find the files of a cache that were made from posts, by the keys, hashes and addresses of these.

    An unfinished download is found too if nothing tells its post, and so is a note that cannot be read.
    """
    traces, known = CacheTraces(), set(md5s)
    for path in sorted((cache / "names").glob("*/*")) + sorted((cache / "rejects").glob("*/*")):
        note = read_note(path)
        unknown = path.suffix in UNFINISHED_SUFFIXES or note is None
        if unknown or noted_address(note) in urls or note.get("md5") in md5s:
            traces.notes.append(path)
            known.add(note["md5"] if note and "md5" in note else "")
    for md5 in sorted(known - {""}):
        traces.downloads += sorted((cache / "files" / md5[:2]).glob(f"*{md5}*"))
    for shelf in ("steps", "laid"):
        traces.made += [path for path in sorted((cache / shelf).glob("*/*")) if may_hold(path, keys)]
    return traces


def may_hold(path: Path, keys: set[str]) -> bool:
    """Return whether a file of the memo, or a note on a shard, has one of the keys, or cannot be read."""
    if (entry := read_note(path.with_suffix(".json"))) is None:
        return True
    written = {line.partition("\t")[0] for line in entry["rows"]}
    rejected = {key for key, *_ in entry["rejects"]}
    if not keys.isdisjoint(written | rejected):
        return True
    made = load_made(path.with_suffix(".tar"))
    try:
        return made is not None and any(
            shows(each, keys) for _, each in made.shard.read_metadata(needed=False)
        )
    except Halt:  # its bytes are damaged
        return True


def shows(metadata: Mapping[str, Any], keys: set[str]) -> bool:
    """Return whether the metadata of a sample say that a picture of it may show one of the keys.

    That is a reference to a relative; those made by older versions do not say which, so that it may be any.
    """
    columns = [metadata, *(each for each in metadata.values() if isinstance(each, dict))]
    relatives = (each for each in columns if each.get("subject") == "family")
    return any(each.get("relative") is None or each["relative"] in keys for each in relatives)


def remove_table_rows(table: Path, keys: set[str]) -> int:
    """Remove the rows of keys from a Parquet table, or a damaged table, and return their number."""
    import pyarrow
    from pyarrow import compute, parquet

    try:
        before = parquet.read_table(io.BytesIO(table.read_bytes()))
    except (pyarrow.ArrowException, OSError):
        table.unlink()
        return 1
    if "key" not in before.column_names:
        return 0
    gone = pyarrow.array(sorted(keys), pyarrow.string())
    after = before.filter(compute.invert(compute.is_in(before["key"], gone)))
    if removed := len(before) - len(after):
        file = io.BytesIO()
        parquet.write_table(after, file)
        write(table, file.getvalue())
    return removed


def count_unnamed(cache: Path, posts: list[Post], data: Path) -> int:
    """Count the downloads in a cache that no post or sample of a project names."""
    urls = {url for post in posts for url in post_addresses(post)}
    named = {post.get("md5") for post in posts}
    for path in (cache / "names").glob("*/*"):
        if (note := read_note(path)) and noted_address(note) in urls:
            named.add(note["md5"])
    for shard in (shard for column in find_columns(data) for shard in list_shards(column)):
        for _, metadata in shard.read_metadata(needed=False):
            named |= {metadata.get("md5"), metadata.get("file_md5")}
    return sum(path.stem.strip(".")[:32] not in named for path in (cache / "files").glob("*/*"))
