"""Samples <-> shards, folders and single pictures, and the seals that tell whole columns from partial ones.

A sample is a key and its members, bytes by suffix. A column is a folder of shards, plain tar files whose
bytes depend on the samples alone, closed by `seal.json`. A folder of loose pictures is a column unpacked.
"""

import csv
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import Halt
from pipeline.files import whole, write, write_json
from pipeline.images import SUFFIXES, BadImage

PIECE = 1 << 20  # bytes
BATCH = 64  # loose pictures to a part
END = bytes(2 * tarfile.BLOCKSIZE)
OURS = re.compile(r"([a-z]+-)?\d{6}\.tar|\..*\.tar\.[0-9a-f]+\.part")  # shards, whole and half-made
SEAL = "seal.json"
LEDGER = "rejects.tsv"


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
            if suffix in SUFFIXES:
                return data
        raise BadImage("no picture")

    @property
    def facts(self) -> dict:
        """Return what the JSON member says, or nothing."""
        return json.loads(self.members.get("json", b"{}"))


@dataclass(frozen=True)
class Shard:
    """A finished tar file of a column, as its seal describes it."""

    path: Path
    samples: int
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Return the file's name, by which columns are joined."""
        return self.path.name

    def __len__(self) -> int:
        """Count the samples."""
        return self.samples

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples; raise Halt at the end if the file is not the one that was sealed."""
        with self.path.open("rb") as file:
            reader = Hashing(file)
            yield from read(reader, self.path)
            while reader.read(1 << 20):
                pass
        if reader.digest.hexdigest() != self.sha256:
            raise Halt(f"{self.path} differs from its seal: run the stage that writes it again")


@dataclass(frozen=True)
class Loose:
    """A batch of pictures in a folder; each may have a JSON file of the same name beside it."""

    name: str
    root: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Sample]:
        """Yield a sample per picture."""
        for path in self.paths:
            members = {path.suffix[1:].lower(): path.read_bytes()}
            facts = path.with_suffix(".json")
            if facts.is_file():
                members["json"] = facts.read_bytes()
            yield Sample(loose_key(path, self.root), members)


class Hashing:
    """Read from a file and keep the SHA-256 of what was read."""

    def __init__(self, file):
        """Wrap a file opened for reading bytes."""
        self.file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes."""
        data = self.file.read(size)
        self.digest.update(data)
        return data


def parts(source: Path) -> list[Shard] | list[Loose]:
    """List the units of work of a column, of a folder of pictures, or of one picture.

    Raise Halt if there is nothing to work on, or if a column has no seal.
    """
    if source.is_file():
        return [Loose(source.stem, source.parent, (source,))]
    if not source.is_dir():
        raise Halt(f"{source} does not exist: name a picture, a folder of pictures or a folder of shards")
    if (source / SEAL).is_file() or any(source.glob("*.tar")):
        return shards(source)
    paths = sorted(
        path for path in source.rglob("*") if path.suffix[1:].lower() in SUFFIXES and path.is_file()
    )
    if not paths:
        raise Halt(f"{source} holds no pictures: looked for {', '.join(SUFFIXES)}")
    refuse_twins(paths, source)
    batches = [tuple(paths[i : i + BATCH]) for i in range(0, len(paths), BATCH)]
    return [Loose(f"{number:06d}", source, batch) for number, batch in enumerate(batches)]


def shards(column: Path) -> list[Shard]:
    """List the shards of a column by its seal. Raise Halt if it is missing or does not fit the files."""
    if not column.is_dir():
        raise Halt(f"{column} does not exist: run the stage that writes it")
    try:
        seal = json.loads((column / SEAL).read_bytes())
    except FileNotFoundError:
        raise Halt(
            f"{column} has no {SEAL}, so it is not whole: run the stage that writes it again"
        ) from None
    listed = [Shard(column / name, **entry) for name, entry in seal["shards"].items()]
    for shard in listed:
        if not shard.path.is_file() or shard.path.stat().st_size != shard.bytes:
            raise Halt(
                f"{shard.path} is missing or not as long as its seal says: run the stage that writes it again"
            )
    return listed


def rejected(column: Path) -> dict[str, int]:
    """Count the rejects of a whole column by reason."""
    return json.loads((column / SEAL).read_bytes())["rejected"]


def keep_apart(source: Path, dest: Path) -> None:
    """Raise Halt if writing to `dest` could touch what is read from `source`."""
    home = source.resolve().parent if source.is_file() else source.resolve()
    inside = not source.is_file() and home in dest.resolve().parents
    if dest.resolve() == home or inside:
        raise Halt(f"{dest} is where the pictures come from: name another folder to write to")


def refuse_twins(paths: list[Path], root: Path) -> None:
    """Raise Halt if two pictures would get the same key."""
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(loose_key(path, root), path)
        if twin is not path:
            raise Halt(f"{twin} and {path} would get the same name: rename one of them")


def loose_key(path: Path, root: Path) -> str:
    """Make a key from a path: its place below `root`, without suffix, slashes and dots."""
    return "_".join(path.relative_to(root).with_suffix("").parts).replace(".", "_")


def read(file, path: Path) -> Iterator[Sample]:
    """Yield the samples of an open tar stream. Raise Halt if it holds anything but files in samples."""
    key, members = None, {}
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for info in tar:
                name, _, suffix = info.name.partition(".")
                if (
                    not info.isreg()
                    or not name
                    or not suffix
                    or "/" in info.name
                    or (name == key and suffix in members)
                ):
                    raise Halt(f"{path} holds {info.name}, which is no member of a sample")
                if name != key and key is not None:
                    yield Sample(key, members)
                    members = {}
                key = name
                members[suffix] = tar.extractfile(info).read()
    except tarfile.TarError as error:
        raise Halt(
            f"{path} cannot be read as a tar file ({error}): run the stage that writes it again"
        ) from error
    if key is not None:
        yield Sample(key, members)


def keys(shard: Shard) -> set[str]:
    """List the keys in a shard by its headers alone."""
    with tarfile.open(shard.path) as tar:
        return {name.partition(".")[0] for name in tar.getnames()}


class Writer:
    """Write samples to an open file as a tar whose bytes depend on the samples alone."""

    def __init__(self, file):
        """Wrap a file opened for writing bytes."""
        self.file = file
        self.digest = hashlib.sha256()
        self.samples = self.bytes = 0

    def add(self, sample: Sample) -> None:
        """Write the members of a sample side by side."""
        for suffix, data in sample.members.items():
            if isinstance(data, Path):
                self.copy(f"{sample.key}.{suffix}", data)
            else:
                self.put(header(f"{sample.key}.{suffix}", len(data)) + data + padding(len(data)))
        self.samples += 1

    def copy(self, name: str, path: Path) -> None:
        """Write a file piece by piece."""
        size = path.stat().st_size
        self.put(header(name, size))
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                self.put(piece)
        self.put(padding(size))

    def put(self, data: bytes) -> None:
        """Write bytes and count them."""
        self.digest.update(data)
        self.bytes += self.file.write(data)


@contextmanager
def writer(path: Path, listed: list[Shard]) -> Iterator[Writer]:
    """Open a shard for writing; once whole, it takes its name and joins `listed`."""
    with whole(path) as file:
        shard = Writer(file)
        yield shard
        shard.put(END)
    listed.append(Shard(path, shard.samples, shard.bytes, shard.digest.hexdigest()))


def write_shard(path: Path, samples: Iterable[Sample]) -> Shard:
    """Write samples to a shard."""
    listed: list[Shard] = []
    with writer(path, listed) as shard:
        for sample in samples:
            shard.add(sample)
    return listed[0]


def header(name: str, size: int) -> bytes:
    """Encode the header of a file in a tar; no time, no owner."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def padding(size: int) -> bytes:
    """Return what fills the last block of a file in a tar."""
    return bytes(-size % tarfile.BLOCKSIZE)


def write_loose(folder: Path, samples: Iterable[Sample]) -> None:
    """Write each member of each sample to a file of its own; thousands of them are too many to sync."""
    for sample in samples:
        for suffix, data in sample.members.items():
            write(folder / f"{sample.key}.{suffix}", data, sync=False)


def unseal(column: Path) -> None:
    """Mark a column as not whole, before anything in it changes."""
    (column / SEAL).unlink(missing_ok=True)


def seal(column: Path, listed: Iterable[Shard], taken: int, rejected: dict[str, int]) -> None:
    """Close a column: check the counts, remove what is not listed or was left half-made, write the seal."""
    listed = list(listed)
    written = sum(shard.samples for shard in listed)
    assert taken == written + sum(rejected.values()), "a sample was lost"
    for stale in set(column.iterdir()) - {shard.path for shard in listed}:
        if OURS.fullmatch(stale.name):
            stale.unlink()
    entries = {s.name: {"samples": s.samples, "bytes": s.bytes, "sha256": s.sha256} for s in listed}
    write_json(
        column / SEAL, {"taken": taken, "written": written, "rejected": dict(rejected), "shards": entries}
    )


def write_ledger(path: Path, rejects: Iterable[tuple[str, ...]], *more: str) -> None:
    """Write the keys that were rejected, each with its reason, and `more` columns."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([("key", "reason", *more), *rejects])
    write(path, text.getvalue().encode())
