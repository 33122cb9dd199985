"""Samples <-> tar files, whose bytes depend on the samples alone and in which nothing can hide.

The members of a sample are next to each other in the file. Each takes a header, its bytes, and padding to a
whole number of blocks. A `Row` holds their offsets, so that a sample can be read without the others.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import BadImage, Halt
from pipeline.files import PICTURE_SUFFIXES, dumps, open_atomic
from pipeline.shards.metadata import Metadata

COPY_CHUNK = 1 << 20  # bytes
AGAIN = "run the stage that writes it again"
DELETE_ADVICE = f"delete it, then {AGAIN}"  # fetch keeps a file whose size and time are unchanged
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)
EMPTY_HEADER = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)  # of a file without name and bytes
SIZE_FIELD, CHECKSUM_FIELD = slice(124, 135), slice(148, 156)  # places in a header
# A checksum is the sum of the bytes of its header, with eight spaces in its own place.
BASE_CHECKSUM = sum(EMPTY_HEADER) - sum(EMPTY_HEADER[SIZE_FIELD]) - sum(EMPTY_HEADER[CHECKSUM_FIELD]) + 8 * 32
MAX_NAME_BYTES = 100  # the size of the name field of a header
MAX_MEMBER_BYTES = 1 << 30  # a reader has a member in memory
KEY_FORM = re.compile(r"[^./\\\s]+")  # of a sample, whose members are KEY.SUFFIX: no dot, no other folder
SUFFIX_FORM = re.compile(r"[^/\\\s]*[^./\\\s]")
EXECUTABLE_SUFFIXES = (  # readers run code from such members
    "pkl", "pickle", "pyd", "pth", "pt", "npy", "npz", "joblib",
)  # fmt: skip


@dataclass(frozen=True)
class StagedSample:
    """A sample to write: a key without dots, and its members by suffix in the order in which to write them.

    A path stands for the bytes of its file.
    """

    key: str
    members: Mapping[str, bytes | Path]


@dataclass(frozen=True)
class Sample(StagedSample):
    """A sample in memory: a key without dots, and its members by suffix in the order of the shard."""

    members: dict[str, bytes]

    @property
    def picture(self) -> bytes:
        """The bytes of the first member that is a picture. Raises BadImage("no picture")."""
        for suffix, data in self.members.items():
            if suffix in PICTURE_SUFFIXES:
                return data
        raise BadImage("no picture")

    @property
    def metadata(self) -> Metadata:
        """The JSON member; {} if there is none. Raises BadImage("bad facts") if it is not a JSON object."""
        try:
            metadata = json.loads(self.members.get("json", b"{}"))
            dumps(metadata)  # not every number and text that can be read can be written
        except (ValueError, RecursionError) as error:
            raise BadImage("bad facts") from error
        if not isinstance(metadata, dict):
            raise BadImage("bad facts")
        return cast(Metadata, metadata)


@dataclass(frozen=True)
class Row:
    """The place of a sample in its shard, and the SHA-256 of its bytes there, with headers and padding."""

    key: str
    offset: int  # bytes
    sha256: str
    sizes: dict[str, int]  # bytes of the members, by suffix

    @cached_property
    def size(self) -> int:
        """The number of bytes that the sample takes in its shard."""
        return sum(map(member_extent, self.sizes.values()))

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """The offset and the size of each member in bytes, by suffix."""
        places, offset = {}, self.offset
        for suffix, size in self.sizes.items():
            places[suffix] = (offset + BLOCK, size)
            offset += member_extent(size)
        return places

    def line(self, shard: str) -> str:
        sizes = " ".join(f"{suffix}={size}" for suffix, size in self.sizes.items())
        return f"{self.key}\t{shard}\t{self.offset}\t{self.sha256}\t{sizes}\n"

    @classmethod
    def parse(cls, line: str) -> "Row":
        """Read a line of an index. Raise ValueError if it is malformed, or a member is not allowed."""
        key, _, offset, sha256, members = line.rstrip("\n").split("\t")
        check_key(key)
        sizes = {}
        for member in members.split(" "):
            suffix, size = member.rsplit("=", 1)
            sizes[check_suffix(suffix)] = check_extent(int(size))
        return cls(key, int(offset), sha256, sizes)


def member_extent(size: int) -> int:
    """Return how many bytes of a tar a member of `size` bytes takes, with its header and padding."""
    return BLOCK + size + -size % BLOCK


def check_key(key: str) -> None:
    """Raise ValueError unless a sample may have this key."""
    if not KEY_FORM.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a sample")


@lru_cache(maxsize=256)  # millions of rows have the same few, which then are in memory once
def check_suffix(suffix: str) -> str:
    """Return the suffix of a member. Raise ValueError unless a member may have it."""
    if not SUFFIX_FORM.fullmatch(suffix):
        raise ValueError(f"{suffix!r} is no suffix of a member")
    if suffix.rpartition(".")[2].lower() in EXECUTABLE_SUFFIXES:
        raise ValueError(f"a member .{suffix} could run code in its reader")
    return suffix


def check_extent(size: int) -> int:
    """Return the size of a member. Raise ValueError unless a member may have it."""
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise ValueError(f"a member claims to have {size} bytes")
    return size


# ---------------------------------------------------------------- reading


def read_sample(file: BinaryIO, row: Row, path: Path) -> bytes:
    """Read the bytes of a sample from an open shard. Raise Halt if their hash is not that of its row."""
    if (data := read_if_intact(file, row)) is None:
        raise Halt(f"{path} differs from its seal (sample {row.key}): {DELETE_ADVICE}")
    return data


def read_if_intact(file: BinaryIO, row: Row) -> bytes | None:
    """Read the bytes of a sample from an open shard; None if their hash is not that of its row."""
    file.seek(row.offset)
    data = file.read(row.size)
    return data if hashlib.sha256(data).hexdigest() == row.sha256 else None


def parse_sample(data: bytes, row: Row, path: Path) -> Sample:
    """Parse the bytes of a sample in a shard. Raise Halt if a header does not agree with the row."""
    members = {}
    for suffix, (offset, size) in row.places.items():
        start = offset - row.offset
        members[suffix] = data[start : start + size]
        header, name = data[start - BLOCK : start], f"{row.key}.{suffix}"
        if header == encode_header(name, size):  # true of our own shards, and faster than tarfile
            continue
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.TarError, UnicodeError) as error:
            raise Halt(f"{path} cannot be read as a tar file ({error})") from error
        if not info.isreg() or info.name != name or info.size != size:
            raise Halt(f"{path} holds {info.name!r} where its index says {name}")
    return Sample(row.key, members)


def scan(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Yield (key, offset, sizes by suffix) for the samples of an open tar file, by its headers alone.

    Raise Halt if it has anything but members of samples, if a key comes twice or in two places, or if it is
    cut off.
    """
    start, end, key = 0, 0, ""
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    try:
        while (header := file.read(BLOCK)) != bytes(BLOCK):
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            name, _, suffix = info.name.partition(".")
            check_key(name or info.name)
            check_suffix(suffix)
            check_extent(info.size)
            if not info.isreg() or info.linkname:
                raise ValueError(f"{info.name} is no plain file")
            if name != key and sizes:
                yield key, start, sizes
                start, sizes = end, {}
            if suffix in sizes or (name != key and name in seen):
                raise ValueError(f"{info.name} comes twice")
            seen.add(name)
            key, sizes[suffix] = name, info.size
            end += member_extent(info.size)
            file.seek(end)
    except (tarfile.TarError, UnicodeError, ValueError) as error:
        raise Halt(f"{path} is no shard ({error}): {AGAIN}") from error
    if sizes:
        yield key, start, sizes


# ---------------------------------------------------------------- writing


class Writer:
    """Writes samples to an open file as a tar whose bytes depend on the samples alone."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.whole, self.sample = hashlib.sha256(), hashlib.sha256()
        self.bytes = 0
        self.rows: list[Row] = []
        self.memory = memoryview(b"")  # for the bytes of a file; fresh memory takes as long as reading them

    def add(self, sample: StagedSample) -> None:
        start, sizes, self.sample = self.bytes, {}, hashlib.sha256()
        for suffix, data in sample.members.items():
            sizes[suffix] = size = data.stat().st_size if isinstance(data, Path) else len(data)
            header, padding = encode_header(f"{sample.key}.{suffix}", size), bytes(-size % BLOCK)
            if isinstance(data, Path):
                self.put(header)
                self.put_file(data, size)
                self.put(padding)
            else:
                self.put(header + data + padding)
        self.rows.append(Row(sample.key, start, self.sample.hexdigest(), sizes))

    def copy(self, data: bytes, row: Row) -> None:
        """Write the bytes of a sample from another shard, where `row` describes it."""
        self.rows.append(Row(row.key, self.bytes, row.sha256, row.sizes))
        self.write(data)

    def put_file(self, path: Path, size: int) -> None:
        """Write `size` bytes of a file. Raise EOFError if it is shorter."""
        self.memory = self.memory or memoryview(bytearray(COPY_CHUNK))
        with path.open("rb") as file:
            while size:
                count = file.readinto(self.memory[: min(size, COPY_CHUNK)])
                if not count:
                    raise EOFError("it is cut off")
                self.put(self.memory[:count])
                size -= count

    def put(self, data: bytes | memoryview) -> None:
        self.sample.update(data)
        self.write(data)

    def write(self, data: bytes | memoryview) -> None:
        """Write bytes, and update the hash and the size of the file."""
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
    """Encode the header of a file in a tar (POSIX ustar) without time and owner.

    Raise ValueError if the name or the size is too large. Only name, size and checksum differ between files,
    so filling them in takes a tenth of the time of `TarInfo.tobuf`; a test compares the two.
    """
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES or size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is too long a name, or {size} bytes are too many")
    header, digits = bytearray(EMPTY_HEADER), b"%011o" % size
    header[: len(encoded)], header[SIZE_FIELD] = encoded, digits
    header[CHECKSUM_FIELD] = b"%06o\0 " % (BASE_CHECKSUM + sum(encoded) + sum(digits))
    return bytes(header)
