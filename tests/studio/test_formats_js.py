"""Files that the page writes and reads, compared with Pillow, zipfile and a second reader of OpenRaster."""

import io
import struct
import zipfile
import zlib

import numpy as np
import openraster
import pytest
from node import ScriptError, call, call_each, needs_node
from PIL import Image, ImageCms

from pipeline.images import codec

pytestmark = needs_node

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, depth) for depth in (1, 2, 4, 8, 16)] + [(3, depth) for depth in (1, 2, 4, 8)]
KINDS += [(kind, depth) for kind in (2, 4, 6) for depth in (8, 16)]
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def pack_rows(rng, samples, depth):
    """Pack samples (H, W, C) as rows of a PNG, each with a random filter, as the specification says."""
    bits = depth * samples.shape[2]
    if depth == 16:
        rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    elif depth == 8:
        rows = samples.astype(np.uint8).reshape(len(samples), -1)
    else:
        each = np.unpackbits(samples.astype(np.uint8).reshape(len(samples), -1, 1), axis=2)[..., -depth:]
        rows = np.packbits(each.reshape(len(samples), -1), axis=1)
    back, packed = max(1, bits // 8), b""
    above = np.zeros(rows.shape[1], int)
    for row in rows.astype(int):
        left, corner = (np.concatenate([np.zeros(back, int), each])[: len(row)] for each in (row, above))
        guess = left + above - corner
        far = np.abs(guess - np.stack([left, above, corner]))
        paeth = np.choose(far.argmin(axis=0), [left, above, corner])
        filters = [np.zeros_like(row), left, above, (left + above) // 2, paeth]
        number = rng.integers(5)
        packed += bytes([number]) + ((row - filters[number]) % 256).astype(np.uint8).tobytes()
        above = row
    return packed


def make_png(rng, samples, kind, depth, interlaced=False, extra=()):
    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    passes = [samples[y::down, x::right] for x, y, right, down in ADAM7] if interlaced else [samples]
    rows = zlib.compress(b"".join(pack_rows(rng, each, depth) for each in passes if each.size))
    cut = int(rng.integers(1, len(rows)))
    body = [(b"IHDR", head), *extra, (b"IDAT", rows[:cut]), (b"IDAT", rows[cut:]), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*each) for each in body)


def read(data):
    return call("formats/png.js", "decodePng", np.frombuffer(data, np.uint8))


def read_all(files):
    return call_each("formats/png.js", "decodePng", [[np.frombuffer(data, np.uint8)] for data in files])


@pytest.mark.parametrize("interlaced", [False, True])
def test_every_kind_of_png_is_read_as_prep_reads_it(interlaced):
    rng = np.random.default_rng(interlaced)
    files = []
    for kind, depth in KINDS:
        for height, width in (1, 1), (3, 5), (9, 17), (31, 23):
            samples = rng.integers(0, 2**depth, (height, width, CHANNELS[kind]))
            extra = []
            if kind == 3:
                extra = [(b"PLTE", rng.bytes(3 * 2**depth)), (b"tRNS", rng.bytes(2 ** (depth - 1)))]
            elif kind in (0, 2) and depth not in (2, 4):  # of which Pillow compares scaled levels
                extra = [(b"tRNS", samples[0, 0].astype(">u2").tobytes())]
            files.append(make_png(rng, samples, kind, depth, interlaced, extra))
    for made, data in zip(read_all(files), files, strict=True):
        np.testing.assert_array_equal(made, codec.decode_rgba(data))


def test_a_png_is_turned_upright():
    rng = np.random.default_rng(0)
    files = []
    for orientation in range(10):
        exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
        files.append(make_png(rng, rng.integers(0, 256, (4, 7, 3)), 2, 8, extra=[(b"eXIf", exif)]))
    for made, data in zip(read_all(files), files, strict=True):
        np.testing.assert_array_equal(made, codec.decode_rgba(data))


def test_colors_of_another_space_are_left_to_the_browser():
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (4, 7, 3))
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    described = {
        "sRGB": ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))], True),
        "gamma of sRGB": ([(b"gAMA", struct.pack(">I", 45455))], True),
        "profile of sRGB": ([(b"iCCP", b"any\0\0" + zlib.compress(same))], True),
        "linear": ([(b"gAMA", struct.pack(">I", 100000))], False),
        "wide": (
            [(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))],
            False,
        ),
        "profile of another": ([(b"iCCP", b"any\0\0" + zlib.compress(other))], False),
        "broken profile": ([(b"iCCP", b"any\0\0" + zlib.compress(same[:200]))], False),
        "animation": ([(b"acTL", struct.pack(">II", 1, 0))], False),
    }
    files = [make_png(rng, samples, 2, 8, extra=extra) for extra, _ in described.values()]
    for made, data, (name, (_, own)) in zip(read_all(files), files, described.items(), strict=True):
        assert (made is not None) == own, name
        if own:
            np.testing.assert_array_equal(made, codec.decode_rgba(data))
    assert read(b"GIF89a..........") is None


def test_a_curve_of_another_gamma_is_no_srgb():
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert call("formats/profiles.js", "isSrgbProfile", np.frombuffer(bytes(profile), np.uint8))
    start = profile.index(b"para")
    profile[start + 12 : start + 16] = struct.pack(">i", round(1.8 * 65536))
    assert not call("formats/profiles.js", "isSrgbProfile", np.frombuffer(bytes(profile), np.uint8))


def test_broken_pngs_are_refused_in_a_sentence():
    rng = np.random.default_rng(0)
    data = make_png(rng, rng.integers(0, 256, (40, 40, 3)), 2, 8)
    head = data[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 5001, 8, 2, 0, 0, 0))
    broken = {
        "cut off or damaged": data[:-60],
        "a part of it is damaged": data[:100] + bytes([data[100] ^ 1]) + data[101:],
        "100 megapixels|100 are the most": head + data[33:],
        "no header": data[:8],
        "its header is damaged": data[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 3, 2, 0, 0, 0)),
        "a row of it is damaged": data[:33] + chunk(b"IDAT", zlib.compress(b"\5" * 40 * 121)) + data[-12:],
    }
    for why, bad in broken.items():
        with pytest.raises(ScriptError, match=rf"cannot be read: .*({why}).*\.'"):
            read(bad)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_that_the_page_writes_holds_the_same_pixels(channels):
    rng = np.random.default_rng(channels)
    for height, width in (1, 1), (37, 53), (300, 900):
        pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
        pixels[height // 2 :] = np.cumsum(pixels[height // 2 :] // 100, axis=1)
        image = pixels[..., 0] if channels == 1 else pixels
        data = call("formats/png.js", "encodePng", image).tobytes()
        with Image.open(io.BytesIO(data)) as opened:
            opened.verify()
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    flat = np.full((2000, 1000, 4), 200, np.uint8)
    assert call("formats/png.js", "encodePng", flat).size < 20_000


def test_a_zip_is_read_by_another_program():
    rng = np.random.default_rng(0)
    given = {"mimetype": b"image/openraster", "a/b.bin": rng.bytes(70_000), "empty": b"", "ä.txt": b"x"}
    members = [[name, np.frombuffer(body, np.uint8)] for name, body in given.items()]
    data = call("formats/zip.js", "packZip", members).tobytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == given
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    assert data == call("formats/zip.js", "packZip", members).tobytes()


def paint_layers(rng, height, width):
    """Paint lines, opaque colors, flats with holes and few strokes, and what the first two make together."""
    lines = rng.integers(0, 256, (height, width, 3), np.uint8)
    color, flats, strokes = rng.integers(0, 256, (3, height, width, 4), np.uint8)
    color[..., 3] = 255
    flats[..., 3] = np.where(rng.random((height, width)) < 0.8, 255, 0)
    strokes[..., 3] = np.where(rng.random((height, width)) < 0.2, 255, 0)
    merged = np.rint(lines / 255 * color[..., :3]).astype(np.uint8)
    return {"lines": lines, "color": color, "flats": flats, "strokes": strokes}, merged


@pytest.mark.parametrize("missing", ["", "flats"])
def test_an_openraster_file_has_the_layers_and_composes_to_the_picture(missing):
    images, merged = paint_layers(np.random.default_rng(3), 300, 40)
    images.pop(missing, None)
    data = call("formats/ora.js", "writeOra", images, merged).tobytes()
    assert [name for name, _ in openraster.layers(data)] == [*images]
    for name, pixels in openraster.layers(data):
        np.testing.assert_array_equal(pixels[..., : images[name].shape[2]], images[name])
    np.testing.assert_array_equal(openraster.merged(data)[..., :3], merged)
    assert np.abs(openraster.compose(data)[..., :3].astype(int) - merged).max() <= 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        small = np.asarray(Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png"))))
    assert small.shape == (256, 34, 4)
    assert abs(small[..., :3].mean() - merged.mean()) < 2


def test_layers_of_a_transparent_drawing_keep_its_alpha():
    rng = np.random.default_rng(5)
    images, merged = paint_layers(rng, 60, 40)
    dark, alpha = images["lines"][..., :1], rng.integers(0, 256, (60, 40), np.uint8)
    images["lines"] = np.dstack([np.zeros((60, 40, 3), np.uint8), 255 - dark])
    images["color"][..., 3] = alpha
    merged = np.dstack([np.rint(dark / 255 * images["color"][..., :3]).astype(np.uint8), alpha])
    made = openraster.compose(call("formats/ora.js", "writeOra", images, merged).tobytes())
    np.testing.assert_array_equal(made[..., 3], alpha)
    assert np.abs(made.astype(int) - merged)[alpha > 0].max() <= 1


def test_a_palette_is_read_and_written_back():
    text = "\ufeffGIMP Palette\r\nName: Skin and hair\r\nColumns: 3\r\n# made by hand\r\n"
    text += (
        "255 224 189\tlight skin\r\n  0   0   0\r\n\r\n12 300 4 too bright\r\nno color\r\n 9 8 7  dark \r\n"
    )
    made = call("formats/gpl.js", "readGpl", text)
    assert made["name"] == "Skin and hair"
    levels = [[each["pixel"] >> shift & 255 for shift in (0, 8, 16, 24)] for each in made["colors"]]
    assert levels == [[255, 224, 189, 255], [0, 0, 0, 255], [9, 8, 7, 255]]
    assert [each["name"] for each in made["colors"]] == ["light skin", "", "dark"]
    assert made["problem"] == "2 lines of the palette are no colors, and were left out; the first is line 8."
    again = call("formats/gpl.js", "writeGpl", "Skin\nand hair", made["colors"])
    assert again.splitlines()[:2] == ["GIMP Palette", "Name: Skin and hair"]
    assert "255 224 189\tlight skin" in again
    back = call("formats/gpl.js", "readGpl", again)
    assert [each["pixel"] for each in back["colors"]] == [each["pixel"] for each in made["colors"]]
    assert back["problem"] == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [("JASC-PAL\n0100", "begins with"), ("GIMP Palette\n# none\n", "has no colors"), ("", "begins")],
)
def test_a_file_that_is_no_palette_is_refused_in_a_sentence(text, why):
    with pytest.raises(ScriptError, match=why):
        call("formats/gpl.js", "readGpl", text)
