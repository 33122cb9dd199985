"""The page of `prep export --page` needs nothing but a static server, and colors as the studio does."""

import numpy as np
import pytest
from browser import needs_chromium, static_site, tab
from desk import BLUE, BOX, RED, STROKE, Desk, draw_lines, draw_scene, in_circle, paper, read
from drawings import write
from project import ROOT
from typer.testing import CliRunner

from pipeline.errors import Halt
from pipeline.models.network import SHIPPED_ONNX
from pipeline.studio.runtime import find_runtime
from stages import prep

pytestmark = needs_chromium
CACHE = ROOT / ".prep"  # where .ci/run puts ONNX Runtime Web


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Make a folder with a drawing, and with the page of the model that ships in `page`."""
    try:
        find_runtime(None, CACHE)
    except Halt as why:
        pytest.skip(str(why))
    folder = tmp_path_factory.mktemp("static")
    write(folder / "lines.png", draw_lines())
    return folder


@pytest.fixture(scope="module")
def page(home):
    """Make the page and serve it."""
    words = ["export", SHIPPED_ONNX, "--page", home / "page", "--cache", CACHE]
    assert CliRunner().invoke(prep.app, [*map(str, words)]).exit_code == 0
    with static_site(home / "page") as address:
        yield address


@pytest.fixture(scope="module")
def desk(chromium, page):
    """Open the page once: the network takes seconds to load."""
    with tab(chromium) as opened:
        yield Desk(opened, page)


def test_all_goes_on_without_a_network_once_the_page_is_loaded(desk, page, home):  # before anything else does
    desk.begin(home / "lines.png")
    asked = len(desk.tab.requests)
    desk.tab.context.set_offline(True)
    plain = desk.both()
    desk.paint(RED, *STROKE)
    painted = desk.both()
    assert np.abs(read(painted[0])[paper() & in_circle()][:, :3] - RED).max() <= 1
    desk.page.keyboard.press("g")
    desk.paint(BLUE, BOX)
    desk.page.keyboard.press("Control+Z")
    assert desk.both() == painted
    desk.page.keyboard.press("Control+Z")
    assert desk.both() == plain
    for kind in ("ora", "flats", "lines"):
        assert desk.save(kind)
    assert [url for url in desk.tab.requests[asked:] if not url.startswith("blob:")] == []
    desk.tab.context.set_offline(False)
    desk.tab.check(page)


def test_a_static_page_colors_as_prep_colorize_does(desk, page, home, by_prep):
    scene = write(home / "scene.png", draw_scene(400, 300))
    desk.begin(scene, (400, 300))
    plain = read(desk.save("picture"))
    desk.paint_scene()
    made, strokes = (read(each) for each in desk.both())
    desk.tab.check(page)
    write(home / "strokes.png", strokes.astype(np.uint8))
    assert np.abs(plain - by_prep(scene, SHIPPED_ONNX)).max() <= 1
    assert np.abs(made - by_prep(scene, SHIPPED_ONNX, "--cue", home / "strokes.png")).max() <= 1


def test_the_policy_lets_nothing_in_that_is_not_of_the_page(chromium, page):
    with tab(chromium) as opened:
        Desk(opened, page)
        tried = opened.page.evaluate(
            """async () => {
              const image = new Image();
              const failed = new Promise((done) => image.addEventListener("error", done));
              image.src = "http://127.0.0.1:9/x.png";
              await failed;
              const asked = await fetch("http://127.0.0.1:9/").then(() => "sent", () => "stopped");
              const script = document.createElement("script");
              script.textContent = "globalThis.ran = true";
              document.head.append(script);
              return [asked, globalThis.ran ?? false];
            }"""
        )
        assert tried == ["stopped", False]
        found = {each.split()[0] for each in opened.page.evaluate("recorded.violations")}
        assert found == {"img-src", "connect-src", "script-src-elem"}
