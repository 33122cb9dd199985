"""Contact sheets: rows of pictures, plain or with captions.

The font is the one that comes with Pillow, so that a sheet does not depend on the fonts of the machine.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.images import pixels

Tile = tuple[np.ndarray, str]  # a picture, RGB or gray, and its caption
PAPER, HAIRLINE, INK = 255, 176, 48  # levels
LEADING = 1.4  # distance between baselines, in font sizes


@dataclass(frozen=True)
class Strip:
    """A row of tiles under a title, which may be empty; None is a blank tile."""

    title: str
    tiles: Sequence[Tile | None]


def plain_sheet(rows: Sequence[Sequence[np.ndarray]], side: int = 128, gap: int = 4) -> np.ndarray:
    """Resize pictures, RGB or gray, to `side` x `side`, and lay out rows of them on white: RGB (H, W, 3).

    `gap` is the distance between pictures, in pixels.
    """
    width = max(map(len, rows)) * (side + gap) - gap
    strips = []
    for row in rows:
        strip = white_rows(side + gap, width)
        for place, picture in zip(places(strip, len(row), side, gap), row, strict=True):
            place[:side] = as_rgb(pixels.resize(picture, side, side))
        strips.append(strip)
    return np.pad(np.vstack(strips), ((gap, 0), (gap, gap), (0, 0)), constant_values=PAPER)


def contact_sheet(rows: Sequence[Strip], side: int) -> np.ndarray:
    """Lay out rows of tiles with titles and captions on white: RGB (H, W, 3).

    A picture is shrunk to fit into `side` x `side` pixels if it is larger, and gets a hairline frame.
    """
    gap = max(6, side // 16)
    columns = max([1, *(len(row.tiles) for row in rows)])
    width = columns * (side + 2 + gap) - gap
    strips = [white_rows(0, width)]
    for row in rows:
        apart = white_rows((2 if row.title else 1) * gap if len(strips) > 1 else 0, width)
        strips += [apart, render_title(row.title, side, width), render_tiles(row.tiles, side, gap, width)]
    margins = ((2 * gap, 2 * gap), (2 * gap, 2 * gap), (0, 0))
    return np.pad(np.vstack(strips), margins, constant_values=PAPER)


def render_title(words: str, side: int, width: int) -> np.ndarray:
    """Render a title (H, width, 3), larger than captions and with space below; H is 0 without words."""
    lines = render_text(words, width, 3 * caption_size(side) // 2)
    return np.vstack([lines, white_rows(caption_size(side) // 2 if words else 0, width)])


def render_tiles(tiles: Sequence[Tile | None], side: int, gap: int, width: int) -> np.ndarray:
    """Lay out a row of tiles, with captions below, on a strip (H, width, 3)."""
    captions = [
        render_text(tile[1] if tile else "", side + 2, caption_size(side), centered=True) for tile in tiles
    ]
    strip = white_rows(side + 2 + max(map(len, captions), default=0), width)
    for place, tile, caption in zip(places(strip, len(tiles), side + 2, gap), tiles, captions, strict=True):
        place[side + 2 :][: len(caption)] = caption
        if tile:
            frame_tile(place[: side + 2], tile[0])
    return strip


def places(strip: np.ndarray, count: int, side: int, gap: int) -> list[np.ndarray]:
    """List `count` views of a strip from the left, each `side` pixels wide, `gap` pixels apart."""
    return [strip[:, number * (side + gap) :][:, :side] for number in range(count)]


def frame_tile(square: np.ndarray, picture: np.ndarray) -> None:
    """Draw a picture in the middle of a square, shrunk if necessary, with a hairline around it."""
    side = len(square) - 2
    scale = min(1, side / max(picture.shape[:2]))
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    inner = square[(side - height) // 2 :, (side - width) // 2 :][: height + 2, : width + 2]
    inner[:] = HAIRLINE
    inner[1:-1, 1:-1] = as_rgb(pixels.resize(picture, width, height))


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Add an axis of channels to a gray picture, so that it can be assigned to RGB pixels."""
    return picture if picture.ndim == 3 else picture[..., None]


def caption_size(side: int) -> int:
    """Return the font size of captions, which grows with the tile: a large sheet is viewed as a whole."""
    return max(12, side // 14)


def render_text(words: str, width: int, size: int, centered: bool = False) -> np.ndarray:
    """Render words in lines (H, width, 3); H is 0 without words."""
    font = ImageFont.load_default(size)
    lines = [line for part in words.splitlines() for line in wrap_words(part, width, font)]
    step = round(LEADING * size)
    canvas = Image.new("RGB", (width, step * len(lines)), "white")
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines, 1):
        left = (width - int(font.getlength(line))) // 2 if centered else 0
        draw.text((left, number * step - size // 3), line, (INK,) * 3, font, anchor="ls")
    return np.array(canvas)


def wrap_words(words: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Iterator[str]:
    """Break words into lines of at most `width` pixels: at two spaces, else at one, else within a word."""
    while words := words.strip():
        fits = bisect_right(
            range(1, len(words) + 1), float(width), key=lambda end: font.getlength(words[:end])
        )
        wide, narrow = (words.rfind(space, 0, fits + 1) for space in ("  ", " "))
        end = len(words) if fits == len(words) else max(wide, 0) or max(narrow, 0) or max(fits, 1)
        yield words[:end].rstrip()
        words = words[end:]


def white_rows(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, np.uint8)
