"""PNG files whose bytes depend only on the pixels, and not on the zlib that compresses them."""

import struct

import numpy as np

try:
    from zlib_ng import zlib_ng as zlib
except ImportError:  # zlib makes equal bytes, but takes twice as long
    import zlib  # type: ignore[no-redef]
try:
    from isal import isal_zlib as unzip
except ImportError:  # isal takes 0.6 of the time
    unzip = zlib  # type: ignore[misc]

PNG_SIGNATURE, IEND_CHUNK = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
GRAY, RGB, RGBA = 0, 2, 6  # color types
UP_FILTER = 2  # stores the differences from the row above
MAX_BYTES = 3 * 10**8  # of pixels; `codec.decode` refuses larger pictures


def encode_png(image: np.ndarray) -> bytes:
    """Encode uint8 RGB, RGBA or gray pixels as PNG; a picture of pure black and white takes one bit a pixel.

    Only runs of equal bytes are compressed. This takes half the time, and zlib and zlib-ng then make the same
    bytes, which they do not with other strategies.
    """
    height, width = image.shape[:2]
    if image.ndim == 2 and (image + np.uint8(1)).max() <= 1:  # 255 + 1 is 0
        depth, color, rows = 1, GRAY, np.packbits(image, axis=1)
    else:
        depth, color, rows = 8, {1: GRAY, 3: RGB, 4: RGBA}[image[0, 0].size], image.reshape(height, -1)
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return build_png(width, height, depth, color, packer.compress(filter_rows(rows)) + packer.flush())


def build_png(width: int, height: int, depth: int, color: int, packed: bytes) -> bytes:
    """Assemble a PNG (ISO/IEC 15948) from compressed rows."""
    header = build_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return PNG_SIGNATURE + header + build_chunk(b"IDAT", packed) + IEND_CHUNK


def build_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def filter_rows(rows: np.ndarray) -> np.ndarray:
    """Filter rows of bytes (H, n) to (H, 1 + n): the filter, and the difference from the row above."""
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP_FILTER
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def decode_own(data: bytes) -> np.ndarray | None:
    """Decode a PNG that `encode_png` made of RGB pixels, faster than Pillow; None for any other file."""
    if len(data) < 57 or not data.startswith(PNG_SIGNATURE):
        return None
    width, height, depth, color = struct.unpack_from(">IIBB", data, 16)
    packed, size = data[41:-16], height * (1 + 3 * width)
    if (depth, color) != (8, RGB) or not 0 < size <= MAX_BYTES:
        return None
    if data != build_png(width, height, depth, color, packed):
        return None
    unpacker = unzip.decompressobj()
    try:
        filtered = unpacker.decompress(packed, size + 1)  # no more, whatever the file claims
    except unzip.error:  # type: ignore[misc]
        return None
    rows = np.frombuffer(filtered, np.uint8)
    if not unpacker.eof or len(rows) != size or (rows[:: 1 + 3 * width] != UP_FILTER).any():
        return None
    return unfilter_rows(rows.reshape(height, -1)[:, 1:]).reshape(height, width, 3)


def unfilter_rows(rows: np.ndarray) -> np.ndarray:
    """Add all rows above to each row (H, n), modulo 256, in log2(H) additions of all rows."""
    rows, others, step = rows.copy(), np.empty(rows.shape, np.uint8), 1
    while step < len(rows):
        others[:step] = rows[:step]
        np.add(rows[step:], rows[:-step], out=others[step:])
        rows, others, step = others, rows, 2 * step
    return rows
