"""A trained model colors sketches of any size, by a cue that is fitted to each."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from made import picture, run_prep

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.images.pixels import resize
from pipeline.models import colorize
from pipeline.models.folder import save_model
from pipeline.models.tiles import colorize_picture as paint
from pipeline.operators.cue import draw_cue
from pipeline.params import Cue, Model
from pipeline.shards.tar import Sample
from pipeline.systems import system


@pytest.fixture
def model(tmp_path):
    """Save a small model that was trained with cues of sigma 10."""
    return write_model(tmp_path / "model", Cue(sigma=10.0))


def write_model(folder, trained: Cue):
    """Save a model with fresh weights."""
    torch.manual_seed(0)
    generator, _ = system("pix2pix").networks(Model(width=4, depth=3))
    columns = {"cue": {"method": trained.method, "sigma": trained.sigma}}
    save_model(folder, generator.state_dict(), asdict(Model(width=4, depth=3)) | {"columns": columns}, "")
    return folder


def test_hints_are_used_unchanged(tmp_path):
    files.write(tmp_path / "cue.png", png.encode_png(picture(1, 16, 8)))
    model = write_model(tmp_path / "model", Cue(method="points"))
    fitted = colorize.load_colorizer(model, {"cue": tmp_path / "cue.png"}).fitted(16, 32)
    np.testing.assert_array_equal(fitted, picture(1, 16, 8).repeat(2, axis=0).repeat(2, axis=1))


def colored(colorizer, sketch):
    """Return the picture that a colorizer makes of a sketch."""
    made = colorizer(Sample("1", {"png": png.encode_png(sketch)}))
    assert (list(made.sample.members), made.reported) == (["png"], {})
    return codec.decode(made.sample.picture)


def test_a_cue_of_any_size_is_fitted_to_the_sketch_and_blurred_as_in_training(model, tmp_path):
    sketch, colors = picture(1, 37, 21)[..., 0], picture(2, 80, 90)
    files.write(tmp_path / "cue.png", png.encode_png(colors))
    colorizer = colorize.load_colorizer(model, {"cue": tmp_path / "cue.png"})
    fitted = draw_cue(resize(colors, 37, 21), Cue(sigma=10.0))
    expected = paint(colorizer.network, {"sketch": sketch, "cue": fitted})
    np.testing.assert_array_equal(colored(colorizer, sketch), expected)


def strokes(height, width):
    """Paint a red stroke at the left and a blue one at the right of a transparent picture, RGBA."""
    hints = np.zeros((height, width, 4), np.uint8)
    hints[height // 4 : -height // 4, 2:5] = (255, 0, 0, 255)
    hints[height // 4 : -height // 4, -5:-2] = (0, 0, 255, 255)
    return hints


def test_strokes_on_transparent_ground_spread_their_colors_as_far_as_the_blur(model, tmp_path):
    files.write(tmp_path / "cue.png", png.encode_png(strokes(128, 128)))
    fitted = colorize.load_colorizer(model, {"cue": tmp_path / "cue.png"}).fitted(256, 256).astype(int)
    red, blue, far = fitted[128, 10], fitted[128, -10], fitted[128, 128]
    assert red[0] > 240 > 40 > max(red[1:])
    assert blue[2] > 240 > 40 > max(blue[:2])
    assert far.min() > 240


def test_an_opaque_picture_is_the_same_cue_with_an_alpha(model, tmp_path):
    colors = picture(1, 64, 64)
    alpha = np.full((64, 64, 1), 255, np.uint8)
    for name, pixels in (("plain", colors), ("alpha", np.dstack([colors, alpha]))):
        files.write(tmp_path / f"{name}.png", png.encode_png(pixels))
    plain, opaque = (
        colorize.load_colorizer(model, {"cue": tmp_path / f"{name}.png"}).fitted(64, 64).astype(int)
        for name in ("plain", "alpha")
    )
    assert np.abs(plain - opaque).max() <= 1


def test_without_a_cue_the_cue_is_all_ones(model):
    sketch, colorizer = picture(1, 16, 16)[..., 0], colorize.load_colorizer(model, {})
    white = np.full((16, 16, 3), 255, np.uint8)
    np.testing.assert_array_equal(
        colored(colorizer, sketch),
        paint(colorizer.network, {"sketch": sketch, "cue": white}),
    )


def test_weights_settings_cue_and_code_are_all_part_of_the_fingerprint(model, monkeypatch):
    colorizer = colorize.load_colorizer(model, {})
    others = [
        replace(colorizer, network=replace(colorizer.network, weights="other")),
        replace(
            colorizer, network=replace(colorizer.network, config=colorizer.network.config | {"depth": 4})
        ),
        replace(colorizer, network=replace(colorizer.network, engine="onnxruntime 1.0")),
        replace(colorizer, guide=picture(1)),
        replace(colorizer, guide=picture(1), alpha=picture(1)[..., 0]),
        replace(colorizer, tile=64),
        replace(colorizer, guide=picture(1).reshape(32, 128, 3)),
    ]
    prints = {each.fingerprint() for each in (colorizer, *others)}
    monkeypatch.setattr(colorize, "code_hashes", lambda *modules: ["edited"])
    assert len(prints | {colorizer.fingerprint()}) == 9
    assert colorize.load_colorizer(model, {}).network.weights == colorizer.network.weights


def test_a_cue_that_the_model_cannot_use_is_refused(model, tmp_path):
    files.write(tmp_path / "cue.png", b"broken")
    with pytest.raises(Halt, match=r"cue.png: cannot decode"):
        colorize.load_colorizer(model, {"cue": tmp_path / "cue.png"})
    plain = write_model(tmp_path / "plain", Cue(method="none"))
    with pytest.raises(Halt, match="was trained without cues: leave --cue out"):
        colorize.load_colorizer(plain, {"cue": tmp_path / "cue.png"})


def other(folder, name):
    """Save a small model of another system."""
    torch.manual_seed(0)
    shape = Model(system=name, width=4)
    generator, _ = system(name).networks(shape)
    save_model(folder, generator.state_dict(), asdict(shape) | {"columns": {}}, "")
    return folder


def test_a_reference_of_any_size_colors_a_sketch_of_any_size(tmp_path):
    files.write(tmp_path / "other.png", png.encode_png(picture(2, 50, 90)))
    sketch = picture(1, 37, 21)[..., 0]
    for name in ("nerk", "liu", "scft"):
        model = other(tmp_path / name, name)
        made = colored(colorize.load_colorizer(model, {"reference": tmp_path / "other.png"}), sketch)
        assert made.shape == (21, 37, 3)
        with pytest.raises(Halt, match="colors by a reference: name a picture with --reference"):
            colorize.load_colorizer(model, {})
        with pytest.raises(Halt, match="colors by a reference, not by a cue"):
            colorize.load_colorizer(model, {"cue": tmp_path / "other.png"})


def test_a_mask_says_where_a_gray_picture_is_colored(tmp_path):
    area = np.zeros((8, 8), np.uint8)
    area[:, :4] = 255
    files.write(tmp_path / "mask.png", png.encode_png(area))
    model = other(tmp_path / "mask", "mask")
    colorizer = colorize.load_colorizer(model, {"mask": tmp_path / "mask.png"})
    given = colorizer.given(picture(1, 40, 20))
    assert (given["mask"][:, :20] == 255).all()
    assert not given["mask"][:, 20:].any()
    assert colored(colorizer, picture(1, 40, 20)).shape == (20, 40, 3)
    files.write(
        tmp_path / "painted.png", png.encode_png(np.dstack([np.full((8, 8, 3), 255, np.uint8), area]))
    )
    painted = colorize.load_colorizer(model, {"mask": tmp_path / "painted.png"}).given(picture(1, 40, 20))
    assert (painted["mask"] == given["mask"]).all()
    assert (colorize.load_colorizer(model, {}).given(picture(1))["mask"] == 255).all()


def test_in_tiles_memory_is_that_of_a_tile_and_references_shrink_to_it(tmp_path):
    files.write(tmp_path / "other.png", png.encode_png(picture(2, 50, 90)))
    colorizer = colorize.load_colorizer(
        other(tmp_path / "liu", "liu"), {"reference": tmp_path / "other.png"}, tile=64
    )
    assert colorizer.given(picture(1, 100, 50))["reference"].shape == (32, 64, 3)
    assert colorizer.given(picture(1, 30, 50))["reference"].shape == (50, 30, 3)
    assert colored(colorizer, picture(1, 100, 50)[..., 0]).shape == (50, 100, 3)
    with pytest.raises(ValueError, match="tile must be 0 or at least 64, got 63"):
        colorize.load_colorizer(tmp_path / "liu", {"reference": tmp_path / "other.png"}, tile=63)


def test_a_folder_of_guides_has_one_for_each_sketch_by_name(model, tmp_path):
    for number in (1, 2):
        files.write(tmp_path / "cues" / f"page {number}.png", png.encode_png(picture(number, 40, 30)))
    colorizer = colorize.load_colorizer(model, {"cue": tmp_path / "cues"})
    sketch = png.encode_png(picture(3, 40, 30)[..., 0])
    for number in (1, 2):
        alone = colorize.load_colorizer(model, {"cue": tmp_path / "cues" / f"page {number}.png"})
        sample = Sample(f"page {number}", {"png": sketch})
        assert colorizer(sample).sample.members == alone(sample).sample.members
    with pytest.raises(Halt, match="page 3 has no guide: give the folder of guides a picture of this name"):
        colorizer(Sample("page 3", {"png": sketch}))
    before = colorizer.fingerprint()
    files.write(tmp_path / "cues" / "page 2.png", png.encode_png(picture(4, 40, 30)))
    assert colorizer.fingerprint() != before


def test_a_missing_guide_is_refused(model, tmp_path):
    with pytest.raises(Halt, match=r"none.png does not exist: name a picture, or a folder of pictures"):
        colorize.load_colorizer(model, {"cue": tmp_path / "none.png"})


def white_paper(ink=0, side=64):
    """Draw lines on paper of the other lightness, RGB."""
    paper = np.full((side, side, 3), 255 - ink, np.uint8)
    paper[::8] = ink
    return paper


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
        (strokes(64, 64), ""),
        (picture(1), ""),
    ],
)
def test_a_guide_that_cannot_work_is_doubted(model, tmp_path, guide, doubt):
    given = {}
    if guide is not None:
        files.write(tmp_path / "cue.png", png.encode_png(guide))
        given = {"cue": tmp_path / "cue.png"}
    doubts = colorize.find_doubts(colorize.load_colorizer(model, given), [])
    assert len(doubts) == bool(doubt)
    assert doubt in "".join(doubts)


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (white_paper(), ""),
        (white_paper(ink=255), "page is dark: lines must be black on white, so invert it"),
        (picture(1), "page has colors: make a sketch of it first, by prep sketchify"),
        (np.minimum(white_paper(), np.array([245, 235, 205], np.uint8)), ""),  # a scan of yellow paper
    ],
)
def test_a_picture_that_is_no_sketch_is_doubted(model, tmp_path, image, doubt):
    files.write(tmp_path / "cue.png", png.encode_png(picture(1)))
    colorizer = colorize.load_colorizer(model, {"cue": tmp_path / "cue.png"})
    samples = [Sample("page", {"png": png.encode_png(image)}), Sample("broken", {"png": b""})]
    assert colorize.find_doubts(colorizer, samples) == [doubt][: bool(doubt)]


def test_a_mask_colors_gray_pictures_that_may_be_dark(tmp_path):
    colorizer = colorize.load_colorizer(other(tmp_path / "mask", "mask"), {})
    dark = Sample("page", {"png": png.encode_png(white_paper(ink=255))})
    assert colorize.find_doubts(colorizer, [dark]) == []


def test_doubts_are_lines_of_the_command(model, tmp_path, capsys):
    files.write(tmp_path / "page.png", png.encode_png(white_paper(ink=255)))
    words = ["colorize", tmp_path / "page.png", tmp_path / "out.png", "--model", model, "--device", "cpu"]
    code, _, err = run_prep(capsys, *words, "--cache", tmp_path / "cache")
    assert (code, err.splitlines()) == (
        0,
        [
            "colorize: the model has seen no sample without a cue: name one by --cue",
            "colorize: page is dark: lines must be black on white, so invert it",
        ],
    )
    assert codec.decode((tmp_path / "out.png").read_bytes()).shape == (64, 64, 3)
