"""A browser for the tests of the page: Chromium driven by Playwright, and what the page did meanwhile.

The browser runs for one file of tests at a time. Playwright's loop would otherwise be in the way of tests in
the same process that run a loop of their own.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT = 60_000  # milliseconds that a page may take for anything, on a busy machine
RECORDERS = """
  globalThis.recorded = { violations: [], longest: 0 };
  addEventListener("securitypolicyviolation", (event) =>
    recorded.violations.push(`${event.violatedDirective} ${event.blockedURI}`), true);
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) recorded.longest = Math.max(recorded.longest, task.duration);
  }).observe({ type: "longtask" });
"""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """Start Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page, and what it did: its requests, what it said on the console, and its uncaught errors."""

    page: object
    context: object
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def check(self, origin: str) -> None:
        """Check that the page asked its own origin alone, broke no policy and made no error."""
        assert self.complaints == []
        assert self.page.evaluate("recorded.violations") == []
        hosts = {urlsplit(url)[:2] for url in self.requests if not url.startswith(("blob:", "data:"))}
        assert hosts == {urlsplit(origin)[:2]}

    def state(self, place: str, value: str = "ready") -> None:
        """Wait until an element is in a state."""
        ended = self.page.locator(f'{place}:is([data-state="{value}"], [data-state="failed"])').first
        ended.wait_for(state="attached")
        assert ended.get_attribute("data-state") == value, self.page.locator(".notices").inner_text()


@contextmanager
def tab(browser, **options) -> Iterator[Tab]:
    """Open a page of its own, without anything that another page stored."""
    context = browser.new_context(accept_downloads=True, **options)
    context.set_default_timeout(WAIT)
    context.add_init_script(RECORDERS)
    page = context.new_page()
    opened = Tab(page, context)
    context.on("request", lambda request: opened.requests.append(request.url))
    page.on("console", lambda said: said.type in ("error", "warning") and opened.complaints.append(said.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    try:
        yield opened
    finally:
        context.close()


def visit(opened: Tab, screen: str) -> None:
    """Go to a screen, or to a part of it as the address names it, and wait until it shows everything."""
    opened.page.evaluate(f"location.hash = '{screen}'")
    screen = screen.partition("/")[0]
    opened.state(f"body[data-screen={screen}]")
    if screen != "color":
        opened.state(f".screen[data-screen={screen}]")


@contextmanager
def studio(*words, home: Path) -> Iterator[str]:
    """Run `prep studio` in a folder as a person does, and yield the address that it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREP_")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "inkwash", "studio", *map(str, words)]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(word for line in server.stdout for word in re.findall(r"http://\S+", line))
        finally:
            server.terminate()


@contextmanager
def served(model: Path, data: Path, port: int = 0) -> Iterator[str]:
    """Serve the studio from a thread, with the same token each time; yield its address."""
    import uvicorn

    from pipeline.studio import server
    from pipeline.studio.state import Studio

    listener = server.listen(port)
    port = listener.getsockname()[1]
    app = server.build_app(Studio(data, None, model, str(model), "1", "token", port))
    running = uvicorn.Server(
        uvicorn.Config(app, log_level="error", ws="none", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/#token=token"
    finally:
        running.should_exit = True
        thread.join()


class Pages(SimpleHTTPRequestHandler):
    """Any static server: files of a folder, and nothing else."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".wasm": "application/wasm"}

    def log_message(self, *_):
        pass


@contextmanager
def static_site(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
