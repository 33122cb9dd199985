"""Any picture becomes upright RGB on white, or a BadImage."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from made import picture
from PIL import Image, ImageOps

from pipeline.errors import BadImage
from pipeline.images import codec, png
from pipeline.images.pixels import resize


def save(image: Image.Image, kind: str = "png", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LA", "RGBA", "PA", "I;16"])
def test_every_mode_decodes_to_rgb(mode):
    gray = Image.fromarray(np.full((5, 4), 255, np.uint8))
    source = Image.fromarray(np.full((5, 4), 65535, np.uint16)) if mode == "I;16" else gray.convert(mode)
    decoded = codec.decode(save(source, "tiff"))
    assert (decoded.shape, decoded.dtype, decoded.min()) == ((5, 4, 3), np.uint8, 255)


def test_sixteen_bits_are_scaled_to_eight_not_clipped():
    levels = np.array([[0, 256, 32768, 65535]], np.uint16)
    assert codec.decode(save(Image.fromarray(levels)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparent_parts_become_white():
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    assert codec.decode(save(Image.fromarray(rgba)))[0].tolist() == [
        [255, 0, 0],
        [255, 255, 255],
        [127, 127, 127],
    ]


def test_a_transparent_palette_color_becomes_white():
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    assert codec.decode(save(palette, "gif", transparency=0))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[codec.EXIF_ORIENTATION] = orientation
    data = save(Image.fromarray(picture(1, 5, 3)), exif=exif)
    with Image.open(io.BytesIO(data)) as source:
        expected = np.asarray(ImageOps.exif_transpose(source))
    np.testing.assert_array_equal(codec.decode(data), expected)
    for form in ("png", "jpeg", "webp"):
        turned = save(Image.fromarray(picture(1, 5, 3)), form, exif=exif)
        assert codec.read_size(turned) == expected.shape[1::-1]


def test_the_first_bytes_of_a_file_identify_its_type():
    for suffix, form in (("png", "png"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp"), ("bmp", "bmp"),
                         ("tif", "tiff"), ("avif", "avif")):  # fmt: skip
        assert codec.identify(save(Image.fromarray(picture(1, 16, 16)), form)[:32]) == suffix
    assert codec.identify(b"") == codec.identify(b"<html>") == ""


def test_a_huge_picture_is_refused_by_its_header():
    data = save(Image.fromarray(picture(1, 5, 3)))
    bomb = data[:16] + struct.pack(">II", 40000, 40000) + data[24:29]
    bomb += struct.pack(">I", zlib.crc32(bomb[12:29])) + data[33:]
    for look in (codec.read_size, codec.decode):
        with pytest.raises(BadImage, match=r"^too large$"):
            look(bomb)


def test_a_jpeg_decoded_smaller_keeps_the_least_size_and_its_look():
    source = picture(3, 512, 640)
    data = save(Image.fromarray(source), "jpeg", quality=95)
    small = codec.decode(data, least=128)
    assert small.shape == (160, 128, 3)
    full = resize(codec.decode(data), 128, 160)
    assert np.abs(small.astype(int) - full).mean() < 2


def test_opacity_is_the_alpha_channel_or_none():
    rgba = np.dstack([picture(1, 8, 6), np.arange(48, dtype=np.uint8).reshape(6, 8)])
    assert (codec.opacity(png.encode_png(rgba)) == rgba[..., 3]).all()
    assert codec.opacity(png.encode_png(rgba[..., :3])) is None
    assert codec.opacity(save(Image.fromarray(rgba[..., :3]), "jpeg")) is None


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_bad_images(data):
    for read in (codec.decode, codec.read_size, codec.opacity):
        with pytest.raises(BadImage, match="cannot decode"):
            read(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif"])
def test_a_truncated_picture_is_a_bad_image(kind):
    data = save(Image.fromarray(picture(1)), kind)
    with pytest.raises(BadImage, match="cannot decode"):
        codec.decode(data[: len(data) // 2])


def test_damaged_files_decode_or_are_bad_images_but_never_crash():
    random = np.random.default_rng(0)
    for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp"):
        data = np.frombuffer(save(Image.fromarray(picture(1)), kind), np.uint8)
        for _ in range(50):
            broken = data.copy()
            broken[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
            with suppress(BadImage):
                assert codec.decode(broken.tobytes()).ndim == 3


def test_read_size_agrees_with_decode(image):
    data = png.encode_png(image[:, :50])
    assert codec.read_size(data) == (50, 64)
