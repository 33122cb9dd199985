"""Samples <-> the bytes of tar files, which depend on the samples alone and which nothing can hide in.

A sample is a key and its members, bytes by suffix. Its members lie side by side, each a header, its bytes and
the padding of its last block; a `Row` says where they lie, so that a sample is read without the others.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import BadImage, Halt
from pipeline.files import PICTURE_SUFFIXES, dumps, open_atomic

COPY_CHUNK = 1 << 20  # bytes
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)
EMPTY_HEADER = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)  # of a file without name and bytes
SIZE_FIELD, CHECKSUM_FIELD = (
    slice(124, 135),
    slice(148, 156),
)  # fields of a header, the second the sum of all its bytes
BASE_CHECKSUM = (
    sum(EMPTY_HEADER) - sum(EMPTY_HEADER[SIZE_FIELD]) - sum(EMPTY_HEADER[CHECKSUM_FIELD]) + 8 * ord(" ")
)  # what is in every sum: SUM as spaces
MAX_NAME_BYTES = 100  # bytes of a name in the header
MAX_MEMBER_BYTES = 1 << 30  # bytes of a member: more fills the memory of who opens it
MEMBER_NAME = re.compile(r"[^./\\\s]+\.[^/\\\s]*[^./\\\s]")  # KEY.SUFFIX: no dot in a key, no way out
EXECUTABLE_SUFFIXES = (
    "pkl",
    "pickle",
    "pyd",
    "pth",
    "pt",
    "npy",
    "npz",
    "joblib",
)  # readers run what such members say


@dataclass(frozen=True)
class Sample:
    """A key without dots, and its members: bytes by suffix, in the order in which they are written.

    In a sample to be written a path may stand for the bytes of its file.
    """

    key: str
    members: dict[str, bytes | Path]

    @property
    def picture(self) -> bytes:
        """Return the bytes of the member that is a picture. Raise BadImage("no picture")."""
        for suffix, data in self.members.items():
            if suffix in PICTURE_SUFFIXES:
                return data
        raise BadImage("no picture")

    @property
    def facts(self) -> dict:
        """Return what the JSON member says, or nothing. Raise BadImage("bad facts") if that is no object."""
        try:
            facts = json.loads(self.members.get("json", b"{}"))
            dumps(facts)  # not every number and text that can be read can be written
        except (ValueError, RecursionError) as error:
            raise BadImage("bad facts") from error
        if not isinstance(facts, dict):
            raise BadImage("bad facts")
        return facts


@dataclass(frozen=True)
class Row:
    """Where a sample lies in its shard, and the SHA-256 of its bytes there, headers and padding included."""

    key: str
    offset: int
    sha256: str
    sizes: dict[str, int]

    @property
    def size(self) -> int:
        """Return how many bytes the sample takes in its shard."""
        return sum(BLOCK + size + -size % BLOCK for size in self.sizes.values())

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Tell (offset, size) in bytes of each member by suffix."""
        places, offset = {}, self.offset
        for suffix, size in self.sizes.items():
            places[suffix] = (offset + BLOCK, size)
            offset += BLOCK + size + -size % BLOCK
        return places

    def line(self, shard: str) -> str:
        """Put the row into a line of an index."""
        sizes = " ".join(f"{suffix}={size}" for suffix, size in self.sizes.items())
        return f"{self.key}\t{shard}\t{self.offset}\t{self.sha256}\t{sizes}\n"

    @classmethod
    def parse(cls, line: str) -> "Row":
        """Read a line of an index. Raise ValueError if it is none, or names what no sample may hold."""
        key, _, offset, sha256, sizes = line.rstrip("\n").split("\t")
        given = {suffix: int(size) for suffix, size in (each.rsplit("=", 1) for each in sizes.split(" "))}
        for suffix, size in given.items():
            check_member(f"{key}.{suffix}", size)
        return cls(key, int(offset), sha256, given)


def check_member(name: str, size: int) -> None:
    """Raise ValueError unless a file of this name and size may be a member of a sample."""
    if not MEMBER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a member")
    if name.rpartition(".")[2].lower() in EXECUTABLE_SUFFIXES:
        raise ValueError(f"{name} could run code in who reads it")
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise ValueError(f"{name} tells {size} bytes")


def read_sample(file: BinaryIO, row: Row, path: Path) -> bytes:
    """Read the bytes of a sample from an open shard. Raise Halt if they are not those of its row."""
    if (data := read_if_intact(file, row)) is None:
        raise Halt(f"{path} differs from its seal (sample {row.key}): run the stage that writes it again")
    return data


def read_if_intact(file: BinaryIO, row: Row) -> bytes | None:
    """Read the bytes of a sample from an open shard; nothing, if they are not those of its row."""
    file.seek(row.offset)
    data = file.read(row.size)
    return data if hashlib.sha256(data).hexdigest() == row.sha256 else None


def parse_sample(data: bytes, row: Row, path: Path) -> Sample:
    """Make a sample of its bytes in a shard. Raise Halt if a header tells anything but what its row does."""
    members = {}
    for suffix, (offset, size) in row.places.items():
        start = offset - row.offset
        members[suffix] = data[start : start + size]
        if data[start - BLOCK : start] == encode_header(
            f"{row.key}.{suffix}", size
        ):  # as we write it ourselves
            continue
        try:
            info = tarfile.TarInfo.frombuf(data[start - BLOCK : start], "utf-8", "strict")
        except (tarfile.TarError, UnicodeError) as error:
            raise Halt(f"{path} cannot be read as a tar file ({error})") from error
        if not info.isreg() or info.name != f"{row.key}.{suffix}" or info.size != size:
            raise Halt(f"{path} holds {info.name!r} where its index tells {row.key}.{suffix}")
    return Sample(row.key, members)


def scan(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Yield (key, offset, sizes by suffix) of the samples of an open tar file by its headers alone.

    Raise Halt if it holds anything but members of samples, side by side, one key once, or ends too early.
    """
    start, end, key = 0, 0, ""
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    try:
        while (head := file.read(BLOCK)) != bytes(BLOCK):
            info = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
            check_member(info.name, info.size)
            if not info.isreg() or info.linkname:
                raise ValueError(f"{info.name} is no plain file")
            name, _, suffix = info.name.partition(".")
            if name != key and sizes:
                yield key, start, sizes
                start, sizes = end, {}
            if suffix in sizes or (name != key and name in seen):
                raise ValueError(f"{info.name} comes twice")
            seen.add(name)
            key, sizes[suffix] = name, info.size
            end += BLOCK + info.size + -info.size % BLOCK
            file.seek(end)
    except (tarfile.TarError, UnicodeError, ValueError) as error:
        raise Halt(f"{path} is no shard ({error}): run the stage that writes it again") from error
    if sizes:
        yield key, start, sizes


def copy_bytes(file: BinaryIO, to: Callable[[bytes], object], size: int) -> None:
    """Hand `size` bytes of a file over piece by piece. Raise EOFError if it ends before."""
    while size:
        piece = file.read(min(size, COPY_CHUNK))
        if not piece:
            raise EOFError("it is cut off")
        to(piece)
        size -= len(piece)


class Writer:
    """Write samples to an open file as a tar whose bytes depend on the samples alone."""

    def __init__(self, file: BinaryIO):
        """Wrap a file opened for writing bytes."""
        self.file = file
        self.whole, self.sample = hashlib.sha256(), hashlib.sha256()
        self.bytes = 0
        self.rows: list[Row] = []

    def add(self, sample: Sample) -> None:
        """Write the members of a sample side by side."""
        start, sizes, self.sample = self.bytes, {}, hashlib.sha256()
        for suffix, data in sample.members.items():
            sizes[suffix] = size = data.stat().st_size if isinstance(data, Path) else len(data)
            head, padding = encode_header(f"{sample.key}.{suffix}", size), bytes(-size % BLOCK)
            if isinstance(data, Path):
                self.put(head)
                with data.open("rb") as file:
                    copy_bytes(file, self.put, size)
                self.put(padding)
            else:
                self.put(head + data + padding)
        self.rows.append(Row(sample.key, start, self.sample.hexdigest(), sizes))

    def copy(self, data: bytes, row: Row) -> None:
        """Write a sample as it lies in another shard, where `row` describes it."""
        self.rows.append(Row(row.key, self.bytes, row.sha256, row.sizes))
        self.write(data)

    def put(self, data: bytes) -> None:
        """Write bytes of a sample."""
        self.sample.update(data)
        self.write(data)

    def write(self, data: bytes) -> None:
        """Write bytes and count them."""
        self.whole.update(data)
        self.bytes += self.file.write(data)


@contextmanager
def open_writer(path: Path) -> Iterator[Writer]:
    """Open a shard for writing; it takes its name once it is whole."""
    with open_atomic(path) as file:
        shard = Writer(file)
        yield shard
        shard.write(END_OF_TAR)


def encode_header(name: str, size: int) -> bytes:
    """Encode the header of a file in a tar (POSIX ustar); no time, no owner.

    Only three fields differ: name, size and the sum.
    """
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES or size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is too long a name, or {size} bytes are too many")
    head, digits = bytearray(EMPTY_HEADER), b"%011o" % size
    head[: len(encoded)], head[SIZE_FIELD] = encoded, digits
    head[CHECKSUM_FIELD] = b"%06o\0 " % (BASE_CHECKSUM + sum(encoded) + sum(digits))
    return bytes(head)
