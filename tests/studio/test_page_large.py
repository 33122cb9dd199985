"""A large drawing does not make the page wait: everything long is computed in a worker."""

import re

import pytest
from browser import needs_chromium, studio, tab
from desk import BLUE, RED, Desk, draw_scene, read
from drawings import write

from pipeline.models.network import SHIPPED_ONNX
from pipeline.studio.page import WEB

IMPORT = re.compile(r'^(?:import|export|\}) .*"(\.[^"]+)";$', re.MULTILINE)
LONG = {
    "colorize.js",
    "flats.js",
    "full.js",
    "lineart.js",
    "live.js",
    "morphology.js",
    "network.js",
    "scans.js",
}


def imports(path):
    """Return the modules that a module loads, and those that they load, as paths."""
    seen, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            found = IMPORT.findall(path.read_text(encoding="utf-8"))
            waiting += [(path.parent / each).resolve() for each in found]
    return seen


def test_the_worker_alone_loads_what_takes_long():
    engine = WEB / "engine"
    long = {engine / name for name in LONG}
    assert imports(engine / "worker.js") >= long
    assert not imports(WEB / "screens" / "color.js") & long


@pytest.mark.slow
@needs_chromium
def test_no_task_is_long_while_a_pen_draws_on_twelve_megapixels(chromium, tmp_path):
    lines = write(tmp_path / "lines.png", draw_scene(4000, 3000, 400))
    with studio("--model", SHIPPED_ONNX, home=tmp_path) as address, tab(chromium) as opened:
        desk = Desk(opened, address, (4000, 3000))
        desk.drop(lines)
        desk.settle()
        opened.page.evaluate("recorded.longest = 0")
        for number, color in enumerate((RED, BLUE, RED)):
            desk.paint(color, *[(500 + 30 * step, 800 + 600 * number + 5 * step) for step in range(90)])
        longest = opened.page.evaluate("recorded.longest")
        desk.settle()
        assert read(desk.save("strokes"))[..., 3].any()
        opened.check(address)
    assert longest < 100
