"""The Color screen as a person uses it: files arrive, a pen draws, and files are saved."""

import base64
from pathlib import Path

import cv2
import numpy as np
from browser import Tab

from pipeline.images import codec

WIDTH, HEIGHT = 320, 240
CIRCLE, BOX = (100, 120), (240, 120)  # middles of the two shapes of the drawing
RED, BLUE = (200, 40, 30), (40, 60, 200)
STROKE = ((80, 120), (120, 120))  # through the circle


def draw_lines() -> np.ndarray:
    """Draw a circle and a box in thick lines, RGB."""
    drawing = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cv2.circle(drawing, CIRCLE, 60, (0, 0, 0), 3)
    cv2.rectangle(drawing, (190, 60), (290, 180), (0, 0, 0), 3)
    return drawing


def draw_scene(width: int, height: int, shapes: int = 24) -> np.ndarray:
    """Draw circles and boxes over each other in lines of all widths and grays, RGB."""
    drawing, random = np.full((height, width, 3), 255, np.uint8), np.random.default_rng(1)
    for number in range(shapes):
        x, y = (int(each) for each in random.integers(0, (width, height)))
        size, gray, thick = (int(each) for each in random.integers((width // 30, 0, 1), (width // 6, 120, 5)))
        if number % 2:
            cv2.circle(drawing, (x, y), size, (gray,) * 3, thick, cv2.LINE_AA)
        else:
            cv2.rectangle(drawing, (x, y), (x + size, y + 2 * size), (gray,) * 3, thick)
    return drawing


def paper() -> np.ndarray:
    """Return where the drawing has no line."""
    return draw_lines()[..., 0] == 255


def in_circle() -> np.ndarray:
    """Return where the circle is, with its line."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - CIRCLE[0], y - CIRCLE[1]) < 62


def in_box() -> np.ndarray:
    """Return where the box is, without its line."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (x > 190) & (x < 290) & (y > 60) & (y < 180)


def read(data: bytes) -> np.ndarray:
    """Decode a PNG as RGBA levels that can be subtracted."""
    return codec.decode_rgba(data).astype(int)


def on_white(levels: np.ndarray) -> np.ndarray:
    """Lay RGBA levels on white."""
    return np.rint(255 + (levels[..., :3] - 255) * (levels[..., 3:] / 255)).astype(int)


class Desk:
    """The Color screen in a tab; `size` is the width and height of the drawing that it gets, in pixels."""

    def __init__(self, tab: Tab, address: str, size: tuple[int, int] = (WIDTH, HEIGHT)):
        """Open the page."""
        self.tab, self.page, self.size = tab, tab.page, size
        self.page.goto(address)
        tab.state("body")
        tab.state(".canvas", "empty")
        self.canvas = self.page.locator(".canvas")
        self.cdp = tab.context.new_cdp_session(self.page)

    def begin(self, file: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        """Drop a drawing of a new name, and paint on it as on a page that was just opened."""
        self.size = size
        self.drop(file)
        self.named(file.stem)
        self.settle()
        self.page.keyboard.press("b")
        if self.page.get_by_role("button", name="Mirror the view").get_attribute("aria-pressed") == "true":
            self.page.keyboard.press("m")

    def named(self, name: str) -> None:
        """Wait until the drawing of a name is open."""
        self.page.locator(".color-bar .name", has_text=name).wait_for()

    def settle(self) -> None:
        """Wait until the result shows all that was done."""
        self.tab.state(".canvas")

    def drop(self, file: Path, at: tuple[float, float] = (0.25, 0.5)) -> None:
        """Drag a file from the desktop to the canvas, to a place as shares of its sides, and let it go."""
        box = self.canvas.bounding_box()
        place = {"x": box["x"] + at[0] * box["width"], "y": box["y"] + at[1] * box["height"]}
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.cdp.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

    def paste(self, data: bytes) -> None:
        """Copy a picture, and press Ctrl+V."""
        self.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate(
            """async (text) => {
              const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
              const picture = new Blob([bytes], { type: "image/png" });
              await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
            }""",
            base64.b64encode(data).decode(),
        )
        self.page.keyboard.press("Control+V")

    def pick(self, file: Path) -> None:
        """Press Ctrl+O, and choose a file."""
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Control+O")
        chooser.value.set_files(file)

    def refer(self, file: Path) -> None:
        """Choose a picture as the reference."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files(file)
        self.page.locator(".reference canvas").wait_for()

    def color(self, color: tuple[int, int, int]) -> None:
        """Type a color as hex."""
        self.page.get_by_label("Color as hex").fill(hexed(color))
        self.canvas.focus()

    def paint(self, color: tuple[int, int, int], *places: tuple[float, float]) -> None:
        """Take a color, and draw with it through places of the drawing."""
        self.color(color)
        self.pen(*places)

    def spot(self, x: float, y: float, pane: str = "strokes") -> tuple[float, float]:
        """Return where on the screen a place of the drawing is, while both panes show its middle."""
        box, (width, height), zoom = self.canvas.bounding_box(), self.size, float(self.data("zoom"))
        left = box["x"] + box["width"] * (0.25 if pane == "strokes" else 0.75)
        top = box["y"] + box["height"] / 2
        return left + (x - width / 2) * zoom, top + (y - height / 2) * zoom

    def data(self, name: str) -> str:
        """Read a data attribute of the canvas."""
        return self.canvas.get_attribute(f"data-{name}")

    def pen(
        self, *places: tuple[float, float], force: float = 0.5, pane: str = "strokes", hold: int = 0
    ) -> None:
        """Draw with the pen through places of the drawing, in the left pane or in the right one.

        It is lifted after `hold` milliseconds, in which quick pictures are made.
        """
        spots = [self.spot(*place, pane) for place in places]
        for number, spot in enumerate(spots):
            self.touch("mouseMoved" if number else "mousePressed", *spot, force)
        if hold:
            self.page.wait_for_timeout(hold)
        self.touch("mouseReleased", *spots[-1], 0)

    def touch(self, kind: str, x: float, y: float, force: float) -> None:
        """Send one event of a pen at a point of the screen."""
        what = {"type": kind, "x": x, "y": y, "button": "left", "buttons": int(kind != "mouseReleased")}
        what |= {"pointerType": "pen", "force": force, "clickCount": int(kind != "mouseMoved")}
        self.cdp.send("Input.dispatchMouseEvent", what)

    def paint_scene(self) -> None:
        """Paint strokes of six colors over the drawing, which leave many regions without one."""
        width, height = self.size
        for number in range(6):
            left, top = width * (0.1 + 0.14 * number), height * (0.15 + 0.33 * (number % 3))
            color = tuple((60 * number + 90 * channel) % 256 for channel in range(3))
            self.paint(color, (left, top), (left + width * 0.06, top + height * 0.08))

    def both(self) -> tuple[bytes, bytes]:
        """Return the colored picture and the strokes, as they are saved."""
        return self.save("picture"), self.save("strokes")

    def save(self, kind: str) -> bytes:
        """Export one of the files; return its content."""
        self.page.get_by_role("button", name="Export").click()
        with self.page.expect_download() as download:
            self.page.locator(f'[role=menuitem][data-kind="{kind}"]').click()
        return Path(download.value.path()).read_bytes()


def hexed(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
