"""Loose pictures: files in folders instead of members in shards, in batches as units of work."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import PICTURE_SUFFIXES, list_files, write
from pipeline.shards.column import SEAL, Shard, list_shards
from pipeline.shards.tar import Sample

PICTURES_PER_BATCH = 64


@dataclass(frozen=True)
class LooseBatch:
    """A batch of pictures in a folder; each may have a JSON file of the same name beside it."""

    name: str
    root: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Sample]:
        for path in self.paths:
            members = {path.suffix[1:].lower(): path.read_bytes()}
            with suppress(FileNotFoundError, IsADirectoryError):  # `is_file` takes a URL's silence for a no
                members["json"] = path.with_suffix(".json").read_bytes()
            yield Sample(loose_key(path, self.root), members)


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
    paths = [path for path in list_files(source) if path.suffix[1:].lower() in PICTURE_SUFFIXES]
    if not paths:
        raise Halt(f"{source} holds no pictures: looked for {', '.join(PICTURE_SUFFIXES)}")
    check_unique_keys(paths, source)
    batches = [tuple(paths[i : i + PICTURES_PER_BATCH]) for i in range(0, len(paths), PICTURES_PER_BATCH)]
    return [LooseBatch(f"{number:06d}", source, batch) for number, batch in enumerate(batches)]


def check_unique_keys(paths: list[Path], root: Path) -> None:
    """Raise Halt if two pictures would get the same key."""
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(loose_key(path, root), path)
        if twin is not path:
            raise Halt(f"{twin} and {path} would get the same name: rename one of them")


def loose_key(path: Path, root: Path) -> str:
    """Make a key from the path of a picture below `root`: without its suffix, slashes and dots become _."""
    return "_".join(path.with_suffix("").relative_to(root).parts).replace(".", "_")


def write_loose(folder: Path, samples: Iterable[Sample]) -> None:
    """Write each member to its own file KEY.SUFFIX, without syncing each of the many files."""
    for sample in samples:
        for suffix, data in sample.members.items():
            write(folder / f"{sample.key}.{suffix}", data, sync=False)
