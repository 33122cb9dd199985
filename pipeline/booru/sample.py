"""The embedded sample: posts with the flaws of a real site's, and pictures drawn by the artist.

Post N depends on N alone, so a larger sample begins with the smaller one.
"""

import hashlib
import io
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline.booru import artist
from pipeline.booru.artist.choices import BACKDROP, CLOTH, EYES, HAIR
from pipeline.booru.catalog import Catalog
from pipeline.codehash import code_hashes, library_versions
from pipeline.errors import BadImage
from pipeline.files import dumps, read_note, write, write_note
from pipeline.images.codec import decode
from pipeline.images.containers import EXIF_ORIENTATION
from pipeline.images.pixels import resize
from pipeline.images.png import encode_png
from pipeline.progress import Tick, quiet
from pipeline.run.spread import spread
from pipeline.sources.posts import FullPost, describe_post

SAMPLE_SIZE = 480
POST_KINDS = {  # in percent
    "plain": 64, "variant": 12, "gray": 4, "complex": 4, "broken": 3, "duplicate": 3, "small": 2, "banner": 2,
    "transparent": 3, "turned": 3,
}  # fmt: skip
ARTISTS = {"hatch": 4, "nib": 3, "gouache": 2, "sumi": 1}
FILE_TYPES = {"png": 70, "jpg": 20, "webp": 10}
SAVE_OPTIONS = {
    "png": {"compress_level": 2},
    "jpg": {"quality": 92, "subsampling": 0},
    "webp": {"quality": 90, "method": 2},
}
COLOR_TAGS = tuple(f"{name}_" for name in HAIR | EYES | CLOTH | BACKDROP)


def sample_catalog(
    home: Path, count: int = SAMPLE_SIZE, workers: int = os.cpu_count() or 1, tick: Tick = quiet
) -> Catalog:
    """Draw the posts 1 to `count` of the sample into the folder `home`, except those already there.

    The note of a post is written after its picture, so a killed run continues where it stopped. A power cut
    leaves a note or a picture that is cut off, and that is drawn again, so nothing waits for the disk. After
    each picture `tick` gets the number of those that exist and `count`.
    """
    version = [code_hashes(__name__), library_versions(__name__)]  # what decides the sample
    home = home / hashlib.sha256(dumps(version)).hexdigest()[:16]
    posts = {number: read_drawn(home, number) for number in range(1, count + 1)}
    missing = [number for number, post in posts.items() if post is None]
    for done, _ in enumerate(spread(partial(draw_post, home), missing, workers), count - len(missing) + 1):
        tick(done, count)
    posts |= {number: read_drawn(home, number) for number in missing}
    return Catalog([*filter(None, posts.values())], lambda post: picture_path(home, post).read_bytes())


def picture_path(home: Path, post: FullPost) -> Path:
    return home / f"{post['id']:06d}.{post['file_ext']}"


def post_note(home: Path, number: int) -> Path:
    return home / f"{number:06d}.json"


def read_drawn(home: Path, number: int) -> FullPost | None:
    """Return a post that was drawn; None if its note or its picture is not there in full."""
    post = read_note(post_note(home, number))
    with suppress(FileNotFoundError):
        if post and picture_path(home, post).stat().st_size == post["file_size"]:
            return post
    return None


def draw_post(home: Path, number: int) -> None:
    post, data = make_post(number)
    write(picture_path(home, post), data, sync=False)
    write_note(post_note(home, number), post, sync=False)


def weighted_choice(number: int, purpose: str, weights: dict[str, int]) -> str:
    """Draw one of the weighted names for a post, independently for each purpose."""
    return Random(f"{purpose} {number}").choices(tuple(weights), tuple(weights.values()))[0]


def kind_of(number: int) -> str:
    """Return the kind of a post, a key of POST_KINDS; the first post is plain."""
    return "plain" if number == 1 else weighted_choice(number, "kind", POST_KINDS)


def previous_plain(number: int) -> int:
    """Return the id of the last plain post before `number`."""
    return next(n for n in range(number - 1, 0, -1) if kind_of(n) == "plain")


def has_variant(number: int) -> bool:
    """Tell whether a variant follows before the next plain post, even beyond the sample's end."""
    kind = kind_of(number + 1)
    return kind == "variant" or (kind != "plain" and has_variant(number + 1))


def make_post(number: int) -> tuple[FullPost, bytes]:
    """Draw post `number`; return its fields and the bytes of its file."""
    kind = kind_of(number)
    if kind == "duplicate":
        return make_duplicate(number)
    owner = previous_plain(number) if kind == "variant" else number
    sitter = artist.portrait(owner)
    if kind == "variant":
        sitter = artist.recolor(sitter, number)
    if kind == "complex":
        sitter = artist.complicate(sitter)
    image = alter_drawing(artist.draw(sitter), kind)
    ext = {"transparent": "png", "turned": "jpg"}.get(kind) or weighted_choice(number, "type", FILE_TYPES)
    data = encode_drawing(image, kind, ext)
    if kind == "broken":  # truncated or noise
        dice = Random(f"damage {number}")
        data = data[: len(data) * 6 // 10] if dice.random() < 0.6 else dice.randbytes(len(data))
    fields = {
        "image_width": image.shape[1],
        "image_height": image.shape[0],
        "parent_id": owner if owner != number else None,
        "has_children": kind == "plain" and has_variant(number),
        "source": f"inkwash, drawing {owner}",
        "media_asset": {"pixel_hash": pixel_hash(data)},
        "tag_string_artist": weighted_choice(owner, "artist", ARTISTS),
        "tag_string_copyright": "original",
        "tag_string_general": " ".join(drawing_tags(sitter, kind)),
    }
    return describe_post(number, data, ext, **fields, **rate_post(number)), data


def make_duplicate(number: int) -> tuple[FullPost, bytes]:
    """Encode the pixels of an earlier post again, far enough away to be in another shard."""
    twin, data = make_post(previous_plain(number // 2 + 1))
    data = encode_drawing(decode(data), "duplicate", "png")
    own = {"id", "file_ext", "file_size", "md5", "created_at", "has_children", "tag_string"}
    fields = {name: value for name, value in twin.items() if name not in own}
    return describe_post(number, data, "png", **(fields | rate_post(number))), data


def alter_drawing(image: np.ndarray, kind: str) -> np.ndarray:
    """Make a drawing gray, shrink it to 200 pixels or crop it to a banner, if its kind is one of these."""
    height, width = image.shape[:2]
    if kind == "gray":
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if kind == "small":
        return resize(image, 200 * width // min(width, height), 200 * height // min(width, height))
    if kind == "banner":
        image = resize(image, 1024, 1024 * height // width)
        top = (len(image) - 400) // 3
        return image[top : top + 400]
    return image


def encode_drawing(image: np.ndarray, kind: str, ext: str) -> bytes:
    """Encode a drawing; some kinds are cut out in an oval, stored rotated or compressed by other means."""
    picture, options = Image.fromarray(image), dict[str, Any](SAVE_OPTIONS[ext])
    if kind == "transparent":
        center = picture.width // 2, picture.height // 2
        opacity = np.zeros(image.shape[:2], np.uint8)
        cv2.ellipse(opacity, center, center, 0, 0, 360, 255, -1, cv2.LINE_AA)
        picture.putalpha(Image.fromarray(opacity))
    if kind == "turned":
        picture, exif = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        options["exif"] = exif
    if ext == "png" and kind != "duplicate":
        return encode_png(np.asarray(picture))
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg" if ext == "jpg" else ext, **options)
    return buffer.getvalue()


def pixel_hash(data: bytes) -> str | None:
    """Return the MD5 of the decoded pixels, or None for a broken file."""
    try:
        return hashlib.md5(decode(data).tobytes()).hexdigest()
    except BadImage:
        return None


def drawing_tags(sitter: artist.Portrait, kind: str) -> list[str]:
    """List the tags of a drawing; a gray one has no color tags."""
    tags = artist.tags(sitter)
    if kind == "gray":
        return sorted([tag for tag in tags if not tag.startswith(COLOR_TAGS)] + ["greyscale", "monochrome"])
    return tags


def rate_post(number: int) -> dict[str, Any]:
    dice = Random(f"opinion {number}")
    return {
        "rating": "g" if dice.random() < 0.85 else "s",
        "score": int(201 * dice.random() ** 2),
        "is_deleted": dice.random() < 0.02,
        "is_banned": dice.random() < 0.01,
    }
