"""Bytes -> pixels, and the size, the type and the opacity of a picture; resize, crop and blur.

A picture is uint8 RGB (H, W, 3) or gray (H, W).
"""

import io
import math
import re
import struct
import warnings
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.png import reread

BROKEN = (  # all that Pillow raises on bad files; the last four for AVIF, and for tags of a wrong type
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    RuntimeError,
    ZeroDivisionError,
    TypeError,
    struct.error,
)
SIGNATURES = {  # how files of a type begin
    "png": rb"\x89PNG", "jpg": rb"\xff\xd8\xff", "gif": rb"GIF8", "webp": rb"RIFF....WEBP", "bmp": rb"BM",
    "tif": rb"II\x2a\x00|MM\x00\x2a", "avif": rb"....ftypavi[fs]", "mp4": rb"....ftyp",
    "webm": rb"\x1a\x45\xdf\xa3", "zip": rb"PK\x03\x04", "swf": rb"[FCZ]WS",
}  # fmt: skip
SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "avif", "tif", "tiff")
TWINS = {"jpeg": "jpg", "tiff": "tif"}  # suffixes of one type
LARGEST = 100 * 10**6  # pixels to decode; each takes up to 16 bytes meanwhile
ORIENTATION = 0x0112  # a tag of EXIF
TURN = Image.Transpose
LYING = (5, 6, 7, 8)  # orientations that swap width and height
TURNS = {
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_270,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_90,
}


class BadImage(Exception):
    """Give the reason why a picture cannot be used; reasons are few and fixed, they are keys of a metric."""


def decode(data: bytes, least: int = 1) -> np.ndarray:
    """Decode any picture to uint8 RGB (H, W, 3), upright, transparent parts on white.

    The first frame of an animation is taken. With `least` above 1, a JPEG is decoded at half, a quarter or an
    eighth of its size if its sides keep `least` pixels or more. Raise BadImage("cannot decode") or, for more
    than 100 megapixels to decode or 178 in the header, BadImage("too large").
    """
    if (own := reread(data)) is not None:
        return own
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if least > 1:
                image.draft("RGB", (least, least))
            if math.prod(image.size) > LARGEST:
                raise BadImage("too large")
            return np.array(flatten(upright(image)))
    except BROKEN as error:
        raise unusable(error) from error


def opacity(data: bytes) -> np.ndarray | None:
    """Decode the alpha of a picture, uint8 (H, W), upright; None if it is opaque. Raise BadImage."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if not image.has_transparency_data or math.prod(image.size) > LARGEST:
                return None
            return np.array(upright(image).convert("RGBA").getchannel("A"))
    except BROKEN as error:
        raise unusable(error) from error


def measure(picture: bytes | Path) -> tuple[int, int]:
    """Read width and height in pixels, upright, from the header alone. Raise BadImage as `decode` does."""
    source = picture if isinstance(picture, Path) else io.BytesIO(picture)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(source) as image:
            lies = "exif" in image.info and image.getexif().get(ORIENTATION) in LYING
            return image.size[::-1] if lies else image.size
    except BROKEN as error:
        raise unusable(error) from error


def identify(data: bytes) -> str:
    """Name the type of a file, as a suffix, by its first bytes; "" for one that is not known."""
    found = (name for name, signature in SIGNATURES.items() if re.match(signature, data, re.DOTALL))
    return next(found, "")


def unusable(error: Exception) -> BadImage:
    """Name what Pillow could not do: it refuses a header of more than 178 megapixels."""
    return BadImage("too large" if isinstance(error, Image.DecompressionBombError) else "cannot decode")


def upright(image: Image.Image) -> Image.Image:
    """Turn a Pillow image as its EXIF orientation asks."""
    turn = TURNS.get(image.getexif().get(ORIENTATION))
    return image if turn is None else image.transpose(turn)


def flatten(image: Image.Image) -> Image.Image:
    """Convert a Pillow image of any mode to RGB, laid on white where it is transparent."""
    if image.mode.startswith("I"):  # Pillow would clip 16 bits to 8 instead of scaling them
        levels = np.clip(np.asarray(image), 0, 65535) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize to (height, width): the mean of the covered area when shrinking, bicubic when enlarging."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = width <= image.shape[1] and height <= image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def square(image: np.ndarray, side: int, crop: str = "center") -> np.ndarray:
    """Crop the longer side to the shorter one, around the center or from the top, and resize to `side`."""
    height, width = image.shape[:2]
    short = min(height, width)
    left = (width - short) // 2
    top = 0 if crop == "top" else (height - short) // 2
    return resize(image[top : top + short, left : left + short], side, side)


def grayscale(image: np.ndarray) -> np.ndarray:
    """Return the luma (H, W) of an RGB picture; a gray one comes back as it is."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur float32 (H, W) or (H, W, C) with a Gaussian cut at 4 sigma (pixels), the border reflected."""
    width = 2 * int(4 * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (width, width), sigma, borderType=cv2.BORDER_REFLECT)


def spread(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur (H, W, C) with a wide Gaussian, of a pixel or more, to float64, the border reflected.

    A blur with that border only scales the cosines of the DCT, and if it is wide, few of them are left: so it
    takes a tenth of the time of `blur`. In float64, processors make different levels of ties alone.
    """
    height, width, channels = image.shape
    down, across = waves(height, sigma), waves(width, sigma)
    rows = down @ image.reshape(height, -1).astype(np.float64)
    rows = across.T @ (across @ rows.reshape(-1, width, channels))
    return (down.T @ rows.reshape(len(down), -1)).reshape(image.shape)


@lru_cache(maxsize=8)
def waves(side: int, sigma: float) -> np.ndarray:
    """List the cosines (n, side) that a Gaussian lets through, each times the root of the share that it does.

    The blur of a column x of pixels is then w.T @ w @ x. Of the others it lets through less than 1e-5.
    """
    number = np.arange(min(side, int(4.8 * side / (np.pi * sigma)) + 1))[:, None]
    angle = np.pi * number / side
    waves = np.cos(angle * (np.arange(side) + 0.5)) * np.sqrt(np.where(number == 0, 1, 2) / side)
    return waves * np.exp(-((sigma * angle) ** 2) / 4)
