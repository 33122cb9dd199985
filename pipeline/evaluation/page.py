"""The difference of two runs as one HTML page that needs no network, and its pictures as a contact sheet.

Whatever comes from outside is text on the page, and a policy in its head forbids scripts and requests.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from pipeline import markdown
from pipeline.evaluation.diff import (
    ABOUT,
    Cell,
    Diff,
    Table,
    Verbatim,
    describe_shared,
    describe_verdict,
    list_caveats,
    list_tables,
    text_cell,
)
from pipeline.evaluation.paired import Difference, PairedPicture
from pipeline.images import pixels, sheets

PAGE = Path(__file__).with_suffix(".html")
TITLES = {True: "Gained most", False: "Lost most"}
LARGEST = 256  # pixels a side of a picture on the page


@dataclass(frozen=True)
class Figure:
    """A test picture that gained or lost much, and the pictures to show of it."""

    picture: PairedPicture
    tiles: Sequence[sheets.Tile]


def draw_sheet(figures: Sequence[Figure]) -> np.ndarray:
    """Draw a row for each picture, those that gained first: RGB (H, W, 3)."""
    strips, seen = [], set[bool]()
    for figure in figures:
        gained = figure.picture.change > 0
        title = "" if gained in seen else TITLES[gained]
        seen.add(gained)
        (picture, caption), *others = figure.tiles
        first = (
            picture,
            f"{caption}\n{figure.picture.key}  {figure.picture.artist}\n{figure.picture.change:+.2f} dB",
        )
        strips.append(sheets.Strip(title, [first, *others]))
    side = max(max(tile[0].shape[:2]) for figure in figures for tile in figure.tiles)
    return sheets.contact_sheet(strips, min(side, LARGEST))


def write_page(diff: Diff, figures: Sequence[Figure], notes: Iterable[str]) -> str:
    """Write the page: the verdict, then the pictures, then the tables; `notes` say what is not shown."""
    difference = diff.main.differences["psnr"]
    headline, _, lead = describe_verdict(diff).partition(": ")
    first, *others = list_tables(diff)
    names = " → ".join(f"<code>{safe(name)}</code>" for name in (diff.before, diff.after))
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=safe(f"{headline}: {diff.before} → {diff.after}"),
        names=names,
        mood=mood(difference),
        headline=safe(headline),
        lead=safe(lead),
        bar=draw_bar(difference, 1.25 * scale_of(difference)),
        notes="\n".join(f'<p class="note">{safe(note)}</p>' for note in (*list_caveats(diff), *notes)),
        shared=safe(describe_shared(diff)),
        body="\n".join([write_table(first), *write_figures(figures), *map(write_table, others)]),
        about=safe(ABOUT),
    )


def safe(words: str) -> str:
    """Escape a text for HTML, and leave out what could reverse the direction of writing."""
    return escape(markdown.printable(words))


def mood(difference: Difference) -> str:
    return difference.verdict if difference.verdict in ("better", "worse") else "untold"


def write_table(table: Table) -> str:
    title = f"<h2>{safe(table.title)}</h2>"
    if not table.rows:
        return f'{title}\n<p class="soft">None.</p>'
    heads = "".join(f"<th>{as_html(head)}</th>" for head in table.heads)
    scales: dict[str, float] = {}
    for found in (cell for row in table.rows for cell in row if isinstance(cell, Difference)):
        scales[found.measure] = max(scales.get(found.measure, 0), scale_of(found))
    rows = "\n".join(f"<tr>{''.join(write_cell(cell, scales) for cell in row)}</tr>" for row in table.rows)
    parts = f"<thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody>"
    return f'{title}\n<div class="wide"><table>{parts}</table></div>'


def write_cell(cell: Cell, scales: dict[str, float]) -> str:
    if isinstance(cell, Difference):
        bar = draw_bar(cell, scales[cell.measure])
        return f'<td class="change {mood(cell)}">{safe(text_cell(cell))}{bar}</td>'
    return f'<td class="{cell}">{cell}</td>' if cell in ("better", "worse") else f"<td>{as_html(cell)}</td>"


def as_html(cell: Cell) -> str:
    return f"<code>{safe(cell)}</code>" if isinstance(cell, Verbatim) else safe(text_cell(cell))


def scale_of(difference: Difference) -> float:
    """Return the value at the ends of a bar on which the interval fits."""
    return max(abs(difference.low), abs(difference.high)) or 1


def draw_bar(difference: Difference, scale: float) -> str:
    """Draw an interval on a bar whose middle is no change."""
    low, high, middle = (
        50 + 48 * value / scale for value in (difference.low, difference.high, difference.change)
    )
    parts = f'<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i><b style="left:{middle:.1f}%"></b>'
    return f'<span class="bar {mood(difference)}">{parts}</span>'


def write_figures(figures: Sequence[Figure]) -> list[str]:
    parts = []
    for gained, title in TITLES.items():
        chosen = [figure for figure in figures if (figure.picture.change > 0) == gained]
        parts += [f"<h2>{title}</h2>", *map(write_figure, chosen)] if chosen else []
    return parts


def write_figure(figure: Figure) -> str:
    picture = figure.picture
    kind = "better" if picture.change > 0 else "worse"
    artist = f'<span class="soft">by <code>{safe(picture.artist)}</code></span>' if picture.artist else ""
    words = (
        f'<strong class="{kind}">{picture.change:+.2f} dB</strong>'
        f"<span>{picture.before:.2f} → {picture.after:.2f} dB</span><code>{safe(picture.key)}</code>{artist}"
    )
    tiles = "\n".join(write_tile(shown, caption) for shown, caption in figure.tiles)
    return f'<figure><figcaption>{words}</figcaption>\n<div class="tiles">\n{tiles}\n</div></figure>'


def write_tile(picture: np.ndarray, caption: str) -> str:
    data = base64.b64encode(small_png(picture)).decode()
    words = "\n".join(map(safe, caption.splitlines()))
    return f'<div><img alt="{safe(caption)}" src="data:image/png;base64,{data}"><span>{words}</span></div>'


def small_png(picture: np.ndarray) -> bytes:
    """Encode a picture, shrunk to LARGEST if it is larger, in fewer bytes than `encode_png` needs."""
    height, width = picture.shape[:2]
    scale = min(1, LARGEST / max(height, width))
    file = BytesIO()
    shown = pixels.resize(picture, round(width * scale), round(height * scale))
    Image.fromarray(shown).save(file, "PNG", optimize=True)
    return file.getvalue()


def list_figures(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return what a page shows of pictures that changed most: their numbers, and tiles as PNG in base64."""
    return [
        {
            **{
                name: getattr(figure.picture, name) for name in ("key", "artist", "before", "after", "change")
            },
            "tiles": [
                {"caption": caption, "png": base64.b64encode(small_png(shown)).decode()}
                for shown, caption in figure.tiles
            ],
        }
        for figure in figures
    ]
