"""Flats of drawings: the command and its step, without a network."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import run_prep

from pipeline import files
from pipeline.images import codec, png
from pipeline.models.flatting import Flatter
from pipeline.models.guides import find_guides
from pipeline.operators.flats import fill_flats

RED = (200, 30, 30, 255)


@pytest.fixture
def drawing(tmp_path, monkeypatch):
    """Write a drawing of a circle, and a stroke in it, half as large."""
    monkeypatch.chdir(tmp_path)
    sketch = np.full((80, 100), 255, np.uint8)
    cv2.circle(sketch, (50, 40), 30, 0, 2)
    strokes = np.zeros((40, 50, 4), np.uint8)
    strokes[18:22, 20:30] = RED
    for name, image in (("pages/1.png", sketch), ("strokes/1.png", strokes)):
        files.write(tmp_path / name, png.encode_png(image))
    return sketch, strokes


def test_the_command_writes_the_fill_without_torch(drawing, tmp_path):
    code = (
        "import sys; sys.argv = ['prep', 'flats', 'pages', 'out', '--strokes', 'strokes', '--gap', '3']\n"
        "from stages.prep import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "flats: 1 of 1 written to out\n"
    sketch, strokes = drawing
    made = codec.decode_rgba((tmp_path / "out/1.png").read_bytes())
    np.testing.assert_array_equal(made, fill_flats(sketch, strokes.repeat(2, axis=0).repeat(2, axis=1), 3))
    assert {*map(tuple, made.reshape(-1, 4).tolist())} == {RED, (0, 0, 0, 0)}


def test_sketches_without_strokes_are_all_named_before_anything_is_written(drawing, tmp_path, capsys):
    for name in ("2", "3"):
        files.write(tmp_path / "pages" / f"{name}.png", png.encode_png(drawing[0]))
    code, _, err = run_prep(capsys, "flats", "pages", "out", "--strokes", "strokes")
    assert (code, err) == (
        1,
        "prep: 2, 3: no guide has this name; give the folder of guides a picture of the name of each"
        " sketch\n",
    )
    assert not (tmp_path / "out").exists()


def test_strokes_are_never_overwritten(drawing, tmp_path, capsys):
    Path("strokes.png").write_bytes(b"no picture")
    words = ["--strokes", "strokes.png", "--force"]
    code, _, err = run_prep(capsys, "flats", "pages/1.png", "strokes.png", *words)
    assert (code, "strokes.png is a guide, and strokes.png would change it" in err) == (1, True)
    assert Path("strokes.png").read_bytes() == b"no picture"


def test_strokes_on_paper_are_refused(drawing, tmp_path, capsys):
    files.write(tmp_path / "opaque.png", png.encode_png(drawing[0]))
    code, _, err = run_prep(capsys, "flats", "pages", "out", "--strokes", "opaque.png", "--workers", 1)
    assert (code, err) == (
        1,
        "prep: the strokes of 1 cover everything: save them with a transparent background\n",
    )


def test_another_gap_or_other_strokes_give_another_result(drawing, tmp_path):
    first = Flatter(find_guides(tmp_path / "strokes" / "1.png"))
    by_name = replace(first, strokes=find_guides(tmp_path / "strokes"))
    prints = {each.fingerprint() for each in (first, replace(first, gap=0.0), by_name)}
    files.write(tmp_path / "strokes" / "1.png", png.encode_png(np.roll(drawing[1], 1, axis=0)))
    assert len(prints | {by_name.fingerprint()}) == 4
