"""A search finds the samples that its words name, and a sample is described as its stages decided."""

import json
import threading

import pytest
from made import make_column
from starlette.testclient import TestClient

from pipeline import files
from pipeline.errors import Halt
from pipeline.operators.limits import RULES
from pipeline.shards.column import INDEX, list_shards
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.sources.query import parse_search
from pipeline.studio.dataset import samples
from pipeline.studio.dataset.background import Background, Busy
from pipeline.studio.dataset.table import SearchTable
from pipeline.studio.server import build_app
from pipeline.studio.state import Studio

SCRIPT = "<script>alert(1)</script>"
FACTS = [
    {
        "id": 1,
        "tags": ["solo", "long_hair"],
        "rating": "g",
        "score": 5,
        "artist": "ann",
        "license": "CC BY 4.0",
    },
    {
        "id": 2,
        "tags": ["solo", "blue_hair"],
        "rating": "s",
        "score": 9,
        "artist": "Ann bob",
        "license": "cc0",
    },
    {
        "id": 3,
        "tags": ["blue_eyes", SCRIPT],
        "rating": "q",
        "score": 7,
        "width": 400,
        "height": 300,
        "artist": "",
    },
    {"id": 4, "tags": [":d", "re:zero"], "rating": "g", "width": 300, "height": 300, "blur": 1.5},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A packed column of four samples in two splits, and one with other keys and without JSON."""
    folder = tmp_path_factory.mktemp("data")
    made = [
        Sample(f"{n:09d}", {"png": b"x", "json": files.dumps({"family": n % 2, **facts})})
        for n, facts in enumerate(FACTS, 1)
    ]
    write_column(folder / "pairs", {"val-000000.tar": made[:1], "train-000000.tar": made[1:]})
    write_column(folder / "loose", {"000000.tar": [Sample("Girl_A", {"png": b"y"})]})
    return folder


def write_column(folder, shards):
    listed = [write_shard(folder / name, made) for name, made in shards.items()]
    seal_column(folder, listed, sum(map(len, listed)), {})


@pytest.fixture(scope="module")
def ask(data):
    """Ask the server, until it does not say that it is still computing."""
    studio = Studio(data, None, data, "", "1", "token", 80)
    client = TestClient(build_app(studio), "http://127.0.0.1")

    def asking(path, **parameters):
        while (answer := client.get(path, params=parameters)).status_code == 202:
            assert set(answer.json()) == {"busy"}
        return answer

    return asking


def found(ask, query, column="pairs", **more):
    answer = ask("/api/samples", column=column, q=query, **more)
    assert answer.status_code == 200, answer.text
    return [row + 1 for row in answer.json()["rows"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("solo", [1, 2]),
        ("SOLO -blue_hair", [1]),
        ("blue_*", [2, 3]),
        ("-blue_*", [1, 4]),
        (":d", [4]),
        ("re:zero", [4]),
        (SCRIPT, [3]),
        ("artist:ann", [1, 2]),
        ("artist:bob", [2]),
        ("license:cc_by_4.0", [1]),
        ("license:cc0,cc_by*", [1, 2]),
        ("split:val", [1]),
        ("-split:val solo", [2]),
        ("rating:g,q", [1, 3, 4]),
        ("group:1", [1, 3]),
        ("score:6..8", [3]),
        ("score:>=7", [2, 3]),
        ("-score:>=7", [1, 4]),
        ("blur:<2", [4]),
        ("ratio:4:3", [3]),
        ("id:2,4", [2, 4]),
        ("3", [3]),
        ("000000003", [3]),
        ("key:00000000*", [1, 2, 3, 4]),
        ("key:*2", [2]),
        ("nothing", []),
        ("solo blue_h", [2]),
        ("blue_h solo", []),
        ("solo -blue_h", [1]),
    ],
)
def test_a_search_finds_what_its_words_name(ask, query, numbers):
    assert found(ask, query) == numbers


@pytest.mark.parametrize(
    "query", ["solo", "-solo", "score:5..8", "id:>2", "width:<350", "rating:s", "solo -score:9"]
)
def test_a_search_means_the_same_as_a_search_of_posts(ask, query):
    fits = parse_search(query)
    posts = [
        {"tag_string": " ".join(facts["tags"]), "image_width": facts.get("width"), **facts} for facts in FACTS
    ]
    assert found(ask, query) == [post["id"] for post in posts if fits(post)]


def test_a_split_narrows_a_search(ask):
    assert found(ask, "", split="train") == [2, 3, 4]
    assert found(ask, "solo", split="train") == [2]


def test_samples_without_json_are_found_by_their_keys(ask):
    assert found(ask, "girl_a", "loose") == [1]
    assert found(ask, "solo", "loose") == []


def test_a_search_suggests_the_most_frequent_words(ask):
    answer = ask("/api/samples", column="pairs", q="nothing -bl").json()
    assert answer["words"] == [["blue_eyes", 1], ["blue_hair", 1]]
    assert ask("/api/samples", column="pairs", q="so").json()["words"] == [["solo", 2]]
    assert {"blur", "id", "mpixels", "score"} <= {*answer["scores"]}


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("date:2020", "date"),
        ("score:high", "high"),
        ("pool:3", "pool"),
        ("a" * 1001, "longer"),
        ("*a*b*c*d", "at most"),
    ],
)
def test_a_search_that_cannot_be_read_is_a_sentence(ask, query, word):
    answer = ask("/api/samples", column="pairs", q=query)
    assert answer.status_code == 400
    assert word in answer.json()["error"]


def test_a_sample_is_described_with_its_group(ask, data):
    answer = ask("/api/sample", column="pairs", key="000000003").json()
    assert answer["metadata"]["tags"] == ["blue_eyes", SCRIPT]
    assert answer["members"] == {"png": 1, "json": len(files.dumps({"family": 1, **FACTS[2]}))}
    assert answer["mates"] == [0, 2]
    assert ask("/api/sample", column="pairs", key="000000009").status_code == 404
    assert ask("/api/sample", column="../pairs", key="000000003").status_code == 404


def test_a_sample_is_explained_stage_by_stage(tmp_path):
    scores = {rule.score: 50.0 for rule in RULES} | {
        "gray": 2.0,
        "complexity7": 9.0,
        "width": 300,
        "height": 300,
    }
    make_column(tmp_path / "data" / "color", ["000000001"], **scores)
    read = {"read_params": lambda path: {"clean": {"keep": "", "drop": "", "gray": 6.0}}}
    studio = Studio(
        tmp_path / "data", tmp_path / "params.yaml", tmp_path, "", "1", "token", 80, functions=read
    )
    client = TestClient(build_app(studio), "http://127.0.0.1")
    [clean] = client.get("/api/explain", params={"key": "000000001"}).json()
    assert (clean["stage"], clean["outcome"]) == ("clean", "taken")
    assert {"reason": "gray", "value": 2.0, "limit": 6.0, "least": True, "fine": False} in clean["rules"]
    assert "nothing" in client.get("/api/explain", params={"key": "7"}).json()["error"]
    read["read_params"] = lambda path: {"clean": {"keep": "", "drop": "", "blocksize": 9, "blocksizes": "9"}}
    assert "complexity9" in client.get("/api/explain", params={"key": "000000001"}).json()["error"]


def test_a_single_column_has_no_stages_to_explain(data):
    client = TestClient(
        build_app(Studio(data / "pairs", None, data, "", "1", "token", 80)), "http://127.0.0.1"
    )
    assert client.get("/api/explain", params={"key": "000000001"}).json() == []


def test_an_index_that_was_changed_is_a_sentence(ask, data):
    make_column(data / "broken", ["000000001", "000000002"])
    index = data / "broken" / INDEX
    index.write_bytes(index.read_bytes().replace(b"000000002\t", b"000000003\t"))
    for path, more in (("/api/sample", {"key": "000000001"}), ("/data/broken/index.tsv", {})):
        answer = ask(path, column="broken", **more)
        if path == "/api/sample":
            assert answer.status_code == 422
            assert "differs from the seal" in answer.json()["error"]
    index.write_bytes(index.read_bytes()[:-9])
    assert ask("/api/samples", column="broken", q="x").status_code == 422


@pytest.mark.parametrize("facts", [b"[1]", b"{", b'{"score": 1' + b"0" * 400 + b"}"])
def test_metadata_that_cannot_be_used_are_a_sentence(ask, data, facts):
    name = f"odd{len(facts)}"
    write_column(data / name, {"000000.tar": [Sample("000000001", {"json": facts})]})
    answer = ask("/api/samples", column=name, q="x")
    assert answer.status_code == 422
    assert "000000001" in answer.json()["error"]


def test_a_sample_behind_a_url_reads_no_other_until_somebody_searches(data):
    upath = pytest.importorskip("upath")
    folder = upath.UPath("memory://samples/pairs")
    for path in (data / "pairs").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    client = TestClient(build_app(Studio(folder, None, data, "", "1", "token", 80)), "http://127.0.0.1")
    sample = {"column": "pairs", "key": "000000003"}
    alone = client.get("/api/sample", params=sample).json()
    assert (alone["mates"], alone["busy"], alone["metadata"]["id"]) == (None, "", 3)
    while client.get("/api/samples", params={"column": "pairs", "q": "solo"}).status_code == 202:
        pass
    assert client.get("/api/sample", params=sample).json()["mates"] == [0, 2]


def test_what_is_computed_says_how_far_it_is_and_is_computed_once():
    going, calls = threading.Event(), []

    def compute(say):
        calls.append(1)
        say("Half of it.")
        assert going.wait(30)
        return "done"

    background = Background(1)
    with pytest.raises(Busy, match=r"begins|Half"):
        background.get("a", compute)
    with pytest.raises(Busy, match="Half of it"):
        background.get("a", compute)
    going.set()
    while True:
        try:
            assert background.get("a", compute) == "done"
            break
        except Busy:
            pass
    assert calls == [1]
    assert background.get("b", lambda say: "other") == "other"
    assert [*background.jobs] == ["b"]


def test_an_error_is_raised_once_and_then_it_is_computed_again():
    def fail(say):
        raise Halt("no disk")

    background = Background(2)
    with pytest.raises(Halt, match="no disk"):
        background.get("a", fail)
    assert background.get("a", lambda say: 1) == 1


def test_a_column_that_is_too_large_is_a_sentence(ask, data, monkeypatch):
    monkeypatch.setattr(samples, "MAX_SAMPLES", 1)
    make_column(data / "large", ["000000001", "000000002"])
    assert "too many" in ask("/api/samples", column="large", q="x").json()["error"]


def test_rows_are_those_of_the_index_whatever_the_names_of_the_shards(data):
    shards = sorted(list_shards(data / "pairs"), key=lambda shard: shard.place)
    assert [shard.name for shard in shards] == ["val-000000.tar", "train-000000.tar"]
    lines = (data / "pairs" / INDEX).read_text("utf-8").splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == [key for shard in shards for key in shard.keys]


def test_scores_that_late_samples_alone_have_leave_the_others_unknown():
    table = SearchTable()
    for n in range(3):
        table.add(str(n), {"blur": 1.0} if n == 1 else {})
    assert table.search("blur:1") == [1]
    assert table.search("-blur:1") == [0, 2]
    assert json.dumps(table.search("")) == "[0, 1, 2]"
