"""Any picture becomes upright RGB on white, or a BadImage; pixels go to PNG and back unchanged."""

import io
import struct
import zlib
from contextlib import suppress
from hashlib import sha256

import cv2
import numpy as np
import pytest
from made import picture
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter
from zlib_ng import zlib_ng

from pipeline.booru import artist
from pipeline.errors import BadImage
from pipeline.images import codec, png
from pipeline.images.pixels import gaussian_blur, resize, square, wide_blur
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch


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


def test_transparent_parts_lie_on_white():
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    assert codec.decode(save(Image.fromarray(rgba)))[0].tolist() == [
        [255, 0, 0],
        [255, 255, 255],
        [127, 127, 127],
    ]


def test_a_transparent_palette_color_lies_on_white():
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


def test_a_file_tells_its_type_by_its_first_bytes():
    for suffix, form in (("png", "png"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp"), ("bmp", "bmp"),
                         ("tif", "tiff"), ("avif", "avif")):  # fmt: skip
        assert codec.identify(save(Image.fromarray(picture(1, 16, 16)), form)[:32]) == suffix
    assert codec.identify(b"") == codec.identify(b"<html>") == ""


def test_a_picture_beyond_all_bounds_is_too_large_by_its_header():
    data = save(Image.fromarray(picture(1, 5, 3)))
    bomb = data[:16] + struct.pack(">II", 40000, 40000) + data[24:29]
    bomb += struct.pack(">I", zlib.crc32(bomb[12:29])) + data[33:]
    for look in (codec.read_size, codec.decode):
        with pytest.raises(BadImage, match=r"^too large$"):
            look(bomb)


def test_a_jpeg_decoded_small_keeps_the_least_size_and_the_same_look():
    source = picture(3, 512, 640)
    data = save(Image.fromarray(source), "jpeg", quality=95)
    small = codec.decode(data, least=128)
    assert small.shape == (160, 128, 3)
    full = resize(codec.decode(data), 128, 160)
    assert np.abs(small.astype(int) - full).mean() < 2


def test_the_opacity_of_a_picture_is_its_alpha_and_there_is_none_without():
    rgba = np.dstack([picture(1, 8, 6), np.arange(48, dtype=np.uint8).reshape(6, 8)])
    assert (codec.opacity(png.encode_png(rgba)) == rgba[..., 3]).all()
    assert codec.opacity(png.encode_png(rgba[..., :3])) is None
    assert codec.opacity(save(Image.fromarray(rgba[..., :3]), "jpeg")) is None


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_bad(data):
    for read in (codec.decode, codec.read_size, codec.opacity):
        with pytest.raises(BadImage, match="cannot decode"):
            read(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif"])
def test_a_truncated_picture_is_bad(kind):
    data = save(Image.fromarray(picture(1)), kind)
    with pytest.raises(BadImage, match="cannot decode"):
        codec.decode(data[: len(data) // 2])


def test_mutilated_files_are_bad_or_decode_but_never_crash():
    random = np.random.default_rng(0)
    for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp"):
        data = np.frombuffer(save(Image.fromarray(picture(1)), kind), np.uint8)
        for _ in range(50):
            broken = data.copy()
            broken[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
            with suppress(BadImage):
                assert codec.decode(broken.tobytes()).ndim == 3


def test_measuring_agrees_with_decoding(image):
    data = png.encode_png(image[:, :50])
    assert codec.read_size(data) == (50, 64)


@pytest.mark.parametrize("pixels", [picture(1), picture(1)[..., 0], np.eye(9, dtype=np.uint8) * 255])
def test_encoding_loses_nothing(pixels):
    decoded = codec.decode(png.encode_png(pixels))
    np.testing.assert_array_equal(decoded, pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2))


@pytest.mark.parametrize("size", [(1, 1), (9, 4)])
def test_a_fourth_channel_is_encoded_and_laid_on_white_again(size):
    pixels = np.full((*size, 4), (200, 10, 90, 255), np.uint8)
    pixels[0, 0] = (1, 2, 3, 0)
    with Image.open(io.BytesIO(png.encode_png(pixels))) as encoded:
        np.testing.assert_array_equal(np.asarray(encoded), pixels)
    decoded = codec.decode(png.encode_png(pixels))
    assert (decoded[0, 0] == 255).all()
    np.testing.assert_array_equal(decoded.reshape(-1, 3)[1:], pixels.reshape(-1, 4)[1:, :3])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 8), (33, 17)])
@pytest.mark.parametrize(("channels", "order"), [((), ()), ((3,), ([2, 1, 0],)), ((4,), ([2, 1, 0, 3],))])
def test_pillow_and_opencv_read_what_is_encoded(size, channels, order):
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
def test_equal_pixels_are_equal_bytes_whichever_zlib_packs_them(monkeypatch, packer):
    monkeypatch.setattr(png, "zlib", packer)
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([x * y // 16, x * 3, y // 8 * 31], axis=2).astype(np.uint8)
    digests = [sha256(png.encode_png(image)).hexdigest()[:16] for image in (pixels, pixels[..., 0])]
    assert digests == ["8da9a43aa51be17d", "dd020b5fa4a9a2f3"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300), (256, 256, 3), (500, 700, 4)])
@pytest.mark.parametrize("noise", [0, 1, 3, 255])
def test_zlib_and_zlib_ng_pack_the_same_bytes_and_unpack_each_other(monkeypatch, shape, noise):
    random = np.random.default_rng(noise)
    image = np.cumsum(random.integers(0, noise + 1, shape, np.uint8), axis=0, dtype=np.uint8)
    packed = []
    for packer, other in ((zlib, zlib_ng), (zlib_ng, zlib)):
        monkeypatch.setattr(png, "zlib", packer)
        packed.append(png.encode_png(image))
        monkeypatch.setattr(png, "zlib", other)
        if shape[2:] == (3,):
            np.testing.assert_array_equal(png.decode_own(packed[-1]), image)
    assert packed[0] == packed[1]


def test_a_file_is_hardly_longer_than_one_by_pillow_and_a_sketch_is_shorter():
    photo = save(Image.fromarray(artist.draw(artist.portrait(1))), "jpeg", quality=90)
    color = square(codec.decode(photo), 256)
    sketch = draw_sketch(color, Sketch())
    assert len(png.encode_png(color)) < 1.15 * len(save(Image.fromarray(color), compress_level=1))
    assert len(png.encode_png(sketch)) < len(save(Image.fromarray(sketch).convert("1"), compress_level=1))


def pillow(data: bytes) -> np.ndarray | None:
    """Decode an opaque picture as Pillow does, if it can."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return np.asarray(opened.convert("RGB"))
    except codec.DECODE_ERRORS:
        return None


def agrees(data: bytes) -> bool:
    """Tell whether decoding does what Pillow does, be it to fail."""
    try:
        decoded = codec.decode(data)
    except BadImage:
        return pillow(data) is None
    return np.array_equal(decoded, pillow(data))


def test_a_file_of_ours_that_was_changed_is_what_pillow_says_it_is():
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
def test_a_file_that_looks_like_ours_is_what_pillow_says_it_is(size, filtered):
    rows = png.filter_rows(picture(1).reshape(64, -1))
    if filtered == "another filter":
        rows[5, 0] = 1
    rows = {"too short": rows[:-1], "too long": np.vstack([rows, rows])}.get(filtered, rows)
    assert agrees(png.build_png(*size, 8, png.RGB, zlib.compress(rows)))


def test_black_and_white_takes_one_bit_a_pixel():
    with Image.open(io.BytesIO(png.encode_png(np.eye(9, dtype=np.uint8) * 255))) as encoded:
        assert encoded.mode == "1"


def test_shrinking_takes_the_mean_of_the_covered_area():
    checkered = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.unique(resize(checkered, 4, 4)).tolist() == [100]


@pytest.mark.parametrize(("crop", "rows"), [("center", slice(16, 48)), ("top", slice(0, 32))])
def test_a_square_is_cut_from_the_center_or_the_top(crop, rows):
    tall = picture(2, 32, 64)
    np.testing.assert_array_equal(square(tall, 32, crop), tall[rows])


@pytest.mark.parametrize(("side", "sigma"), [(64, 5.0), (16, 40.0), (1, 3.0), (33, 0.3)])
def test_blur_agrees_with_scipy_in_float64_reflected(side, sigma):
    pixels = picture(4, side, side).astype(np.float32)
    expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(pixels, sigma).reshape(expected.shape), expected, atol=0.01)


@pytest.mark.parametrize(
    ("size", "sigma"), [((256, 256), 20.0), ((64, 300), 9.0), ((5, 3), 40.0), ((1, 1), 8.0)]
)
def test_a_wide_blur_agrees_with_scipy_in_float64_reflected(size, sigma):
    noise = np.random.default_rng(2).integers(0, 2, (*size, 3), np.uint8) * 255
    for pixels in (noise, picture(4, *size[::-1])):
        expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
        np.testing.assert_allclose(wide_blur(pixels, sigma), expected, atol=0.05)
