"""Many pictures from few: crops of the pictures in a folder, turned, tinted and of many sizes, as JPEG.

The n-th crop of a picture depends on its name and on n alone. One crop in ten is a look-alike: the crop
before it, moved by a few pixels, with other tints. So the look-alikes of a crop do not grow with the dataset.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.files import PICTURE_SUFFIXES
from pipeline.sources.posts import MAX_ID, MAX_OWN_ID, hash_id

LATE = MAX_ID - (MAX_ID - MAX_OWN_ID) // 50  # ids of pictures that come after all others


@dataclass(frozen=True)
class Crop:
    """A square part of a picture, in shares of its shorter side, and how it is changed."""

    x: float  # of the upper left corner, as a share of the room that it has
    y: float
    part: float
    angle: float  # degrees
    flip: bool
    gains: tuple[float, ...]  # of the channels
    gamma: float
    side: int  # pixels
    quality: int  # of JPEG


def draw_crops(name: str, count: int) -> Iterator[Crop]:
    """Yield the first crops of a picture."""
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
    crop = None
    for _ in range(count):
        tint = {
            "gains": tuple(random.uniform(0.6, 1.0, 3).tolist()),
            "gamma": random.uniform(0.7, 1.4),
            "side": int(random.integers(150, 401)),
            "quality": int(random.integers(75, 93)),
        }
        place, turn, alike = random.uniform(size=3), random.uniform(-30, 30), random.uniform() < 0.1
        if crop and alike:
            crop = replace(crop, x=min(1, crop.x + 0.01), **tint)
        else:
            x, y, part = place.tolist()
            crop = Crop(x, y, 0.3 + part / 2, turn, bool(random.integers(2)), **tint)
        yield crop


def cut(image: np.ndarray, crop: Crop) -> bytes:
    """Cut a crop from a picture, uint8 (H, W, 3), and encode it."""
    height, width = image.shape[:2]
    size = crop.part * min(height, width)
    center = size / 2 + crop.x * (width - size), size / 2 + crop.y * (height - size)
    matrix = cv2.getRotationMatrix2D(center, crop.angle, crop.side / size)
    matrix[:, 2] += crop.side / 2 - np.array(center)
    part = cv2.warpAffine(
        image, matrix, (crop.side, crop.side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    levels = 255 * np.linspace(0, 1, 256)[:, None] ** crop.gamma * np.array(crop.gains)
    part = cv2.LUT(part[:, ::-1] if crop.flip else part, levels.astype(np.uint8)[None])
    _, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, crop.quality])
    return data.tobytes()


def name_picture(number: int, late: bool) -> str:
    """Name a picture so that its post comes among the others, or after all that are not `late`."""
    names = (f"{number // 1000:03d}/{number:06d}-{trial}.jpg" for trial in range(10**6))
    return next(name for name in names if (hash_id(name) >= LATE) == late)


def write_crops(corpus: Path, folder: Path, numbers: Iterable[int], late: bool = False) -> None:
    """Write the pictures with these numbers below a folder; those of a corpus take turns."""
    found = sorted(path for path in corpus.rglob("*") if path.suffix[1:].lower() in PICTURE_SUFFIXES)
    wanted: dict[Path, dict[int, Path]] = defaultdict(dict)
    for number in numbers:
        place, source = divmod(number, len(found))
        wanted[found[source]][place] = folder / name_picture(number, late)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(cut_crops, corpus), wanted, wanted.values(), chunksize=4))


def cut_crops(corpus: Path, source: Path, wanted: dict[int, Path]) -> None:
    """Write some crops of a picture, each to its path."""
    image = cv2.imread(str(source), cv2.IMREAD_COLOR)
    for place, crop in enumerate(draw_crops(source.relative_to(corpus).as_posix(), max(wanted) + 1)):
        if path := wanted.get(place):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cut(image, crop))
