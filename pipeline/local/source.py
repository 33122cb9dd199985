"""The source that a `host` names if it is not a site."""

from functools import partial
from pathlib import Path

from pipeline.errors import Halt
from pipeline.local.dumps import read_dump
from pipeline.local.folders import read_folder, read_halves, read_pairs
from pipeline.local.lists import read_list
from pipeline.sources.posts import PostSource

READERS = {"dump": read_dump, "list": read_list, "pairs": read_pairs, "halves": read_halves}  # by prefix


def open_source(host: str) -> PostSource:
    """Open a folder of pictures, or dump:PATH, list:PATH, pairs:PATH or halves:PATH.

    Raise Halt for a path that is not a folder. While the posts are read, they raise Halt for a source that is
    missing or has another form; a single file or row that is no post is a `Refused`.
    """
    kind, _, rest = host.partition(":")
    reader, path = (READERS[kind], Path(rest)) if kind in READERS and rest else (read_folder, Path(host))
    if reader is read_list:
        return PostSource(path.parent, partial(reader, path), remote=True)
    if not host or not path.is_dir():
        raise Halt(
            f"{host or 'an empty host'} is not a folder: name one, or sample, the address of a Danbooru, "
            "or dump:, list:, pairs: or halves: before a path"
        )
    return PostSource(path, partial(reader, path))
