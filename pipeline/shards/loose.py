"""Loose pictures: files in folders instead of members in shards, in batches as units of work."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import (
    LONGEST_BASE,
    PICTURE_SUFFIXES,
    hash_file,
    is_remote,
    list_files,
    list_sizes,
    read_note,
    write,
    write_note,
)
from pipeline.shards.column import SEAL, Shard, list_shards
from pipeline.shards.tar import Sample

PICTURES_PER_BATCH = 64
WRITTEN = ("png", "json", "sketch.png")  # suffixes of the files that are made of a picture
LONGEST_KEY = 240  # bytes; the suffixes of its files still fit
LOOSE_NOTE = ".prep.loose.json"  # in a folder: the SHA-256 of the files in it that runs made
BEING_WRITTEN = ""  # noted instead of a SHA-256


@dataclass(frozen=True)
class LooseBatch:
    """A batch of pictures in a folder; each may have a JSON file of the same name beside it."""

    name: str
    root: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        return [loose_key(path, self.root) for path in self.paths]

    def file_names(self) -> dict[str, str]:
        """Return the path of each picture below the folder, by key."""
        return {loose_key(path, self.root): path.relative_to(self.root).as_posix() for path in self.paths}

    def __iter__(self) -> Iterator[Sample]:
        for path in self.paths:
            members = {path.suffix[1:].lower(): path.read_bytes()}
            sidecar = path.with_suffix(".json")
            if len(os.fsencode(sidecar.name)) < 256:
                with suppress(FileNotFoundError, IsADirectoryError):  # not is_file: a URL may not answer
                    members["json"] = sidecar.read_bytes()
            yield Sample(loose_key(path, self.root), members)

    def pick(self, keys: Collection[str]) -> Iterator[Sample]:
        """Yield the pictures with these keys, as far as the batch has them; read no others."""
        return iter(replace(self, paths=tuple(p for p in self.paths if loose_key(p, self.root) in keys)))


def list_parts(source: Path) -> list[Shard] | list[LooseBatch]:
    """List the shards of a column, or the batches of a folder of pictures or of a single picture.

    Raise Halt if there are none, or if a column has no seal or lacks a shard.
    """
    if source.is_file():
        return [LooseBatch(source.stem, source.parent, (source,))]
    if not source.is_dir():
        raise Halt(f"{source} does not exist: name a picture, a folder of pictures or a folder of shards")
    if (source / SEAL).is_file() or any(source.glob("*.tar")):
        return list_shards(source)
    paths = [*find_pictures(source).values()]
    batches = [tuple(paths[i : i + PICTURES_PER_BATCH]) for i in range(0, len(paths), PICTURES_PER_BATCH)]
    return [LooseBatch(f"{number:06d}", source, batch) for number, batch in enumerate(batches)]


def find_pictures(folder: Path) -> dict[str, Path]:
    """Find the pictures in a folder by key. Raise Halt if there are none, or if two get the same key."""
    found: dict[str, Path] = {}
    for path in list_files(folder):
        if path.suffix[1:].lower() in PICTURE_SUFFIXES:
            twin = found.setdefault(loose_key(path, folder), path)
            if twin is not path:
                raise Halt(f"{twin} and {path} would get the same name: rename one of them")
    if not found:
        raise Halt(f"{folder} holds no pictures: looked for {', '.join(PICTURE_SUFFIXES)}")
    return found


def loose_key(path: Path, root: Path) -> str:
    """Make a key from the path of a picture below `root`: without its suffix, slashes become _.

    A key that is too long for the name of a file, or is not UTF-8, loses that part and ends in a hash.
    """
    key = "_".join(path.with_suffix("").relative_to(root).parts)
    data = os.fsencode(key)
    if len(data) <= LONGEST_KEY and data.decode(errors="ignore") == key:
        return key
    return data[:LONGEST_BASE].decode(errors="ignore") + "_" + hashlib.sha256(data).hexdigest()[:16]


def write_loose(folder: Path, samples: Iterable[Sample], name: str = "") -> dict[str, str]:
    """Write each member to its own file KEY.SUFFIX, or NAME.SUFFIX; do not sync each of the many files.

    Return their SHA-256 by the names of the files.
    """
    written = {}
    for sample in samples:
        for suffix, data in sample.members.items():
            file = f"{name or sample.key}.{suffix}"
            write(folder / file, data, sync=False)
            written[file] = hashlib.sha256(data).hexdigest()
    return written


def split_file_name(source: Path, dest: Path) -> tuple[Path, str]:
    """Return the folder to write, and the name of the file in it where `dest` is a file for one picture.

    Raise Halt if it is a file of another type than PNG.
    """
    suffix = dest.suffix[1:].lower()
    if not source.is_file() or dest.is_dir() or suffix not in PICTURE_SUFFIXES:
        return dest, ""
    if suffix != "png":
        raise Halt(f"{dest} would be a PNG file: name a file that ends in .png, or a folder")
    if dest.resolve() == source.resolve():
        raise Halt(f"{dest} is where the pictures come from: name another file to write")
    return dest.parent, dest.stem


@contextmanager
def claim_files(folder: Path, files: Set[str], force: bool) -> Iterator[dict[str, str]]:
    """Note in a folder that the files of these names are made here; a URL has no such note.

    Yield where to add the SHA-256 of those that were written; the others are read. Raise Halt, unless
    `force`, if there is a file that no run made, or that was changed since.
    """
    written: dict[str, str] = {}
    if is_remote(folder):
        yield written
        return
    folder.mkdir(parents=True, exist_ok=True)
    note, present = folder / LOOSE_NOTE, set(list_sizes(folder))
    made = {file: sha256 for file, sha256 in (read_note(note) or {}).items() if file in present}
    for file in sorted(present & files):
        path = folder / file
        if not force and made.get(file) not in (BEING_WRITTEN, hash_file(path)):
            raise Halt(f"{path} is not as a run made it: name another place, or overwrite it by --force")
    write_note(note, made | dict.fromkeys(files, BEING_WRITTEN))
    yield written  # after an interruption they stay noted as being written, so that the next run goes on
    present = set(list_sizes(folder))  # some of those before may be gone
    made |= {file: written.get(file) or hash_file(folder / file) for file in files & present}
    write_note(note, {file: sha256 for file, sha256 in made.items() if file in present})
