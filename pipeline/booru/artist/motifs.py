"""Small motifs that are drawn more than once, or apart from a sitter; each around its origin."""

import numpy as np
from numpy.typing import ArrayLike

from pipeline.booru.artist.ink import (
    GOLD,
    IVORY,
    LINE,
    LIP,
    WHITE,
    WOOD,
    Color,
    Ink,
    band,
    blob,
    bow,
    curve,
    mix,
    normals,
    oval,
    rgb,
    shade,
    symmetric,
    taper,
)


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
            lobe.stroke(
                bow((-0.05, 0), (0, -0.012 * lean), (0.05, 0)), 0.6, mix(LINE, color, 0.3), ends=(0, 0)
            )


def draw_bow(ink: Ink, color: Color) -> None:
    """Draw a ribbon tied in a bow."""
    tail = blob((0.02, 0), (0.14, 0.2), (0.08, 0.22), (0.05, 0.25), (-0.01, 0.02))
    ink.pair(tail, shade(color, 0.4), weight=0.9)
    ink.pair(blob((0, 0), (0.13, -0.12), (0.22, -0.08), (0.2, 0.08), (0.1, 0.08)), color, weight=0.9)
    ink.strokes(bow((0.04, 0), (0.1, -0.01), (0.13, -0.03)), 0.7, ends=(0.6, 0))
    ink.cel(oval(0, 0.01, 0.045, 0.05), color, (-0.01, -0.012), 0.9)


def draw_flower(ink: Ink, color: Color) -> None:
    """Draw a flower of five petals."""
    for degrees in range(0, 360, 72):
        ink.at(degrees=degrees).cel(oval(0, -0.085, 0.058, 0.07), color, (-0.008, -0.01), 0.8)
    ink.cel(oval(0, 0, 0.045, 0.045), GOLD, (-0.008, -0.01), 0.8)


def draw_crown(ink: Ink) -> None:
    """Draw a small golden crown with three points."""
    ink.cel(
        symmetric([(0, -0.22), (0.12, -0.05), (0.26, -0.16), (0.22, 0.06), (0.1, 0.085), (0, 0.09)]), GOLD
    )
    for x, y in ((-0.26, -0.17), (0, -0.23), (0.26, -0.17)):
        ink.cel(oval(x, y, 0.03, 0.03), LIP, (-0.008, -0.008), 0.8)
    ink.cel(oval(0, 0, 0.035, 0.045), rgb("#4c9ad6"), (-0.008, -0.01), 0.8)


def draw_cloud(ink: Ink, color: Color) -> None:
    """Draw a cloud with a flat base, in two tones and without a line."""
    for tone, rise in ((mix(color, rgb("#9db4d8"), 0.35), 0.0), (color, -0.25)):
        for x, y, r in ((-1.6, 0, 0.8), (-0.7, -0.6, 1.0), (0.5, -0.8, 1.2), (1.6, -0.1, 0.9)):
            ink.fill(oval(x, y + rise, r * 1.1, r * 0.75), tone)


def draw_tree(ink: Ink, green: Color) -> None:
    """Draw a tree with a round, scalloped top."""
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
        middle.strokes(bow((x, 0), (x, 0.3), (0.26 - (0.25 - x) * 0.3, 0.44)), 0.7)
    middle.stroke([(-0.33, 0), (0.33, 0)], 3, WOOD, ends=(1, 1))
