"""The clothes: one function a garment, most of them cut from `torso`."""

from collections.abc import Sequence

import numpy as np

from pipeline.booru.artist.choices import CLOTH
from pipeline.booru.artist.colors import GOLD, IVORY, LINE, WHITE, Color, mix, rgb, shade, tint
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import band, bezier, blob, curve, oval, star, symmetric
from pipeline.booru.artist.sitter import Portrait


def draw_clothes(body: Ink, sitter: Portrait) -> None:
    draw_garment = {
        "serafuku": draw_serafuku, "hoodie": draw_hoodie, "cloak": draw_cloak, "collared_shirt": draw_shirt,
        "dress": draw_dress, "sweater": draw_sweater, "kimono": draw_kimono, "blazer": draw_blazer,
        "t-shirt": draw_t_shirt, "overalls": draw_overalls,
    }[sitter.clothes]  # fmt: skip
    draw_garment(body, sitter, rgb(CLOTH[sitter.clothes_color]), rgb(CLOTH[sitter.trim_color]))


def torso(sitter: Portrait, neckline: Sequence, ease: float = 0.02) -> np.ndarray:
    """Return the contour of trunk and arms; the neckline is given from the middle to the right shoulder."""
    s = sitter.shoulder + ease
    sleeve = [(s - 0.12, 0.77), (s - 0.02, 0.86), (s + 0.05, 1.15), (s + 0.09, 1.8), (s + 0.1, 4)]
    return curve(symmetric([*neckline, *sleeve]), closed=True)


def draw_folds(body: Ink, sitter: Portrait) -> None:
    """Draw the lines between trunk and arms, and a few folds of the cloth."""
    s = sitter.shoulder
    inside = curve([(s - 0.13, 1.12), (s - 0.10, 1.5), (s - 0.12, 2.0), (s - 0.08, 4)])
    body.strokes(inside, 1.1, ends=(0.1, 1))
    body.strokes(bezier((s - 0.13, 1.18), (s - 0.22, 1.22), (s - 0.27, 1.32)), 0.8, ends=(0.6, 0))
    body.strokes(bezier((s + 0.06, 1.5), (s, 1.53), (s - 0.03, 1.6)), 0.8, ends=(0.8, 0))


def draw_serafuku(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    """Draw a sailor blouse: wide collar with a stripe, neckerchief."""
    body.cel(torso(sitter, [(0, 0.95), (0.10, 0.78), (0.17, 0.62)]), IVORY)
    draw_folds(body, sitter)
    collar = [(0.14, 0.57), (0.30, 0.66), (0.43, 0.75), (0.42, 0.88), (0.25, 0.98), (0, 1.12), (0, 0.97)]
    body.pair(collar, color)
    body.strokes([(0.37, 0.75), (0.37, 0.85), (0.22, 0.93), (0.02, 1.05)], 1.1, WHITE, ends=(1, 1))
    draw_bow(body.at(0, 1.06, 1.15), trim)


def draw_hoodie(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 0.92), (0.12, 0.85), (0.2, 0.66)], 0.06), color)
    draw_folds(body, sitter)
    body.stroke([(0, 1.0), (0, 4)], 0.9, ends=(1, 1))
    inside = [(0, 0.86), (0.12, 0.78), (0.19, 0.62), (0.24, 0.47)]
    body.pair(curve([*inside, (0.37, 0.50), (0.44, 0.66), (0.33, 0.85), (0.12, 0.98), (0, 1.02)]), color)
    for tone, weight in ((LINE, 2.6), (trim, 1.3)):
        body.strokes(curve([(0.10, 0.93), (0.12, 1.1), (0.105, 1.3)]), weight, tone, ends=(1, 1))
    body.strokes(curve([(0.12, 1.95), (0.34, 1.62), (0.40, 1.62)]), 1, ends=(1, 0.5))


def draw_cloak(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 0.86), (0.10, 0.76), (0.17, 0.62)]), trim)
    body.stroke([(0, 0.9), (0, 4)], 0.9, ends=(1, 1))
    s = sitter.shoulder
    outside = [(0.10, 0.62), (0.30, 0.66), (s, 0.80), (s + 0.16, 1.2), (s + 0.25, 1.8), (s + 0.28, 4)]
    body.pair(blob(*outside, (0.34, 4), (0.24, 1.9), (0.14, 1.3), (0.02, 0.93)), color)
    for x in (0.18, 0.38):
        body.strokes(curve([(x, 1.0), (x + 0.10, 1.5), (x + 0.16, 2.6)]), 0.8, ends=(0, 0.8))
    collar = [(0.13, 0.52), (0.24, 0.44), (0.36, 0.52), (0.32, 0.74), (0.02, 0.95), (0, 0.88)]
    body.pair(curve(collar), shade(color, 0.35))
    body.cel(oval(0, 0.93, 0.06, 0.06), GOLD, (-0.012, -0.012))
    body.fill(oval(0, 0.93, 0.032, 0.032), rgb("#c8465a"))


def draw_collar_and_tie(body: Ink, color: Color, tie: Color) -> None:
    blade = [(0, 0.80), (0.05, 0.80), (0.035, 0.88), (0.09, 1.38), (0, 1.5)]
    body.cel(symmetric(blade), tie, (-0.02, 0))
    body.stroke([(-0.04, 0.885), (0.04, 0.885)], 0.9, ends=(1, 1))
    body.pair([(0, 0.77), (0.13, 0.54), (0.20, 0.56), (0.27, 0.74), (0.13, 0.92)], color)


def draw_shirt(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 0.80), (0.10, 0.72), (0.17, 0.62)]), color)
    draw_folds(body, sitter)
    body.stroke([(0.07, 0.9), (0.07, 4)], 0.8, ends=(1, 1))
    for y in (1.55, 1.85, 2.15):
        body.cel(oval(0, y, 0.022, 0.022), tint(color, 0.6), (-0.005, -0.005), 0.7)
    body.outline([(0.19, 1.12), (0.38, 1.10), (0.38, 1.32), (0.285, 1.37), (0.19, 1.32)], 0.7)
    draw_collar_and_tie(body, tint(color, 0.3), trim)


def draw_dress(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    s = sitter.shoulder
    draw_folds(body, sitter)
    body.pair([(0.24, 0.69), (0.31, 0.72), (0.35, 1.0), (0.27, 1.0)], shade(color, 0.3))
    bodice = [(0, 0.98), (0.20, 0.93), (0.36, 0.95), (s - 0.10, 1.1), (s - 0.15, 1.6), (s - 0.18, 1.9)]
    body.cel(symmetric(curve([*bodice, (s + 0.1, 4)])), color)
    for x in np.linspace(-0.36, 0.36, 9):
        body.cel(oval(x, 0.98 - 0.2 * x * x, 0.055, 0.05), tint(trim, 0.5), (0, -0.02), 0.8)
    body.cel(symmetric([(0, 1.88), (s - 0.17, 1.85), (s - 0.165, 2.0), (0, 2.03)]), trim)
    draw_bow(body.at(0, 1.08, 0.8), trim)


def draw_sweater(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    shape = torso(sitter, [(0, 0.70), (0.10, 0.68), (0.18, 0.60)], 0.05)
    body.cel(shape, color)
    with body.inside(shape) as part:
        for y in (1.17, 1.31):
            part.fill(band(bezier((-1, y - 0.12), (0, y + 0.12), (1, y - 0.12)), 0.075), trim)
    draw_folds(body, sitter)
    neck = [(0, 0.50), (0.14, 0.48), (0.185, 0.60), (0.21, 0.71), (0.12, 0.77), (0, 0.79)]
    body.cel(symmetric(curve(neck)), tint(color, 0.15))
    for x in np.linspace(-0.14, 0.14, 7):
        body.stroke([(x, 0.55), (x * 1.25, 0.73)], 0.7, ends=(0.4, 0.4))


def draw_kimono(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 1.02), (0.12, 0.78), (0.18, 0.60)], 0.1), color, (-0.04, -0.03))
    draw_folds(body, sitter)
    edge = [(0.19, 0.56), (0.17, 0.74), (0.03, 1.02), (-0.2, 1.4), (-0.30, 1.7)]
    body.cel(band(curve(np.array(edge[:3]) * (-1, 1)), 0.12), trim, (-0.01, -0.01))
    body.cel(band(curve(edge), 0.12), trim, (-0.01, -0.01))
    body.cel(symmetric([(0, 1.62), (0.48, 1.60), (0.47, 2.0), (0, 2.02)]), mix(trim, color, 0.3))
    body.stroke(bezier((-0.48, 1.80), (0, 1.84), (0.48, 1.80)), 2, tint(trim, 0.5), ends=(1, 1))


def draw_blazer(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 0.80), (0.10, 0.72), (0.17, 0.62)]), IVORY)
    draw_collar_and_tie(body, WHITE, trim)
    s = sitter.shoulder
    shoulder = [(0.15, 0.57), (0.26, 0.675), (s - 0.10, 0.75), (s + 0.02, 0.85)]
    sleeve = [(s + 0.09, 1.2), (s + 0.13, 1.8), (s + 0.14, 4)]
    body.pair([*curve(shoulder + sleeve), (0.02, 4), (0.02, 1.62)], color)
    draw_folds(body, sitter)
    lapel = [(0.20, 0.60), (0.32, 0.72), (0.35, 0.92), (0.27, 0.96), (0.31, 1.04), (0.02, 1.62)]
    body.pair(lapel, tint(color, 0.08))
    for y in (1.7, 1.95):
        body.cel(oval(0.06, y, 0.028, 0.028), GOLD, (-0.006, -0.006), 0.8)


def draw_t_shirt(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    s = sitter.shoulder
    shape = torso(sitter, [(0, 0.86), (0.13, 0.80), (0.22, 0.67)], 0.04)
    body.cel(shape, color)
    body.cel(star(0, 1.28, 0.18) if sitter.seed % 2 else oval(0, 1.28, 0.16, 0.16), trim, (-0.02, -0.02), 0.9)
    with body.inside(shape) as part:
        part.pair([(s - 0.12, 1.42), (s + 0.2, 1.36), (s + 0.3, 4), (s - 0.10, 4)], rgb(sitter.skin))
    draw_folds(body, sitter)
    neckline = curve([(-0.25, 0.69), (-0.14, 0.85), (0, 0.92), (0.14, 0.85), (0.25, 0.69)])
    body.stroke(neckline, 0.8, ends=(0.5, 0.5))


def draw_overalls(body: Ink, sitter: Portrait, color: Color, trim: Color) -> None:
    body.cel(torso(sitter, [(0, 0.80), (0.12, 0.75), (0.2, 0.64)], 0.04), trim)
    draw_folds(body, sitter)
    body.pair([(0.26, 0.68), (0.38, 0.72), (0.33, 1.08), (0.22, 1.08)], color)
    body.cel(symmetric([(0, 1.01), (0.34, 0.99), (0.36, 1.55), (0.46, 1.75), (0.5, 4)]), color)
    body.cel(symmetric([(0, 1.22), (0.19, 1.22), (0.18, 1.44), (0, 1.52)]), tint(color, 0.1), weight=0.8)
    body.pair(oval(0.275, 1.07, 0.04, 0.04), GOLD, weight=0.8)


def draw_bow(ink: Ink, color: Color) -> None:
    tail = blob((0.02, 0), (0.14, 0.2), (0.08, 0.22), (0.05, 0.25), (-0.01, 0.02))
    ink.pair(tail, shade(color, 0.4), weight=0.9)
    ink.pair(blob((0, 0), (0.13, -0.12), (0.22, -0.08), (0.2, 0.08), (0.1, 0.08)), color, weight=0.9)
    ink.strokes(bezier((0.04, 0), (0.1, -0.01), (0.13, -0.03)), 0.7, ends=(0.6, 0))
    ink.cel(oval(0, 0.01, 0.045, 0.05), color, (-0.01, -0.012), 0.9)
