"""Take the pictures of the studio that the documents show, in headless Chromium: make screens.

The colors are those of the model that ships; the screen Limits shows the sample that `make repro` made.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent
ROOT = DOCS.parent
MARGIN = 24  # pixels around the drawing in its half of the screen
DRAWING = (1200, 900)  # size of the sample drawing
STROKES = [  # a color, and a line through places of the drawing
    ("#dce7e2", [(40, 80), (60, 300), (50, 530)]),
    ("#dce7e2", [(1020, 130), (1100, 300), (1070, 530)]),
    ("#b98c63", [(130, 160), (130, 420)]),
    ("#a9d6f0", [(200, 160), (340, 170), (360, 220)]),
    ("#f7f5ee", [(230, 260), (280, 260)]),
    ("#86bd85", [(190, 450), (260, 490), (360, 470)]),
    ("#a9d6f0", [(470, 160), (490, 300), (520, 350)]),
    ("#a9d6f0", [(660, 160), (660, 330)]),
    ("#f4c152", [(570, 210), (600, 230)]),
    ("#86bd85", [(470, 430), (600, 440), (660, 470)]),
    ("#d98a7b", [(750, 100), (760, 300)]),
    ("#c97766", [(800, 100), (810, 360)]),
    ("#d98a7b", [(860, 100), (880, 420)]),
    ("#2f5d86", [(420, 540), (510, 510), (600, 540)]),
    ("#e07a5f", [(490, 450), (510, 450)]),
    ("#4f88b4", [(390, 600), (510, 610), (620, 600)]),
    ("#f4efe3", [(380, 670), (510, 680), (630, 670)]),
    ("#4f88b4", [(420, 730), (510, 750), (600, 730)]),
    ("#2f5d86", [(280, 600), (280, 640)]),
    ("#4f88b4", [(700, 620), (750, 540)]),
    ("#2f5d86", [(490, 780), (520, 780)]),
    ("#cf4b57", [(60, 770), (80, 830), (120, 840)]),
    ("#eaa83f", [(170, 780), (200, 840), (250, 810)]),
    ("#4f8a4c", [(130, 700), (160, 700)]),
    ("#f3d9cf", [(850, 700), (860, 760), (900, 800)]),
    ("#cf4b57", [(870, 740), (890, 740)]),
    ("#6b4226", [(860, 670), (940, 670)]),
    ("#f3d9cf", [(1020, 700), (1060, 720)]),
    ("#e8dfcf", [(810, 810), (900, 820), (990, 810)]),
    ("#c79a6b", [(340, 850), (570, 870), (740, 860)]),
    ("#b98659", [(90, 670), (230, 670)]),
    ("#b98659", [(710, 670), (780, 670)]),
]


@contextmanager
def open_studio(home: Path, *words: str) -> Iterator[str]:
    """Run prep studio in a folder, and yield its address."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "inkwash", "studio", "--quiet", *words]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def open_page(browser: Browser, address: str, scheme: str, height: int) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-state=ready]")
    return page


def paint_sample(page: Page) -> None:
    """Open the sample drawing and paint STROKES on it, in the left half of the screen."""
    page.click("text=Try a sample")
    page.wait_for_selector("[data-quality=full]", state="attached")
    stage = page.locator(".stage").bounding_box()
    assert stage
    scale = (stage["width"] / 2 - 2 * MARGIN) / DRAWING[0]
    left, top = stage["x"] + MARGIN, stage["y"] + (stage["height"] - scale * DRAWING[1]) / 2
    for color, places in STROKES:
        field = page.get_by_label("Color as hex")
        field.fill(color)
        field.press("Enter")
        (x, y), *rest = places
        page.mouse.move(left + scale * x, top + scale * y)
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(left + scale * x, top + scale * y, steps=8)
        page.mouse.up()
    page.mouse.move(left, 0)
    page.wait_for_timeout(500)
    page.wait_for_selector(".color-status .work[data-state=ready]")
    page.wait_for_selector("[data-quality=full]", state="attached")


def store(page: Page, name: str) -> None:
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(DOCS / name, optimize=True)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, TemporaryDirectory() as empty:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with open_studio(Path(empty)) as address:
            page = open_page(browser, address, "light", 680)
            paint_sample(page)
            store(page, "studio.png")
            page = open_page(browser, address, "dark", 720)
            paint_sample(page)
            page.click("text=Slider")
            page.wait_for_timeout(500)
            store(page, "colorize.png")
        with open_studio(ROOT, str(ROOT / "data")) as address:
            page = open_page(browser, address, "light", 720)
            page.evaluate("location.hash = 'limits'")
            page.wait_for_selector(".screen[data-screen=limits][data-state=ready]")
            row = page.locator("[data-limit=complexity]")
            row.get_by_role("spinbutton").fill("20")
            row.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
            row.locator("img").nth(6).wait_for()
            page.wait_for_timeout(3000)  # the other pictures
            store(page, "limits.png")
        browser.close()


if __name__ == "__main__":
    main()
