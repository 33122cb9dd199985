"""Each system colors in the studio as `prep colorize` does, to one level."""

import numpy as np
import pytest
from browser import needs_chromium, served, tab
from desk import STROKE, Desk, draw_scene, read
from drawings import other, write, write_model
from made import picture

from pipeline.params import Cue
from pipeline.systems import SYSTEMS

pytestmark = [needs_chromium, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "wash"])
def test_the_studio_colors_as_prep_colorize_does(chromium, tmp_path, by_prep, name):
    trained = Cue(sigma=10.0)
    model = write_model(tmp_path / name, trained, 32) if name == "pix2pix" else other(tmp_path / name, name)
    lines, guide = write(tmp_path / "lines.png", draw_scene(400, 300)), tmp_path / "guide.png"
    with served(model, tmp_path) as address, tab(chromium) as opened:
        desk = Desk(opened, address, (400, 300))
        desk.drop(lines)
        desk.settle()
        words = []
        if name == "pix2pix":
            desk.paint_scene()
            guide.write_bytes(desk.save("strokes"))
            words = ["--cue", guide]
        elif name != "mask":
            desk.refer(write(guide, picture(3, 70, 50)))
            words = ["--reference", guide]
        made = read(desk.save("picture"))
        opened.check(address)
    assert np.abs(made - by_prep(lines, model, *words)).max() <= 1


def test_a_mask_colors_where_it_is_painted_and_leaves_the_gray_picture_elsewhere(chromium, tmp_path):
    gray = write(tmp_path / "gray.png", np.repeat(picture(5, 320, 240)[..., :1], 3, axis=2))
    with served(other(tmp_path / "model", "mask"), tmp_path) as address, tab(chromium) as opened:
        desk = Desk(opened, address)
        desk.drop(gray)
        desk.settle()
        desk.pen(*STROKE, force=1)
        made = read(desk.save("picture"))[..., :3]
        opened.check(address)
    colored = np.ptp(made, axis=2) > 2
    assert colored[120, 100]
    assert not colored[:, 200:].any()
    np.testing.assert_array_equal(made[~colored][:, 0], read(gray.read_bytes())[~colored][:, 0])
