"""Hats, hair ornaments, cat ears and horns."""

import numpy as np

from pipeline.booru.artist.choices import CLOTH, HAIR
from pipeline.booru.artist.clothes import draw_bow
from pipeline.booru.artist.colors import GOLD, LIP, Color, mix, rgb, shade, tint
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import band, bezier, blob, curve, oval, star, symmetric
from pipeline.booru.artist.sitter import Portrait

# half the width of the brim, the height of its ends, and the crown from left to right
BRIMMED_HATS = {
    "witch_hat": (0.88, -0.22, [(-0.37, -0.6), (-0.21, -0.92), (0.02, -1.13), (0.28, -1.17), (0.40, -1.04),
                                (0.22, -1.02), (0.18, -0.88), (0.36, -0.6)]),
    "straw_hat": (0.92, -0.25, [(-0.46, -0.56), (-0.33, -0.76), (0, -0.82), (0.33, -0.76), (0.46, -0.56)]),
    "top_hat": (0.64, -0.40, [(-0.42, -0.7), (-0.46, -0.99), (0, -1.02), (0.46, -0.99), (0.42, -0.7)]),
}  # fmt: skip
# the contour of a hat that fits the skull closely
DOME = np.concatenate(
    [oval(0, -0.16, 0.51, 0.54, 185, 355), bezier((0.50, -0.20), (0, -0.34), (-0.50, -0.20))]
)


def draw_headwear(head: Ink, sitter: Portrait) -> None:
    color, side = rgb(CLOTH[sitter.accent_color]), sitter.side
    if sitter.hat in BRIMMED_HATS:
        draw_brimmed_hat(head, sitter.hat, color, side)
    elif sitter.hat == "beret":
        draw_beret(head.at(0.05 * side, -0.47, degrees=10 * side), color, side)
    elif sitter.hat == "beanie":
        draw_beanie(head, color)
    elif sitter.hat == "cap":
        draw_cap(head, color)
    else:
        draw_ornament(head, sitter.ornament, color, side)


def draw_ornament(head: Ink, worn: str, color: Color, side: int) -> None:
    aside = head.at(0.34 * side, -0.30, degrees=18 * side)
    if worn == "crown":
        draw_crown(head.at(0, -0.56))
    elif worn == "bow":
        draw_bow(head.at(0.30 * side, -0.46, 1.25, 25 * side), color)
    elif worn == "hairclip":
        for y in (0, 0.07):
            clip = blob((-0.09, y - 0.02), (0.09, y - 0.025), (0.1, y + 0.015), (-0.09, y + 0.02))
            aside.cel(clip, GOLD, (0, -0.01), 0.8)
    elif worn == "star":
        aside.cel(star(0, 0, 0.12), GOLD, (-0.01, -0.02))
    elif worn == "flower":
        draw_flower(aside, color)
    elif worn == "hairband":
        head.cel(band(oval(0, -0.05, 0.49, 0.47, 190, 350), 0.085), color, (-0.01, -0.02))
    elif worn == "headphones":
        head.cel(band(oval(0, -0.04, 0.50, 0.60, 180, 360), 0.07), color, (-0.01, -0.02))
        head.pair(blob((0.43, -0.1), (0.54, -0.07), (0.57, 0.07), (0.54, 0.22), (0.43, 0.24)), color)


def draw_ears_and_horns(head: Ink, sitter: Portrait) -> None:
    hair = rgb(HAIR[sitter.hair_color])
    if sitter.ornament == "ears":
        head.pair(blob((0.10, -0.45), (0.16, -0.62), (0.42, -0.86), (0.48, -0.50), (0.42, -0.20)), hair)
        head.pair(blob((0.22, -0.52), (0.39, -0.76), (0.42, -0.5), (0.36, -0.3)), rgb("#f4b3b8"), weight=0.7)
    elif sitter.ornament == "horns":
        horn = curve([(0.16, -0.46), (0.32, -0.68), (0.32, -0.90), (0.46, -0.70), (0.38, -0.40)])
        head.pair(horn, rgb("#75646b"))
        for y in (-0.62, -0.69):
            head.strokes(bezier((0.29, y), (0.36, y + 0.04), (0.44, y + 0.01)), 0.7)


def draw_brimmed_hat(head: Ink, kind: str, color: Color, side: int) -> None:
    color, trim = (rgb("#ecd08a"), color) if kind == "straw_hat" else (color, mix(color, GOLD, 0.75))
    wide, drop, crown = BRIMMED_HATS[kind]
    brim = symmetric([(0, -0.48), (wide * 0.6, -0.42), (wide, drop), (wide / 2, -0.25), (0, -0.20)])
    head.cel(curve(brim, closed=True), color, (0, -0.04))
    foot = bezier((0.47, -0.36), (0, -0.24), (-0.47, -0.36))
    rise = curve([foot[-1], *(np.array(crown) * (side, 1))[::side], foot[0]])
    shape = np.concatenate([rise[:-1], foot[:-1]])
    head.cel(shape, color, (-0.04, -0.02))
    with head.inside(shape) as part:
        part.cel(np.concatenate([foot, foot[::-1] * (1.1, 1) - (0, 0.13)]), trim, (0, -0.02))
    head.outline(shape)
    if kind == "straw_hat":
        for y in (-0.56, -0.63, -0.70):
            head.stroke(bezier((-0.43, y), (0, y + 0.12), (0.43, y)), 0.6, shade(color, 1.2), ends=(0, 0))
        for x in (0.52, 0.66, 0.8):
            plait = bezier((x, -0.40 + 0.05 * x), (x + 0.03, -0.33), (x - 0.02, -0.26))
            head.strokes(plait, 0.6, shade(color, 1.2), ends=(0, 0))
    elif kind == "witch_hat":
        head.outline([(-0.07, -0.42), (0.07, -0.42), (0.07, -0.31), (-0.07, -0.31)], 2.2, GOLD)


def draw_beret(ink: Ink, color: Color, side: int) -> None:
    above = [(-0.50, 0.12), (-0.54, -0.06), (-0.28, -0.24), (0.12, -0.27), (0.50, -0.12), (0.62, 0.08)]
    shape = blob(*above, (0.48, 0.17), (0.2, 0.11), (-0.2, 0.11))
    ink.cel(shape * (side, 1), color, (-0.04, -0.05))
    ink.stroke(bezier((-0.03, -0.22), (0, -0.3), (0.04, -0.32)), 2.5)


def draw_beanie(head: Ink, color: Color) -> None:
    head.cel(DOME, color, (-0.04, -0.04))
    head.cel(oval(0, -0.78, 0.13, 0.12), tint(color, 0.6), (-0.03, -0.03))
    brow = bezier((0.52, -0.22), (0, -0.36), (-0.52, -0.22))
    head.cel(band(brow, 0.16), tint(color, 0.25), (0, -0.03))
    for x in np.linspace(-0.42, 0.42, 9):
        head.stroke([(x, -0.37 + 0.25 * x * x), (x * 1.02, -0.25 + 0.25 * x * x)], 0.7, ends=(0.6, 0.6))


def draw_cap(head: Ink, color: Color) -> None:
    head = head.at(0, -0.05)
    head.cel(DOME, color, (-0.04, -0.04))
    head.strokes(bezier((0.044, -0.69), (0.22, -0.6), (0.24, -0.27)), 0.7)
    bill = [(0, -0.32), (0.2, -0.31), (0.40, -0.25), (0.44, -0.10), (0.2, -0.07), (0, -0.065)]
    head.cel(curve(symmetric(bill), closed=True), shade(color, 0.5), (0, -0.04))
    head.cel(oval(0, -0.70, 0.035, 0.02), color, (0, -0.01), 0.8)


def draw_crown(ink: Ink) -> None:
    half = [(0, -0.22), (0.12, -0.05), (0.26, -0.16), (0.22, 0.06), (0.1, 0.085), (0, 0.09)]
    ink.cel(symmetric(half), GOLD)
    for x, y in ((-0.26, -0.17), (0, -0.23), (0.26, -0.17)):
        ink.cel(oval(x, y, 0.03, 0.03), LIP, (-0.008, -0.008), 0.8)
    ink.cel(oval(0, 0, 0.035, 0.045), rgb("#4c9ad6"), (-0.008, -0.01), 0.8)


def draw_flower(ink: Ink, color: Color) -> None:
    for degrees in range(0, 360, 72):
        ink.at(degrees=degrees).cel(oval(0, -0.085, 0.058, 0.07), color, (-0.008, -0.01), 0.8)
    ink.cel(oval(0, 0, 0.045, 0.045), GOLD, (-0.008, -0.01), 0.8)
