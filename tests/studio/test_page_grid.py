"""The grid shows any number of samples by a few cells, and asks only for the pictures in sight."""

import pytest
from browser import needs_chromium, served, tab
from made import picture

from pipeline import files
from pipeline.images import png
from pipeline.models.network import SHIPPED_ONNX
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

pytestmark = needs_chromium
COUNT = 6000
GRID = "document.querySelector('.screen[data-screen=dataset] .grid')"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A column of thousands of small samples."""
    data = tmp_path_factory.mktemp("grid") / "data"
    pictures = [png.encode_png(picture(number, 16, 16)) for number in range(10)]
    made = (
        Sample(
            f"{n:09d}",
            {"png": pictures[n % 10], "json": files.dumps({"family": n // 2, "tags": [f"t{n % 7}"]})},
        )
        for n in range(COUNT)
    )
    seal_column(data / "pairs", [write_shard(data / "pairs" / "train-000000.tar", made)], COUNT, {})
    return data


@pytest.fixture(scope="module")
def address(data):
    with served(SHIPPED_ONNX, data) as address:
        yield address.partition("#")[0]


@pytest.fixture(scope="module")
def screen(chromium, address):
    """Open the dataset once."""
    with tab(chromium) as opened:
        opened.page.goto(f"{address}#dataset")
        opened.state(".screen[data-screen=dataset]")
        yield opened


@pytest.fixture
def opened(screen, address):
    """Begin at the top of all samples, and check at the end that the page behaved."""
    search = screen.page.get_by_label("Search", exact=True)
    if search.input_value():
        search.fill("")
        search.press("Enter")
        screen.page.locator(f'[data-rows="{COUNT}"]').wait_for()
    screen.page.evaluate(f"{GRID}.scrollTop = 0")
    ready(screen.page)
    yield screen
    screen.check(address)


def ready(page):
    """Wait until all pictures in sight are there."""
    page.wait_for_function("""() => {
      const images = [...document.querySelectorAll('.cell:not([hidden]) img')];
      return images.length > 0 && images.every((image) => image.dataset.state === 'ready');
    }""")


def ranges(opened):
    return [url for url in opened.requests if url.endswith(".tar")]


def keys_in_sight(page):
    return sorted(page.locator(".cell:not([hidden]) .mono").all_inner_texts())


def test_a_few_cells_show_thousands_of_samples(opened):
    page = opened.page
    cells, before = page.locator(".cell").count(), len(ranges(opened))
    assert cells < 100
    for share in (0.2, 0.9, 0.5):
        page.evaluate(f"{GRID}.scrollTop = {share} * {GRID}.scrollHeight")
        page.wait_for_function(f"() => Math.abs({GRID}.scrollTop - {share} * {GRID}.scrollHeight) < 2")
        ready(page)
        middle = int(keys_in_sight(page)[cells // 2])
        assert abs(middle - share * COUNT) < cells
    assert page.locator(".cell").count() == cells
    assert len(ranges(opened)) - before <= 3 * cells


def test_a_fast_scroll_asks_for_no_picture_on_its_way(opened):
    page = opened.page
    cells, before = page.locator(".cell").count(), len(ranges(opened))
    page.evaluate(f"""() => new Promise((done) => {{
      let step = 0;
      const move = () => {{
        {GRID}.scrollTop = (step / 40) * {GRID}.scrollHeight;
        step += 1;
        if (step <= 40) requestAnimationFrame(move);
        else done();
      }};
      move();
    }})""")
    ready(page)
    assert f"{COUNT - 1:09d}" in keys_in_sight(page)
    assert len(ranges(opened)) - before < 10 * cells  # of more than 40 screens


def test_the_keyboard_goes_to_the_ends_and_opens_a_sample(opened):
    page = opened.page
    page.locator(".screen[data-screen=dataset] .grid").focus()
    page.keyboard.press("End")
    ready(page)
    chosen = page.locator(".cell[aria-selected=true]")
    assert chosen.locator(".mono").inner_text() == f"{COUNT - 1:09d}"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    opened.state(".sample")
    assert page.url.endswith(f"#dataset/pairs/{COUNT - 2:09d}")
    assert page.locator(".sample .mates button").all_inner_texts() == [f"{COUNT - 1:09d}"]
    page.keyboard.press("Escape")
    assert chosen.locator(".mono").inner_text() == f"{COUNT - 2:09d}"
    page.keyboard.press("Home")
    assert chosen.locator(".mono").inner_text() == "000000000"


def test_a_search_from_the_keyboard_shows_what_it_finds(opened):
    page = opened.page
    page.keyboard.press("/")
    page.keyboard.type("t3")
    page.keyboard.press("Enter")
    page.locator('[data-search="ready"]').wait_for()
    ready(page)
    assert keys_in_sight(page)[:3] == ["000000003", "000000010", "000000017"]
    assert int(page.locator(".screen[data-screen=dataset]").get_attribute("data-rows")) == len(
        range(3, COUNT, 7)
    )
