"""What the engine of the page does around its colors: tiles, quick pictures, sizes of files, doubts."""

import io
import re

import cv2
import numpy as np
import pytest
from doodles import scribble
from drawings import disc, stroke
from made import picture
from node import call, needs_node
from PIL import Image

from pipeline.images.png import encode_png
from pipeline.models import doubts
from pipeline.models.colorize import Colorizer
from pipeline.models.network import Network
from pipeline.shards.tar import Sample

pytestmark = needs_node
RUN = "../../../tests/studio/colorizing.mjs"
TILE = 256


def cut(layer):
    """Cut a layer into tiles, as draw/layer.js has them; empty ones are null."""
    tiles = []
    for top in range(0, layer.shape[0], TILE):
        for left in range(0, layer.shape[1], TILE):
            part = layer[top : top + TILE, left : left + TILE]
            whole = np.zeros((TILE, TILE, 4), np.uint8)
            whole[: part.shape[0], : part.shape[1]] = part
            tiles.append({"index": len(tiles), "pixels": whole.ravel() if part.any() else None})
    return tiles


def test_tiles_make_the_layer_and_a_quick_picture():
    drawing, half = disc(600, 3), cv2.resize(disc(600, 3), (300, 300), interpolation=cv2.INTER_AREA)
    layer = stroke((200, 30, 30), 600)
    colors = np.full((300, 300, 3), 100, np.uint8)
    made = call(RUN, "paintTiles", drawing, half, cut(layer), colors)
    np.testing.assert_array_equal(made["image"], layer)
    paper, y, x = half[..., 0] == 255, *np.mgrid[:300, :300]
    inside = paper & (np.hypot(x - 150, y - 150) < 80)
    assert (made["after"][inside] == (200, 30, 30)).all()
    outside = paper & (np.hypot(x - 150, y - 150) > 120)
    assert (made["after"][outside] == 100).all()
    assert (made["before"][paper] == 178).all()  # half as strong
    assert (made["after"][half[..., 0] == 0] == 0).all()
    assert made["gray"] is None


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_of_any_size_is_mirrored(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 700, 2).tolist()
    layer, before = scribble(rng, height, width), scribble(rng, height, width)
    blank = np.full((height, width, 3), 255, np.uint8)
    made = call(RUN, "paintTiles", blank, blank[:9, :9].copy(), [*cut(before), *cut(layer)], None)
    np.testing.assert_array_equal(layer if made["image"] is None else made["image"], layer)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "lossless", "alpha"])
def test_the_size_of_a_file_is_known_before_it_is_decoded(kind):
    image, file = Image.fromarray(picture(1, 200)).resize((173, 91)), io.BytesIO()
    if kind == "alpha":
        image.putalpha(100)
    image.save(file, {"lossless": "WEBP", "alpha": "WEBP"}.get(kind, kind), lossless=kind == "lossless")
    whole = np.frombuffer(file.getvalue(), np.uint8)
    assert call(RUN, "readSizes", [whole, whole[:20].copy(), np.zeros(99, np.uint8)]) == [
        [173, 91],
        None,
        None,
    ]


def ink(side):
    """Draw black lines on a transparent ground."""
    lines = disc(side, 4)
    return np.dstack([np.zeros_like(lines), 255 - lines[..., 0]])


def first_words(doubt):
    return re.findall(r"\w+", doubt)[:4]


@pytest.mark.parametrize(
    "drawing",
    [disc(150), 255 - disc(150), picture(1, 90), np.full((40, 50, 3), 255, np.uint8), ink(200), disc(1500)],
    ids=["lines", "dark", "colored", "blank", "ink", "large"],
)
def test_drawings_are_doubted_as_by_prep_colorize(drawing):
    colorizer = Colorizer(Network(None, {}, ("none",), 8, "", ""))
    expected = list(doubts.doubt_drawing(colorizer, Sample("The drawing", {"png": encode_png(drawing)})))
    if drawing.shape[2] == 3:
        drawing = cv2.cvtColor(drawing, cv2.COLOR_RGB2RGBA)
    made = call("engine/doubts.js", "doubtDrawing", drawing)
    assert list(map(first_words, made["doubts"])) == list(map(first_words, expected))
    assert made["isInk"] == any("no paper" in each for each in expected)
