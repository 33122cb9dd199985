"""The scene behind a sitter. Lengths are in widths of the picture."""

from dataclasses import replace
from random import Random

import numpy as np

from pipeline.booru.artist.choices import BACKDROP, BUSY_SCENES
from pipeline.booru.artist.ink import (
    FINENESS,
    WHITE,
    Color,
    Ink,
    blob,
    bow,
    curve,
    mix,
    oval,
    rgb,
    shade,
    star,
    tint,
)
from pipeline.booru.artist.motifs import draw_cloud, draw_tree, draw_window
from pipeline.booru.artist.sitter import Portrait, between


def draw_scene(canvas: Ink, sitter: Portrait) -> None:
    """Draw the background."""
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
    """Draw dots, stripes or rays of a color."""
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
    """Draw the sky by day, dusk or night, with hills or the sea under it."""
    tall, scene, skies = (
        page[2, 1],
        sitter.scene,
        {"sunset": ("#7d63a8", "#fbb873"), "night": ("#1d2350", "#4d4f8e")},
    )
    canvas.wash(page, *(mix(rgb(tone), color, 0.2) for tone in skies.get(scene, ("#6fb1ea", "#dff2fb"))))
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
    """Draw two ranges of hills, and a tree on either side."""
    for height, tone in ((0.55, tint(green, 0.35)), (0.68, green)):
        ridge = curve([(x, (height + between(dice, -0.07, 0.07)) * tall) for x in (-0.1, 0.2, 0.5, 0.8, 1.1)])
        canvas.cel(np.concatenate([ridge, [(1.1, tall + 0.1), (-0.1, tall + 0.1)]]), tone, (0, -0.01), 0.7)
    for x in (between(dice, 0.04, 0.16), between(dice, 0.84, 0.96)):
        draw_tree(canvas.at(x, 0.66 * tall, between(dice, 0.9, 1.4)), shade(green, 0.5))


def draw_sea(canvas: Ink, tall: float, color: Color, dice: Random) -> None:
    """Draw the sea up to the horizon, with a few crests."""
    sea = np.array([(0, 0.6), (1, 0.6), (1, 1), (0, 1)]) * (1, tall)
    canvas.wash(sea, mix(rgb("#3f8fd0"), color, 0.2), mix(rgb("#8fd6e6"), color, 0.2))
    for _ in range(12):
        x, y = dice.random(), (0.63 + 0.35 * dice.random()) * tall
        canvas.stroke(bow((x, y), (x + 0.04, y - 0.012), (x + 0.08, y)), 1, WHITE, ends=(0, 0))


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
