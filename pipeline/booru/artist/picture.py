"""The picture of a sitter, drawn from back to front."""

from dataclasses import replace

import cv2
import numpy as np

from pipeline.booru.artist.body import draw_body, draw_staff
from pipeline.booru.artist.hair import draw_hair_behind, draw_hair_in_front, draw_side_locks
from pipeline.booru.artist.head import draw_brows, draw_head
from pipeline.booru.artist.headwear import draw_ears_and_horns, draw_headwear
from pipeline.booru.artist.ink import FINENESS, Ink
from pipeline.booru.artist.scene import draw_scene
from pipeline.booru.artist.sitter import Portrait

HEADROOM = {  # how far headwear and buns rise above the hair
    "witch_hat": 0.66, "top_hat": 0.42, "straw_hat": 0.2, "beret": 0.16, "cap": 0.14, "beanie": 0.28,
    "ears": 0.22, "crown": 0.2, "horns": 0.25, "bun": 0.3, "double_bun": 0.1,
}  # fmt: skip


def draw(sitter: Portrait) -> np.ndarray:
    """Draw a portrait, uint8 RGB (H, W, 3)."""
    across = sitter.width * FINENESS
    page = np.full((sitter.height * FINENESS, across, 3), 255, np.uint8)
    canvas = Ink(page, np.diag((across, across, 1.0))[:2], sitter.pen * FINENESS)
    draw_scene(canvas, sitter)
    draw_figure(canvas, sitter)
    return cv2.resize(page, (sitter.width, sitter.height), interpolation=cv2.INTER_AREA)


def draw_figure(canvas: Ink, sitter: Portrait) -> None:
    """Draw the sitter, placed so that the hat stays in the picture."""
    tall = sitter.height / sitter.width
    room = 0.66 + max(HEADROOM.get(worn, 0) for worn in (sitter.hat, sitter.ornament, sitter.hairstyle))
    nominal, middle = (0.53, 0.40) if sitter.framing == "portrait" else (0.41, 0.33)
    size = sitter.size * min(1, tall) * nominal / (0.85 + 0.25 * room)
    body = canvas.at(0.5 + sitter.shift * size, max(middle * tall, room * size + 0.02), size)
    body = body.at(0, 1.6, degrees=-0.35 * sitter.tilt).at(0, -1.6)
    skull = body.at(0, 0.5, degrees=sitter.tilt).at(0, -0.5)
    head = replace(skull, bend=0.12 * sitter.turn)
    draw_hair_behind(skull, sitter)
    draw_body(replace(body, bend=0.07 * sitter.turn).at(0, -0.08), sitter)
    draw_head(head, sitter)
    draw_side_locks(head, sitter)
    draw_ears_and_horns(head, sitter)
    draw_hair_in_front(head, sitter)
    draw_brows(head, sitter)
    draw_headwear(head, sitter)
    draw_staff(body, sitter)
