"""Danbooru20xx dumps, old and new -> posts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.files import PICTURE_SUFFIXES
from pipeline.local.records import BadRecord, complete_post, parse_record
from pipeline.local.tables import read_json_lines
from pipeline.sources.posts import FullPost, Refused


def read_dump(path: Path) -> Iterator[FullPost | Refused]:
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
        for row in read_json_lines(file):
            try:
                yield post_of_record(row.read(), folders[0])
            except BadRecord as bad:
                yield Refused(f"{file.relative_to(path)} line {row.number}", bad.reason, bad.detail)


def post_of_record(record: dict[str, Any], folder: str) -> FullPost:
    """Make a post of a record of a dump, old or new. Raise BadRecord if it is none.

    The pictures in 512px/ are smaller copies, so hash and size in bytes of the originals are dropped.
    """
    for name in ("id", "rating", "file_ext"):
        if record.get(name) in (None, ""):
            raise BadRecord(f"no {name}")
    fields = parse_record(record)
    ext = fields["file_ext"]
    if folder == "512px":
        fields.pop("md5", None)
        fields.pop("file_size", None)
        ext = fields["file_ext"] = "jpg" if ext in PICTURE_SUFFIXES else ext
    post = complete_post(fields)
    post["file_url"] = f"{folder}/{post['id'] % 1000:04d}/{post['id']}.{ext}"
    return post
