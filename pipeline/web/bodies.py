"""The body of a response as it arrives: unpacked, and bounded in bytes and in depth."""

import json
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from threading import local
from typing import Any

from pipeline.web.connection import Response

Chunk = bytes | memoryview

CHUNK = 1 << 18  # bytes
SCRATCH = local()  # a chunk of each thread: fresh memory for each would take as long as the copy to it
UNPACKED_CODINGS = {"gzip", "x-gzip", "deflate"}
CODINGS = UNPACKED_CODINGS | {"br", "zstd", "compress"}  # other Content-Encodings mean nothing
MAX_CODINGS = 2  # of one body


class BodyBroken(Exception):
    """A body does not arrive whole."""


class BodyStalled(BodyBroken):
    """A body arrives too slowly, or no longer."""


class BodyTooLong(Exception):
    """A body is longer than it may be, as it arrives or unpacked."""


def read_chunks(response: Response, limit: int) -> Iterator[Chunk]:
    """Yield the body of a response, unpacked, in chunks of up to CHUNK bytes as they arrive.

    A chunk lasts until the next one. Raise BodyBroken, or BodyTooLong after `limit` bytes.
    """
    chunks: Iterator[Chunk] = bounded(arriving_chunks(response), limit)
    codings = codings_of(response)
    if len(codings) > MAX_CODINGS or not UNPACKED_CODINGS.issuperset(codings):
        raise BodyBroken(f"packed as {', '.join(codings)[:80]}")
    for coding in reversed(codings):
        chunks = bounded(unpack(map(bytes, chunks), coding), limit)
    yield from chunks


def codings_of(response: Response) -> list[str]:
    """Return how the body of a response is packed, by its Content-Encoding, in the order of packing.

    As in browsers, names such as utf-8 or aws-chunked count for nothing.
    """
    names = response.headers.get("Content-Encoding", "").lower().split(",")
    return [name.strip() for name in names if name.strip() in CODINGS]


def arriving_chunks(response: Response) -> Iterator[memoryview]:
    """Yield the bytes of a body as they arrive, each time in the same memory of this thread."""
    if not hasattr(SCRATCH, "chunk"):
        SCRATCH.chunk = memoryview(bytearray(CHUNK))
    try:
        while count := response.read_into(SCRATCH.chunk):
            yield SCRATCH.chunk[:count]
    except TimeoutError as error:
        raise BodyStalled("the connection stalled") from error
    except (HTTPException, OSError, ValueError) as error:
        raise BodyBroken("the connection broke") from error


def bounded(chunks: Iterator[Chunk], limit: int) -> Iterator[Chunk]:
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise BodyTooLong
        yield chunk


def unpack(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Unpack gzip, in one or more members, or deflate, with or without the header of zlib."""
    decoder = None
    try:
        for data in chunks:
            while data:
                if decoder and decoder.eof and not data.startswith(b"\x1f"):
                    return  # padding follows
                if not decoder or decoder.eof:
                    decoder = zlib.decompressobj(window_bits(coding, data))
                if unpacked := decoder.decompress(data, CHUNK):
                    yield unpacked
                data = decoder.unused_data or decoder.unconsumed_tail
        if decoder and not decoder.eof:
            yield decoder.flush()
    except zlib.error as error:
        raise BodyBroken("the body cannot be unpacked") from error
    if decoder and not decoder.eof:
        raise BodyBroken("the packed body ends too early")


def window_bits(coding: str, start: bytes) -> int:
    """Return how zlib reads a body that begins with these bytes."""
    if coding != "deflate":
        return 16 + zlib.MAX_WBITS
    headed = start[0] & 15 == 8 and int.from_bytes(start[:2].ljust(2, b"\1")) % 31 == 0
    return zlib.MAX_WBITS if headed else -zlib.MAX_WBITS


def load_body(response: Response, limit: int) -> None:
    """Read a body whole, into `response.content`. Raise BodyBroken or BodyTooLong.

    What arrived before an exception is kept as well.
    """
    body = bytearray()
    try:
        for chunk in read_chunks(response, limit):
            body += chunk
    finally:
        response.close()
        response.content = bytes(body)


def parse_json(data: bytes) -> Any:
    """Parse JSON. Raise ValueError if it is none, nested too deeply, or has a number of too many digits."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
