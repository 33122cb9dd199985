"""Any picture becomes upright RGB on white, or a BadImage."""

import io
import struct
import tracemalloc
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from handmade import chunk, png16, save, with_chunks
from made import picture
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images import codec, containers, png
from pipeline.images.opening import DECODE_ERRORS
from pipeline.images.pixels import resize


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


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels as the table of TIFF 6.0 says; 0 and 9 are no orientations."""
    turns = {
        2: np.fliplr,
        3: lambda image: image[::-1, ::-1],
        4: np.flipud,
        5: lambda image: image.swapaxes(0, 1),
        6: lambda image: np.rot90(image, -1),
        7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90,
    }
    return turns.get(orientation, np.asarray)(image)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[containers.EXIF_ORIENTATION] = orientation
    return exif


def after_the_pixels(data: bytes, exif: bytes) -> bytes:
    return data[:-12] + chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + data[-12:]


def with_xmp(image: Image.Image, form: str, xmp: bytes) -> bytes:
    data = save(image, form)
    if form == "png":
        return with_chunks(data, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if form == "gif":
        palette_end = 13 + 6 * 2 ** (data[10] & 7)
        blocks = b"\x21\xff\x0bXMP DataXMP" + xmp + bytes([1, *range(255, -1, -1), 0])
        return data[:palette_end] + blocks + data[palette_end:]
    return save(image, form, tiffinfo={700: xmp}) if form == "tiff" else save(image, form, xmp=xmp)


OPAQUE = ("jpeg", "gif")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
TURNED = [(form, "before") for form in ("jpeg", "png", "webp", "avif", "tiff")] + [("png", "after")]


def check_lies(data: bytes, plain: bytes, orientation: int) -> None:
    """Compare pixels, alpha and size with those of an upright file."""
    decoded = codec.decode(data)
    np.testing.assert_array_equal(decoded, turn(codec.decode(plain), orientation))
    assert codec.read_size(data) == decoded.shape[1::-1]
    np.testing.assert_array_equal(codec.decode_rgba(data), turn(codec.decode_rgba(plain), orientation))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize(("form", "place"), TURNED)
def test_a_picture_lies_as_its_tag_says(form, place, orientation):
    image = Image.fromarray(np.dstack([picture(1, 20, 12), picture(2, 20, 12)[..., 0]]))
    image = image.convert("RGB") if form in OPAQUE else image
    plain = save(image, form)
    if place == "after":
        data = after_the_pixels(plain, exif_of(orientation).tobytes())
    else:
        data = save(image, form, exif=exif_of(orientation))
    check_lies(data, plain, orientation)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "YCbCr", "I;16"])
def test_a_tiff_of_any_mode_lies_as_its_tag_says(mode):
    gray = picture(1, 20, 12)[..., 0]
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    image = deep if mode == "I;16" else Image.fromarray(picture(1, 20, 12)).convert(mode)
    for orientation in range(1, 9):
        check_lies(save(image, "tiff", exif=exif_of(orientation)), save(image, "tiff"), orientation)


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_exif_counts_where_xmp_contradicts(form):
    image = Image.fromarray(picture(1, 20, 12))
    data = save(image, form, exif=exif_of(8), xmp=XMP)
    check_lies(data, save(image, form), 8)


@pytest.mark.parametrize(("form", "place"), TURNED)
def test_the_size_of_a_file_is_read_from_its_header(tmp_path, form, place):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (900, 1000, 3), np.uint8))
    data = save(image, form, exif=exif_of(6)) if place == "before" else save(image)
    path = tmp_path / "file"
    path.write_bytes(data if place == "before" else after_the_pixels(data, exif_of(6).tobytes()))
    assert codec.read_size(path.read_bytes()) == (900, 1000)
    tracemalloc.start()
    assert codec.read_size(path) == (900, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert form in ("webp", "avif") or peak < 300_000  # of these two, Pillow reads all


@pytest.mark.parametrize("xmp", [XMP, XMP.replace(b'="6"/>', b">6</tiff:Orientation>")])
@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif", "tiff", "gif"])
def test_xmp_alone_turns_no_picture(form, xmp):
    image = Image.fromarray(picture(1, 20, 12))
    data = with_xmp(image, form, xmp)
    with Image.open(io.BytesIO(data)) as opened:
        assert form == "gif" or opened.info["xmp"].startswith(
            b"<x:xmpmeta"
        )  # Pillow passes over that of a GIF
    check_lies(data, save(image, form), 1)


@pytest.mark.parametrize("head", [b"no TIFF!", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x0b"])
@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif"])
def test_broken_exif_condemns_no_picture(form, head):
    image, exif = Image.fromarray(picture(1, 20, 12)), exif_of(6)
    exif[0x0131] = "the software"
    data = save(image, form, exif=exif)
    start = data.rindex(b"MM\0*\0\0\0\x08")
    broken = data[:start] + head + data[start + 8 :]
    if form == "png":
        broken = with_chunks(
            save(image), chunk(b"eXIf", exif.tobytes()[6:].replace(b"MM\0*\0\0\0\x08", head))
        )
    check_lies(broken, save(image, form), 6 if form == "avif" else 1)  # by irot


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_rounded(channels):
    levels = np.random.default_rng(1).integers(0, 65536, (9, 7, channels), np.uint16)
    expected = np.round(levels / 257)
    data = png16(levels)
    if channels in (2, 4):
        np.testing.assert_array_equal(codec.decode_rgba(data)[..., 3], expected[..., -1])
        share = expected[..., -1:] / 255
        expected = expected[..., :-1] * share + 255 * (1 - share)
    assert np.abs(codec.decode(data) - expected).max() <= 1 - (channels % 2)
    png_turned = after_the_pixels(data, exif_of(6).tobytes())
    check_lies(png_turned, data, 6)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_color_of_sixteen_bits_is_compared_in_sixteen(channels):
    levels = np.full((2, 2, channels), 40000, np.uint16)
    levels[0, 0] += 1  # of the same 8 bits
    levels[1] = 0
    data = png16(levels, chunk(b"tRNS", struct.pack(f">{channels}H", *[40000] * channels)))
    assert codec.decode_rgba(data)[..., 3].tolist() == [[255, 0], [255, 255]]
    assert codec.decode(data)[..., 0].tolist() == [[156, 255], [0, 0]]


@pytest.mark.parametrize("channels", [2, 4])
def test_a_transparent_color_beside_alpha_says_nothing(channels):
    levels = np.full((2, 2, channels), 40000, np.uint16)
    body = struct.pack(f">{channels - 1}H", *[40000] * (channels - 1))
    data = png16(levels, chunk(b"tRNS", body))
    assert codec.decode_rgba(data)[..., 3].tolist() == [[156, 156], [156, 156]]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_broken_transparent_color_is_not_ignored(depth):
    for extra in (wrong_crc(b"tRNS", bytes(6)), chunk(b"tRNS", bytes(1))):
        data = png16(np.full((2, 2, 3), 7), extra)
        data = data if depth == 16 else with_chunks(save(Image.new("RGB", (2, 2))), extra)
        with pytest.raises(BadImage, match="cannot decode"):
            codec.decode(data)


def tiff_of(levels: np.ndarray, tag: int = 0, value: int = 0) -> bytes:
    """Write a TIFF, gray or BGR, by OpenCV, and replace the value of one of its tags."""
    data = cv2.imencode(".tif", levels)[1].tobytes()
    entry = struct.pack("<HHI", tag, 3, 1)
    assert (entry in data) == bool(tag)
    place = data.rfind(entry) + 8
    return data[:place] + struct.pack("<H", value) + data[place + 2 :] if tag else data


def planar_tiff(planes: np.ndarray) -> bytes:
    """Write a TIFF of uint16 planes (3, H, W), one after another."""
    height, width = planes.shape[1:]
    size, lists = 2 * height * width, 8 + planes.nbytes
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, lists), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [
        (273, 4, 3, lists + 6),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 3, lists + 18),
        (284, 3, 1, 2),
    ]
    body = planes.astype("<u2").tobytes()
    body += struct.pack("<3H6I", 16, 16, 16, 8, 8 + size, 8 + 2 * size, size, size, size)
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + table


def test_sixteen_bits_of_a_tiff_are_right_within_a_level():
    levels = np.random.default_rng(1).integers(0, 65536, (9, 7, 3), np.uint16)
    assert np.abs(codec.decode(tiff_of(levels))[..., ::-1] - levels / 257).max() < 1
    gray = levels[..., 0]
    np.testing.assert_array_equal(codec.decode(tiff_of(gray))[..., 1], np.round(gray / 257))


@pytest.mark.parametrize(
    "data",
    [
        planar_tiff(np.full((3, 4, 4), 500, np.uint16)),
        tiff_of(np.full((4, 4), 500, np.uint16), 262, 0),  # white at zero
        tiff_of(np.full((4, 4), 500, np.uint16), 339, 2),  # signed
        tiff_of(np.full((4, 4), 500, np.uint16), 258, 12),  # bits
        tiff_of(np.full((4, 4), 0.5, np.float32)),
        tiff_of(np.full((4, 4), 1 << 31, np.uint32)),
    ],
)
def test_a_deep_tiff_that_pillow_reads_wrongly_is_refused(data):
    with pytest.raises(BadImage, match="cannot decode"):
        codec.decode(data)


@pytest.mark.parametrize("transparency", [{}, {"transparency": 3}])
def test_around_the_first_frame_of_a_gif_nothing_is_painted(transparency):
    image = Image.fromarray(np.full((4, 6), 1, np.uint8), "P")
    image.putpalette([9, 200, 9, 200, 9, 9, 0, 0, 0, 1, 1, 1])
    data = bytearray(save(image, "gif", **transparency))
    data[6:10] = struct.pack("<HH", 8, 8)  # the canvas
    place = data.index(b"\x2c") + 1
    data[place : place + 4] = struct.pack("<HH", 2, 1)
    expected = np.full((8, 8, 3), 255, np.uint8)
    expected[1:5, 2:8] = (200, 9, 9)
    np.testing.assert_array_equal(codec.decode(bytes(data)), expected)
    alpha = np.zeros((8, 8), np.uint8)
    alpha[1:5, 2:8] = 255
    np.testing.assert_array_equal(codec.decode_rgba(bytes(data))[..., 3], alpha)
    assert codec.read_size(bytes(data)) == (8, 8)


def apng(frame: np.ndarray, box: tuple[int, int], counted: bool, blend: int = 0) -> bytes:
    """Write an APNG of 20 x 12 pixels: its default image is black, and in the animation if it is counted."""
    black, second = save(Image.new("RGB", (20, 12))), save(Image.fromarray(frame))
    length = int.from_bytes(second[33:37], "big")
    control = struct.pack(">4IHHBB", frame.shape[1], frame.shape[0], *box, 1, 10, 0, blend)
    first = struct.pack(">5IHHBB", 0, 20, 12, 0, 0, 1, 10, 0, 0)
    head = [chunk(b"acTL", struct.pack(">II", 1 + counted, 0))] + [chunk(b"fcTL", first)] * counted
    frames = chunk(b"fcTL", struct.pack(">I", counted) + control)
    frames += chunk(b"fdAT", struct.pack(">I", 1 + counted) + second[41 : 41 + length])
    whole = with_chunks(black, *head)
    return whole[:-12] + frames + whole[-12:]


def test_the_first_frame_of_an_apng_is_taken_though_the_default_image_be_another():
    frame = picture(1, 20, 12)
    np.testing.assert_array_equal(codec.decode(apng(frame, (0, 0), False)), frame)
    assert codec.decode(apng(frame, (0, 0), True)).max() == 0
    part = apng(frame[:5, :7], (3, 2), False, blend=1)
    expected = np.full((12, 20, 3), 255, np.uint8)
    expected[2:7, 3:10] = frame[:5, :7]
    np.testing.assert_array_equal(codec.decode(part), expected)
    check_lies(after_the_pixels(part, exif_of(6).tobytes()), part, 6)


def test_an_apng_with_a_broken_header_is_a_bad_image():
    data = bytearray(apng(picture(1, 20, 12), (0, 0), False))
    data[18] = 1  # of the width
    for read in (codec.decode, codec.decode_rgba, codec.read_size):
        with pytest.raises(BadImage, match="cannot decode"):
            read(bytes(data))


def wrong_crc(name: bytes, body: bytes) -> bytes:
    return chunk(name, body)[:-4] + b"oops"


@pytest.mark.parametrize(
    "place", [with_chunks, lambda data, *chunks: data[:-12] + b"".join(chunks) + data[-12:]]
)
@pytest.mark.parametrize(
    "extra",
    [
        wrong_crc(b"tEXt", b"Title\0ink"),
        wrong_crc(b"eXIf", exif_of(6).tobytes()[6:]),
        wrong_crc(b"iCCP", b"name\0\0" + zlib.compress(b"profile")),
        wrong_crc(b"prVt", b"anything"),
        chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(5 << 20))),
        chunk(b"iCCP", b"name\0\1"),
        chunk(b"iCCP", b""),
        chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(5 << 20))),
        chunk(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(bytes(5 << 20))),
        chunk(b"zTXt", b"Title\0\7no zlib"),
        chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(1 << 20))) * 70,
        chunk(b"gAMA", b""),
        chunk(b"cHRM", b"short"),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"short"),
        chunk(b"fcTL", b"short"),
        chunk(b"acTL", b"short"),
    ],
    ids=lambda extra: f"{extra[4:8].decode()} {len(extra)}",
)
def test_chunks_that_decide_no_pixel_condemn_no_png(extra, place):
    data = place(save(Image.fromarray(picture(1))), extra)
    check_lies(data, png.encode_png(picture(1)), 1)


def test_nothing_behind_the_end_of_a_png_counts(tmp_path):
    path = tmp_path / "two.png"
    path.write_bytes(save(Image.new("RGB", (20, 12))) + chunk(b"eXIf", exif_of(6).tobytes()[6:]))
    assert codec.read_size(path) == codec.decode(path.read_bytes()).shape[1::-1] == (20, 12)


@pytest.mark.parametrize("length", [0, 5, 8, 15])
def test_a_png_that_ends_within_a_text_behind_its_pixels_is_whole(length):
    data = save(Image.fromarray(picture(1)))[:-12] + chunk(b"tEXt", b"Title\0ink")[:length]
    check_lies(data, png.encode_png(picture(1)), 1)


@pytest.mark.parametrize(
    "segment",
    [b"\xff\xe0\0\x08JFIF\0\1", b"\xff\xed\0\x14Photoshop 3.0\0" + b"8BIM", b"\xff\xee\0\x07Adobe",
     b"\xff\xe2\0\x0eICC_PROFILE\0", b"\xff\xe1\0\x08Exif\0\0", b"\xff\xe2\0\x08MPF\0II"],
)  # fmt: skip
def test_segments_that_decide_no_pixel_condemn_no_jpeg(segment):
    image = Image.fromarray(picture(1, 20, 12))
    plain = save(image, "jpeg")
    data = save(image, "jpeg", exif=exif_of(6))
    check_lies(data[:2] + segment + data[2:], plain, 6)


def test_the_first_bytes_of_a_file_identify_its_type():
    for suffix, form in (("png", "png"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp"), ("bmp", "bmp"),
                         ("tif", "tiff"), ("avif", "avif")):  # fmt: skip
        assert codec.identify(save(Image.fromarray(picture(1, 16, 16)), form)[:32]) == suffix
    assert codec.identify(b"") == codec.identify(b"<html>") == ""


def test_the_brand_of_an_avif_may_be_any_of_its_brands():
    data = save(Image.fromarray(picture(1, 16, 16)), "avif")
    for brand in (b"mif1", b"miaf", b"MA1B", b"avis"):
        assert codec.identify(data[:8] + brand + data[12:]) == "avif"
    heic = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"
    assert [codec.identify(heic), codec.identify(heic.replace(b"heic", b"isom"))] == ["heic", "heic"]
    assert codec.identify(b"\0\0\0\x18ftypisom\0\0\0\0isommp42") == "mp4"


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


def decode_jpeg_with_pillow(data: bytes, least: int) -> np.ndarray | None:
    try:
        image = Image.open(io.BytesIO(data))
        if least > 1:
            image.draft("RGB", (least, least))
        return np.array(image.convert("RGB"))
    except DECODE_ERRORS:
        return None


def check_jpeg(data: bytes) -> None:
    """Compare with Pillow, which decodes only files that our faster way refuses."""
    for least in (1, 16, 40):
        expected = decode_jpeg_with_pillow(data, least)
        if expected is None:
            with pytest.raises(BadImage, match="cannot decode"):
                codec.decode(data, least)
        else:
            np.testing.assert_array_equal(codec.decode(data, least), expected)


JPEG_FORMS = [
    {"quality": quality, "subsampling": subsampling, "progressive": progressive} | more
    for quality in (30, 95)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0")
    for progressive in (False, True)
    for more in ({}, {"restart_marker_blocks": 3})
]
JPEG_FORMS += [{"quality": 95, "keep_rgb": True}]


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 17), (97, 129)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_of_any_form_decodes_as_pillow_decodes_it(size, mode):
    image = Image.fromarray(picture(1, *size)).convert(mode)
    for form in JPEG_FORMS if mode == "RGB" else ({}, {"quality": 95}):
        check_jpeg(save(image, "jpeg", **form))


def test_a_damaged_jpeg_decodes_as_pillow_decodes_it_or_not_at_all():
    random = np.random.default_rng(0)
    for form in JPEG_FORMS:
        data = save(Image.fromarray(picture(1, 64, 64)), "jpeg", **form)
        check_jpeg(data + b"tail")
        for cut in random.integers(2, len(data), 6):
            check_jpeg(data[:cut])
        for place in random.integers(2, len(data), 12):
            broken = bytearray(data)
            broken[place] = random.integers(256)
            check_jpeg(bytes(broken))


def test_colors_stay_apart_from_their_alpha_which_is_255_where_a_file_has_none():
    rgba = np.dstack([picture(1, 8, 6), np.arange(48, dtype=np.uint8).reshape(6, 8)])
    np.testing.assert_array_equal(codec.decode_rgba(png.encode_png(rgba)), rgba)
    for plain in (png.encode_png(rgba[..., :3]), save(Image.fromarray(rgba[..., :3]), "jpeg")):
        decoded = codec.decode_rgba(plain)
        np.testing.assert_array_equal(decoded[..., :3], codec.decode(plain))
        assert (decoded[..., 3] == 255).all()


def test_a_layer_is_laid_on_white_as_a_picture_is_decoded():
    rgba = np.random.default_rng(1).integers(0, 256, (20, 30, 4), np.uint8)
    np.testing.assert_array_equal(codec.on_white(rgba), codec.decode(png.encode_png(rgba)))
    share = rgba[..., 3:] / 255
    assert np.abs(codec.on_white(rgba) - (rgba[..., :3] * share + 255 * (1 - share))).max() <= 1


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_bad_images(data):
    for read in (codec.decode, codec.read_size, codec.decode_rgba):
        with pytest.raises(BadImage, match="cannot decode"):
            read(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif"])
def test_a_truncated_picture_is_a_bad_image(kind):
    data = save(Image.fromarray(picture(1)), kind)
    with pytest.raises(BadImage, match="cannot decode"):
        codec.decode(data[: len(data) // 2])


def test_damaged_files_decode_to_their_size_or_are_bad_images_but_never_crash():
    random = np.random.default_rng(0)
    for kind in ("png", "jpeg", "webp", "gif", "avif", "bmp", "tiff"):
        data = np.frombuffer(save(Image.fromarray(picture(1, 64, 48)), kind), np.uint8)
        for _ in range(50):
            broken = data.copy()
            broken[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
            with suppress(BadImage):
                decoded = codec.decode(broken.tobytes())
                assert codec.read_size(broken.tobytes()) == decoded.shape[1::-1]


def test_read_size_agrees_with_decode(image):
    data = png.encode_png(image[:, :50])
    assert codec.read_size(data) == (50, 64)
