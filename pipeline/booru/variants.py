"""The sizes in which a Danbooru offers a picture: their dimensions, paths and pixels."""

import io
from functools import lru_cache
from math import inf
from typing import NamedTuple

from PIL import Image

from pipeline.files import PICTURE_SUFFIXES
from pipeline.images.codec import decode
from pipeline.sources.posts import FullPost

BOXES = {"180x180": (180, 180), "360x360": (360, 360), "720x720": (720, 720), "sample": (850, inf)}
THUMBNAILS = ("180x180", "360x360")  # generated even when the original is smaller


class Variant(NamedTuple):
    """One size of a picture, in pixels; a type is a key of `BOXES`, or original."""

    type: str
    width: int
    height: int
    file_ext: str


def list_variants(post: FullPost) -> list[Variant]:
    """List the sizes of a post, the original last; a file that is not a picture has no other size."""
    width, height = post["image_width"], post["image_height"]
    listed = []
    if post["file_ext"] in PICTURE_SUFFIXES and min(width, height) > 0:
        for kind in BOXES:
            size = fit_box(kind, width, height)
            if kind in THUMBNAILS or size != (width, height):
                listed.append(Variant(kind, *size, "webp" if kind == "720x720" else "jpg"))
    return [*listed, Variant("original", width, height, post["file_ext"])]


def fit_box(kind: str, width: int, height: int) -> tuple[int, int]:
    """Return (width, height) shrunk to fit the box of a type, with the same ratio; never enlarged."""
    across, down = BOXES[kind]
    scale = min(1, across / width, down / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def variant_path(md5: str, variant: Variant) -> str:
    prefix = "sample-" if variant.type == "sample" else ""
    return f"/{variant.type}/{md5[:2]}/{md5[2:4]}/{prefix}{md5}.{variant.file_ext}"


@lru_cache(16)
def render_variant(data: bytes, variant: Variant) -> bytes:
    """Resize the original and encode it. Raise BadImage if they cannot be decoded."""
    image = Image.fromarray(decode(data))
    image = image.resize(fit_box(variant.type, *image.size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    kind, quality = ("webp", 75) if variant.file_ext == "webp" else ("jpeg", 85)
    image.save(buffer, kind, quality=quality)
    return buffer.getvalue()
