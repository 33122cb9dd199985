"""PNG keeps every pixel, its bytes depend on the pixels alone, and damaged files decode as with Pillow."""

import io
import zlib
from hashlib import sha256

import cv2
import numpy as np
import pytest
from isal import isal_zlib
from made import picture
from PIL import Image
from zlib_ng import zlib_ng

from pipeline.booru import artist
from pipeline.errors import BadImage
from pipeline.images import codec, png
from pipeline.images.opening import DECODE_ERRORS
from pipeline.images.pixels import square
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch


def save(image: Image.Image, kind: str = "png", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("pixels", [picture(1), picture(1)[..., 0], np.eye(9, dtype=np.uint8) * 255])
def test_encoding_loses_nothing(pixels):
    decoded = codec.decode(png.encode_png(pixels))
    np.testing.assert_array_equal(decoded, pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2))


@pytest.mark.parametrize("size", [(1, 1), (9, 4)])
def test_alpha_is_encoded_and_decoded_to_white(size):
    pixels = np.full((*size, 4), (200, 10, 90, 255), np.uint8)
    pixels[0, 0] = (1, 2, 3, 0)
    with Image.open(io.BytesIO(png.encode_png(pixels))) as encoded:
        np.testing.assert_array_equal(np.asarray(encoded), pixels)
    decoded = codec.decode(png.encode_png(pixels))
    assert (decoded[0, 0] == 255).all()
    np.testing.assert_array_equal(decoded.reshape(-1, 3)[1:], pixels.reshape(-1, 4)[1:, :3])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 8), (33, 17)])
@pytest.mark.parametrize(("channels", "order"), [((), ()), ((3,), ([2, 1, 0],)), ((4,), ([2, 1, 0, 3],))])
def test_pillow_and_opencv_read_the_same_pixels(size, channels, order):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, *channels), np.uint8)
    for image in (pixels, pixels[::-1, ::-1], np.where(pixels > 99, 255, 0).astype(np.uint8)):
        data = png.encode_png(image)
        with Image.open(io.BytesIO(data)) as opened:
            np.testing.assert_array_equal(np.asarray(opened.convert("L") if not channels else opened), image)
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read[(..., *order)], image)
        if channels == (3,):
            np.testing.assert_array_equal(codec.decode(data), image)


@pytest.mark.parametrize("packer", [zlib, zlib_ng])
def test_equal_pixels_give_equal_bytes_with_either_zlib(monkeypatch, packer):
    monkeypatch.setattr(png, "zlib", packer)
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([x * y // 16, x * 3, y // 8 * 31], axis=2).astype(np.uint8)
    digests = [sha256(png.encode_png(image)).hexdigest()[:16] for image in (pixels, pixels[..., 0])]
    assert digests == ["8da9a43aa51be17d", "dd020b5fa4a9a2f3"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300), (256, 256, 3), (500, 700, 4)])
@pytest.mark.parametrize("noise", [0, 1, 3, 255])
def test_zlib_and_zlib_ng_compress_to_the_same_bytes_and_all_read_each_other(monkeypatch, shape, noise):
    random = np.random.default_rng(noise)
    image = np.cumsum(random.integers(0, noise + 1, shape, np.uint8), axis=0, dtype=np.uint8)
    packed = []
    for packer in (zlib, zlib_ng):
        monkeypatch.setattr(png, "zlib", packer)
        packed.append(png.encode_png(image))
    assert packed[0] == packed[1]
    for unpacker in (zlib, zlib_ng, isal_zlib):
        monkeypatch.setattr(png, "unzip", unpacker)
        if shape[2:] == (3,):
            np.testing.assert_array_equal(png.decode_own(packed[0]), image)


def test_files_are_about_as_short_as_those_of_pillow_and_sketches_shorter():
    photo = save(Image.fromarray(artist.draw(artist.portrait(1))), "jpeg", quality=90)
    color = square(codec.decode(photo), 256)
    sketch = draw_sketch(color, Sketch())
    assert len(png.encode_png(color)) < 1.15 * len(save(Image.fromarray(color), compress_level=1))
    assert len(png.encode_png(sketch)) < len(save(Image.fromarray(sketch).convert("1"), compress_level=1))


def decode_with_pillow(data: bytes) -> np.ndarray | None:
    """Decode an opaque picture with Pillow; None if it cannot."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return np.asarray(opened.convert("RGB"))
    except DECODE_ERRORS:
        return None


def agrees(data: bytes) -> bool:
    """Return whether `decode` gives the pixels of Pillow, or fails if Pillow fails."""
    try:
        decoded = codec.decode(data)
    except BadImage:
        return decode_with_pillow(data) is None
    return np.array_equal(decoded, decode_with_pillow(data))


@pytest.mark.parametrize("unpacker", [zlib, zlib_ng, isal_zlib])
def test_a_damaged_file_decodes_as_pillow_decodes_it(monkeypatch, unpacker):
    monkeypatch.setattr(png, "unzip", unpacker)
    data = png.encode_png(picture(1))
    assert png.decode_own(data) is not None
    assert agrees(data)
    assert agrees(data + b"tail")
    for end in range(0, len(data), 41):
        assert agrees(data[:end])
    random = np.random.default_rng(0)
    for place in (*range(60), *random.integers(60, len(data), 200), *range(len(data) - 30, len(data))):
        broken = bytearray(data)
        broken[place] ^= 1 << random.integers(8)
        assert agrees(bytes(broken))


@pytest.mark.parametrize("size", [(64, 64), (63, 64), (65, 64), (64, 65), (1 << 31, 1), (5000, 4000)])
@pytest.mark.parametrize("filtered", ["ours", "another filter", "too short", "too long"])
def test_a_forged_file_decodes_as_pillow_decodes_it(size, filtered):
    rows = png.filter_rows(picture(1).reshape(64, -1))
    if filtered == "another filter":
        rows[5, 0] = 1
    rows = {"too short": rows[:-1], "too long": np.vstack([rows, rows])}.get(filtered, rows)
    assert agrees(png.build_png(*size, 8, png.RGB, zlib.compress(rows)))


def test_black_and_white_takes_one_bit_a_pixel():
    with Image.open(io.BytesIO(png.encode_png(np.eye(9, dtype=np.uint8) * 255))) as encoded:
        assert encoded.mode == "1"
