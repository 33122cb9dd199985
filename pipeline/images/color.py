"""Find the color space of a picture, and convert its pixels to sRGB by littlecms.

The space of a PNG is in cICP, iCCP, sRGB, or gAMA with cHRM, in this order; that of an AVIF in an ICC profile
or nclx; that of all others in an ICC profile. What is broken or does not fit is ignored. Codes of HDR (PQ and
HLG), of a narrow range and of rare curves are named and not converted, unless something else tells the space.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from pipeline.images.containers import unpack_profile

# Codes of ITU-T H.273: x and y of red, green, blue and white.
D65, C_WHITE = (0.3127, 0.3290), (0.310, 0.316)
SRGB_PRIMARIES = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *D65)
NTSC_PRIMARIES = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65)
PRIMARIES = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,  # unspecified
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *C_WHITE),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    6: NTSC_PRIMARIES,
    7: NTSC_PRIMARIES,
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *C_WHITE),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
}
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # of IEC 61966-2-1
SMPTE_240M_CURVE = (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 4 * 0.0228)
# Chromium and most players show the transfers of video (1, 6, 14, 15) as that of sRGB: H.273 gives the curve
# of cameras for them. An unspecified one (2) is sRGB too.
TRANSFERS: dict[int, Sequence[float]] = dict.fromkeys((1, 2, 6, 13, 14, 15), SRGB_CURVE)
TRANSFERS |= {4: (2.2,), 5: (2.8,), 7: SMPTE_240M_CURVE, 8: (1.0,)}
FULL_RANGE_RGB = b"\0\1"  # the last two bytes of cICP: matrix and range
SRGB_GAMMA = 0.45455  # the value of gAMA for sRGB
D50 = (0.9642, 1.0, 0.8249)  # XYZ of the white of ICC profiles
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB = ImageCms.createProfile("sRGB")
COLORANTS = (b"rXYZ", b"gXYZ", b"bXYZ")
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # of Pillow for the spaces of ICC
GRID_POINTS = {"L": 255}  # by those that littlecms takes itself, dark gray would be 10 levels off
DARKEST_WHITE = 192  # a profile is broken if it turns white into less
STEPS = 16  # of 16-bit levels between two of 8 bits


@dataclass(frozen=True)
class Space:
    """The name of a color space, "" for sRGB, and the conversion of 8-bit pixels of a mode, None for none."""

    name: str = ""
    mode: str = "RGB"
    transform: ImageCms.ImageCmsTransform | None = None


def find_space(
    mode: str, icc: bytes | None, notes: Mapping[bytes, bytes], nclx: tuple[int, int] | None
) -> Space:
    """Find the space of a picture by its ICC profile, the chunks of a PNG or the nclx of an AVIF."""
    unknown = Space()
    for name, profile in list_profiles(icc, notes, nclx):
        if profile is None:
            unknown = Space(unknown.name or f"{name}, not converted")
            continue
        with suppress(OSError, ImageCms.PyCMSError):
            return read_space(name, profile, mode) if profile else Space()
    return unknown


def list_profiles(
    icc: bytes | None, notes: Mapping[bytes, bytes], nclx: tuple[int, int] | None
) -> Iterator[tuple[str, bytes | None]]:
    """Yield name and ICC profile of what describes the colors, by precedence.

    b"" stands for sRGB, None for codes that are not converted.
    """
    cicp = notes.get(b"cICP", b"")
    if len(cicp) == 4:
        in_full_range = cicp[2:] == FULL_RANGE_RGB
        yield name_codes("cICP", cicp), coded_profile(cicp[0], cicp[1]) if in_full_range else None
    if icc := icc or unpack_profile(notes.get(b"iCCP", b"")):
        yield "ICC", icc
    if b"sRGB" in notes:
        yield "sRGB", b""
    if b"gAMA" in notes or b"cHRM" in notes:
        yield "gAMA", gamma_profile(notes.get(b"gAMA", b""), notes.get(b"cHRM", b""))
    if nclx:
        yield name_codes("nclx", nclx), coded_profile(*nclx)


def name_codes(kind: str, codes: Iterable[int]) -> str:
    return f"{kind} {'/'.join(map(str, codes))}"


@lru_cache(maxsize=16)
def read_space(name: str, profile: bytes, mode: str) -> Space:
    """Read an ICC profile for pixels of a mode; it is sRGB if it changes them by a level at most.

    Gray pixels may have a profile of RGB, as in browsers. Raise OSError or PyCMSError for a profile that is
    broken, or that describes another mode.
    """
    described = MODES.get(profile[16:20], "")
    if described != mode and (mode, described) != ("L", "RGB"):
        raise ImageCms.PyCMSError("the profile is for another mode")
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    flags = ImageCms.Flags(GRID_POINTS.get(described, 0) << 16)
    transform = ImageCms.buildTransform(source, SRGB, described, "RGB", flags=flags)
    lattice = make_lattice(described)
    left = np.asarray(lattice.convert("RGB"), np.int16)
    right = np.asarray(transform.apply(lattice), np.int16)
    if right[left.min(axis=2) == 255].min() < DARKEST_WHITE:
        raise ImageCms.PyCMSError("the profile makes white dark")
    if np.abs(left - right).max() <= 1:
        return Space()
    known_as = describe_profile(source) if name == "ICC" else ""
    return Space(f"{name} {known_as}".strip(), described, transform)


def describe_profile(source: ImageCms.ImageCmsProfile) -> str:
    """Return what an ICC profile calls itself, in at most 64 printable characters."""
    try:
        description = source.profile.profile_description or ""
    except ValueError:  # no text in the encoding that it should have
        return ""
    return "".join(filter(str.isprintable, description))[:64]


def make_lattice(mode: str) -> Image.Image:
    """Make a picture of pixels that cover a mode, black and white among them."""
    channels = Image.getmodebands(mode)
    grid = 17 * np.indices((16,) * channels, np.uint8).reshape(channels, -1)
    return Image.frombytes(mode, (16, grid.shape[1] // 16), grid.T.tobytes())


def coded_profile(primaries: int, transfer: int) -> bytes | None:
    """Build the profile of two codes of H.273; None for those that are not converted."""
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        return None
    return build_profile(PRIMARIES[primaries], TRANSFERS[transfer])


def gamma_profile(gama: bytes, chrm: bytes) -> bytes:
    """Build the profile of the chunks gAMA and cHRM; b"" if they mean sRGB or describe no space."""
    gamma = int.from_bytes(gama, "big") / 1e5 or SRGB_GAMMA
    primaries = SRGB_PRIMARIES
    if len(chrm) == 32:
        white_x, white_y, *others = (part / 1e5 for part in struct.unpack(">8I", chrm))
        primaries = (*others, white_x, white_y)
    if not 0.1 <= gamma <= 10:
        return b""
    like_srgb = abs(gamma / SRGB_GAMMA - 1) < 0.011  # 0.45 as well
    if like_srgb and np.allclose(primaries, SRGB_PRIMARIES, rtol=0, atol=0.005):
        return b""
    try:
        return build_profile(primaries, (1 / gamma,) if gama else SRGB_CURVE)
    except (struct.error, ZeroDivisionError, np.linalg.LinAlgError):
        return b""


def build_profile(primaries: Sequence[float], curve: Sequence[float]) -> bytes:
    """Build an ICC profile (ICC.1:2010) of primaries and white, and a parametric curve of its type 0 or 3.

    Raise ZeroDivisionError, LinAlgError or struct.error for numbers that describe no space.
    """
    red, green, blue, white = (
        np.array([x / y, 1, (1 - x - y) / y]) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    colorants = np.stack([red, green, blue], axis=1)
    colorants = adapt_to_d50(white) @ colorants * np.linalg.solve(colorants, white)
    kind = {1: 0, 5: 3}[len(curve)]
    tags = {
        name: b"XYZ \0\0\0\0" + fixed(*column) for name, column in zip(COLORANTS, colorants.T, strict=True)
    }
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + fixed(*D50)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), struct.pack(">4s4xHxx", b"para", kind) + fixed(*curve))
    offset, table, bodies = 132 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, offset + len(bodies), len(body))
        bodies += body
    size = offset + len(bodies)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp") + fixed(
        *D50
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def adapt_to_d50(white: np.ndarray) -> np.ndarray:
    """Return the matrix (3, 3) that adapts XYZ from a white to D50, after Bradford."""
    gain = (BRADFORD @ D50) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ (gain[:, None] * BRADFORD)


def fixed(*numbers: float) -> bytes:
    """Write numbers as s15Fixed16."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def convert(image: Image.Image, space: Space) -> Image.Image:
    """Convert a Pillow image of 8 bits to sRGB, without its transparency."""
    if space.transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy it
    return space.transform.apply(image if image.mode == space.mode else image.convert(space.mode))


def convert_deep(levels: np.ndarray, space: Space) -> np.ndarray:
    """Convert uint16 RGB levels (H, W, 3), of which all channels are equal if `space` is gray, to uint8 sRGB.

    Pillow gives littlecms only 8 bits, so that the darks of linear pictures would band. The mean over several
    thresholds of rounding interpolates between them.
    """
    if space.transform is None:
        return narrow(levels)
    total = np.zeros(levels.shape, np.uint16)
    for step in range(STEPS):
        nearby = narrow(levels, (2 * step + 1) * 257 // (2 * STEPS))
        total += np.asarray(convert(Image.fromarray(nearby), space))
    return ((total + STEPS // 2) // STEPS).astype(np.uint8)


def narrow(levels: np.ndarray, threshold: int = 128) -> np.ndarray:
    """Scale uint16 to uint8, rounded at the half, or up from another threshold of 257."""
    raised = np.minimum(levels, 65535 - threshold) + np.uint16(threshold)
    return (raised // np.uint16(257)).astype(np.uint8)
