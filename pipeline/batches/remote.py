"""A packed dataset behind a URL: its tables are copied once, and its shards are read forward.

What fails for a while is tried again, and reading goes on at the same byte. Nothing else in the library waits
for a store: other commands read a URL once, while a training reads for days.
"""

import atexit
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from pipeline.errors import Halt
from pipeline.files import READ_AHEAD, broken_connections
from pipeline.shards.column import INDEX, SEAL, Shard
from pipeline.shards.seal import parse_seal
from pipeline.shards.tar import Row

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
SKIPPED_AT_ONCE = 1 << 20  # bytes
STREAMED = {"block_size": 0}  # as fsspec is told to
AHEAD = 1 << 20  # bytes that a file read by single samples is read ahead
UPLOAD_ADVICE = "upload the packed dataset again, then run the same command"


@dataclass(frozen=True)
class RemoteShard(Shard):
    """A shard behind a URL; the folder `tables` has a copy of its index."""

    tables: Path = Path()

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row for each sample. Raises Halt if the index does not fit the shard."""
        return Shard(self.tables / self.name, self.samples, self.bytes, self.sha256, self.place).rows


def list_remote_shards(home: Path) -> list[Shard]:
    """List the shards of a dataset behind a URL. Raise Halt if its seal or its index is missing or wrong.

    The shards themselves are compared sample by sample as they are read.
    """
    try:
        seal = parse_seal(fetch_whole(home / SEAL))
    except ValueError as error:
        raise Halt(f"{home / SEAL} is no seal of this program ({error}): {UPLOAD_ADVICE}") from error
    tables = copy_index(home / INDEX, seal["index"])
    return [RemoteShard(home / name, **entry, tables=tables) for name, entry in seal["shards"].items()]


@cache
def copy_index(path: Path, sha256: str) -> Path:
    """Copy the index of a dataset to a folder that lasts as long as the process, and return this folder."""
    folder = Path(mkdtemp(prefix="prep-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source, digest = RemoteFile(path), hashlib.sha256()
    with (folder / INDEX).open("wb") as file:
        while part := source.read(READ_AHEAD):
            digest.update(part)
            file.write(part)
    source.close()
    if digest.hexdigest() != sha256:
        raise Halt(f"{path} differs from the seal: {UPLOAD_ADVICE}")
    return folder


def fetch_whole(path: Path) -> bytes:
    """Return the bytes of a file behind a URL. Raise Halt if it is missing or cannot be read."""
    return read_again(path.read_bytes, path)


def read_again(read: Callable[[], bytes], path: Path) -> bytes:
    """Read, again after a pause if the connection fails. Raise Halt, in the end or if no try can help."""
    for pause in (*PAUSES, None):
        try:
            return read()
        except FileNotFoundError as error:
            reason = f"{path.parent} has no {path.name} ({error})"
            raise Halt(f"{reason}: name the URL of a packed dataset, in a bucket that exists") from error
        except PermissionError as error:
            raise Halt(f"{path} may not be read ({error}): see what the credentials allow") from error
        except Exception as error:
            if not isinstance(error, (OSError, *broken_connections())):
                raise
            if pause is None:
                advice = "see that it answers, then run the same command to go on"
                raise Halt(f"{path} stopped answering ({error or type(error).__name__}): {advice}") from error
            time.sleep(pause)
    raise AssertionError  # the last try returns or raises


class RemoteFile:
    """A file behind a URL, open for reading forward; `options` are those of fsspec about what is cached.

    Of a server that answers no requests for a part, the file is read from its beginning to the place that is
    asked for, and on from there.
    """

    def __init__(self, path: Path, **options: Any):
        self.path, self.options = path, options or {"cache_type": "none"}
        self.file: Any = None
        self.place = 0  # of the next byte to read

    def seek(self, place: int) -> None:
        self.place = place

    def read(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end of the file. Raise Halt if it stops answering."""
        data = read_again(partial(self.read_once, size), self.path)
        self.place += len(data)
        return data

    def read_once(self, size: int) -> bytes:
        """Read once; whatever fails, the file is opened again the next time."""
        try:
            try:
                return self.read_open(size)
            except ValueError:  # of fsspec, about a server that sends files only as a whole
                self.close()
                self.options = STREAMED
                return self.read_open(size)
        except BaseException:
            self.close()
            raise

    def read_open(self, size: int) -> bytes:
        streamed = self.options == STREAMED
        if self.file and streamed and self.file.tell() > self.place:
            self.close()
        if self.file is None:
            remote = cast(Any, self.path)
            self.file = remote.fs.open(remote.path, mode="rb", **self.options)
        if streamed:
            while (rest := self.place - self.file.tell()) and self.file.read(min(rest, SKIPPED_AT_ONCE)):
                pass
        else:
            self.file.seek(self.place)
        parts = []
        while size and (part := self.file.read(size)):  # a stream gives what has arrived
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file = None


def read_remote_samples(file: RemoteFile, rows: Sequence[Row]) -> Iterator[tuple[Row, memoryview]]:
    """Read neighbors in a shard at once, and yield each with its bytes.

    Raise Halt if one differs from its row.
    """
    start = rows[0].offset
    file.seek(start)
    data = memoryview(file.read(rows[-1].offset + rows[-1].size - start))
    for row in rows:
        found = data[row.offset - start : row.offset - start + row.size]
        if hashlib.sha256(found).hexdigest() != row.sha256:
            reason = "it is damaged, cut off, or was packed again meanwhile"
            raise Halt(f"{file.path} differs from its seal (sample {row.key}): {reason}; {UPLOAD_ADVICE}")
        yield row, found


@lru_cache(maxsize=4)
def open_shared(path: Path) -> RemoteFile:
    """Open a shard that all of this process read by single samples, most of them in order."""
    return RemoteFile(path, block_size=AHEAD, cache_type="blockcache", cache_options={"maxblocks": 4})
