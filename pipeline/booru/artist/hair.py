"""The hair: bangs, locks next to the cheeks, hair behind, tails, buns and braids."""

from random import Random

import numpy as np
from numpy.typing import ArrayLike

from pipeline.booru.artist.choices import CLOTH, HAIR
from pipeline.booru.artist.clothes import draw_bow
from pipeline.booru.artist.colors import LINE, Color, mix, rgb, shade, tint
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import band, bezier, curve, moved, normals, oval, symmetric, taper
from pipeline.booru.artist.sitter import Portrait, between

# the height of the gaps between the locks over the brow, and the tips of the locks from left to right
FRINGES = {
    "blunt": (-0.06, [(-0.36, 0.01), (-0.23, -0.01), (-0.08, -0.02), (0.07, -0.02), (0.22, -0.01),
                      (0.35, 0.01)]),
    "between": (-0.17, [(-0.39, 0.08), (-0.24, 0.00), (0.02, 0.13), (0.22, -0.01), (0.38, 0.07)]),
    "parted": (-0.24, [(-0.42, 0.14), (-0.33, 0), (-0.20, -0.12), (0.20, -0.12), (0.33, 0), (0.42, 0.14)]),
    "swept": (-0.17, [(-0.42, 0.12), (-0.30, 0.05), (-0.14, 0.01), (0.03, -0.05), (0.40, 0.08)]),
    "over_eye": (-0.16, [(-0.41, 0.10), (-0.28, 0.00), (-0.12, -0.04), (0.24, 0.38)]),
}  # fmt: skip


def front_hair(sitter: Portrait) -> np.ndarray:
    """Return the contour of the hair in front: along the crown to the left and back along the bangs."""
    return np.concatenate([crown_line(sitter), *(edge for lock in bangs(sitter) for edge in lock)])


def crown_line(sitter: Portrait) -> np.ndarray:
    """Return the contour of the crown, smooth or spiky, from the right temple to the left."""
    smooth = oval(0, -0.08, 0.487, 0.53, 20, -200) * sitter.volume
    if sitter.hairstyle != "spiky":
        return smooth
    dice, spikes = Random(f"spikes {sitter.seed}"), []
    for root, after in zip(smooth[:-4:4], smooth[4::4], strict=True):
        out = (root + after) / 2
        reach = 1.08 if sitter.hat and out[1] < -0.25 else between(dice, 1.22, 1.36)
        tip = out * reach + (0.05 * sitter.side, 0.12 * abs(out[0]))
        rise, fall = (root + tip) / 2 + out * 0.06, (after + tip) / 2 - out * 0.04
        spikes += [bezier(root, rise, tip, 6), bezier(tip, fall, after, 6)]
    return np.concatenate(spikes)


def bangs(sitter: Portrait) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the two edges of every lock over the brow, from left to right."""
    gap, fringe = FRINGES[sitter.bangs]
    dice = Random(f"bangs {sitter.seed}")
    tips = np.array(fringe)[::-1] * (-1, 1) if sitter.flipped else np.array(fringe)
    tips = tips + [(between(dice, -0.02, 0.02), between(dice, -0.02, 0.02)) for _ in tips]
    gaps = (tips[1:] + tips[:-1]) / 2
    heights = np.where(np.diff(tips[:, 0]) > 0.37, gap - 0.16, gap)  # wide gaps open higher
    gaps[:, 1] = [y + between(dice, -0.03, 0.03) for y in heights]
    roots = np.concatenate([[(-0.475, 0.10)], gaps, [(0.475, 0.10)]]) * (sitter.volume, 1)

    def edge(root: np.ndarray, tip: np.ndarray) -> np.ndarray:
        return bezier(root, root * (0.7, 0.4) + tip * (0.3, 0.6), tip)

    return [(edge(a, tip), edge(b, tip)[::-1]) for a, tip, b in zip(roots[:-1], tips, roots[1:], strict=True)]


def draw_hair_in_front(head: Ink, sitter: Portrait) -> None:
    color = rgb(HAIR[sitter.hair_color])
    draw_sheen(head, front_hair(sitter), color, bool(sitter.hat))
    head.stroke(crown_line(sitter), 1.3, ends=(0.6, 0.6))
    for left, right in bangs(sitter):
        x, y = right[-1]
        head.stroke(left, 1.1, ends=(0.4, 0.7))
        head.stroke(right, 1.1, ends=(0.7, 0.4))
        if y < 0.05:
            head.stroke(bezier((x, y), (x * 0.95, y - 0.12), (x * 0.7, y - 0.24)), 0.9, ends=(0.8, 0))
    if sitter.ahoge:
        wisp = np.array([(-0.02, -0.52), (0.02, -0.72), (0.18, -0.76)]) * (sitter.side, 1)
        draw_lock(head, wisp, 0.075, color)


def draw_sheen(head: Ink, shape: np.ndarray, color: Color, hatted: bool) -> None:
    """Paint the hair in front: two tones, a zigzag of light, fine strands, the shadow of a hat."""
    head.fill(shape, shade(color))
    with head.inside(shape) as part:
        part.wash(moved(shape, -0.02, -0.035), tint(color, 0.1), color)
        zigzag = 0.055 * taper(33, 0, 0) * (1 + 0.5 * np.cos(np.arange(33) * 2.1))
        part.fill(band(oval(-0.02, 0.06, 0.37, 0.44, 205, 325), zigzag), tint(color, 0.45))
        for x in (0.09, 0.2, 0.31, 0.4):
            strand = bezier((x * 0.5, -0.56), (x, -0.5), (x * 1.12, -0.34))
            part.strokes(strand, 0.6, mix(LINE, color, 0.35), ends=(0, 0))
        if hatted:
            part.glow((0, -0.16), (0.45, 0.09), shade(color, 2), 0.6)


def draw_side_locks(head: Ink, sitter: Portrait) -> None:
    color = rgb(HAIR[sitter.hair_color])
    short = ([(0.42, -0.15), (0.455, 0.1), (0.45, 0.25), (0.40, 0.40)], 0.09, 0)
    points, width, strands = {
        "bob": ([(0.40, -0.2), (0.50, 0.15), (0.485, 0.45), (0.36, 0.62)], 0.2, 2),
        "long": ([(0.42, -0.2), (0.48, 0.3), (0.50, 0.8), (0.44, 1.3)], 0.15, 2),
        "wavy": ([(0.42, -0.2), (0.50, 0.25), (0.46, 0.6), (0.53, 0.9), (0.46, 1.25)], 0.17, 2),
    }.get(sitter.hairstyle, short)  # fmt: skip
    plait = curve([(0.46, 0.29), (0.51, 0.60), (0.48, 0.95), (0.42, 1.25)])
    for side in (-1, 1):
        draw_lock(head, np.array(points) * (side, 1), width, color, strands)
        if sitter.hairstyle == "twin_braids" or (sitter.hairstyle == "braid" and side == sitter.side):
            draw_braid(head, plait * (side, 1), color, rgb(CLOTH[sitter.accent_color]))


def draw_hair_behind(skull: Ink, sitter: Portrait) -> None:
    color = rgb(HAIR[sitter.hair_color])
    draw_tails(skull, sitter, color)
    fall = {
        "bob": [(0.57, 0.15), (0.56, 0.42), (0.47, 0.6), (0.3, 0.65), (0, 0.6)],
        "long": [(0.54, 0.2), (0.60, 0.7), (0.64, 1.2), (0.60, 1.75), (0.47, 1.6), (0.40, 1.85), (0.22, 1.65),
                 (0, 1.8)],
        "wavy": [(0.58, 0.1), (0.55, 0.4), (0.67, 0.7), (0.62, 1), (0.72, 1.3), (0.62, 1.6), (0.66, 1.8),
                 (0.4, 1.7), (0, 1.8)],
    }.get(sitter.hairstyle, [(0.45, 0.2), (0.42, 0.38), (0.34, 0.52), (0.22, 0.5), (0, 0.56)])  # fmt: skip
    half = np.array([(0, -0.6), (0.24, -0.53), (0.40, -0.36), (0.47, -0.12), *fall])
    shape = curve(symmetric(half * (sitter.volume, 1)), closed=True)
    skull.wash(shape, color, shade(color, 0.8))
    skull.outline(shape, 1.1)
    if sitter.hairstyle in ("long", "wavy"):
        for x in (0.42, 0.5):
            strand = curve([(x, 0.3), (x * 1.08, 0.8), (x * 1.12, 1.5)])
            skull.strokes(strand, 0.8, mix(LINE, color, 0.2), ends=(0, 0.3))


def draw_tails(skull: Ink, sitter: Portrait, color: Color) -> None:
    if "twintails" in sitter.hairstyle:
        y, out = (-0.32, 0.76) if sitter.hairstyle == "twintails" else (0.32, 0.62)
        tail = np.array([(0.4, y), (out, y + 0.02), (out + 0.12, 0.5), (out + 0.02, 1), (out + 0.06, 1.45)])
        for side in (-1, 1):
            for reach, length in ((1.12, 1), (0.96, 1.07), (0.84, 0.96)):
                draw_lock(skull, tail * (side * reach, length), 0.27, color, 2)
            draw_bow(skull.at(0.48 * side, y - 0.02, 0.8), rgb(CLOTH[sitter.accent_color]))
    elif sitter.hairstyle == "ponytail":
        tail = np.array([(0.1, -0.5), (0.42, -0.74), (0.80, -0.35), (0.76, 0.3), (0.62, 0.8), (0.70, 1.25)])
        for reach in (1.1, 0.9):
            draw_lock(skull, tail * (sitter.side * reach, 1), 0.3, color, 3)
    elif sitter.hairstyle == "bun":
        draw_bun(skull.at(0, -0.68, 0.2), color)
    elif sitter.hairstyle == "double_bun":
        for x in (-0.4, 0.4):
            draw_bun(skull.at(x, -0.5, 0.17), color)


def draw_bun(ink: Ink, color: Color) -> None:
    ink.cel(oval(0, 0, 1.1, 1), color, (-0.17, -0.17))
    for radius in (0.6, 0.25):
        ink.stroke(oval(0, 0.2, radius, radius, 130, 330), 0.8, mix(LINE, color, 0.2), ends=(0, 0))


def draw_lock(ink: Ink, points: ArrayLike, width: float, color: Color, strands: int = 0) -> None:
    """Draw a lock of hair that swells along a path and ends in a point, with strands inside."""
    path = curve(points)
    widths = width * taper(len(path), 0.55, 0.02)
    ink.cel(band(path, widths), color, (-0.02, -0.01))
    for share in np.linspace(-0.22, 0.22, strands):
        inner = path + normals(path) * (share * widths)[:, None]
        middle = inner[len(inner) // 6 : -len(inner) // 6]
        ink.stroke(middle, 0.7, mix(LINE, color, 0.3), ends=(0, 0))


def draw_braid(ink: Ink, path: np.ndarray, color: Color, ribbon: Color) -> None:
    """Draw a braid from its tip upward: a tuft, a ribbon, and pairs of lobes over one another."""
    x, y = path[-1]
    draw_lock(ink, [(x, y - 0.05), (x + 0.02, y + 0.1), (x - 0.01, y + 0.24)], 0.15, color, 2)
    ink.cel(oval(x, y + 0.01, 0.06, 0.04), ribbon, (-0.01, -0.01))
    for x, y in path[-4::-3]:
        for lean in (-1, 1):
            lobe = ink.at(x + 0.042 * lean, y, degrees=-52 * lean)
            lobe.cel(oval(0, 0, 0.092, 0.056), color, (-0.012, -0.016))
            crease = bezier((-0.05, 0), (0, -0.012 * lean), (0.05, 0))
            lobe.stroke(crease, 0.6, mix(LINE, color, 0.3), ends=(0, 0))
