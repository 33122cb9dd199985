"""The columns that the studio shows: their files, their samples, and small pictures of these.

Names come from a browser. Each is looked up among those that were found here or that a seal lists, so that no
name is ever made into a path.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock

from starlette.exceptions import HTTPException

from pipeline.errors import Halt
from pipeline.files import halt_on_disconnect, is_remote
from pipeline.images import png
from pipeline.images.pixels import resize
from pipeline.shards.column import INDEX, SEAL, Shard, find_columns, read_seal
from pipeline.shards.ledger import LEDGER
from pipeline.shards.seal import Seal
from pipeline.shards.tar import AGAIN, Row, Sample
from pipeline.studio.safety import open_picture

MOST_THUMBS = 64 << 20  # bytes of small pictures to keep in memory
MOST_INDEXES = 8  # to keep in memory
MOST_READ = 1 << 28  # bytes of an index or a sample, which are read whole


@dataclass(frozen=True)
class DataFile:
    """A file that may be sent, its size in bytes, and the SHA-256 of its content."""

    path: Path
    size: int
    sha256: str


@dataclass
class DataFolder:
    """The columns of a folder by their paths below it; what is a column itself, by its name."""

    folder: Path
    known: dict[str, Path] = field(default_factory=dict)
    seals: dict[str, Seal] = field(default_factory=dict)  # of those behind a URL
    thumbs: "Thumbs" = field(default_factory=lambda: Thumbs())

    @property
    def is_remote(self) -> bool:
        return is_remote(self.folder)

    def find(self) -> dict[str, Path]:
        """Look for columns again."""
        self.seals.clear()
        with halt_on_disconnect(self.folder):
            found = [self.folder] if self.is_remote and (self.folder / SEAL).is_file() else []
            if not self.is_remote:
                found = find_columns(self.folder)
        self.known = {name_column(self.folder, path): path for path in found}
        return self.known

    def get(self, name: str) -> Path:
        """Return the folder of a column. Raise HTTPException if there is none of this name."""
        path = self.known.get(name) or self.find().get(name)
        if path is None:
            raise HTTPException(404, f"{self.folder} has no column of this name")
        return path

    def seal(self, name: str) -> Seal:
        """Read the seal of a column, one behind a URL once after each `find`. Raise Halt if it has none."""
        if name in self.seals:
            return self.seals[name]
        column = self.get(name)
        with self.guarded(column / SEAL):
            seal = read_seal(column)
        if self.is_remote:
            self.seals[name] = seal
        return seal

    def file(self, name: str, file: str) -> DataFile:
        """Find a file of a column: a shard or a table. Raise HTTPException or Halt if it may not be sent."""
        seal = self.seal(name)
        if file in seal["shards"]:
            shard = self.shard(name, file)
            return DataFile(shard.path, shard.bytes, shard.sha256)
        known = {SEAL: "", INDEX: seal["index"], LEDGER: seal["ledger"]}
        if file not in known:
            raise HTTPException(404, "the column has no file of this name")
        with self.guarded(self.get(name) / file) as path:
            size = path.stat().st_size
            return DataFile(path, size, known[file] or hashlib.sha256(path.read_bytes()).hexdigest())

    def shard(self, name: str, file: str) -> Shard:
        """Return a shard of a column. Raise Halt if it is not as long as sealed, which a URL is not asked."""
        entry = self.seal(name)["shards"].get(file)
        if entry is None:
            raise HTTPException(404, "the column has no shard of this name")
        with self.guarded(self.get(name) / file) as path:
            if not self.is_remote and path.stat().st_size != entry["bytes"]:
                raise Halt(f"{path} is not as long as its seal says: {AGAIN}")
            return Shard(path, **entry)

    def shards(self, name: str) -> list[Shard]:
        """List the shards of a column in the order of its index. Raise as `shard`."""
        entries = self.seal(name)["shards"]
        return [self.shard(name, file) for file in sorted(entries, key=lambda file: entries[file]["place"])]

    def index(self, name: str) -> bytes:
        """Read the index of a column. Raise Halt if it is not the one that was sealed."""
        found = self.file(name, INDEX)
        if found.size > MOST_READ:
            raise Halt(f"{found.path} is too large for the studio: pack fewer samples into one dataset")
        with halt_on_disconnect(self.folder):
            return read_index(found.path, found.sha256)

    def sample(self, name: str, key: str) -> tuple[Row, Sample]:
        """Read a sample. Raise HTTPException if there is none of this key, Halt if it is damaged."""
        line = find_line(self.index(name), key)
        if not line:
            raise HTTPException(404, f"the column has no sample {key}")
        try:
            row, shard = Row.parse(line), line.split("\t")[1]
        except ValueError as error:
            raise Halt(f"{self.get(name) / INDEX} is damaged at {key} ({error}): {AGAIN}") from error
        if row.size > MOST_READ:
            raise HTTPException(413, f"the sample {key} has {row.size:,} bytes: too many to show")
        with halt_on_disconnect(self.folder):
            [sample] = self.shard(name, shard).read([row])
        return row, sample

    def thumb(self, name: str, key: str, member: str, side: int) -> bytes:
        """Make a PNG of a picture of a sample, whose longer side is at most `side` pixels.

        `member` is its suffix; "" for the first picture. Raise HTTPException, Halt or BadImage.
        """
        wanted = (name, self.seal(name)["index"], key, member, side)
        if (made := self.thumbs.get(wanted)) is None:
            sample = self.sample(name, key)[1]
            if member and member not in sample.members:
                raise HTTPException(404, f"the sample {key} has no member {member}")
            image = open_picture(sample.members[member] if member else sample.picture, side)
            height, width = image.shape[:2]
            scale = min(1, side / max(height, width))
            made = png.encode_png(resize(image, max(1, round(width * scale)), max(1, round(height * scale))))
            self.thumbs.put(wanted, made)
        return made

    @contextmanager
    def guarded(self, path: Path) -> Iterator[Path]:
        """Give where a path leads. Raise HTTPException if that is outside of the folder, or missing."""
        try:
            if self.is_remote:
                with halt_on_disconnect(self.folder):
                    yield path
                return
            resolved = path.resolve()
            if not resolved.is_relative_to(self.folder.resolve()):
                raise HTTPException(403, f"{path} leads out of {self.folder}: the studio shows no such file")
            yield resolved
        except FileNotFoundError:
            raise HTTPException(404, f"{path} does not exist") from None


class Thumbs:
    """Small pictures by what they show; those that were not asked for the longest go first."""

    def __init__(self) -> None:
        self.made: OrderedDict[tuple, bytes] = OrderedDict()
        self.bytes, self.lock = 0, Lock()

    def get(self, wanted: tuple) -> bytes | None:
        with self.lock:
            if wanted in self.made:
                self.made.move_to_end(wanted)
            return self.made.get(wanted)

    def put(self, wanted: tuple, data: bytes) -> None:
        with self.lock:
            self.bytes += len(data) - len(self.made.pop(wanted, b""))
            self.made[wanted] = data
            while self.bytes > MOST_THUMBS:
                self.bytes -= len(self.made.popitem(last=False)[1])


def name_column(folder: Path, path: Path) -> str:
    if path == folder:
        return folder.name or folder.resolve().name
    return path.relative_to(folder).as_posix()


@lru_cache(MOST_INDEXES)
def read_index(path: Path, sha256: str) -> bytes:
    """Read an index. Raise Halt if its hash is another."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Halt(f"{path} differs from the seal: {AGAIN}")
    return data


def find_line(index: bytes, key: str) -> str:
    """Return the line of a key in an index; "" if it has none."""
    start = index.find(f"\n{key}\t".encode()) + 1
    line = index[start : index.find(b"\n", start)].decode() if start else ""
    return line if line.startswith(f"{key}\t") and "\t" not in key else ""
