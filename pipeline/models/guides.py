"""The guides of sketches: one picture for all of them, or one for each by its name."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline import errors
from pipeline.errors import Halt
from pipeline.files import hash_file
from pipeline.images import codec
from pipeline.shards import loose

NAMED = 20  # sketches that a message names at most


@dataclass(frozen=True)
class Guides:
    """A guide, uint8 RGBA (H, W, 4), for all sketches, or `paths` of guides by the keys of sketches."""

    shared: np.ndarray | None = None
    paths: dict[str, Path] | None = None

    def of(self, key: str) -> np.ndarray | None:
        """Return the guide of a sketch, if it has one. Raise Halt if it cannot be read."""
        if self.paths is None:
            return self.shared
        return read_guide(self.paths[key]) if key in self.paths else None

    def fingerprint(self) -> list[tuple]:
        """Hash the pixels of the guide, or the files of the guides."""
        if self.shared is not None:
            return [(self.shared.shape, hashlib.sha256(self.shared.tobytes()).hexdigest())]
        paths = (self.paths or {}).items()
        return [(key, hash_file(path)) for key, path in paths]


def find_guides(path: Path) -> Guides:
    """Find the guide, or the guides in a folder. Raise Halt if there is none, or if it cannot be read."""
    return Guides(paths=loose.find_pictures(path)) if path.is_dir() else Guides(read_guide(path))


def read_guide(path: Path) -> np.ndarray:
    """Decode a guide to uint8 RGBA. Raise Halt if it cannot be read."""
    try:
        return codec.decode_rgba(path.read_bytes())
    except FileNotFoundError:
        raise Halt(f"{path} does not exist: name a picture, or a folder of pictures") from None
    except errors.BadImage as reason:
        raise Halt(f"{path}: {reason}") from None


def list_keys(source: Path) -> list[str]:
    """List the keys of the sketches in a column, a folder or a file. Raise Halt if there are none."""
    return [key for part in loose.list_parts(source) for key in part.keys]


def check_kept(guides: Iterable[Path], dest: Path, keys: Collection[str]) -> None:
    """Raise Halt if writing these keys to `dest`, a folder or a file, could change the guides."""
    target = dest.resolve()
    for path in guides:
        home = path.resolve()
        is_written = home.parent == target and home.suffix == ".png" and home.stem in keys
        if is_written or home in (target, *target.parents):
            raise Halt(f"{path} is a guide, and {dest} would change it: name another place to write")


def check_all_guided(guides: Guides, keys: Collection[str]) -> None:
    """Raise Halt, naming the sketches, if there are guides by name, but not one for each sketch."""
    if guides.paths is None:
        return
    lacking = [key for key in keys if key not in guides.paths]
    if lacking:
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        raise Halt(
            f"{', '.join(lacking[:NAMED])}{more}: no guide has this name; give the folder of guides a picture"
            " of the name of each sketch"
        )


def fit_hints(guide: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fit strokes or points, RGBA, to a sketch, and mix no colors."""
    return cv2.resize(guide, (width, height), interpolation=cv2.INTER_NEAREST)
