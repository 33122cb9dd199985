"""Whatever goes wrong, the Color screen says it in a sentence, and keeps what was drawn."""

import struct
import zlib
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import needs_chromium, served, tab
from desk import BLUE, RED, STROKE, Desk, draw_lines, in_circle, paper, read
from drawings import write

from pipeline import files
from pipeline.images import png
from pipeline.models.network import SHIPPED_ONNX

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    write(folder / "lines.png", draw_lines())
    return folder


@pytest.fixture(scope="module")
def opened(chromium, home):
    """Open the studio once."""
    with served(SHIPPED_ONNX, home) as address, tab(chromium) as opened:
        yield Desk(opened, address)


@pytest.fixture
def desk(opened, tmp_path):
    """Begin the drawing afresh, on a page that says nothing of earlier errors."""
    opened.begin(write(tmp_path / f"{tmp_path.name}.png", draw_lines()))
    assert opened.page.locator(".notice").count() == 0
    return opened


def says(desk):
    """Wait for a sentence about an error, and return it."""
    notice = desk.page.locator('.notice[data-kind="error"] p')
    notice.first.wait_for()
    return notice.first.inner_text()


def huge_png():
    """Make a PNG of 10,001 x 10,000 pixels in few bytes."""
    rows = zlib.compress(bytes(10_000 * 1_252), 9)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 10_001, 10_000, 1, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    "data", [b"no picture", png.encode_png(draw_lines())[:500], huge_png()], ids=["other", "cut", "huge"]
)
def test_a_picture_that_cannot_be_used_is_named_and_the_drawing_stays(desk, tmp_path, data):
    desk.paint(RED, *STROKE)
    before = desk.both()
    files.write(tmp_path / "bad.png", data)
    desk.drop(tmp_path / "bad.png")
    assert says(desk).endswith(".")
    assert desk.both() == before


def test_strokes_outlive_the_server_and_are_colored_when_it_is_back(chromium, home):
    with tab(chromium) as opened:
        with served(SHIPPED_ONNX, home) as address:
            desk = Desk(opened, address)
            desk.drop(home / "lines.png")
            desk.settle()
        desk.paint(RED, *STROKE)
        assert "does not answer" in says(desk)
        strokes = read(desk.save("strokes"))
        assert strokes[120, 100].tolist() == [*RED, 255]
        with served(SHIPPED_ONNX, home, urlsplit(address).port):
            desk.paint(BLUE, (220, 120), (260, 120))
            opened.page.locator(".notice").first.wait_for(state="detached")
            made = read(desk.save("picture"))
        assert np.abs(made[paper() & in_circle()][:, :3] - RED).max() <= 1


def test_without_a_model_the_page_says_why_and_fills(chromium, home):
    with served(home / "none.onnx", home) as address, tab(chromium) as opened:
        desk = Desk(opened, address)
        assert "none.onnx is missing" in opened.page.locator("main, .notices").all_inner_texts()[0]
        desk.drop(home / "lines.png")
        desk.settle()
        desk.paint(RED, *STROKE)
        made = read(desk.save("picture"))
        assert (made[paper() & in_circle()][:, :3] == RED).all()


def test_a_full_disk_is_said_and_no_stroke_is_lost(chromium, home):
    with served(SHIPPED_ONNX, home) as address, tab(chromium) as opened:
        desk = Desk(opened, address)
        limit_storage(desk, {"quotaSize": 1})
        desk.drop(home / "lines.png")
        desk.settle()
        assert "storage is full" in says(desk)
        desk.paint(RED, *STROKE)
        states = [desk.both()]
        desk.page.keyboard.press("Control+Z")
        assert desk.both() != states[0]
        desk.page.keyboard.press("Control+Shift+Z")
        assert desk.both() == states[0]
        limit_storage(desk, {})
        desk.paint(BLUE, (220, 120), (260, 120))
        desk.page.locator(".notice").first.wait_for(state="detached")
        made = desk.both()
        desk.page.reload()
        desk.settle()
        assert desk.both() == made


def limit_storage(desk, quota):
    """Let the browser store {"quotaSize": bytes} for the page, or {} for as many as it likes."""
    origin = f"http://{urlsplit(desk.page.url).netloc}"
    desk.cdp.send("Storage.overrideQuotaForOrigin", {"origin": origin, **quota})
