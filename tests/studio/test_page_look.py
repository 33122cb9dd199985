"""The screens that look at a dataset show what its files say, and what the commands would make."""

import json

import pytest
from browser import needs_chromium, studio, tab, visit
from gallery import SCRIPT, make_project
from made import run_prep

from pipeline.models.network import SHIPPED_ONNX
from pipeline.shards.column import list_shards

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("look"))


@pytest.fixture(scope="module")
def address(project):
    with studio("--model", SHIPPED_ONNX, home=project) as printed:
        yield printed


@pytest.fixture(scope="module")
def page_of_all(chromium, address):
    with tab(chromium) as page:
        page.page.goto(address)
        yield page


@pytest.fixture
def opened(page_of_all, address):
    """Take the page, and check at the end that it behaved."""
    yield page_of_all
    page_of_all.check(address)


@pytest.fixture
def prep(project, monkeypatch, capsys):
    """Return what runs a command in the project."""
    monkeypatch.chdir(project)

    def run(*words):
        code, _, said = run_prep(capsys, *words)
        assert code == 0, said

    return run


def read_metadata(column):
    """Return the metadata of the samples of a column by key."""
    return {row.key: facts for shard in list_shards(column) for row, facts in shard.read_metadata()}


def test_a_sketch_is_drawn_with_the_complexity_that_prep_sketchify_measures(opened, project, prep, tmp_path):
    visit(opened, "sketches")
    page = opened.page
    key = page.locator(".picture-name").inner_text()
    stored = read_metadata(project / "data" / "sketch" / "b7")[key]["complexity"]
    assert page.locator(".tile .badge").first.inner_text() == f"{stored:.1f} %"
    page.locator("#sketch-blocksize").fill("13")
    opened.state(".screen[data-screen=sketches]")
    prep("sketchify", "data/color", tmp_path / "b13", "--entry", "b7", "--blocksize", "13")
    drawn = read_metadata(tmp_path / "b13")[key]["complexity"]
    assert (
        page.get_by_label("Your sketch").locator(".badge").first.inner_text()
        == f"{drawn:.1f} %"
        != f"{stored:.1f} %"
    )
    assert "blocksize: 13" in page.locator(".yaml").inner_text()


def test_runs_show_the_parameter_that_differs(opened):
    visit(opened, "runs")
    rows = opened.page.locator("table.params tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [["clean.complexity", "40.0", "30.0"]]


def move_complexity(opened):
    """Set clean.complexity by keys, so that it rejects some pictures; return its value."""
    visit(opened, "limits")
    row = opened.page.locator('[data-limit="complexity"]')
    row.get_by_role("spinbutton").fill("4.5")
    opened.page.keyboard.press("Enter")
    row.get_by_role("slider").focus()
    for _ in range(4):
        opened.page.keyboard.press("ArrowLeft")
    return float(row.get_by_role("spinbutton").input_value())


def test_the_counts_of_a_moved_limit_are_those_of_prep_clean(opened, project, prep, tmp_path):
    limit = move_complexity(opened)
    assert limit < 4.5
    words = ("--complexity", limit, "--tolerance", 100, "--metrics", tmp_path / "clean.json")
    prep("clean", "data/original", tmp_path / "color", *words)
    [counts] = json.loads((tmp_path / "clean.json").read_bytes())["counts"]
    assert counts["rejected"]["too complex"] > 1
    shown = steps(opened)
    assert shown["kept by clean"] == counts["written"]
    assert shown["pictures fetched"] == counts["taken"]
    for reason, count in counts["rejected"].items():
        assert shown[reason] == -count
    left = opened.page.locator(".moved .pictures").last.locator("button")
    before = read_metadata(project / "data" / "color").keys()
    assert left.count() == len(before - read_metadata(tmp_path / "color").keys()) > 0


def steps(opened):
    """Read the waterfall of limits by label."""
    rows = opened.page.locator("aside .waterfall li").all()
    texts = [[row.locator(part).inner_text() for part in (".name", ".count")] for row in rows]
    return {name: int(count.replace("\N{MINUS SIGN}", "-")) for name, count in texts}


def test_a_limit_is_written_to_params_yaml_once_the_change_was_seen(opened, project):
    file = project / "params.yaml"
    before = file.read_text(encoding="utf-8")
    limit = move_complexity(opened)
    opened.page.get_by_role("button", name="Write to params.yaml…").click()
    dialog = opened.page.get_by_role("dialog")
    assert f"+  complexity: {limit}" in dialog.inner_text().splitlines()
    assert file.read_text(encoding="utf-8") == before
    dialog.get_by_role("button", name="Write to params.yaml").click()
    dialog.wait_for(state="detached")
    after = file.read_text(encoding="utf-8")
    file.write_text(before, encoding="utf-8")
    assert after == before.replace("  complexity: 30.0", f"  complexity: {limit}")


def test_the_grid_shows_the_pictures_of_a_dataset_and_finds_samples(opened, project):
    visit(opened, "dataset")
    page, packed = opened.page, read_metadata(project / "data" / "pairs")
    rows = page.locator(".screen[data-screen=dataset]")
    assert int(rows.get_attribute("data-rows")) == len(packed)
    wait_for_pictures(opened, ".sample-card img")
    page.get_by_label("Search", exact=True).fill("artist:artist_1 -even")
    page.keyboard.press("Enter")
    page.locator('[data-search="ready"]').wait_for()
    assert int(rows.get_attribute("data-rows")) == sum(
        each["artist"] == "artist_1" for each in packed.values()
    )


def test_a_tag_that_is_a_script_is_shown_as_text(opened):
    visit(opened, "dataset/pairs/000000001")
    opened.state(".sample")
    page = opened.page
    assert SCRIPT in page.locator(".sample .facts").inner_text()
    assert SCRIPT in page.locator(".sample pre").inner_text()
    assert page.locator("script").count() == page.locator("head script").count() == 1
    assert page.title() != "gone"
    wait_for_pictures(opened, ".figures img")


def twin_counts(opened):
    """Read the counts beside the handle of twins, from the top down."""
    return [int(each) for each in opened.page.locator(".counts dd:not(.change)").all_inner_texts()]


def counts_of(packed):
    """List the counts of pack in the order of the screen."""
    linked = [packed["linked"][name] for name in ("family", "pixels", "colors", "lines")]
    return [
        *linked,
        *(packed[name] for name in ("groups", "largest", "torn", "leaks", "train", "val", "test")),
    ]


def test_twins_have_the_counts_of_the_last_pack(opened, project):
    visit(opened, "twins")
    [counts] = json.loads((project / "metrics" / "pack.json").read_bytes())["counts"]
    assert twin_counts(opened) == counts_of(counts)


def test_the_handle_of_twins_links_what_prep_pack_would_link(opened, prep, tmp_path):
    visit(opened, "twins")
    opened.page.get_by_role("slider").focus()
    for _ in range(6):
        opened.page.keyboard.press("ArrowRight")
    columns = [f"data/{name}" for name in ("color", "sketch", "cue", "reference")]
    prep("pack", *columns, tmp_path / "pairs", "--near", 24, "--metrics", tmp_path / "pack.json")
    [counts] = json.loads((tmp_path / "pack.json").read_bytes())["counts"]
    assert counts["linked"]["colors"] > 1
    assert twin_counts(opened) == counts_of(counts)


def wait_for_pictures(opened, place):
    """Wait until every picture at a place is shown."""
    pictures = opened.page.locator(place)
    pictures.first.wait_for(state="attached")
    for picture in pictures.all():
        picture.evaluate(
            "(image) => image.naturalWidth || new Promise((done) => image.addEventListener('load', done))"
        )
