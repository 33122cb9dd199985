"""The sizes in which a Danbooru has a picture: which there are, where they lie, and their pixels."""

import io
from functools import lru_cache
from math import inf
from typing import NamedTuple

from PIL import Image

from pipeline.images import SUFFIXES, decode

BOXES = {"180x180": (180, 180), "360x360": (360, 360), "720x720": (720, 720), "sample": (850, inf)}
THUMBNAILS = ("180x180", "360x360")  # which there are however small the original


class Variant(NamedTuple):
    """One size of a picture, in pixels; a type is a key of `BOXES`, or original."""

    type: str
    width: int
    height: int
    file_ext: str


def variants(post: dict) -> list[Variant]:
    """List the sizes of a post, the original last; of what is no picture there is the original alone."""
    width, height = post["image_width"], post["image_height"]
    listed = []
    if post["file_ext"] in SUFFIXES and min(width, height) > 0:
        for kind in BOXES:
            size = fit(kind, width, height)
            if kind in THUMBNAILS or size != (width, height):
                listed.append(Variant(kind, *size, "webp" if kind == "720x720" else "jpg"))
    return [*listed, Variant("original", width, height, post["file_ext"])]


def fit(kind: str, width: int, height: int) -> tuple[int, int]:
    """Shrink a size into the box of a type, keeping the ratio of its sides; never enlarge it."""
    across, down = BOXES[kind]
    scale = min(1, across / width, down / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def place(md5: str, variant: Variant) -> str:
    """Return the path at which a site has a size of the file with this MD5."""
    prefix = "sample-" if variant.type == "sample" else ""
    return f"/{variant.type}/{md5[:2]}/{md5[2:4]}/{prefix}{md5}.{variant.file_ext}"


@lru_cache(16)
def draw(data: bytes, variant: Variant) -> bytes:
    """Make a size of a picture from its original. Raise BadImage if that cannot be decoded."""
    image = Image.fromarray(decode(data))
    image = image.resize(fit(variant.type, *image.size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if variant.file_ext == "webp":
        image.save(buffer, "webp", quality=75)
    else:
        image.save(buffer, "jpeg", quality=85)
    return buffer.getvalue()
