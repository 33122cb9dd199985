"""The scene behind the sitter. Lengths are in widths of the picture."""

from dataclasses import replace
from random import Random

import numpy as np

from pipeline.booru.artist.choices import BACKDROP, BUSY_SCENES
from pipeline.booru.artist.colors import IVORY, WHITE, WOOD, Color, mix, rgb, shade, tint
from pipeline.booru.artist.ink import FINENESS, Ink
from pipeline.booru.artist.paths import bezier, blob, curve, oval, star
from pipeline.booru.artist.sitter import Portrait, between


def draw_scene(canvas: Ink, sitter: Portrait) -> None:
    tall, color = sitter.height / sitter.width, rgb(BACKDROP[sitter.scene_color])
    dice = Random(f"scene {sitter.seed}")
    page = np.array([(0, 0), (1, 0), (1, tall), (0, tall)])
    canvas.fill(page, color)
    if sitter.scene == "gradient":
        canvas.wash(page, tint(color, 0.5), shade(color, 0.7))
    elif sitter.scene in ("dots", "stripes", "rays"):
        draw_pattern(canvas, sitter.scene, tall, tint(color, 0.45), dice)
    elif sitter.scene == "petals":
        for _ in range(16):
            spot = (dice.random(), dice.random() * tall, between(dice, 0.03, 0.05), between(dice, 0, 360))
            petal = blob((0, -1), (0.55, -0.1), (0.1, 0.9), (-0.55, -0.1))
            canvas.at(*spot).cel(petal, rgb("#f7b7cb"), (-0.1, -0.1), 0.6)
    elif sitter.scene == "room":
        canvas.wash(page, tint(color, 0.25), color)
        draw_window(canvas.at(0.27 - 0.24 * sitter.side, 0.08), mix(color, rgb("#c96f6f"), 0.45))
    elif sitter.scene in BUSY_SCENES:
        draw_hatching(canvas, sitter, tall, color)
    elif sitter.scene != "plain":
        draw_sky(canvas, sitter, page, color, dice)


def draw_pattern(canvas: Ink, kind: str, tall: float, color: Color, dice: Random) -> None:
    if kind == "dots":
        step = between(dice, 0.11, 0.16)
        for i, j in np.ndindex(int(1 / step) + 2, int(tall / step) + 2):
            canvas.fill(oval((i + j % 2 / 2) * step, j * step, step / 5, step / 5), color)
    elif kind == "stripes":
        step, lean = between(dice, 0.07, 0.12), between(dice, -0.6, 0.6)
        for x in np.arange(-1, 2, 2 * step):
            canvas.fill([(x, 0), (x + step, 0), (x + step + lean, tall), (x + lean, tall)], color)
    else:
        for degrees in range(0, 360, 20):
            canvas.at(0.5, 0.45, 1.5, degrees).fill([(0, 0), (1, 0), (0.985, 0.174)], color)


def draw_sky(canvas: Ink, sitter: Portrait, page: np.ndarray, color: Color, dice: Random) -> None:
    tall, scene = page[2, 1], sitter.scene
    skies = {"sunset": ("#7d63a8", "#fbb873"), "night": ("#1d2350", "#4d4f8e")}
    top, bottom = skies.get(scene, ("#6fb1ea", "#dff2fb"))
    canvas.wash(page, mix(rgb(top), color, 0.2), mix(rgb(bottom), color, 0.2))
    spot = (0.5 - 0.38 * sitter.side, between(dice, 0.13, 0.26) * tall)
    if scene in ("night", "sunset"):
        canvas.glow(spot, (0.2, 0.2), rgb("#fff0b8"), 0.6)
        canvas.fill(oval(*spot, 0.08, 0.08), rgb("#fff4cc"))
    if scene == "night":
        for _ in range(40):
            x, y, size = dice.random(), dice.random() * tall, between(dice, 0.004, 0.01)
            canvas.fill(star(x, y, size, 4), rgb("#fff6d0"))
        return
    for x in (between(dice, 0.02, 0.2), between(dice, 0.3, 0.7), between(dice, 0.8, 0.98)):
        cloud = canvas.at(x, between(dice, 0.08, 0.4) * tall, between(dice, 0.035, 0.06))
        draw_cloud(cloud, rgb("#f8a9a0") if scene == "sunset" else WHITE)
    if scene == "hills":
        draw_hills(canvas, tall, mix(rgb("#7cba6b"), color, 0.3), dice)
    elif scene == "ocean":
        draw_sea(canvas, tall, color, dice)


def draw_hills(canvas: Ink, tall: float, green: Color, dice: Random) -> None:
    for height, tone in ((0.55, tint(green, 0.35)), (0.68, green)):
        ridge = curve([(x, (height + between(dice, -0.07, 0.07)) * tall) for x in (-0.1, 0.2, 0.5, 0.8, 1.1)])
        canvas.cel(np.concatenate([ridge, [(1.1, tall + 0.1), (-0.1, tall + 0.1)]]), tone, (0, -0.01), 0.7)
    for x in (between(dice, 0.04, 0.16), between(dice, 0.84, 0.96)):
        draw_tree(canvas.at(x, 0.66 * tall, between(dice, 0.9, 1.4)), shade(green, 0.5))


def draw_sea(canvas: Ink, tall: float, color: Color, dice: Random) -> None:
    sea = np.array([(0, 0.6), (1, 0.6), (1, 1), (0, 1)]) * (1, tall)
    canvas.wash(sea, mix(rgb("#3f8fd0"), color, 0.2), mix(rgb("#8fd6e6"), color, 0.2))
    for _ in range(12):
        x, y = dice.random(), (0.63 + 0.35 * dice.random()) * tall
        canvas.stroke(bezier((x, y), (x + 0.04, y - 0.012), (x + 0.08, y)), 1, WHITE, ends=(0, 0))


def draw_hatching(canvas: Ink, sitter: Portrait, tall: float, color: Color) -> None:
    """Cover the page with leaves or with hatching: dark, with light lines a quarter as wide between."""
    dark, gap = shade(mix(color, rgb("#3f7a4c"), 0.6), 1.4), 8 / sitter.width
    dice = Random(f"hatching {sitter.seed}")
    ink = replace(canvas, pen=2.0 * FINENESS)
    canvas.fill([(0, 0), (1, 0), (1, tall), (0, tall)], dark)
    leaf = blob((0, -2), (0.85, -0.6), (0.7, 0.8), (0, 2), (-0.7, 0.8), (-0.85, -0.6), steps=4)
    across, down = (9, 9) if sitter.scene == "crosshatch" else (5.2, 4.4)
    for j, i in np.ndindex(int(tall / gap / down) + 2, int(1 / gap / across) + 2):
        if sitter.scene == "crosshatch":
            tile = ink.at(i * across * gap, j * down * gap, gap, 90 * ((i + j) % 2) + between(dice, 5, 20))
            for k in range(-4, 5):
                tile.stroke([(-4.3, k), (0, k + 0.2), (4.3, k)], 0.9, color, ends=(0.8, 0.8))
        else:
            x, y = i * across + between(dice, -2, 2), j * down + between(dice, -2, 2)
            twig = ink.at(x * gap, y * gap, 4 * gap, dice.random() * 360)
            twig.fill(leaf, dark)
            for size in (1, 0.68, 0.36):
                twig.outline(leaf * size, 0.9, tint(color, 0.3))


def draw_cloud(ink: Ink, color: Color) -> None:
    """Draw a cloud with a flat base, in two tones and without a line."""
    for tone, rise in ((mix(color, rgb("#9db4d8"), 0.35), 0.0), (color, -0.25)):
        for x, y, r in ((-1.6, 0, 0.8), (-0.7, -0.6, 1.0), (0.5, -0.8, 1.2), (1.6, -0.1, 0.9)):
            ink.fill(oval(x, y + rise, r * 1.1, r * 0.75), tone)


def draw_tree(ink: Ink, green: Color) -> None:
    ink.cel([(-0.018, -0.12), (0.018, -0.12), (0.025, 0.06), (-0.025, 0.06)], WOOD, (-0.005, 0), 0.7)
    angle = np.radians(np.arange(0, 360, 4))
    reach = 0.11 + 0.012 * np.cos(angle * 7)
    top = np.stack([reach * np.cos(angle), 1.15 * reach * np.sin(angle) - 0.2], axis=1)
    ink.cel(top, green, (-0.02, -0.025), 0.7)


def draw_window(ink: Ink, cloth: Color) -> None:
    """Draw a window, its upper left corner at the origin, 0.46 wide and 0.6 high, with curtains."""
    frame = np.array([(0, 0), (0.46, 0), (0.46, 0.6), (0, 0.6)])
    ink.wash(frame, rgb("#8fc4ee"), rgb("#e8f5fb"))
    draw_cloud(ink.at(0.15, 0.2, 0.05), WHITE)
    ink.outline(frame, 3, IVORY)
    ink.outline(frame + 0.004, 0.8)
    for bar in ([(0.23, 0), (0.23, 0.6)], [(0, 0.3), (0.46, 0.3)]):
        ink.stroke(bar, 5, ends=(1, 1))
        ink.stroke(bar, 3.5, IVORY, ends=(1, 1))
    middle = ink.at(0.23, -0.03)
    hem = curve([(0.12, 0), (0.15, 0.28), (0.235, 0.44), (0.19, 0.7)])
    middle.pair(np.concatenate([hem, [(0.3, 0.7), (0.3, 0)]]), cloth, (-0.01, 0))
    for x in (0.25, 0.205):
        middle.strokes(bezier((x, 0), (x, 0.3), (0.26 - (0.25 - x) * 0.3, 0.44)), 0.7)
    middle.stroke([(-0.33, 0), (0.33, 0)], 3, WOOD, ends=(1, 1))
