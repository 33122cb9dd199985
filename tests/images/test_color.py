"""Pictures of any color space are converted to sRGB, and sRGB pictures are left as they are.

The right values are those of the published matrices and formulas, in float64, applied to what Pillow reads.
"""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from handmade import chunk, png16, save, with_chunks
from made import picture
from PIL import Image, ImageCms

from pipeline.images import codec, color

P3_TO_SRGB = np.array([  # linear, CSS Color 4
    [1.2249401762805598, -0.2249401762805600, 0.0],
    [-0.0420569547096882, 1.0420569547096881, 0.0],
    [-0.0196375545903344, -0.0786360455506319, 1.0982736001409663],
])  # fmt: skip
ADOBE_TO_SRGB = np.array([
    [1.3983557439607783, -0.3983557439607783, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, -0.0429289893, 1.0429289893],
])  # fmt: skip
D50 = (0.9642, 1.0, 0.8249)
P3_COLORANTS = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_COLORANTS = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3_CHRM = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_CHRM = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
LOSSLESS = {"png": {}, "webp": {"lossless": True}, "tiff": {}, "jpeg": {"quality": 95}, "avif": {}}


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def icc(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    """Lay out an ICC profile of version 2."""
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(bodies), len(body))
        bodies += body.ljust(-4 * (-len(body) // 4), b"\0")
    head = struct.pack(">4xI4s4s4s12x4s28x", 0x02400000, kind, space, pcs, b"acsp") + fixed(*D50)
    return struct.pack(">I", 128 + len(table + bodies)) + head.ljust(124, b"\0") + table + bodies


def curve(*values: int) -> bytes:
    return struct.pack(f">4s4xI{len(values)}H", b"curv", len(values), *values)


def rgb_icc(colorants, *values: int) -> bytes:
    columns = [b"XYZ \0\0\0\0" + fixed(*column) for column in colorants]
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(*values))
    return icc(b"RGB ", tags | {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)})


def gray_icc(gamma: float) -> bytes:
    return icc(b"GRAY", {b"kTRC": curve(round(gamma * 256)), b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)})


def cmyk_icc() -> bytes:
    """Make a profile of four inks, of which all are paler than by the naive formula, at two grid points."""
    table = []
    for node in np.ndindex(2, 2, 2, 2):
        cyan, magenta, yellow, black = node
        light = (255 - 60 * cyan - 70 * magenta - 20 * yellow) * (1 - 0.7 * black)
        table += [light, 128 + 30 * magenta - 30 * cyan, 128 + 50 * yellow - 30 * cyan]
    ramp = bytes(range(256))
    body = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    body += 4 * ramp + bytes(round(max(0, value)) for value in table) + 3 * ramp
    return icc(b"CMYK", {b"A2B0": body, b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}, b"Lab ", b"prtr")


def to_linear(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Encode linear light as levels of sRGB, not rounded."""
    light = np.clip(linear, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


SRGB_TABLE = [round(65535 * float(to_linear(np.float64(level / 1023)))) for level in range(1024)]
P3_ICC = rgb_icc(P3_COLORANTS, *SRGB_TABLE)
ADOBE_ICC = rgb_icc(ADOBE_COLORANTS, 563)


def from_p3(levels: np.ndarray) -> np.ndarray:
    return to_srgb(to_linear(levels / 255) @ P3_TO_SRGB.T)


def from_adobe(levels: np.ndarray) -> np.ndarray:
    return to_srgb((levels / 255) ** 2.19921875 @ ADOBE_TO_SRGB.T)


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(1e5 * gamma)))


def chrm(*numbers: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(1e5 * number) for number in numbers)))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def raw(data: bytes) -> np.ndarray:
    """Read the levels of a file, RGB in float64, as Pillow does."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def check(decoded: np.ndarray, expected: np.ndarray, worst: float = 2.0) -> None:
    """Compare levels: rounding alone makes a mean difference of 0.25."""
    difference = np.abs(decoded - expected)
    assert difference.mean() < 0.6
    assert difference.max() < worst


VIVID = picture(1)
GRAY = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
PLAIN = save(Image.fromarray(VIVID))
P3_TEST = from_p3(VIVID.astype(float))


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize(("profile", "expect"), [(P3_ICC, from_p3), (ADOBE_ICC, from_adobe)])
def test_an_icc_profile_is_applied_in_every_format(form, profile, expect):
    data = save(Image.fromarray(VIVID), form, icc_profile=profile, **LOSSLESS[form])
    expected = expect(raw(data))
    assert np.abs(expected - raw(data)).max() > 10
    check(codec.decode(data), expected)
    assert codec.read_header(data).colors_from == "ICC"


def test_a_palette_is_converted_too():
    palette = Image.fromarray(VIVID).quantize(16)
    data = save(palette, icc_profile=P3_ICC)
    check(codec.decode(data), from_p3(raw(data)))


@pytest.mark.parametrize(
    ("mode", "form"), [("L", "png"), ("L", "tiff"), ("L", "jpeg"), ("LA", "png"), ("LA", "tiff")]
)
def test_gray_follows_a_gray_profile(mode, form):
    data = save(GRAY.convert(mode), form, icc_profile=gray_icc(1.0))
    check(codec.decode(data), to_srgb(raw(data) / 255))
    assert codec.read_header(data).colors_from == "ICC"


@pytest.mark.parametrize("depth", [8, 16])
def test_gray_may_have_a_profile_of_rgb_as_in_browsers(depth):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    data = save(GRAY, icc_profile=ADOBE_ICC) if depth == 8 else png16(257 * levels, iccp(ADOBE_ICC))
    check(codec.decode(data), to_srgb((levels[..., None] / 255) ** 2.19921875), 1.5)


def test_the_profile_of_a_gif_is_ignored_as_in_browsers():
    data = save(Image.fromarray(VIVID).quantize(16), "gif")
    palette_end = 13 + 6 * 2 ** (data[10] & 7)
    parts = (ADOBE_ICC[start : start + 255] for start in range(0, len(ADOBE_ICC), 255))
    block = b"\x21\xff\x0bICCRGBG1012" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    with_profile = data[:palette_end] + block + data[palette_end:]
    np.testing.assert_array_equal(codec.decode(with_profile), raw(data))


def test_transparent_parts_lie_on_the_white_of_srgb_after_the_conversion():
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    data = save(Image.fromarray(np.dstack([VIVID, alpha])), icc_profile=P3_ICC)
    share = alpha[..., None] / 255
    check(codec.decode(data), P3_TEST * share + 255 * (1 - share))
    assert (codec.decode_rgba(data)[..., 3] == alpha).all()


@pytest.mark.parametrize("form", ["jpeg", "tiff"])
def test_cmyk_follows_its_profile_and_is_naive_without(form):
    inks = Image.fromarray(VIVID).convert("CMYK")
    data = save(inks, form, icc_profile=cmyk_icc())
    with Image.open(io.BytesIO(data)) as stored:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(cmyk_icc()))
        expected = ImageCms.profileToProfile(
            stored, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    check(codec.decode(data), np.asarray(expected, float))
    assert np.abs(codec.decode(data) - raw(data)).mean() > 20
    plain = save(inks, form)
    np.testing.assert_array_equal(codec.decode(plain), raw(plain))


@pytest.mark.parametrize("gamma", [1.0, 0.3, 0.5])
@pytest.mark.parametrize("base", [Image.fromarray(VIVID), GRAY])
def test_gama_alone_is_a_power_by_the_primaries_of_srgb(gamma, base):
    data = with_chunks(save(base), gama(gamma))
    check(codec.decode(data), to_srgb((raw(data) / 255) ** (1 / gamma)))
    assert codec.read_header(data).colors_from == "gAMA"


def test_gama_and_chrm_make_a_space():
    data = with_chunks(PLAIN, gama(1 / 1.8), chrm(*P3_CHRM))
    check(codec.decode(data), to_srgb((VIVID / 255) ** 1.8 @ P3_TO_SRGB.T))


def test_a_white_that_is_not_d65_becomes_white():
    white = save(Image.new("RGB", (4, 4), "white"))
    data = with_chunks(white, gama(1 / 1.8), chrm(0.3457, 0.3585, *SRGB_CHRM[2:]))
    assert (codec.decode(data) >= 254).all()


@pytest.mark.parametrize(
    "chunks",
    {
        "gamma of sRGB": [gama(0.45455)],
        "0.45": [gama(0.45)],
        "fallback of sRGB": [gama(0.45455), chrm(*SRGB_CHRM)],
        "sRGB first": [chunk(b"sRGB", b"\0"), gama(1.0), chrm(*P3_CHRM)],
        "cICP of sRGB": [chunk(b"cICP", bytes([1, 13, 0, 1])), iccp(P3_ICC)],
        "cICP of video": [chunk(b"cICP", bytes([1, 1, 0, 1])), iccp(P3_ICC)],
        "zero": [chunk(b"gAMA", bytes(4))],
        "wrong CRC": [gama(1.0)[:-1] + b"x"],
        "no primaries": [gama(1.0), chrm(*[0.0] * 8)],
        "cut": [iccp(P3_ICC[:200])],
        "no profile": [iccp(b"no profile")],
        "no zlib": [chunk(b"iCCP", b"name\0\0no zlib")],
        "no ASCII": [iccp(P3_ICC[:16] + b"RG\xff " + P3_ICC[20:])],
        "of gray": [iccp(gray_icc(1.0))],
        "of CMYK": [iccp(cmyk_icc())],
        "black": [iccp(rgb_icc([(0, 0, 0)] * 3, 256))],
        "of sRGB": [iccp(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())],
    }.items(),
    ids=lambda case: case[0],
)
def test_what_is_srgb_or_cannot_be_used_changes_nothing(chunks):
    data = with_chunks(PLAIN, *chunks[1])
    np.testing.assert_array_equal(codec.decode(data), VIVID)
    assert codec.read_header(data) == codec.Header(64, 64, "")


@pytest.mark.parametrize(
    ("chunks", "name"),
    [
        ([chunk(b"cICP", bytes([12, 13, 0, 1])), iccp(ADOBE_ICC), gama(1.0)], "cICP 12/13/0/1"),
        ([iccp(P3_ICC), chunk(b"sRGB", b"\0"), gama(1.0)], "ICC"),
        ([iccp(P3_ICC + bytes(5 << 20))], "ICC"),
        ([iccp(b"no profile"), chrm(*P3_CHRM)], "gAMA"),
        ([chunk(b"cICP", bytes([9, 16, 0, 1])), iccp(P3_ICC)], "ICC"),
    ],
    ids=[
        "cICP before iCCP",
        "iCCP before sRGB",
        "iCCP of 5 MB",
        "cHRM behind a broken iCCP",
        "iCCP behind PQ",
    ],
)
def test_chunks_count_in_the_order_of_the_specification(chunks, name):
    data = with_chunks(PLAIN, *chunks)
    check(codec.decode(data), P3_TEST)
    assert codec.read_header(data).colors_from == name


@pytest.mark.parametrize(
    "codes", [(9, 16, 0, 1), (9, 18, 0, 1), (1, 13, 0, 0), (1, 17, 0, 1), (10, 13, 0, 1)]
)
def test_codes_that_are_not_converted_are_named(codes):
    data = with_chunks(PLAIN, chunk(b"cICP", bytes(codes)))
    np.testing.assert_array_equal(codec.decode(data), VIVID)
    name = f"cICP {'/'.join(map(str, codes))}, not converted"
    assert codec.read_header(data).colors_from == name


def test_the_curve_of_smpte_240m_is_undone():
    data = with_chunks(PLAIN, chunk(b"cICP", bytes([1, 7, 0, 1])))
    light = np.linspace(0, 1, 100001)
    curved = np.where(light < 0.0228, 4 * light, 1.1115 * light**0.45 - 0.1115)
    check(codec.decode(data), to_srgb(np.interp(VIVID / 255, curved, light)))


@pytest.mark.parametrize(
    ("codes", "expect", "name"),
    [
        ((12, 13), from_p3, "nclx 12/13"),
        ((1, 1), np.asarray, ""),
        ((2, 2), np.asarray, ""),
        ((9, 16), np.asarray, "nclx 9/16, not converted"),
    ],
)
def test_avif_without_icc_follows_nclx(codes, expect, name):
    data = save(Image.fromarray(VIVID), "avif")
    place = data.index(b"nclx") + 4
    data = data[:place] + struct.pack(">HH", *codes) + data[place + 4 :]
    check(codec.decode(data), expect(raw(data)))
    assert codec.read_header(data).colors_from == name


def test_the_profile_of_an_avif_counts_before_its_nclx():
    data = save(Image.fromarray(VIVID), "avif", icc_profile=ADOBE_ICC)
    place = data.index(b"nclx") + 4
    data = data[:place] + struct.pack(">HH", 12, 13) + data[place + 4 :]
    check(codec.decode(data), from_adobe(raw(data)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_linear_darks_of_sixteen_bits_do_not_band(channels):
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    levels = np.repeat(ramp[..., None], channels, axis=2)
    if channels in (2, 4):
        levels[..., -1] = 65535
    decoded = codec.decode(png16(levels, gama(1.0)))[..., 0]
    check(decoded, to_srgb(ramp / 65535), 1.5)
    assert len(np.unique(decoded)) == decoded.max() + 1  # of which 8 bits have 17
    assert (np.diff(decoded.ravel().astype(int)) >= 0).all()


def test_gray_of_sixteen_bits_follows_a_gray_profile():
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    for given in (levels, np.dstack([levels, np.full_like(levels, 65535)])):
        decoded = codec.decode(png16(given, iccp(gray_icc(1.0))))[..., 0]
        check(decoded, to_srgb(levels / 65535), 1.5)


def test_a_profile_is_never_unpacked_without_limit():
    data = with_chunks(PLAIN, iccp(bytes(200 << 20)))
    tracemalloc.start()
    np.testing.assert_array_equal(codec.decode(data), VIVID)
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_the_name_of_a_profile_is_told_without_control_characters():
    text = b"Nice\x1b[31m RGB"
    described = struct.pack(">4s4xI", b"desc", len(text) + 1) + text + bytes(80)
    profile = icc(b"RGB ", tags_of(ADOBE_ICC) | {b"desc": described})
    assert codec.read_header(with_chunks(PLAIN, iccp(profile))).colors_from == "ICC Nice[31m RGB"


def tags_of(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count))
    return {name: profile[start : start + length] for name, start, length in entries}


def test_a_built_profile_has_the_published_colorants():
    profile = color.build_profile(color.PRIMARIES[12], color.SRGB_CURVE)
    tags = tags_of(profile)
    for name, expected in zip((b"rXYZ", b"gXYZ", b"bXYZ"), P3_COLORANTS, strict=True):
        got = np.array(struct.unpack(">3i", tags[name][8:])) / 65536
        np.testing.assert_allclose(got, expected, atol=2e-4)
