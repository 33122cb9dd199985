"""The head: ears, face, eyes, brows, nose, mouth and glasses."""

import numpy as np

from pipeline.booru.artist.choices import EYES, HAIR, MOODS
from pipeline.booru.artist.colors import GOLD, LINE, LIP, WHITE, Color, mix, rgb, shade, tint
from pipeline.booru.artist.hair import front_hair
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import bezier, blob, curve, moved, oval, symmetric
from pipeline.booru.artist.sitter import Portrait


def draw_head(head: Ink, sitter: Portrait) -> None:
    draw_ears(head, sitter)
    draw_face(head, sitter)
    for side in (-1, 1):
        draw_eye(head, sitter, side)
    draw_nose_and_mouth(head, sitter)
    draw_glasses(head, sitter)


def face_shape(sitter: Portrait) -> np.ndarray:
    """Return the contour of the face: a girl's chin is short, a boy's longer."""
    narrow, long = 0.04 * sitter.chin, 0 if sitter.girl else 0.03
    temple = [(0, -0.5), (0.25, -0.46), (0.40, -0.28), (0.432, -0.05), (0.42, 0.12)]
    cheek = [(0.372 - narrow / 2, 0.275), (0.255 - narrow, 0.405 + long)]
    chin = [(0.10 - narrow, 0.492 + long), (0, 0.51 + long + narrow / 3)]
    return curve(symmetric(temple + cheek + chin), closed=True)


def draw_face(head: Ink, sitter: Portrait) -> None:
    skin, shape = rgb(sitter.skin), face_shape(sitter)
    shadow = mix(shade(skin, 0.55), rgb("#e08a80"), 0.15)
    head.fill(shape, shadow)
    with head.inside(shape) as part:
        part.wash(moved(shape, -0.035, -0.03), tint(skin, 0.1), skin)
        part.fill(moved(front_hair(sitter), 0.02, 0.06), shadow)
        for x in (-0.27, 0.27):
            part.glow((x, 0.27), (0.11, 0.07), rgb("#f2746b"), 0.5 if sitter.blush else 0.14)
    head.outline(shape)
    if sitter.blush:
        for x in (0.23, 0.27, 0.31):
            head.strokes([(x + 0.012, 0.25), (x - 0.012, 0.285)], 0.6, mix(rgb("#e0524f"), skin, 0.25))
    if sitter.mark == "freckles":
        for x, y in ((0.19, 0.25), (0.24, 0.27), (0.29, 0.25), (0.22, 0.295), (0.275, 0.30)):
            head.strokes([(x - 0.006, y), (x + 0.006, y)], 1.6, shade(skin, 1.6), ends=(1, 1))
    elif sitter.mark == "mole":
        head.fill(oval(-0.24 * sitter.side, 0.29, 0.015, 0.015), LINE)


def draw_ears(head: Ink, sitter: Portrait) -> None:
    tip = (0.66, -0.10) if sitter.pointy_ears else (0.505, 0.03)
    head.pair(blob((0.40, 0.0), tip, (0.52, 0.14), (0.46, 0.26), (0.39, 0.27)), rgb(sitter.skin))
    head.strokes(curve([(0.485, 0.06), (0.455, 0.12), (0.46, 0.20)]), 0.8)
    if sitter.earrings:
        head.pair(oval(0.465, 0.31, 0.028, 0.042), GOLD, (-0.008, -0.01), 0.7)


def draw_eye(head: Ink, sitter: Portrait, side: int) -> None:
    lids, height = MOODS[sitter.mood][1], 0.115 if sitter.girl else 0.094
    middle, size = np.array((0.195 * side, 0.115)), np.array((0.108, height)) * sitter.eye_size
    if lids == "closed" or (lids == "wink" and side != sitter.side):
        lid = curve([(-1, 0.35), (-0.5, -0.1), (0.1, -0.2), (0.7, 0.05), (1.05, 0.45)])
        lash = bezier((0.75, 0.1), (1.0, 0.1), (1.2, 0))
        head.stroke(lid * (side, 1) * size + middle, 2.2, ends=(0.3, 0.5))
        head.stroke(lash * (side, 1) * size + middle, 1.2, ends=(0.3, 0.5))
        return
    upper, lower = (lid * (side, 1) * size + middle for lid in eyelids(sitter.eyes, lids))
    white = np.concatenate([upper, lower[::-1]])
    head.fill(white, rgb("#fdfbfa"))
    with head.inside(white) as part:
        part.stroke(moved(upper, 0, 0.02), 6, rgb("#c9c2d6"), ends=(1, 1))
        seen = middle + np.array((0.022 * sitter.gaze, 0.004))
        draw_iris(part, rgb(EYES[sitter.eye_color]), seen, size * (0.66, 0.92))
    draw_lashes(head, upper, lower, side, sitter.girl)


def eyelids(eyes: str, lids: str) -> list[np.ndarray]:
    """Return the upper and the lower lid of an eye on the right, in halves of its width and height."""
    slant = {"round": 0.0, "sharp": -0.22, "droopy": 0.2}[eyes]
    upper = curve([(-1, 0.2), (-0.72, -0.45), (-0.1, -0.95), (0.55, -0.75), (0.95, -0.05)])
    lower = curve([(-1, 0.2), (-0.72, 0.72), (0, 0.98), (0.62, 0.72), (0.95, -0.05)])
    upper[:, 1] = np.maximum(upper[:, 1], -0.25 if lids == "half" else -1)
    return [np.stack([lid[:, 0], lid[:, 1] + slant * (lid[:, 0] + 0.2)], axis=1) for lid in (upper, lower)]


def draw_iris(part: Ink, color: Color, middle: np.ndarray, size: np.ndarray) -> None:

    def spot(x: float, y: float, rx: float, ry: float) -> np.ndarray:
        return oval(*(middle + size * (x, y)), *(size * (rx, ry)))

    part.fill(spot(0, 0, 1, 1), shade(color, 2.2))
    part.wash(spot(0, 0, 0.88, 0.9), shade(color, 1.7), tint(color, 0.25))
    part.fill(spot(0, 0.5, 0.55, 0.28), tint(color, 0.5))
    part.fill(spot(0, 0, 0.42, 0.48), shade(color, 2.6))
    part.fill(spot(-0.36, -0.42, 0.34, 0.3), WHITE)
    part.fill(spot(0.42, 0.42, 0.16, 0.14), WHITE)


def draw_lashes(head: Ink, upper: np.ndarray, lower: np.ndarray, side: int, long: bool) -> None:
    """Draw the lines of both lids, the fold above, and lashes at the outer corner."""
    head.stroke(upper, 3.0 if long else 2.3, ends=(0.35, 0.6))
    head.stroke(lower[len(lower) // 2 :], 1.0, ends=(0.1, 0.8))
    fold = upper[len(upper) // 4 : -len(upper) // 5]
    head.stroke(fold * (1, 0.8) + (0, fold[:, 1].min() * 0.2 - 0.03), 0.7, mix(LINE, LIP, 0.4), ends=(0, 0))
    lashes = [(0.04, -0.015, 1), (0.035, -0.045, 5)] if long else [(0.025, 0, 1)]
    for x, y, back in lashes:
        root, tip = upper[-back], upper[-1] + np.array((x * side, y))
        head.stroke(bezier(root, root + np.array((x * side * 0.6, y * 0.2)), tip), 1.8, ends=(1, 0))


def draw_brows(head: Ink, sitter: Portrait) -> None:
    inner, outer = {
        "raised": (-0.10, -0.085), "level": (-0.065, -0.06), "angry": (-0.02, -0.10),
        "worried": (-0.11, -0.045),
    }[MOODS[sitter.mood][0]]  # fmt: skip
    color = mix(shade(rgb(HAIR[sitter.hair_color]), 1.3), LINE, 0.6)
    brow = bezier((0.10, inner), (0.21, min(inner, outer) - 0.035), (0.31, outer))
    head.strokes(brow, 1.6 if sitter.girl else 2.6, color, ends=(0.7, 0.1))


def draw_nose_and_mouth(head: Ink, sitter: Portrait) -> None:
    mouth = MOODS[sitter.mood][2]
    head.stroke(bezier((0.008, 0.235), (0.025, 0.262), (-0.004, 0.268)), 0.9)
    if mouth == "laugh":
        lips = blob((-0.11, 0.335), (0, 0.35), (0.11, 0.335), (0.07, 0.41), (0, 0.435), (-0.07, 0.41))
        draw_open_mouth(head, lips)
    elif mouth == "gasp":
        draw_open_mouth(head, oval(0, 0.37, 0.04, 0.05))
    else:
        head.stroke([(-0.025, 0.425), (0.025, 0.425)], 0.6, shade(rgb(sitter.skin), 1.2))
        draw_closed_mouth(head, mouth)


def draw_closed_mouth(head: Ink, mouth: str) -> None:
    if mouth == "cat":
        head.strokes(bezier((0, 0.35), (0.055, 0.41), (0.10, 0.345)), 1.2)
        return
    left, middle, right = {
        "smile": (0.345, 0.40, 0.345), "closed": (0.362, 0.368, 0.362), "frown": (0.385, 0.345, 0.385),
        "smirk": (0.372, 0.388, 0.335),
    }[mouth]  # fmt: skip
    wide = 0.06 if mouth == "closed" else 0.095
    head.stroke(bezier((-wide, left), (0, middle), (wide, right)), 1.3)


def draw_open_mouth(head: Ink, lips: np.ndarray) -> None:
    top, bottom = lips[:, 1].min(), lips[:, 1].max()
    head.fill(lips, LIP)
    with head.inside(lips) as part:
        part.fill(oval(0, bottom + 0.005, 0.06, (bottom - top) * 0.45), rgb("#ee8d8a"))
        part.fill(oval(0, top - 0.005, 0.09, 0.022), WHITE)
    head.outline(lips, 1.1)


def draw_glasses(head: Ink, sitter: Portrait) -> None:
    if not sitter.glasses:
        return
    square = blob((-0.15, -0.10), (0.15, -0.10), (0.15, 0.04), (0.10, 0.115), (-0.10, 0.115), (-0.15, 0.04))
    lens = oval(0, 0, 0.15, 0.145) if sitter.glasses == "round" else square
    for x in (-0.195, 0.195):
        head.outline(moved(lens, x, 0.125), 1.5)
        head.stroke([(x - 0.10, 0.20), (x - 0.03, 0.06)], 1.2, WHITE)
    head.strokes([(0.345, 0.09), (0.44, 0.06)], 1.4)
    head.stroke(bezier((-0.05, 0.11), (0, 0.085), (0.05, 0.11)), 1.5)
