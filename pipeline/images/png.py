"""PNG files whose bytes depend on the pixels alone, and not on the zlib that packs them."""

import struct

import numpy as np
from PIL import Image

try:
    from zlib_ng import zlib_ng as zlib
except ImportError:  # twice as slow, to equal bytes: what only trains may go without it
    import zlib

PNG_SIGNATURE, IEND_CHUNK = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
GRAY, RGB, RGBA = 0, 2, 6  # color types of PNG
UP_FILTER = 2  # the filter of PNG by which a row tells its difference from the one above


def encode_png(image: np.ndarray) -> bytes:
    """Encode uint8 RGB, RGBA or gray pixels as PNG; pure black and white take one bit a pixel.

    Of repetitions only runs are packed: that takes half the time, and zlib and zlib-ng make the same bytes of
    it, which they do not otherwise.
    """
    height, width = image.shape[:2]
    if image.ndim == 2 and (image + np.uint8(1)).max() <= 1:  # 255 + 1 is 0
        depth, color, rows = 1, GRAY, np.packbits(image, axis=1)
    else:
        depth, color, rows = 8, {1: GRAY, 3: RGB, 4: RGBA}[image[0, 0].size], image.reshape(height, -1)
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return build_png(width, height, depth, color, packer.compress(filter_rows(rows)) + packer.flush())


def build_png(width: int, height: int, depth: int, color: int, packed: bytes) -> bytes:
    """Lay out a PNG (ISO/IEC 15948) of packed rows."""
    head = build_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return PNG_SIGNATURE + head + build_chunk(b"IDAT", packed) + IEND_CHUNK


def build_chunk(name: bytes, body: bytes) -> bytes:
    """Lay out a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def filter_rows(rows: np.ndarray) -> np.ndarray:
    """Filter rows of bytes (H, n) for PNG: the filter, and what each row adds to that above it (H, 1 + n)."""
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP_FILTER
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def decode_own(data: bytes) -> np.ndarray | None:
    """Decode what `encode_png` makes of RGB pixels, faster than Pillow does; None for any other file."""
    if len(data) < 57 or not data.startswith(PNG_SIGNATURE):
        return None
    width, height = struct.unpack_from(">II", data, 16)
    packed, size = data[41:-16], height * (1 + 3 * width)
    if not 0 < size <= 3 * Image.MAX_IMAGE_PIXELS or data != build_png(width, height, 8, RGB, packed):
        return None
    unpacker = zlib.decompressobj()
    try:
        filtered = unpacker.decompress(packed, size + 1)  # and no more, whatever the file claims
    except zlib.error:
        return None
    rows = np.frombuffer(filtered, np.uint8)
    if not unpacker.eof or len(rows) != size or (rows[:: 1 + 3 * width] != UP_FILTER).any():
        return None
    return unfilter_rows(rows.reshape(height, -1)[:, 1:]).reshape(height, width, 3)


def unfilter_rows(rows: np.ndarray) -> np.ndarray:
    """Add to each row (H, n) all above it, modulo 256: log2(H) additions of all rows beat H of one."""
    rows, others, step = rows.copy(), np.empty(rows.shape, np.uint8), 1
    while step < len(rows):
        others[:step] = rows[:step]
        np.add(rows[step:], rows[:-step], out=others[step:])
        rows, others, step = others, rows, 2 * step
    return rows
