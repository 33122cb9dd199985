"""Separate the pixels of PNG, JPEG and AVIF files from their metadata, and read color and orientation.

Pillow refuses a PNG for a text that is too long or a wrong CRC of a chunk that no pixel depends on. So it is
given only the chunks that decide pixels, and the others that count are read here.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from pipeline.images.png import IEND_CHUNK, PNG_SIGNATURE, build_chunk

Box = tuple[int, int, int, int]  # left, top, right, bottom
NOTES = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"acTL")  # chunks that are read here
GRAYS = (0, 4)  # color types without and with alpha
HEADER_END = len(PNG_SIGNATURE) + 25
MAX_PROFILE = 1 << 24  # bytes of an unpacked color profile; a JPEG cannot hold more
EXIF_ORIENTATION = 0x0112  # a tag of EXIF
EXIF_INTEGERS = {1: "B", 3: "H", 4: "I"}  # the types of its value
JPEG_SIGNATURE = b"\xff\xd8\xff"
SOS, COM, APP = 0xDA, 0xFE, range(0xE0, 0xF0)  # markers of JPEG
# The segments that are read, by their first bytes, and how long they are at least.
USED_SEGMENTS = {b"JFIF\0": 16, b"Exif\0\0": 8, b"ICC_PROFILE\0": 16, b"Adobe": 14}


@dataclass(frozen=True)
class Png:
    """A PNG without its ancillary chunks, and the bodies of those in NOTES.

    `depth` is in bits per channel; `box` is where the first frame lies on the canvas.
    """

    pixels: bytes
    depth: int
    gray: bool
    notes: dict[bytes, bytes]
    canvas: tuple[int, int]
    box: Box


def list_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each chunk of a PNG, up to IEND; the last may end behind the data."""
    start, name = len(PNG_SIGNATURE), b""
    while start + 8 <= len(data) and name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        yield name, start, end
        start = end


def split_png(data: bytes) -> Png:
    """Separate the chunks that decide pixels from the others; drop what has a wrong CRC among these.

    Of an APNG, keep the first frame, which need not be the default image.
    """
    width, height, depth, kind = struct.unpack_from(">IIBB", data.ljust(HEADER_END, b"\0"), 16)
    notes: dict[bytes, bytes] = {}
    for name, start, end in list_chunks(data):
        if name in NOTES and name not in notes and crc_holds(data, start, end):
            notes[name] = data[start + 8 : end - 4]
    png = Png(strip_png(data), depth, kind in GRAYS, notes, (width, height), (0, 0, width, height))
    animated = b"acTL" in notes and crc_holds(data, len(PNG_SIGNATURE), HEADER_END)
    return take_first_frame(png, data) if animated else png


def strip_png(data: bytes) -> bytes:
    """Remove the chunks that decide no pixels from a PNG; what is broken in the others stays broken."""
    chunks, view = list(list_chunks(data)), memoryview(data)
    kept = [view[start:end] for name, start, end in chunks if decides_pixels(name)]
    return data if len(kept) == len(chunks) else b"".join([PNG_SIGNATURE, *kept])


def decides_pixels(name: bytes) -> bool:
    """Return whether a chunk is critical, which its capital letter says, or transparency."""
    return not name[0] & 0x20 or name == b"tRNS"


def take_first_frame(png: Png, data: bytes) -> Png:
    """Replace the default image of an APNG by its first frame, if they differ."""
    frame = first_frame(data, png.canvas)
    start = next((start for name, start, _ in list_chunks(png.pixels) if name == b"IDAT"), 0)
    if frame is None or not start:
        return png
    box, rows = frame
    size = struct.pack(">II", box[2] - box[0], box[3] - box[1])
    head = build_chunk(b"IHDR", size + png.pixels[24 : HEADER_END - 4]) + png.pixels[HEADER_END:start]
    pixels = PNG_SIGNATURE + head + build_chunk(b"IDAT", rows) + IEND_CHUNK
    return replace(png, pixels=pixels, box=box)


def skim_png(file: BinaryIO) -> bytes:
    """Read a PNG from behind its signature: the header and NOTES, and packed rows as empty chunks."""
    kept = bytearray(PNG_SIGNATURE)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"IEND":
            break
        if name == b"IHDR" or name in NOTES:
            kept += head + file.read(length + 4)
            continue
        file.seek(length + 4, io.SEEK_CUR)
        if name == b"IDAT":
            kept += build_chunk(b"IDAT", b"")
    return bytes(kept)


def crc_holds(data: bytes, start: int, end: int) -> bool:
    return zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def first_frame(data: bytes, canvas: tuple[int, int]) -> tuple[Box, bytes] | None:
    """Return box and packed rows of the first frame of an APNG; None if that is the default image."""
    control, rows = b"", bytearray()
    for name, start, end in list_chunks(data):
        if name == b"fcTL" and control:
            break
        if name == b"fcTL":
            control = data[start + 8 : end - 4]
        elif name == b"fdAT":
            rows += data[start + 12 : end - 4]
        elif name == b"IDAT" and control:
            return None
    if not rows or len(control) < 20:
        return None
    width, height, left, top = struct.unpack_from(">4I", control, 4)
    inside = 0 < width <= canvas[0] - left and 0 < height <= canvas[1] - top
    return ((left, top, left + width, top + height), bytes(rows)) if inside else None


def unpack_profile(body: bytes) -> bytes:
    """Unpack an iCCP chunk; b"" if it is broken or too large."""
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(body[body.index(b"\0") + 2 :], MAX_PROFILE)
    except (ValueError, zlib.error):
        return b""
    return profile if unpacker.eof else b""


def exif_orientation(exif: bytes) -> int:
    """Read the orientation from EXIF, 1 (upright) to 8; 1 if there is none or it cannot be read."""
    body = exif.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0")
    order = ">" if body.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(order + "I", body, 4)
        (count,) = struct.unpack_from(order + "H", body, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", body, entry)
            if tag == EXIF_ORIENTATION and kind in EXIF_INTEGERS:
                (lies,) = struct.unpack_from(order + EXIF_INTEGERS[kind], body, entry + 8)
                return lies
    except struct.error:
        pass
    return 1


def list_boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box of ISO/IEC 14496-12 in a span, and the start and end of its body."""
    while start + 16 <= end:
        size, name, large = struct.unpack_from(">I4sQ", data, start)
        body = start + 16 if size == 1 else start + 8
        stop = {0: end, 1: start + large}.get(size, start + size)
        if not body <= stop <= end:
            return
        yield name, body, stop
        start = stop


def find_boxes(data: bytes, *path: bytes) -> list[tuple[int, int]]:
    """List the spans of the boxes at a path from the top of an AVIF."""
    spans = [(0, len(data))]
    for name in path:
        spans = [
            (start + 4 if name == b"meta" else start, end)  # which has a version and flags
            for outer in spans
            for found, start, end in list_boxes(data, *outer)
            if found == name
        ]
    return spans


def read_nclx(data: bytes) -> tuple[int, int] | None:
    """Read the codes of primaries and transfer (ITU-T H.273) of an AVIF; None if it has none."""
    for start, end in find_boxes(data, b"meta", b"iprp", b"ipco", b"colr"):
        if data[start : start + 4] == b"nclx" and end - start >= 8:
            return struct.unpack_from(">HH", data, start + 4)
    return None


def strip_metadata(data: bytes) -> bytes:
    """Remove from a JPEG or AVIF the metadata for which Pillow may refuse it."""
    if data.startswith(JPEG_SIGNATURE):
        return strip_jpeg(data)
    for start, end in find_boxes(data, b"meta"):
        data = data[:start] + data[start:end].replace(b"Exif", b"free") + data[end:]
    return data


def strip_jpeg(data: bytes) -> bytes:
    """Remove comments and the segments of applications from a JPEG, except USED_SEGMENTS that are whole."""
    kept, start = bytearray(data[:2]), 2
    while start + 4 <= len(data) and data[start] == 0xFF and data[start + 1] != SOS:
        if data[start + 1] == 0xFF:  # padding
            start += 1
            continue
        marker, length = struct.unpack_from(">BH", data, start + 1)
        segment = data[start : start + 2 + length]
        used = any(segment[4:].startswith(name) and length >= least for name, least in USED_SEGMENTS.items())
        if used or not (marker in APP or marker == COM):
            kept += segment
        start += 2 + length
    return bytes(kept) + data[start:]
