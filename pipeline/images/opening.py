"""Open picture files: how large a picture is, how it lies and how its colors are meant."""

import io
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin

from pipeline.errors import BadImage
from pipeline.images import color, containers
from pipeline.images.png import PNG_SIGNATURE

DECODE_ERRORS = (  # of Pillow on bad files; the last four on AVIF, and on tags of a wrong type
    OSError, SyntaxError, ValueError, Image.DecompressionBombError,
    RuntimeError, ZeroDivisionError, TypeError, struct.error,
)  # fmt: skip
# The modes of Pillow for which an ICC profile is not one of RGB.
DESCRIBED_MODES = {"CMYK": "CMYK"} | dict.fromkeys(("1", "L", "LA", "La", "I;16", "I;16B"), "L")
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


@dataclass(frozen=True)
class Opened:
    """The image that Pillow opened, and what it does not read: the parts of a PNG, the nclx of an AVIF.

    `jpeg` is the file of a JPEG in RGB or YCbCr.
    """

    image: ImageFile.ImageFile
    png: containers.Png | None = None
    nclx: tuple[int, int] | None = None
    jpeg: bytes | None = None

    def canvas(self) -> tuple[int, int]:
        """Return width and height as the picture lies in the file."""
        return self.png.canvas if self.png else self.image.size

    def frame(self) -> containers.Box:
        """Return where the first frame lies on the canvas; around it nothing is painted."""
        whole = (0, 0, *self.canvas())
        if self.image.format == "GIF" and self.image.tile and not self.image.has_transparency_data:
            return self.image.tile[0][1] or whole
        return self.png.box if self.png else whole

    def orientation(self) -> int:
        """Read how the picture lies: 1 for upright, others as in EXIF.

        The EXIF of an AVIF is what Pillow makes of its irot and imir. XMP turns no picture, as in browsers.
        """
        if self.image.format == "TIFF":  # which Pillow turns itself
            return 1
        exif = self.png.notes.get(b"eXIf", b"") if self.png else self.image.info.get("exif", b"")
        return containers.exif_orientation(exif)

    def size(self) -> tuple[int, int]:
        """Return width and height, upright."""
        width, height = self.canvas()
        return (height, width) if self.orientation() in SIDEWAYS else (width, height)

    def space(self) -> color.Space:
        gray = self.png is not None and self.png.gray  # which Pillow may open as RGBA
        mode = "L" if gray else DESCRIBED_MODES.get(self.image.mode, "RGB")
        icc = self.image.info.get("icc_profile")
        notes = self.png.notes if self.png else {}
        return color.find_space(mode, icc if isinstance(icc, bytes) else None, notes, self.nclx)


@contextmanager
def raising_bad_image() -> Iterator[None]:
    """Raise BadImage for what Pillow raises: it refuses a header of more than 178 megapixels."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except DECODE_ERRORS as error:
        large = isinstance(error, Image.DecompressionBombError)
        raise BadImage("too large" if large else "cannot decode") from error


def open_data(data: bytes) -> Opened:
    """Open a picture, whatever else its file holds. Raise BadImage or one of DECODE_ERRORS."""
    if data.startswith(PNG_SIGNATURE):
        png = containers.split_png(data)
        if math.prod(png.canvas) > 2 * (Image.MAX_IMAGE_PIXELS or math.inf):
            raise BadImage("too large")
        return Opened(Image.open(io.BytesIO(png.pixels)), png)
    try:
        image = Image.open(io.BytesIO(data))
    except DECODE_ERRORS:
        image = Image.open(io.BytesIO(containers.strip_metadata(data)))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        check_depth(image)
        image.info.pop("xmp", None)  # by which Pillow would turn it
    nclx = containers.read_nclx(data) if image.format == "AVIF" else None
    return Opened(image, nclx=nclx, jpeg=data if (image.format, image.mode) == ("JPEG", "RGB") else None)


def check_depth(image: TiffImagePlugin.TiffImageFile) -> None:
    """Raise BadImage for a TIFF of more than 8 bits that Pillow would read wrongly without an error.

    It reads unsigned integers of 16 bits, the channels of a pixel side by side and black at zero.
    """
    tags = image.tag_v2
    depths = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    right = (
        set(depths) == {16}
        and set(tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))) == {1}
        and (tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 1 or len(depths) == 1)
        and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) != 0
    )
    if max(depths) > 8 and not right:
        raise BadImage("cannot decode")


def open_header(file: BinaryIO) -> Opened:
    """Open a picture to read its size, and no more of its file than necessary. Raise as `open_data`."""
    if file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE:
        return open_data(containers.skim_png(file))
    file.seek(0)
    try:
        return Opened(Image.open(file))
    except DECODE_ERRORS:
        file.seek(0)
        head = file.read(12)
        if not head.startswith(containers.JPEG_SIGNATURE) and b"ftyp" not in head:
            raise
        return open_data(head + file.read())
