"""A trained model colors drawings of any size, at the size that it learned, under the artist's own lines."""

from dataclasses import replace

import numpy as np
import pytest
from drawings import disc, other, stroke, write, write_model
from made import picture, run_prep

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.images.pixels import resize
from pipeline.models import colorize
from pipeline.models.colorize import Options, load_colorizer
from pipeline.models.guides import Guides
from pipeline.models.lineart import fit, reduce_lines
from pipeline.models.tiles import colorize_picture as paint
from pipeline.operators.cue import draw_cue
from pipeline.params import Cue
from pipeline.shards.tar import Sample
from pipeline.systems import SYSTEMS, system

pytestmark = pytest.mark.usefixtures("one_thread")
REDRAW = Options(lines="redraw")
RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def model(tmp_path):
    """Save a small model that was trained with cues of sigma 10."""
    return write_model(tmp_path / "model", Cue(sigma=10.0))


def colored(colorizer, drawing, key="1"):
    """Return the picture that a colorizer makes of a drawing, RGBA."""
    made = colorizer(Sample(key, {"png": png.encode_png(drawing)}))
    assert (list(made.sample.members), made.reported) == (["png"], {})
    return codec.decode_rgba(made.sample.picture)


def within(side=96, share=1 / 3):
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - side // 2, x - side // 2) < side * share


def test_hints_are_used_unchanged_by_a_model_of_hints(tmp_path):
    write(tmp_path / "cue.png", picture(1, 16, 8))
    model = write_model(tmp_path / "model", Cue(method="points"))
    fitted = load_colorizer(model, {"cue": tmp_path / "cue.png"}).fit_guide(
        codec.decode_rgba((tmp_path / "cue.png").read_bytes()), 16, 32
    )["cue"]
    np.testing.assert_array_equal(fitted, picture(1, 16, 8).repeat(2, axis=0).repeat(2, axis=1))


def test_a_cue_of_any_size_is_fitted_to_the_sketch_and_blurred_as_in_training(model, tmp_path):
    drawing, colors = disc(48)[:21, :37], picture(2, 80, 90)
    write(tmp_path / "cue.png", colors)
    colorizer = load_colorizer(model, {"cue": tmp_path / "cue.png"}, options=REDRAW)
    fitted = draw_cue(resize(colors, 37, 21), Cue(sigma=10.0))
    given = {"sketch": np.ascontiguousarray(drawing[..., 0]), "cue": fitted}
    expected = paint(colorizer.network, given)
    opaque = np.dstack([colors, np.full_like(colors[..., 0], 255)])
    for guide in (opaque, colors):
        np.testing.assert_array_equal(colorizer.color(drawing, guide), expected)
    np.testing.assert_array_equal(colorizer.color(given["sketch"], colors), expected)


def test_the_network_colors_at_the_size_that_it_learned_or_that_is_asked_for(tmp_path, monkeypatch):
    sizes = []

    def watch(network, given, tile):
        sizes.append((given["sketch"].shape, given["cue"].shape))
        return paint(network, given, tile)

    monkeypatch.setattr(colorize, "colorize_picture", watch)
    model = write_model(tmp_path / "model", Cue(), side=32)
    for size in (0, 48):
        made = load_colorizer(model, {}, options=Options(size=size)).color(disc(96)[:, :80])
        assert made.shape == (96, 80, 3)
    assert sizes == [((38, 32), (38, 32, 3)), ((58, 48), (58, 48, 3))]


def test_without_a_cue_the_cue_is_all_ones(model):
    drawing, colorizer = disc(16), load_colorizer(model, {}, options=REDRAW)
    white = np.full((16, 16, 3), 255, np.uint8)
    np.testing.assert_array_equal(
        colorizer.color(drawing),
        paint(colorizer.network, {"sketch": drawing[..., 0], "cue": white}),
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_keeps_the_lines_of_the_artist(tmp_path, name):
    drawing = disc(120)
    if name == "pix2pix":
        colorizer = load_colorizer(write_model(tmp_path / name, Cue(), side=32), {})
    else:
        given = {"reference": write(tmp_path / "other.png", picture(2, 50, 90))}
        given = given if "reference" in system(name).guides else {}
        colorizer = load_colorizer(other(tmp_path / name, name), given)
    made = colorizer.color(drawing, colorizer.guides.shared)
    assert made.shape == drawing.shape
    if name != "mask":
        assert (made[drawing[..., 0] == 0] == 0).all()


def test_the_network_can_redraw_the_lines(tmp_path):
    colorizer = load_colorizer(write_model(tmp_path / "model", Cue(), side=32), {}, options=REDRAW)
    white = np.full((32, 32, 3), 255, np.uint8)
    small = reduce_lines(disc(128)[..., 0], 32, 32)
    expected = paint(colorizer.network, {"sketch": small, "cue": white})
    np.testing.assert_array_equal(colorizer.color(disc(128)), fit(expected, 128, 128))


def test_with_less_strength_colors_of_the_network_are_paler_and_those_of_strokes_stay(tmp_path):
    cue = write(tmp_path / "cue.png", stroke(RED))
    colorizer = load_colorizer(write_model(tmp_path / "model", Cue(), side=32), {"cue": cue})
    drawing, guide = disc(128), colorizer.guides.shared

    def color(strength):
        return replace(colorizer, options=Options(strength=strength)).color(drawing, guide).astype(int)

    whole, half, none = color(1), color(0.5), color(0)
    paper = drawing[..., 0] == 255
    known = paper & (none != 255).any(axis=2)
    for made in (whole, half, none):
        assert (made[known] == RED).all()
    far = paper & ~known
    assert (none[far] == 255).all()
    assert len(far[far])
    assert np.abs(half[far] - (whole[far] + 255) / 2).max() <= 1
    with pytest.raises(ValueError, match="strength must be 0 to 1"):
        Options(strength=1.5)


def test_a_stroke_gives_its_region_its_color_and_changes_nothing_outside(tmp_path):
    model = write_model(tmp_path / "model", Cue(), side=32)
    plain = load_colorizer(model, {"cue": write(tmp_path / "none.png", stroke(RED) * np.uint8(0))})
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", stroke(RED))})
    drawing = disc()
    made, before = (each.color(drawing, each.guides.shared).astype(int) for each in (colorizer, plain))
    paper, inside = drawing[..., 0] == 255, within()
    assert (made[paper & inside] == RED).all()
    assert np.abs(made - before)[~within(96, 0.36)].mean() < 1


def test_strokes_on_both_sides_of_a_line_meet_on_it_unless_a_gap_is_wider_than_those_closed(tmp_path):
    model = write_model(tmp_path / "model", Cue(), side=32)
    drawing, hints = disc(), stroke(RED) | stroke(BLUE, place=(12, 6))
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", hints)})
    made = colorizer.color(drawing, hints)
    paper = drawing[..., 0] == 255
    assert {*map(tuple, made[paper].tolist())} == {RED, BLUE}
    assert ((made[..., 0] == RED[0]) == within())[paper].all()
    drawing[:48, 45:52] = 255
    only = stroke(BLUE, place=(12, 6))
    closed, open_ = (
        replace(colorizer, options=Options(gap=gap)).color(drawing, only)[48, 48].tolist()
        for gap in (9.0, 0.0)
    )
    assert open_ == list(BLUE)
    assert closed != list(BLUE)


def test_a_blurred_cue_is_found_again_in_the_blur_of_the_result(tmp_path):
    model = write_model(tmp_path / "model", Cue(sigma=20.0), side=32)
    drawing = disc(128)
    color = np.where(within(128)[..., None], np.array(RED), np.array([240, 230, 200])).astype(np.uint8)
    color[drawing[..., 0] == 0] = 0
    guide = np.dstack([color, np.full((128, 128), 255, np.uint8)])
    colorizer = load_colorizer(model, {"cue": write(tmp_path / "cue.png", color)})
    made = colorizer.color(drawing, guide).astype(float)
    blurs = [draw_cue(each.astype(np.uint8), Cue(sigma=20.0)).astype(float) for each in (made, color)]
    assert np.abs(blurs[0] - blurs[1]).mean() < 4
    assert np.abs(made - color)[within(128, 0.28)].mean() < 16


def test_an_opaque_picture_is_the_same_cue_with_an_alpha(model, tmp_path):
    colors = picture(1, 64, 64)
    opaque = np.dstack([colors, np.full((64, 64, 1), 255, np.uint8)])
    guides = [
        load_colorizer(model, {"cue": write(tmp_path / f"{name}.png", pixels)}).guides.shared
        for name, pixels in (("plain", colors), ("alpha", opaque))
    ]
    np.testing.assert_array_equal(*guides)


def test_the_alpha_of_a_drawing_is_that_of_the_result(model):
    drawing = np.dstack([disc(64), np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)])
    made = colored(load_colorizer(model, {}), drawing)
    np.testing.assert_array_equal(made[..., 3], drawing[..., 3])
    decoded = codec.decode_rgba(png.encode_png(disc(64)))
    assert (colored(load_colorizer(model, {}), disc(64))[..., 3] == decoded[..., 3]).all()


def test_light_lines_are_made_dark_first_if_that_is_asked_for(model):
    plain, inverting = (load_colorizer(model, {}, options=Options(invert=each)) for each in (False, True))
    np.testing.assert_array_equal(inverting.color(255 - disc()), plain.color(disc()))


def test_settings_weights_guides_and_code_are_all_part_of_the_fingerprint(model, tmp_path, monkeypatch):
    colorizer = load_colorizer(model, {})
    rgba = np.dstack([picture(1), picture(1)[..., 0]])
    named = write(tmp_path / "cues" / "1.png", picture(1))
    others = [
        *(
            replace(colorizer, network=replace(colorizer.network, **changed))
            for changed in (
                {"weights": "other"},
                {"config": colorizer.network.config | {"depth": 4}},
                {"engine": "onnxruntime 1.0"},
            )
        ),
        replace(colorizer, kind="cue", guides=Guides(rgba)),
        replace(colorizer, kind="cue", guides=Guides(rgba.reshape(32, 128, 4))),
        replace(colorizer, kind="cue", guides=Guides(paths={"1": named})),
        *(
            replace(colorizer, options=options)
            for options in (
                Options(size=64),
                REDRAW,
                Options(gap=1.0),
                Options(invert=True),
                Options(tile=64),
            )
        ),
    ]
    prints = {each.fingerprint() for each in (colorizer, *others)}
    monkeypatch.setattr(colorize, "code_hashes", lambda *modules: ["edited"])
    assert len(prints | {colorizer.fingerprint()}) == 13
    assert load_colorizer(model, {}).network.weights == colorizer.network.weights


def test_a_cue_that_the_model_cannot_use_is_refused(model, tmp_path):
    files.write(tmp_path / "cue.png", b"broken")
    with pytest.raises(Halt, match=r"cue.png: cannot decode"):
        load_colorizer(model, {"cue": tmp_path / "cue.png"})
    plain = write_model(tmp_path / "plain", Cue(method="none"))
    with pytest.raises(Halt, match="was trained without cues: leave --cue out"):
        load_colorizer(plain, {"cue": tmp_path / "cue.png"})


def test_options_that_cannot_be_are_refused(model):
    with pytest.raises(ValueError, match="lines must be one of keep, redraw, got thin"):
        Options(lines="thin")
    for wrong in ({"size": -1}, {"gap": -1.0}, {"gap": float("nan")}):
        with pytest.raises(ValueError, match="size and gap must be 0 pixels or more"):
            Options(**wrong)


def test_a_reference_of_any_size_colors_a_sketch_of_any_size(tmp_path):
    write(tmp_path / "other.png", picture(2, 50, 90))
    for name in ("nerk", "liu", "scft"):
        model = other(tmp_path / name, name)
        colorizer = load_colorizer(model, {"reference": tmp_path / "other.png"})
        assert colored(colorizer, picture(1, 37, 21)).shape == (21, 37, 4)
        with pytest.raises(Halt, match="colors by a reference: name a picture with --reference"):
            load_colorizer(model, {})
        with pytest.raises(Halt, match="colors by a reference, not by a cue"):
            load_colorizer(model, {"cue": tmp_path / "other.png"})


@pytest.mark.parametrize("name", ["cue", "palette", "reference", "mask"])
def test_wash_takes_each_guide_and_none(tmp_path, name):
    model = other(tmp_path / "wash", "wash", side=64)
    drawing = disc()
    plain, guided = (
        load_colorizer(model, given).color(
            drawing, None if not given else np.dstack([picture(2), picture(2)[..., :1] | 255])
        )
        for given in ({}, {name: write(tmp_path / "guide.png", picture(2))})
    )
    assert plain.shape == guided.shape == drawing.shape
    assert (plain != guided).any()


def test_a_mask_says_where_a_gray_picture_is_colored_and_its_brightness_stays(tmp_path):
    area = np.zeros((8, 8), np.uint8)
    area[:, :4] = 255
    layer = np.dstack([np.full((8, 8, 3), 255, np.uint8), area])
    colorizer = load_colorizer(other(tmp_path / "mask", "mask"), {"mask": write(tmp_path / "mask.png", area)})
    gray = np.repeat(picture(1, 80, 40)[..., :1], 3, axis=2)
    made = colorizer.color(gray, colorizer.guides.shared).astype(int)
    np.testing.assert_array_equal(made[:, 40:], gray[:, 40:])
    assert (made[:, :40] != gray[:, :40]).any()
    np.testing.assert_array_equal(colorizer.color(gray, layer), made)
    whole = load_colorizer(tmp_path / "mask", {})
    assert whole.color(gray).shape == gray.shape
    assert (whole.color(gray)[:, 40:] != gray[:, 40:]).any()


def test_a_tile_that_is_too_small_is_refused(tmp_path):
    write(tmp_path / "other.png", picture(2, 50, 90))
    model = other(tmp_path / "liu", "liu")
    with pytest.raises(ValueError, match="tile must be 0 or at least 64, got 63"):
        load_colorizer(model, {"reference": tmp_path / "other.png"}, options=Options(tile=63))
    colorizer = load_colorizer(model, {"reference": tmp_path / "other.png"}, options=Options(96, tile=64))
    assert colored(colorizer, picture(1, 100, 50)).shape == (50, 100, 4)


def test_a_folder_of_guides_has_one_for_each_sketch_by_name(model, tmp_path):
    for number in (1, 2):
        write(tmp_path / "cues" / f"page {number}.png", picture(number, 40, 30))
    colorizer = load_colorizer(model, {"cue": tmp_path / "cues"})
    for number in (1, 2):
        alone = load_colorizer(model, {"cue": tmp_path / "cues" / f"page {number}.png"})
        made, expected = (colored(each, disc(40), f"page {number}") for each in (colorizer, alone))
        np.testing.assert_array_equal(made, expected)
    with pytest.raises(Halt, match="page 3 has no guide: give the folder of guides a picture of this name"):
        colored(colorizer, disc(40), "page 3")
    before = colorizer.fingerprint()
    write(tmp_path / "cues" / "page 2.png", picture(4, 40, 30))
    assert colorizer.fingerprint() != before


def test_a_missing_guide_is_refused(model, tmp_path):
    with pytest.raises(Halt, match=r"none.png does not exist: name a picture, or a folder of pictures"):
        load_colorizer(model, {"cue": tmp_path / "none.png"})


@pytest.mark.parametrize(
    ("page", "dest", "cue"),
    [
        ("a.png", "cue.png", "cue.png"), ("a.png", "cues/new.png", "cues"), ("pages", "cues", "cues"),
        ("pages", "cues/out", "cues"), ("pages", "out", "out/a.png"),
    ],
)  # fmt: skip
def test_a_guide_is_never_overwritten(model, tmp_path, capsys, monkeypatch, page, dest, cue):
    monkeypatch.chdir(tmp_path)
    for path in ("a.png", "cue.png", "pages/a.png", "cues/a.png", "out/a.png"):
        write(tmp_path / path, disc(40))
    before = (tmp_path / cue).stat()
    words = ["--cue", cue, "--force", "--model", model, "--device", "cpu"]
    code, _, err = run_prep(capsys, "colorize", page, dest, *words)
    said = f"prep: {cue} is a guide, and {dest} would change it: name another place to write\n"
    assert (code, err, (tmp_path / cue).stat()) == (1, said, before)


def test_the_command_keeps_names_and_says_first_what_is_missing(model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "pages" / "v1.2.final.png", disc(40))
    files.write(tmp_path / "pages" / "empty.png", b"")
    words = ["--model", model, "--device", "cpu"]
    assert run_prep(capsys, "colorize", "pages", "out", *words)[0] == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert names == ["rejects.tsv", "v1.2.final.png"]
    assert "empty.png\tcannot decode" in (tmp_path / "out" / "rejects.tsv").read_text()
    code, _, err = run_prep(capsys, "colorize", "nothere.png", "out", "--model", "no model")
    assert (code, err.startswith("prep: nothere.png does not exist: name a picture")) == (1, True)
    write(tmp_path / "cues" / "other.png", disc(40))
    code, _, err = run_prep(capsys, "colorize", "pages", "elsewhere", *words, "--cue", "cues")
    assert (code, err.startswith("prep: empty, v1.2.final: no guide has this name")) == (1, True)
    assert not (tmp_path / "elsewhere").exists()
