"""The page decides about pictures as `prep clean` does: with any limits, lists by hand and duplicates."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made import make_column, picture, run_prep
from node import call, needs_node

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.operators.limits import RULES
from pipeline.shards.column import INDEX
from pipeline.shards.ledger import LEDGER
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.studio.limits import describe_limits, read_scores
from pipeline.studio.state import Studio
from stages.arguments import read_params

MODULE = "engine/limits.js"
CLEAN = {"side": 32, "smallest": 40, "blur": 6.0, "tolerance": 90.0, "keep": "keep.tsv", "drop": "drop.tsv"}
KEPT_KEYS = ("000000003", "000000011", "000000027")
DROPPED_KEYS = ("000000005", "000000012", "000000033")


def make_picture(number):
    """Make a picture of any size: gray, tinted, framed, noisy, of one color, or equal to the one before."""
    number -= number % 7 // 6
    random = np.random.default_rng(number)
    image = picture(number, *(random.integers(32, 120, 2).tolist() if number % 3 else (64, 64)))
    match number % 11:
        case 1:
            image[:] = image.mean(2, keepdims=True)
        case 2:
            image = (image.mean(2, keepdims=True) * np.array([1.0, 0.9, 0.8])).astype(np.uint8)
        case 3:
            image[: len(image) // 4] = image[-len(image) // 4 :] = 255
        case 4:
            image = random.integers(0, 256, image.shape, np.uint8)
        case 5:
            image[4:-4, 4:-4] = 40
    return png.encode_png(image)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Make a project with 60 originals, of which some are equal and one is broken."""
    home = tmp_path_factory.mktemp("project")
    keys = [f"{number:09d}" for number in range(60)]
    order = np.random.default_rng(0).permutation(keys).tolist()
    shards = []
    for start in range(0, 60, 20):
        made = [
            Sample(key, {"png": make_picture(int(key))[: None if key != "000000007" else 200], "json": b"{}"})
            for key in order[start : start + 20]
        ]
        shards.append(write_shard(home / "data" / "original" / f"{start // 20:06d}.tar", made))
    seal_column(home / "data" / "original", shards, 62, {"banned": 2})
    lines = "".join(f"  {name}: {value}\n" for name, value in CLEAN.items())
    files.write(home / "params.yaml", f"clean:\n{lines}".encode())
    files.write(home / "keep.tsv", "".join(f"{key}\tgood\n" for key in KEPT_KEYS).encode())
    files.write(home / "drop.tsv", "".join(f"{key}\tsix fingers\n" for key in DROPPED_KEYS).encode())
    return home


@pytest.fixture
def studio(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    if not Path("data/color").exists():
        assert run_prep(capsys, "clean", "data/original", "data/color", "--workers", 1)[0] == 0
    return open_studio()


def open_studio():
    functions = {"read_params": read_params}
    return Studio(Path("data"), Path("params.yaml"), Path("model"), "", "", "", 0, functions=functions)


def run_clean(capsys, limits, dest="other"):
    """Run the command with these limits; return its counts and the keys kept, or None if it stops."""
    shutil.rmtree(dest, ignore_errors=True)
    options = [word for name, value in limits.items() for word in (f"--{name}", value)]
    code, _, said = run_prep(
        capsys, "clean", "data/original", dest, "--workers", 1, "--metrics", "counts.json", *options
    )
    if code:
        assert "were rejected" in said
        return None
    counts = json.loads(Path("counts.json").read_bytes())["counts"][0]
    lines = Path(dest, INDEX).read_text().splitlines()[1:]
    return {name: counts[name] for name in ("taken", "written", "rejected")} | {
        "keys": [line.split("\t")[0] for line in lines]
    }


def decided(answer, limits):
    """Return the same, as the page decides."""
    told = call(MODULE, "decide", answer, limits)
    if told["stops"]:
        return None
    kept = [key for key, verdict in zip(answer["keys"], told["verdicts"], strict=True) if verdict == 0]
    return {name: told[name] for name in ("taken", "written", "rejected")} | {"keys": kept}


def limits_on_scores(answer, seed):
    """Set about half of the limits to scores of pictures, on which these pictures then lie."""
    random = np.random.default_rng(seed)
    drawn = {}
    for rule in RULES:
        if random.random() < 0.5:
            values = sorted(answer["scores"][rule.score], reverse=not rule.least)
            drawn[rule.limit] = values[random.integers(len(values) // 4)]
    return drawn


@needs_node
def test_the_page_counts_what_prep_clean_counts(studio, capsys):
    answer = json.loads(json.dumps(describe_limits(studio)))
    outcomes = []
    for limits in [{}, *(limits_on_scores(answer, seed) for seed in range(6)), {"gray": 200.0}]:
        outcomes.append(run_clean(capsys, limits))
        assert decided(answer, limits) == outcomes[-1], limits
    reasons = {reason for outcome in outcomes if outcome for reason in outcome["rejected"]}
    assert reasons >= {
        "cannot decode",
        "dropped",
        "duplicate",
        "gray",
        "too small",
        "odd aspect",
        "too complex",
    }
    assert outcomes[-1] is None  # more rejects than are tolerated


@needs_node
def test_lists_count_at_once_without_running_clean(studio, capsys):
    answer = describe_limits(studio)
    rejected = [key for key, kept in zip(answer["keys"], answer["kept"], strict=True) if not kept]
    before = Path("keep.tsv").read_bytes()
    files.write(Path("keep.tsv"), "".join(f"{key}\tfine\n" for key in rejected[:6]).encode())
    try:
        changed = decided(describe_limits(studio), {})
        assert changed == run_clean(capsys, {})
        assert changed != decided(answer, {})
    finally:
        files.write(Path("keep.tsv"), before)


def test_the_answer_has_every_picture_in_the_order_of_the_source(studio):
    answer = describe_limits(studio)
    lines = Path("data", "original", INDEX).read_text().splitlines()[1:]
    assert answer["keys"] == [key for key in (line.split("\t")[0] for line in lines) if key != "000000007"]
    assert answer["unusable"] == {"cannot decode": 1}
    assert {len(values) for values in answer["scores"].values()} == {59}
    assert answer["choices"]["drop"] == dict.fromkeys(DROPPED_KEYS, "six fingers")
    flow = answer["flow"]
    assert (flow["posts"], flow["missing"], flow["packed"]) == (None, {"banned": 2}, None)
    assert flow["cleaned"] + sum(flow["rejected"].values()) == 60
    smallest = answer["rules"][0]
    assert (smallest["limit"], smallest["value"], smallest["least"], smallest["integer"]) == (
        "smallest",
        40,
        True,
        True,
    )


def test_a_score_that_clean_did_not_measure_is_told(studio):
    params = Path("params.yaml").read_text()
    try:
        files.write(Path("params.yaml"), f'{params}  blocksizes: "7,9"\n  blocksize: 9\n'.encode())
        with pytest.raises(Halt, match=r"has no score 'complexity9': run dvc repro clean"):
            describe_limits(studio)
    finally:
        files.write(Path("params.yaml"), params.encode())


@needs_node
@pytest.mark.parametrize("least", [True, False])
def test_the_nearest_pictures_of_a_limit_come_in_order(least):
    random = np.random.default_rng(0)
    room = random.normal(size=500).round(1)
    verdicts = np.where(room < 0, random.choice([0, 1, 2], 500), random.choice([0, 1, 3], 500)).astype(
        np.uint8
    )
    values = 0.3 + room if least else 0.3 - room
    found = call(MODULE, "nearestTo", verdicts, {"least": least}, 2, values, 0.3, 5)
    for name, places in (
        ("inside", np.flatnonzero((verdicts == 0) & (room >= 0))),  # others are kept by hand
        ("outside", np.flatnonzero(verdicts == 2)),
    ):
        assert len(places) > 5
        expected = np.sort(abs(room[places]))[:5]
        assert np.allclose(abs(room[found[name]]), expected)
        assert set(found[name]) <= set(places)


@needs_node
def test_bars_count_pictures_by_what_becomes_of_them():
    kept = np.array([1, 1, 0, 0, 1, 0, 1], np.uint8)
    verdicts = np.array([0, 2, 0, 2, 1, 1, 0], np.uint8)
    bins = np.array([0, 0, 1, 1, 1, 0, 1], np.int32)
    counts = call(MODULE, "countByFate", {"kept": kept}, verdicts, 2, bins, 2)
    assert [count.tolist() for count in counts] == [[1, 1], [0, 1], [0, 1], [1, 0], [1, 1]]


@needs_node
def test_the_waterfall_leads_from_search_to_pack_and_shows_what_was():
    flow = {"posts": 8, "skipped": {"size": 2}, "missing": {"banned": 1}, "packed": 4}
    flow |= {"rejected": {"cannot decode": 1, "gray": 2}, "cleaned": 4}
    rules = [{"reason": "gray"}, {"reason": "text"}]
    decision = {"taken": 7, "written": 4, "rejected": {"cannot decode": 1, "text": 1, "dropped": 1}}
    answer = {"flow": flow, "rules": rules, "unusable": {"cannot decode": 1}}
    steps = [
        [row[name] for name in ("label", "count", "before")]
        for row in call(MODULE, "listSteps", answer, decision)
    ]
    assert steps == [
        ["found by search", 10, 10], ["size", -2, -2], ["posts taken", 8, 8], ["banned", -1, -1],
        ["pictures fetched", 7, 7], ["cannot decode", -1, -1], ["gray", 0, -2], ["text", -1, 0],
        ["dropped", -1, 0], ["kept by clean", 4, 4], ["packed", 4, 4],
    ]  # fmt: skip
    answer["flow"] |= {"posts": None, "packed": None}
    assert [row["label"] for row in call(MODULE, "listSteps", answer, decision)][::6] == ["pictures fetched"]


def test_a_damaged_ledger_is_told(tmp_path):
    files.write(tmp_path / "color" / LEDGER, b"key\treason\ttold\n000000009\tgray\t{\n")
    make_column(tmp_path / "color", ["000000001"])
    with pytest.raises(Halt, match=r"rejects\.tsv is damaged \(sample 000000009\): run dvc repro clean"):
        read_scores(tmp_path / "color", tmp_path / "original", "", 7)


@needs_node
def test_counts_that_follow_changed_verdicts_are_those_counted_again():
    random = np.random.default_rng(1)
    pictures = {"kept": random.integers(0, 2, 400).astype(np.uint8)}
    bins = random.integers(0, 7, 400).astype(np.int32)
    before, after = random.integers(0, 5, (2, 400)).astype(np.uint8)
    after = np.where(random.random(400) < 0.8, before, after).astype(np.uint8)
    places = call(MODULE, "differing", before, after)
    assert places == np.flatnonzero(before != after).tolist()
    counts = call(MODULE, "countByFate", pictures, before, 2, bins, 7)
    moved = call(MODULE, "moveFates", counts, pictures, before, after, 2, bins, places)
    again = call(MODULE, "countByFate", pictures, after, 2, bins, 7)
    assert [each.tolist() for each in moved] == [each.tolist() for each in again]
