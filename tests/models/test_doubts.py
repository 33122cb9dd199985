"""What a model has not learned to use is said, in a sentence each."""

import numpy as np
import pytest
from drawings import disc, other, stroke, write, write_model
from made import picture, run_prep

from pipeline.images import codec, png
from pipeline.models.colorize import Options, load_colorizer
from pipeline.models.doubts import find_doubts
from pipeline.params import Cue
from pipeline.shards.tar import Sample


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model", Cue(sigma=10.0))


def stripes():
    return np.repeat(np.array([[[200, 30, 40], [20, 90, 160]]], np.uint8), 32, axis=1).repeat(64, axis=0)


def dots_on_white():
    paper = np.full((64, 64, 3), 255, np.uint8)
    paper[10:14, 10:14] = (200, 0, 0)
    return paper


@pytest.mark.parametrize(
    ("guide", "doubt"),
    [
        (None, "the model has seen no sample without a cue: name one by --cue"),
        (stripes(), "the cue is a palette, but the model has learned blurs"),
        (dots_on_white(), "most of the cue is white: if it has strokes, save them on a transparent"),
        (np.zeros((64, 64, 4), np.uint8), "the cue is transparent, so that it has no colors"),
        (stroke((200, 0, 0), 64), ""),
        (picture(1), ""),
    ],
)
def test_a_guide_that_cannot_work_is_doubted(model, tmp_path, guide, doubt):
    given = {} if guide is None else {"cue": write(tmp_path / "cue.png", guide)}
    doubts = find_doubts(load_colorizer(model, given), [])
    assert len(doubts) == bool(doubt)
    assert doubt in "".join(doubts)


def test_each_guide_of_a_folder_is_doubted_by_name(model, tmp_path):
    write(tmp_path / "cues" / "a.png", dots_on_white())
    write(tmp_path / "cues" / "b.png", picture(1))
    pages = [Sample(key, {"png": png.encode_png(disc(40))}) for key in ("a", "b")]
    (doubt,) = find_doubts(load_colorizer(model, {"cue": tmp_path / "cues"}), pages)
    assert doubt.startswith("most of the cue of a is white")


def scan(drawing, paper=(255, 255, 255), ink=(0, 0, 0), shade=0.0):
    """Scan a drawing: tinted paper that darkens to the right, ink of a color, and grain."""
    dark = 1 - drawing[..., :1] / 255
    light = 1 - shade * np.linspace(0, 1, drawing.shape[1])[:, None]
    grain = np.random.default_rng(0).normal(0, 4, drawing.shape[:2])[..., None]
    return (((1 - dark) * paper + dark * ink) * light + grain).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (disc(), ""),
        (255 - disc(), "page is dark: lines must be black on white, so invert it, by --invert"),
        (picture(1), "page has colors: make a sketch of it first, by prep sketchify"),
        (scan(disc(), (245, 232, 200), shade=0.25), ""),
        (scan(disc(), (150, 146, 140), shade=0.25), ""),
        (scan(disc(), ink=(120, 160, 235)), ""),
        (scan(disc(), ink=(140, 140, 140)), ""),
        (scan(disc(96, 20), (245, 232, 200)), ""),
    ],
)
def test_a_picture_that_is_no_sketch_is_doubted_and_a_scan_is_not(model, tmp_path, image, doubt):
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", picture(1))})
    samples = [Sample("page", {"png": png.encode_png(image)}), Sample("broken", {"png": b""})]
    assert find_doubts(colorizer, samples) == [doubt][: bool(doubt)]


def test_dark_lines_are_doubted_where_light_ones_were_told(model):
    colorizer = load_colorizer(model, {}, options=Options(invert=True))
    pages = [Sample("page", {"png": png.encode_png(each)}) for each in (disc(), 255 - disc())]
    assert find_doubts(colorizer, pages)[1:] == [
        "page has dark lines on light paper already: leave --invert out"
    ]


def test_lines_without_paper_are_doubted(model, tmp_path):
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", picture(1))})
    lines = np.dstack([np.zeros_like(disc()), 255 - disc()[..., 0]])
    (doubt,) = find_doubts(colorizer, [Sample("page", {"png": png.encode_png(lines)})])
    assert doubt == "page has no paper below its lines, so that only they are seen: lay it on white"


@pytest.mark.parametrize("alpha", [255 - disc()[..., 0], np.zeros((96, 96), np.uint8)])
def test_a_page_that_is_blank_on_white_is_doubted(model, tmp_path, alpha):
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", picture(1))})
    white = np.dstack([np.full((96, 96, 3), 255, np.uint8), alpha])
    (doubt,) = find_doubts(colorizer, [Sample("page", {"png": png.encode_png(white)})])
    assert doubt.startswith("page is blank: if its lines are light on a transparent ground, lay it on black")


@pytest.mark.parametrize(("name", "guide"), [("scft", "reference"), ("mask", "mask"), ("wash", "palette")])
def test_every_kind_of_guide_is_doubted_if_it_is_transparent(tmp_path, name, guide):
    nothing = write(tmp_path / "nothing.png", np.zeros((64, 64, 4), np.uint8))
    (doubt,) = find_doubts(load_colorizer(other(tmp_path / name, name), {guide: nothing}), [])
    assert doubt.startswith(f"the {guide} is transparent, so that it has no colors")


def test_many_doubts_are_counted(model, tmp_path):
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", picture(1))})
    samples = [Sample(f"{number}", {"png": png.encode_png(255 - disc(32))}) for number in range(30)]
    doubts = find_doubts(colorizer, samples)
    assert len(doubts) == 9
    assert doubts[-1] == "and 22 doubts more of these kinds"


def test_a_mask_colors_gray_pictures_that_may_be_dark(tmp_path):
    colorizer = load_colorizer(other(tmp_path / "mask", "mask"), {})
    assert find_doubts(colorizer, [Sample("page", {"png": png.encode_png(255 - disc())})]) == []


def test_doubts_are_lines_of_the_command(model, tmp_path, capsys):
    page = write(tmp_path / "page\x1b[2J.png", 255 - disc(64))
    words = ["colorize", page, tmp_path / "out.png", "--model", model, "--device", "cpu"]
    code, _, err = run_prep(capsys, *words, "--cache", tmp_path / "cache")
    assert (code, err.splitlines()) == (
        0,
        [
            "colorize: the model has seen no sample without a cue: name one by --cue",
            "colorize: page\\u001b[2J is dark: lines must be black on white, so invert it, by --invert",
        ],
    )
    assert codec.decode((tmp_path / "out.png").read_bytes()).shape == (64, 64, 3)
