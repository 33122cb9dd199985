"""Pictures and words -> contact sheets: rows of tiles with captions.

The words are set in the font that comes with Pillow, so that a page does not depend on the machine's fonts.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline import images

Tile = tuple[np.ndarray, str]  # a picture, RGB or gray, and its caption
WHITE, HAIRLINE, INK = 255, 176, 48  # levels
LEADING = 1.4  # distance of lines of text, in sizes of the font


@dataclass(frozen=True)
class Row:
    """Tiles side by side under a title, which may be empty; None leaves room for a missing tile."""

    title: str
    tiles: Sequence[Tile | None]


def page(rows: Sequence[Row], side: int) -> np.ndarray:
    """Lay rows out on a white page, RGB (H, W, 3), each tile `side` pixels wide and high.

    A picture larger than its tile is shrunk to it, a smaller one keeps its size; a hairline runs around each.
    """
    gap = max(6, side // 16)
    columns = max([1, *(len(row.tiles) for row in rows)])
    width = columns * (side + 2 + gap) - gap
    strips = [blank(0, width)]
    for row in rows:
        apart = blank((2 if row.title else 1) * gap if len(strips) > 1 else 0, width)
        strips += [apart, title(row.title, side, width), lay(row.tiles, side, gap, width)]
    margins = ((2 * gap, 2 * gap), (2 * gap, 2 * gap), (0, 0))
    return np.pad(np.vstack(strips), margins, constant_values=WHITE)


def title(words: str, side: int, width: int) -> np.ndarray:
    """Set a title, larger than captions, with some air below; no words take no room."""
    lines = text(words, width, 3 * letter(side) // 2)
    return np.vstack([lines, blank(letter(side) // 2 if words else 0, width)])


def lay(tiles: Sequence[Tile | None], side: int, gap: int, width: int) -> np.ndarray:
    """Lay tiles side by side, their captions below, on a strip of `width`."""
    captions = [text(tile[1] if tile else "", side + 2, letter(side), centered=True) for tile in tiles]
    strip = blank(side + 2 + max(map(len, captions), default=0), width)
    for column, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        room = strip[:, column * (side + 2 + gap) :][:, : side + 2]
        room[side + 2 :][: len(caption)] = caption
        if tile:
            frame(room[: side + 2], tile[0])
    return strip


def frame(room: np.ndarray, picture: np.ndarray) -> None:
    """Draw a picture in the middle of a square, shrunk if need be, and a hairline around it."""
    side = len(room) - 2
    scale = min(1, side / max(picture.shape[:2]))
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    shown = images.resize(picture, width, height)
    inner = room[(side - height) // 2 :, (side - width) // 2 :][: height + 2, : width + 2]
    inner[:] = HAIRLINE
    inner[1:-1, 1:-1] = shown if shown.ndim == 3 else shown[..., None]


def letter(side: int) -> int:
    """Return the size of a caption's letters: it grows with the tile, as a large page is seen from afar."""
    return max(12, side // 14)


def text(words: str, width: int, size: int, centered: bool = False) -> np.ndarray:
    """Set words in lines of at most `width`, (H, width, 3); no words take no room."""
    font = ImageFont.load_default(size)
    lines = [line for part in words.splitlines() for line in wrap(part, width, font)]
    step = round(LEADING * size)
    canvas = Image.new("RGB", (width, step * len(lines)), "white")
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines, 1):
        left = (width - int(font.getlength(line))) // 2 if centered else 0
        draw.text((left, number * step - size // 3), line, (INK,) * 3, font, anchor="ls")
    return np.array(canvas)


def wrap(words: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Iterator[str]:
    """Break words into lines of at most `width`: at two spaces, else at one, else within a word."""
    while words := words.strip():
        fits = bisect_right(
            range(1, len(words) + 1), float(width), key=lambda end: font.getlength(words[:end])
        )
        wide, narrow = (words.rfind(space, 0, fits + 1) for space in ("  ", " "))
        end = len(words) if fits == len(words) else max(wide, 0) or max(narrow, 0) or max(fits, 1)
        yield words[:end].rstrip()
        words = words[end:]


def blank(height: int, width: int) -> np.ndarray:
    """Return white pixels (height, width, 3)."""
    return np.full((height, width, 3), WHITE, np.uint8)
