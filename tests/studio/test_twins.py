"""The counts of the twins are those of pack, at its radius and at every other."""

from itertools import pairwise

import numpy as np
import pytest
from made import STAGE_FACTS, clustered_hashes, make_column
from node import call, needs_node
from starlette.testclient import TestClient

from pipeline import files
from pipeline.packing.pack import pack_columns
from pipeline.packing.split import assign_split
from pipeline.params import Pack
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.studio.dataset import twins
from pipeline.studio.server import build_app
from pipeline.studio.state import Studio

COUNT = 120
KINDS = ["family", "pixels", "colors", "lines"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Columns whose samples have links of all kinds."""
    home = tmp_path_factory.mktemp("project")
    random, hashes = np.random.default_rng(0), clustered_hashes(0, 80, 3, 14)
    keys = [f"{n:09d}" for n in range(1, COUNT + 1)]
    colors = []
    for n, key in enumerate(keys, 1):
        facts = {"id": n, "family": n - (n % 8 == 0), "pixels": str(random.integers(2000))}
        facts |= {name: random.choice(hashes).tobytes().hex() for name in ("colors", "lines")}
        colors.append(Sample(key, {"png": b"p", "json": files.dumps(facts)}))
    seal_column(home / "data/color", [write_shard(home / "data/color/000000.tar", colors)], COUNT, {})
    for name, stage in (("sketch", "sketch"), ("cue", "cue")):
        make_column(home / "data" / name, keys, COUNT, **STAGE_FACTS[stage])
    return home


def pack(home, params):
    columns = {"color": home / "data/color", "sketch-b7": home / "data/sketch", "cue": home / "data/cue"}
    return pack_columns(columns, home / "data/pairs", params)


def ask(home, column, params):
    given = {"pack": {"near": params.near, "val": params.val, "test": params.test}}
    studio = Studio(
        home / "data",
        home / "params.yaml",
        home,
        "",
        "1",
        "t",
        80,
        functions={"read_params": lambda _: given},
    )
    client = TestClient(build_app(studio), "http://127.0.0.1")
    while (answer := client.get("/api/twins", params={"column": column})).status_code == 202:
        pass
    return answer


@pytest.mark.parametrize("near", [0, 6, 12])
def test_the_counts_are_those_of_pack_at_its_radius(home, near):
    params = Pack(near=near, val=25.0, test=25.0)
    metrics = pack(home, params)
    found = ask(home, "pairs", params).json()
    counts = found["counts"]
    assert {kind: found["linked"][kind][near] for kind in KINDS} == metrics["linked"]
    assert counts["torn"][near] == metrics["torn"] > 0
    assert counts["leaks"][near] == metrics["leaks"] == 0
    assert (counts["groups"][near], counts["largest"][near]) == (metrics["groups"], metrics["largest"])
    splits = {split: metrics[split] for split in ("train", "val", "test")}
    assert {split: counts[split][near] for split in splits} == splits
    assert found["packed"] == splits


def test_before_pack_the_counts_are_those_that_pack_would_have(home):
    params = Pack(near=7, val=25.0, test=25.0)
    found = ask(home, "color", params).json()
    assert found["packed"] is None
    assert "leaks" not in found["counts"]
    for near in (3, 9):
        metrics = pack(home, Pack(near=near, val=25.0, test=25.0))
        assert {kind: found["linked"][kind][near] for kind in KINDS} == metrics["linked"]
        assert found["counts"]["torn"][near] == metrics["torn"]
        assert found["counts"]["test"][near] == metrics["test"]


def test_more_radius_links_more_pairs_and_makes_fewer_groups(home):
    found = ask(home, "color", Pack(near=7)).json()
    for counts in (*found["linked"].values(), found["counts"]["torn"], found["counts"]["largest"]):
        assert len(counts) == twins.WIDE_RADIUS + 1
        assert all(one <= other for one, other in pairwise(counts))
    assert all(one >= other for one, other in pairwise(found["counts"]["groups"]))
    assert len(ask(home, "color", Pack(near=40)).json()["counts"]["torn"]) == 41


@needs_node
@pytest.mark.parametrize("near", [0, 8, 20])
def test_the_page_lists_the_pairs_that_are_counted(home, near):
    params = Pack(near=near, val=25.0, test=25.0)
    pack(home, params)
    found = ask(home, "pairs", params).json()

    def listed(kinds, show):
        return call("engine/twins.js", "choosePairs", found, {"radius": near, "kinds": kinds, "show": show})

    for kind in KINDS:
        assert len(listed([kind], "linked")) == found["linked"][kind][near]
    assert len(listed(KINDS, "torn")) == found["counts"]["torn"][near]
    assert listed(KINDS, "leaks") == []
    outside = listed(KINDS, "outside")
    assert len(outside) + len(listed(KINDS, "linked")) == len(found["pairs"]["left"])
    nearest = [min(found["pairs"][kind][pair] for kind in ("colors", "lines")) for pair in outside]
    assert nearest == sorted(nearest)


def test_a_list_that_is_not_whole_says_so(home, monkeypatch):
    assert ask(home, "color", Pack()).json()["whole"]
    monkeypatch.setattr(twins, "PAIRS_EACH", 1)
    found = ask(home, "color", Pack()).json()
    assert (found["each"], found["whole"]) == (1, False)


def test_the_splits_of_single_samples_are_those_that_tear_pairs(home):
    params = Pack(near=10, val=25.0, test=25.0)
    found = ask(home, "color", params).json()
    assert found["alone"] == [assign_split(str(row + 1), params) for row in found["rows"]]


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"family": 1, "colors": "zz"}, "broken hash of"),
        ({"family": 1, "lines": "00"}, "broken hash of"),
        ({"family": 1, "colors": 5}, "broken hash of"),
        ({}, "no family for"),
    ],
)
def test_a_sample_that_cannot_be_compared_is_a_sentence(tmp_path, facts, fault):
    column = tmp_path / "data/color"
    sample = Sample("000000001", {"json": files.dumps(facts)})
    seal_column(column, [write_shard(column / "000000.tar", [sample])], 1, {})
    answer = ask(tmp_path, "color", Pack())
    assert answer.status_code == 422
    assert f"{fault} the sample 000000001" in answer.json()["error"]
