"""The Color screen does for a person what `prep colorize` does, and loses nothing that was drawn."""

import numpy as np
import pytest
from browser import needs_chromium, studio, tab
from desk import (
    BLUE,
    BOX,
    HEIGHT,
    RED,
    STROKE,
    WIDTH,
    Desk,
    draw_lines,
    draw_scene,
    hexed,
    in_box,
    in_circle,
    on_white,
    paper,
    read,
)
from drawings import write
from openraster import compose, layers, merged
from playwright.sync_api import expect

from pipeline.models.network import SHIPPED_ONNX

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve the studio in an empty folder."""
    with studio("--model", SHIPPED_ONNX, "--port", "0", home=tmp_path_factory.mktemp("desk")) as printed:
        yield printed


@pytest.fixture(scope="module")
def opened(chromium, address):
    """Open the studio once."""
    with tab(chromium) as opened:
        yield Desk(opened, address)


@pytest.fixture
def desk(opened, address, tmp_path):
    """Begin the drawing afresh, and check at the end that the page behaved."""
    opened.begin(write(tmp_path / f"{tmp_path.name}.png", draw_lines()))
    yield opened
    opened.tab.check(address)


def test_a_drawing_opens_by_drop_paste_and_picker(chromium, address, tmp_path):
    plain = draw_lines()
    drawings = {"drop": plain, "paste": plain[:, ::-1], "pick": np.rot90(plain)}
    for way, drawing in drawings.items():
        file = write(tmp_path / f"{way}.png", drawing)
        with tab(chromium) as opened:
            desk = Desk(opened, address)
            getattr(desk, way)(file.read_bytes() if way == "paste" else file)
            desk.settle()
            np.testing.assert_array_equal(on_white(read(desk.save("lines"))), drawing)
            opened.check(address)


def test_the_pressure_of_the_pen_sets_the_width_of_a_stroke(desk):
    for y, force in ((90, 0.1), (150, 0.9)):
        desk.pen(*[(x, y) for x in range(70, 131, 10)], force=force)
    alpha = read(desk.save("strokes"))[..., 3]
    thin, thick = ((alpha[rows, 100] == 255).sum() for rows in (slice(0, 120), slice(120, 240)))
    assert 0 < thin < thick / 2


def test_a_stroke_colors_its_region_and_changes_nothing_outside(desk):
    desk.paint(BLUE, (220, 120), (260, 120))
    before = read(desk.save("picture"))
    desk.paint(RED, *STROKE)
    made = read(desk.save("picture"))
    assert np.abs(made[paper() & in_circle()][:, :3] - RED).max() <= 1
    assert np.abs(made - before)[~in_circle()].mean() < 1


def test_undo_and_redo_are_exact_and_kept_over_a_reload(desk):
    states = [desk.both()]
    desk.paint(RED, *STROKE)
    states.append(desk.both())
    desk.page.keyboard.press("e")
    desk.pen((60, 120), (90, 120), force=1)
    states.append(desk.both())
    desk.page.keyboard.press("g")
    desk.paint(BLUE, BOX)
    states.append(desk.both())
    assert len({*states}) == len(states)
    for expected in states[-2::-1]:
        desk.page.keyboard.press("Control+Z")
        assert desk.both() == expected
    for expected in states[1:]:
        desk.page.keyboard.press("Control+Shift+Z")
        assert desk.both() == expected
    desk.page.reload()
    desk.settle()
    assert desk.both() == states[-1]
    desk.page.keyboard.press("Control+Z")
    assert desk.both() == states[-2]


def test_the_eraser_takes_back_what_it_passes_over(desk):
    plain = read(desk.save("picture"))
    desk.paint(RED, (90, 120), (110, 120))
    desk.page.keyboard.press("e")
    desk.pen(*[(x, y) for y in range(110, 131, 4) for x in (70, 130)], force=1, hold=500)
    assert read(desk.save("strokes"))[..., 3].max() == 0
    np.testing.assert_array_equal(read(desk.save("picture")), plain)


def test_the_fill_colors_the_region_that_is_clicked(desk):
    desk.page.keyboard.press("g")
    desk.paint(BLUE, BOX)
    made, place = read(desk.save("flats")), paper() & in_box()
    assert (made[place] == (*BLUE, 255)).all()
    assert not (made[paper() & in_circle()] == (*BLUE, 255)).all()


def test_the_eyedropper_takes_the_color_that_is_seen(desk):
    desk.paint(RED, *STROKE)
    desk.settle()
    desk.color(BLUE)
    desk.page.keyboard.press("i")
    desk.pen((100, 140), pane="result")
    expect(desk.page.get_by_label("Color as hex")).to_have_value(hexed(RED))


def test_a_mirrored_view_is_drawn_on_as_it_is_seen(desk):
    desk.page.keyboard.press("m")
    desk.paint(RED, (WIDTH - 110, 120), (WIDTH - 90, 120))
    alpha = read(desk.save("strokes"))[..., 3]
    assert alpha[120, 100] == 255
    assert alpha[:, WIDTH // 2 :].max() == 0


def test_zoom_shows_more_and_a_stroke_lands_where_the_pen_is(desk):
    fitted = float(desk.data("zoom"))
    for _ in range(3):
        desk.page.keyboard.press("+")
    assert float(desk.data("zoom")) > 1.5 * fitted
    desk.paint(RED, (WIDTH / 2 + 4, HEIGHT / 2), (WIDTH / 2 + 8, HEIGHT / 2))
    alpha = read(desk.save("strokes"))[..., 3]
    y, x = np.nonzero(alpha)
    assert abs(x.mean() - WIDTH / 2 - 6) < 1.5
    assert abs(y.mean() - HEIGHT / 2) < 1.5


def test_the_layers_of_openraster_compose_to_the_picture(desk):
    desk.paint(RED, *STROKE)
    desk.paint(BLUE, (220, 120), (260, 120))
    picture, saved = on_white(read(desk.save("picture"))), desk.save("ora")
    assert {name for name, _ in layers(saved)} >= {"lines", "color", "flats", "strokes"}
    for composed in (compose(saved), merged(saved)):
        assert np.abs(on_white(composed.astype(int)) - picture).max() <= 1
    strokes = dict(layers(saved))["strokes"]
    np.testing.assert_array_equal(strokes, read(desk.save("strokes")))


def test_flats_have_the_colors_of_the_strokes_alone(desk):
    desk.paint(RED, *STROKE)
    desk.paint(BLUE, (220, 120), (260, 120))
    flats = read(desk.save("flats"))
    seen = {tuple(color) for color in np.unique(flats.reshape(-1, 4), axis=0).tolist()}
    assert {color[:3] for color in seen if color[3]} == {RED, BLUE}
    assert {color[3] for color in seen} <= {0, 255}


def test_prep_colorize_makes_the_same_with_the_strokes_that_were_saved_and_without(
    opened, address, tmp_path, by_prep
):
    scene, saved = write(tmp_path / "scene.png", draw_scene(400, 300)), tmp_path / "strokes.png"
    opened.begin(scene, (400, 300))
    plain = read(opened.save("picture"))
    opened.paint_scene()
    made, strokes = (read(each) for each in opened.both())
    opened.tab.check(address)
    write(saved, strokes.astype(np.uint8))
    assert np.abs(plain - by_prep(scene, SHIPPED_ONNX)).max() <= 1
    assert np.abs(made - by_prep(scene, SHIPPED_ONNX, "--cue", saved)).max() <= 1
    assert np.abs(made - plain).max() > 20
