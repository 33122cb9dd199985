"""Decode pictures of any type, and read their size, type and opacity."""

import io
import math
import re
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.png import decode_own

DECODE_ERRORS = (  # of Pillow on bad files; the last four on AVIF, and on tags of a wrong type
    OSError, SyntaxError, ValueError, Image.DecompressionBombError,
    RuntimeError, ZeroDivisionError, TypeError, struct.error,
)  # fmt: skip
FILE_SIGNATURES = {  # the first bytes of files, by type
    "png": rb"\x89PNG", "jpg": rb"\xff\xd8\xff", "gif": rb"GIF8", "webp": rb"RIFF....WEBP", "bmp": rb"BM",
    "tif": rb"II\x2a\x00|MM\x00\x2a", "avif": rb"....ftypavi[fs]", "mp4": rb"....ftyp",
    "webm": rb"\x1a\x45\xdf\xa3", "zip": rb"PK\x03\x04", "swf": rb"[FCZ]WS",
}  # fmt: skip
SUFFIX_ALIASES = {"jpeg": "jpg", "tiff": "tif"}
MAX_PIXELS = 100 * 10**6  # decoding takes up to 16 bytes for each
EXIF_ORIENTATION = 0x0112
Transpose = Image.Transpose
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
TRANSPOSES = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def decode(data: bytes, least: int = 1) -> np.ndarray:
    """Decode a picture to uint8 RGB (H, W, 3), upright, with transparent parts on white.

    Of an animation, decode the first frame. With `least` above 1, decode a JPEG at half, a quarter or an
    eighth of its size if its sides keep at least `least` pixels. Raise BadImage("cannot decode"), or
    BadImage("too large") for more than 100 megapixels to decode or 178 in the header.
    """
    if (own := decode_own(data)) is not None:
        return own
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if least > 1:
                image.draft("RGB", (least, least))
            if math.prod(image.size) > MAX_PIXELS:
                raise BadImage("too large")
            return np.array(flatten(upright(image)))
    except DECODE_ERRORS as error:
        raise decode_error(error) from error


def opacity(data: bytes) -> np.ndarray | None:
    """Decode the alpha channel to uint8 (H, W), upright; None if there is none, or more than 100 megapixels.

    Raise BadImage("cannot decode") or BadImage("too large").
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if not image.has_transparency_data or math.prod(image.size) > MAX_PIXELS:
                return None
            return np.array(upright(image).convert("RGBA").getchannel("A"))
    except DECODE_ERRORS as error:
        raise decode_error(error) from error


def read_size(picture: bytes | Path) -> tuple[int, int]:
    """Read width and height of the upright picture in pixels from its header. Raise BadImage as `decode`."""
    source = picture if isinstance(picture, Path) else io.BytesIO(picture)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(source) as image:
            sideways = "exif" in image.info and image.getexif().get(EXIF_ORIENTATION) in SIDEWAYS
            return image.size[::-1] if sideways else image.size
    except DECODE_ERRORS as error:
        raise decode_error(error) from error


def identify(data: bytes) -> str:
    """Return the type of a file, as a suffix, by its first bytes; "" for an unknown type."""
    found = (name for name, signature in FILE_SIGNATURES.items() if re.match(signature, data, re.DOTALL))
    return next(found, "")


def decode_error(error: Exception) -> BadImage:
    """Return the BadImage for an error of Pillow, which refuses headers of more than 178 megapixels."""
    return BadImage("too large" if isinstance(error, Image.DecompressionBombError) else "cannot decode")


def upright(image: Image.Image) -> Image.Image:
    """Rotate or flip a Pillow image by its EXIF orientation."""
    turn = TRANSPOSES.get(image.getexif().get(EXIF_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def flatten(image: Image.Image) -> Image.Image:
    """Convert a Pillow image of any mode to RGB, with transparent parts on white."""
    if image.mode.startswith("I"):  # Pillow would clip 16 bits to 8 instead of scaling them
        levels = np.clip(np.asarray(image), 0, 65535) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy it
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
