"""Everybody can use the page: by the keyboard alone, by a screen reader, in dim light, and on a phone."""

from pathlib import Path

import numpy as np
import pytest
from browser import needs_chromium, studio, tab, visit
from desk import CIRCLE, RED, WIDTH, Desk, draw_lines, hexed, in_circle, paper, read
from drawings import write
from gallery import make_project

from pipeline.models.network import SHIPPED_ONNX

pytestmark = needs_chromium
SCREENS = ("color", "dataset", "limits", "twins", "sketches", "runs")
ACCESS = Path(__file__).with_name("access.js")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve a small project."""
    home = make_project(tmp_path_factory.mktemp("access"))
    write(home / "lines.png", draw_lines())
    with studio("--model", SHIPPED_ONNX, home=home) as printed:
        yield printed


@pytest.fixture(scope="module")
def opened(chromium, address):
    """Open the page once, with what these tests ask of it."""
    with tab(chromium) as page:
        page.context.add_init_script(path=ACCESS)
        page.page.goto(address)
        yield page


def walk(page):
    """Press Tab until it comes round, and arrows within groups.

    Return the names of what was not reached, and of what was reached without a ring.
    """
    names = settled_names(page)
    groups = page.evaluate("access.groups()")
    rings = {}

    def press(key):
        page.keyboard.press(key)
        at = page.evaluate("access.here()")
        for number in at["numbers"]:
            rings[number] = rings.get(number) or at["ring"] or looks_focused(page)
        return at["numbers"]

    page.evaluate("document.querySelector('.skip').focus()")
    for _ in range(2 * len(names) + 20):
        if press("Tab") == [0]:
            break
    for number in sorted(rings):
        mates = {each for each, group in enumerate(groups) if group == groups[number] != -1}
        for key in ("ArrowRight", "ArrowDown"):
            if not mates <= rings.keys():
                page.evaluate(f"access.focus({number})")
                for _ in mates:
                    press(key)
    missed = [name for number, name in enumerate(names) if number not in rings]
    return missed, [names[number] for number, ring in sorted(rings.items()) if not ring]


def settled_names(page):
    """Number what can be used, once a screen makes no more of it."""
    while True:
        names = page.evaluate("access.mark()")
        page.wait_for_timeout(400)
        if page.evaluate("access.mark()") == names:
            return names


def looks_focused(page):
    """Tell whether what has the focus looks different without it; a part of a chart has no outline."""
    place = page.evaluate("access.place()")
    focused = page.screenshot(clip=place)
    page.evaluate("access.blur()")
    plain = page.screenshot(clip=place)
    page.evaluate("access.restore()")
    return focused != plain


def nameless(tab):
    """List the roles of what can have the focus and has no name that a screen reader could say."""
    nodes = tab.context.new_cdp_session(tab.page).send("Accessibility.getFullAXTree")["nodes"]
    found = [
        node["role"]["value"]
        for node in nodes
        if any(each["name"] == "focusable" for each in node.get("properties", ()))
        and not node["ignored"]
        and not node["name"]["value"].strip()
    ]
    return [role for role in found if role not in ("RootWebArea", "main")]


@pytest.mark.parametrize("screen", SCREENS)
def test_the_keyboard_alone_reaches_everything_and_shows_where_it_is(opened, screen):
    visit(opened, screen)
    assert walk(opened.page) == ([], [])


@pytest.mark.parametrize("screen", SCREENS)
def test_everything_that_can_be_used_has_a_name(opened, screen):
    visit(opened, screen)
    assert nameless(opened) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_text_stands_out_from_its_ground(opened, screen, scheme):
    visit(opened, screen)
    opened.page.emulate_media(color_scheme=scheme)
    assert opened.page.evaluate("access.faint()") == []


@pytest.mark.parametrize("screen", SCREENS)
def test_a_phone_shows_everything_without_scrolling_sideways(opened, screen):
    opened.page.set_viewport_size({"width": 390, "height": 844})
    visit(opened, screen)
    assert opened.page.evaluate("access.wide()") == []


def test_a_drawing_is_opened_colored_and_saved_by_keys_alone(chromium, address, tmp_path):
    with tab(chromium) as opened:
        desk = Desk(opened, address)
        desk.pick(write(tmp_path / "lines.png", draw_lines()))
        desk.settle()
        press = opened.page.keyboard.press
        press("c")
        opened.page.keyboard.type(hexed(RED))
        press("Enter")
        tab_to(opened.page, ".canvas")
        for _ in range(WIDTH // 2 - CIRCLE[0]):
            press("Alt+ArrowLeft")
        press("Enter")
        tab_to(opened.page, "[aria-haspopup=menu]")
        press("Enter")
        with opened.page.expect_download() as download:
            press("Enter")
        made = read(Path(download.value.path()).read_bytes())
        assert np.abs(made[paper() & in_circle()][:, :3] - RED).max() <= 1


def tab_to(page, place):
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("(place) => document.activeElement.matches(place)", place):
            return
    pytest.fail(f"Tab does not reach {place}")
