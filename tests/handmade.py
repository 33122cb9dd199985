"""Picture files, some of them laid out by hand."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def save(image: Image.Image, form: str = "png", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """Insert chunks into a PNG before its pixels."""
    return data[:33] + b"".join(chunks) + data[33:]


def png16(levels: np.ndarray, *chunks: bytes) -> bytes:
    """Write a PNG of 16 bits a channel: gray, gray and alpha, RGB or RGBA."""
    height, width = levels.shape[:2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[levels[0, 0].size]
    rows = levels.astype(">u2").reshape(height, -1).view(np.uint8)
    packed = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
