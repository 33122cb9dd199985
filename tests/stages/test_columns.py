"""Commands make columns and pack them."""

from pathlib import Path

import numpy as np
import pytest
from made import make_all_columns, make_column, picture, run_prep

from pipeline import files
from pipeline.images import codec, pixels, png
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch
from pipeline.shards import column

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_one_picture_gives_one_sketch(capsys, drawing):
    code, out, _ = run_prep(capsys, "sketchify", drawing, "out", "--blocksize", "9")
    assert (code, out) == (0, "sketchify: 1 of 1 written to out\n")
    expected = draw_sketch(picture(1), Sketch(blocksize=9))
    np.testing.assert_array_equal(codec.decode(Path("out/girl.png").read_bytes())[..., 0], expected)


def test_an_option_that_the_method_does_not_read_gives_a_line(capsys, drawing):
    code, _, err = run_prep(capsys, "sketchify", drawing, "out", "--method", "canny", "--blocksize", "9")
    assert (code, err) == (0, "sketchify: the method canny does not read blocksize\n")


def test_a_paired_set_goes_through_to_a_column_of_its_own_sketches(capsys):
    for number in range(3):
        files.write(Path(f"set/color/{number}.png"), png.encode_png(picture(number, 300, 300)))
        files.write(Path(f"set/sketch/{number}.png"), png.encode_png(picture(number, 300, 300)[..., 0]))
    for command in (
        ["search", "posts.jsonl", "--host", "pairs:set", "--size", "1"],
        ["fetch", "posts.jsonl", "original", "--host", "pairs:set", "--ledger", "fetch.tsv"],
        ["clean", "original", "color"],
        ["sketchify", "color", "sketch/own", "--method", "own"],
        ["sketchify", "color", "sketch/b7"],
        ["cue", "color", "cue"],
        ["reference", "color", "reference"],
        ["pack", "color", "sketch", "cue", "reference", "pairs", "--val", "0", "--test", "0"],
    ):
        code, _, err = run_prep(capsys, *command)
        assert code == 0, err
    samples = [sample for shard in column.list_shards(Path("pairs")) for sample in shard]
    [sample] = [sample for sample in samples if sample.metadata["source"] == "0.png"]
    expected = pixels.square(picture(0, 300, 300)[..., 0], 256)
    np.testing.assert_array_equal(codec.decode(sample.members["sketch-own.png"])[..., 0], expected)
    assert sample.metadata["license"] == "unknown"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ("color sketch reference cue", "reference holds a reference in the place of a cue"),
        ("color sketch cue cue", "cue holds a cue in the place of a reference"),
        ("color sketch color reference", "color holds a color in the place of a cue"),
        ("cue sketch color reference", "cue holds a cue in the place of a color"),
        ("sketch/b7 sketch cue reference", "sketch/b7 holds a sketch in the place of a color"),
        ("other sketch cue reference", "other holds no picture of clean, sketchify, cue or reference in"),
        ("color . cue reference", "color holds a color in the place of a sketch"),
        ("color sketch/b7 cue reference", "sketch/b7 holds no sketch columns: name the folder above them"),
        ("color nothere cue reference", "nothere holds no sketch columns: name the folder above them"),
    ],
)
def test_packing_refuses_columns_in_a_wrong_place(capsys, columns, sentence):
    make_all_columns([f"{n:09d}" for n in range(3)], "b7")
    make_column(Path("other"), [f"{n:09d}" for n in range(3)])
    code, _, err = run_prep(capsys, "pack", *columns.split(), "pairs")
    assert (code, sentence in err, err.count("\n")) == (1, True, 1), err
    assert not Path("pairs").exists()


def test_packing_takes_the_listed_sketches_and_removes_the_columns_of_others(capsys):
    keys = [f"{n:09d}" for n in range(12)]
    make_all_columns(keys, "b7", "b9", "old")
    Path("params.yaml").write_text("sketches: {b9: {}, b7: {}}")
    columns = ["color", "sketch", "cue", "reference"]
    code, _, err = run_prep(capsys, "pack", *columns, "pairs", "--current")
    assert code == 0, err
    sample = next(iter(column.list_shards(Path("pairs"))[0]))
    names = ["color.png", "cue.png", "reference.png", "sketch-b7.png", "sketch-b9.png", "json"]
    assert list(sample.members) == names
    assert not Path("sketch/old").exists()
