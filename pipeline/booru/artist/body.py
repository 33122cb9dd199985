"""The body: neck, shoulders, neckwear, and a staff with the arm that holds it."""

import numpy as np

from pipeline.booru.artist.choices import CLOTH
from pipeline.booru.artist.clothes import draw_clothes, torso
from pipeline.booru.artist.colors import GOLD, IVORY, LINE, WHITE, WOOD, Color, rgb, shade, tint
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import band, bezier, blob, curve, oval, star, symmetric
from pipeline.booru.artist.sitter import Portrait


def draw_body(body: Ink, sitter: Portrait) -> None:
    skin = rgb(sitter.skin)
    if sitter.clothes == "hoodie":
        body.cel(oval(0, 0.62, 0.46, 0.24), shade(rgb(CLOTH[sitter.clothes_color]), 0.6))
    wide = 0.115 if sitter.girl else 0.145
    bust = torso(sitter, [(wide, 0.2), (wide, 0.45), (wide + 0.04, 0.6), (0.24, 0.70)], -0.02)
    body.cel(bust, skin)
    with body.inside(bust) as part:
        part.fill(oval(0, 0.43, 0.23, 0.25), shade(skin, 0.85))
    body.strokes(bezier((0.05, 0.80), (0.16, 0.76), (0.33, 0.78)), 0.8, ends=(0.8, 0))
    draw_clothes(body, sitter)
    draw_neckwear(body, sitter, rgb(CLOTH[sitter.accent_color]))


def draw_neckwear(body: Ink, sitter: Portrait, color: Color) -> None:
    if sitter.neckwear == "scarf":
        end = blob((0.10, 0.8), (0.26, 0.82), (0.33, 1.3), (0.14, 1.36))
        body.cel(end * (sitter.side, 1), shade(color, 0.3))
        wrap = curve([(0, 0.56), (0.2, 0.5), (0.31, 0.6), (0.29, 0.8), (0.12, 0.92), (0, 0.94)])
        body.cel(symmetric(wrap), color, (-0.03, -0.06))
        for y in (0.66, 0.77):
            fold = bezier((-0.27, y - 0.07), (0.02, y + 0.12), (0.28, y))
            body.stroke(fold * (sitter.side, 1), 0.9, ends=(0.3, 0.3))
    elif sitter.neckwear == "choker":
        body.cel(band(bezier((-0.15, 0.585), (0, 0.67), (0.15, 0.585)), 0.05), LINE, (0, -0.01), 0.8)
        body.cel(oval(0, 0.665, 0.03, 0.035), GOLD, (-0.006, -0.008), 0.8)
    elif sitter.neckwear == "necklace":
        body.stroke(bezier((-0.18, 0.63), (0, 1.1), (0.18, 0.63)), 1.4, shade(GOLD, 1.2), ends=(1, 1))
        body.cel(star(0, 0.89, 0.07, 4), rgb("#5cc3d8"), (-0.01, -0.01), 0.8)


def draw_staff(body: Ink, sitter: Portrait) -> None:
    if not sitter.staff:
        return
    pole = body.at(0.80 * sitter.side, 1.25, degrees=4 * sitter.side)
    pole.cel(band([(0, -1.25), (0.01, 0), (0, 3)], 0.075), WOOD, (-0.02, 0))
    top, gem = pole.at(0, -1.35), rgb(CLOTH[sitter.accent_color])
    if sitter.staff == "orb":
        claw = [(0, 0.1), (0.13, -0.05), (0.2, -0.2), (0.22, 0.05), (0.05, 0.2)]
        top.cel(curve(symmetric(claw), closed=True), GOLD)
        top.glow((0, -0.08), (0.3, 0.3), tint(gem, 0.6), 0.5)
        top.cel(oval(0, -0.08, 0.13, 0.13), gem, (-0.03, -0.04))
        top.fill(oval(-0.045, -0.125, 0.03, 0.035), WHITE)
    elif sitter.staff == "moon":
        outer, inner = oval(0, -0.06, 0.22, 0.22, -50, 230), oval(0, -0.14, 0.16, 0.16, 200, -20)
        top.cel(np.concatenate([outer, inner]), GOLD)
    else:
        top.cel(star(0, -0.08, 0.24), GOLD, (-0.03, -0.04))
    draw_arm(body, sitter)


def draw_arm(body: Ink, sitter: Portrait) -> None:
    skin, cloth, s = rgb(sitter.skin), rgb(CLOTH[sitter.clothes_color]), sitter.shoulder
    other = {"serafuku": IVORY, "overalls": rgb(CLOTH[sitter.trim_color]), "dress": skin, "t-shirt": skin}
    inside, outside = [(s - 0.06, 1.75), (s + 0.02, 1.5), (0.68, 1.32)], [(s + 0.24, 1.85), (s + 0.12, 2.1)]
    body.cel(blob(*inside, (0.82, 1.42), *outside) * (sitter.side, 1), other.get(sitter.clothes, cloth))
    hand = body.at(0.79 * sitter.side, 1.27)
    fist = blob((-0.10, -0.10), (0.07, -0.12), (0.11, -0.02), (0.10, 0.10), (-0.02, 0.14), (-0.11, 0.08))
    hand.cel(fist * (sitter.side, 1), skin)
    for y in (-0.055, 0.005, 0.06):
        hand.stroke(bezier((-0.01, y), (0.05, y - 0.01), (0.105, y)) * (sitter.side, 1), 0.8, ends=(0.2, 0.8))
