"""Decode pictures of any type to upright sRGB, and read their size, type, color space and transparency."""

import io
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from simplejpeg import decode_jpeg

from pipeline.errors import BadImage
from pipeline.images import color
from pipeline.images.containers import Box
from pipeline.images.opening import Opened, open_data, open_header, raising_bad_image
from pipeline.images.png import decode_own

FILE_SIGNATURES = {  # the first bytes of files, by type
    "png": rb"\x89PNG", "jpg": rb"\xff\xd8\xff", "gif": rb"GIF8", "webp": rb"RIFF....WEBP", "bmp": rb"BM",
    "tif": rb"II\x2a\x00|MM\x00\x2a",
    "avif": rb"....ftyp(....){0,30}?avi[fs]",  # the brand may be the major or a compatible one
    "heic": rb"....ftyp(hei|hev|mif1|msf1)", "mp4": rb"....ftyp",
    "jxl": rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "psd": rb"8BPS",
    "webm": rb"\x1a\x45\xdf\xa3", "zip": rb"PK\x03\x04", "swf": rb"[FCZ]WS",
}  # fmt: skip
SIGNATURE_BYTES = 512  # of a file, enough for all of these
SUFFIX_ALIASES = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "apng": "png"}
MAX_PIXELS = 100 * 10**6  # decoding takes up to 21 bytes for each
BAND = 256  # rows of 16 bits that are converted at once, to save memory
Transpose = Image.Transpose
TRANSPOSES = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Header:
    """Width and height of the upright picture in pixels, and the name of its color space; "" for sRGB."""

    width: int
    height: int
    colors_from: str


def decode(data: bytes, least: int = 1) -> np.ndarray:
    """Decode a picture to uint8 sRGB (H, W, 3), upright, with transparent parts on white.

    Of an animation, decode the first frame. With `least` above 1, decode a JPEG at half, a quarter or an
    eighth of its size if its sides keep at least `least` pixels. Raise BadImage("cannot decode"), or
    BadImage("too large") for more than 100 megapixels to decode or 178 in the header.
    """
    if (own := decode_own(data)) is not None:
        return own
    with raising_bad_image():
        opened = open_data(data)
        if least > 1:
            opened.image.draft("RGB", (least, least))
        plain = decode_plain_jpeg(opened)
        return np.array(lay_on_white(render(opened))) if plain is None else plain


def decode_plain_jpeg(opened: Opened) -> np.ndarray | None:
    """Decode a JPEG that is upright and in sRGB at the size of its image, (H, W, 3), faster than Pillow.

    None for any other picture, and if anything in the file is odd, so that Pillow decides what it is.
    """
    width, height = opened.image.size
    if not opened.jpeg or width * height > MAX_PIXELS or opened.orientation() in TRANSPOSES:
        return None
    if opened.space().transform is not None:
        return None
    with suppress(ValueError):
        return decode_jpeg(opened.jpeg, "RGB", min_height=height, min_width=width)
    return None


def decode_rgba(data: bytes) -> np.ndarray:
    """Decode a picture to uint8 sRGB with its alpha (H, W, 4), upright. Raise BadImage as `decode`."""
    with raising_bad_image():
        return np.array(render(open_data(data)).convert("RGBA"))


def on_white(image: np.ndarray) -> np.ndarray:
    """Lay uint8 RGBA pixels (H, W, 4) on white: RGB (H, W, 3), as `decode` does."""
    return np.array(lay_on_white(Image.fromarray(image)))


def lay_on_white(image: Image.Image) -> Image.Image:
    """Lay an RGBA image on white, as RGB; an image in RGB stays as it is."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def read_size(picture: bytes | Path) -> tuple[int, int]:
    """Read width and height of the upright picture in pixels from its header. Raise BadImage as `decode`."""
    source = picture.open("rb") if isinstance(picture, Path) else io.BytesIO(picture)
    with raising_bad_image(), source as file:
        return open_header(file).size()


def read_header(data: bytes) -> Header:
    """Read size and color space without decoding the pixels. Raise BadImage as `decode`."""
    with raising_bad_image():
        opened = open_data(data)
        return Header(*opened.size(), opened.space().name)


def identify(data: bytes) -> str:
    """Return the type of a file, as a suffix, by its first bytes; "" for an unknown type."""
    found = (name for name, signature in FILE_SIGNATURES.items() if re.match(signature, data, re.DOTALL))
    return next(found, "")


def identify_file(path: Path) -> str:
    """Return the type of a file, as a suffix, by its first bytes; "" for an unknown type."""
    with path.open("rb") as file:
        return identify(file.read(SIGNATURE_BYTES))


def render(opened: Opened) -> Image.Image:
    """Decode a picture to sRGB, upright: RGB, or RGBA if parts of it may be transparent."""
    image, canvas, frame = opened.image, opened.canvas(), opened.frame()
    framed = frame != (0, 0, *canvas)
    if math.prod(canvas if framed else image.size) > MAX_PIXELS:
        raise BadImage("too large")
    levels, space = deep_levels(opened), opened.space()
    painted = render_bytes(image, space) if levels is None else render_deep(levels, space)
    if framed:
        painted = lay_on_canvas(painted, canvas, frame)
    turn = TRANSPOSES.get(opened.orientation())
    return painted if turn is None else painted.transpose(turn)


def lay_on_canvas(image: Image.Image, canvas: tuple[int, int], frame: Box) -> Image.Image:
    """Put a frame, or the part of an image that it covers, on a transparent canvas."""
    size = frame[2] - frame[0], frame[3] - frame[1]
    laid = Image.new("RGBA", canvas)
    laid.paste(image if image.size == size else image.crop(frame), frame)
    return laid


def render_bytes(image: Image.Image, space: color.Space) -> Image.Image:
    """Convert a Pillow image of up to 8 bits a channel to sRGB: RGB, or RGBA if it has transparency data."""
    if not image.has_transparency_data:
        return color.convert(image, space)
    flat = image if image.mode == "RGBA" else image.convert("RGBA")
    if space.transform is None:
        return flat
    painted = color.convert(flat, space)
    painted.putalpha(flat.getchannel("A"))
    return painted


def render_deep(levels: np.ndarray, space: color.Space) -> Image.Image:
    """Convert uint16 levels, gray (H, W), BGR or BGRA (H, W, C), to sRGB: RGB, or RGBA if they have alpha."""
    bands = [render_band(levels[top : top + BAND], space) for top in range(0, len(levels), BAND)]
    return Image.fromarray(np.concatenate(bands))


def render_band(levels: np.ndarray, space: color.Space) -> np.ndarray:
    colors = levels[..., 2::-1] if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    painted = color.convert_deep(colors, space)
    return np.dstack([painted, color.narrow(levels[..., 3])]) if levels.shape[2:] == (4,) else painted


def deep_levels(opened: Opened) -> np.ndarray | None:
    """Read uint16 levels, gray (H, W), BGR or BGRA (H, W, C), not turned; None for a picture of fewer bits.

    Pillow holds 16 bits of gray alone, and cuts others to their high byte, which is right within a level.
    OpenCV reads those of a PNG, if Pillow finds nothing broken.
    """
    image = opened.image
    levels: np.ndarray | None = None
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.uint16)
    elif opened.png and opened.png.depth == 16:
        image.load()
        with suppress(cv2.error):  # such as for more than 2 ** 20 columns
            levels = cv2.imdecode(np.frombuffer(opened.png.pixels, np.uint8), cv2.IMREAD_UNCHANGED)
    paper = image.info.get("transparency")
    return levels if levels is None or paper is None else add_alpha(levels, paper)


def add_alpha(levels: np.ndarray, paper: int | tuple[int, int, int]) -> np.ndarray:
    """Make a color, gray or RGB, transparent in levels of 16 bits (H, W) or (H, W, C), as BGRA (H, W, 4)."""
    colors = np.atleast_3d(levels)[..., :3]
    opaque = (colors != np.atleast_1d(paper)[::-1]).any(axis=2)
    colors = np.broadcast_to(colors, (*opaque.shape, 3))
    return np.dstack([colors, np.where(opaque, np.uint16(65535), np.uint16(0))])
