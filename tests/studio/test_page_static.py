"""The page of `prep export --page` needs nothing but a static server, and colors as the studio does."""

import numpy as np
import pytest
from browser import needs_chromium, static_site, tab
from desk import BLUE, BOX, RED, STROKE, Desk, draw_lines, draw_scene, in_circle, paper, read
from drawings import write
from made import run_prep
from project import ROOT

from pipeline.errors import Halt
from pipeline.models.network import SHIPPED_ONNX
from pipeline.studio.runtime import find_runtime

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


@pytest.fixture
def page(home, capsys):
    if not (home / "page").exists():
        words = ("--page", home / "page", "--cache", CACHE)
        assert run_prep(capsys, "export", SHIPPED_ONNX, *words)[0] == 0
    with static_site(home / "page") as address:
        yield address


def test_a_static_page_colors_as_prep_colorize_does(chromium, page, home, by_prep):
    scene = write(home / "scene.png", draw_scene(400, 300))
    with tab(chromium) as opened:
        desk = Desk(opened, page, (400, 300))
        desk.drop(scene)
        desk.settle()
        plain = read(desk.save("picture"))
        desk.paint_scene()
        made, strokes = (read(each) for each in desk.both())
        opened.check(page)
    write(home / "strokes.png", strokes.astype(np.uint8))
    assert np.abs(plain - by_prep(scene, SHIPPED_ONNX)).max() <= 1
    assert np.abs(made - by_prep(scene, SHIPPED_ONNX, "--cue", home / "strokes.png")).max() <= 1


def test_all_goes_on_without_a_network_once_the_page_is_loaded(chromium, page, home):
    with tab(chromium) as opened:
        desk = Desk(opened, page)
        desk.drop(home / "lines.png")
        desk.settle()
        asked = len(opened.requests)
        opened.context.set_offline(True)
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
        assert [url for url in opened.requests[asked:] if not url.startswith("blob:")] == []
        opened.check(page)


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
