"""The screen of runs: what it lists, that it says what prep diff says, and pictures that come in the end."""

import json
import threading
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from committed import write_run
from made import run_prep, sample
from node import call, needs_node
from serving import HELD, is_sentence

from pipeline.images import codec
from pipeline.studio import runs as screen
from stages import revisions, runs

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC itself


@pytest.fixture
def post(committed, ask):
    """Return what sends a document to the studio of the project and returns status and answer."""
    client = ask(data=committed / "data", params=committed / "params.yaml", functions=runs.FUNCTIONS)

    def send(path, **document):
        answer = client.post(path, json=document, headers=HELD)
        return answer.status_code, answer.json()

    return send


def test_runs_are_the_files_as_they_are_experiments_and_commits_that_changed_metrics(committed):
    found = runs.list_runs(committed)
    assert found["why"] == ""
    told = [(run["word"], run["kind"], run.get("title"), run["psnr"]) for run in found["runs"]]
    assert told[:3] == [
        ("workspace", "workspace", None, 20),
        ("b9", "experiment", "b9", 21),
        ("HEAD", "commit", "two", 20),
    ]
    (_, *commits) = found["runs"][2:]
    assert [run["title"] for run in commits] == ["one"]
    assert [run["tags"] for run in found["runs"][2:]] == [["two"], ["one"]]


def test_two_experiments_of_one_name_are_told_apart(committed, monkeypatch):
    head = runs.run_git(committed, "rev-parse", "one").decode().strip()
    there = f"refs/exps/{head[:2]}/{head[2:]}/b9"
    runs.run_git(committed, "update-ref", there, "one")
    try:
        found = [run for run in runs.list_runs(committed)["runs"] if run["kind"] == "experiment"]
    finally:
        runs.run_git(committed, "update-ref", "-d", there)
    assert [run["title"] for run in found] == ["b9", "b9"]
    assert {run["word"] for run in found} == {run["commit"] for run in found}
    assert {run["psnr"] for run in found} == {20, 21}


def test_a_folder_without_git_or_without_a_commit_is_a_sentence_and_folders_can_be_compared(tmp_path):
    bare = runs.list_runs(tmp_path)
    assert [run["word"] for run in bare["runs"]] == ["workspace"]
    assert "has no runs that DVC could list" in bare["why"]
    runs.run_git(tmp_path, "init", "-q")
    (tmp_path / ".dvc").mkdir()
    assert "git lists no commits" in runs.list_runs(tmp_path)["why"]
    for number in range(2):
        write_run(tmp_path / str(number), 20 + number)
    found = runs.compare_words(tmp_path, "0", "1")
    assert found["measured"]["headline"].startswith("Better: PSNR +1.00 ")


def test_a_machine_without_git_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="git is not installed"):
        runs.run_git(tmp_path, "log")


def test_the_screen_says_what_prep_diff_says(committed, post, capsys):
    _, out, _ = run_prep(capsys, "diff", "one", "b9", "--json")
    expected = json.loads(out)
    status, found = post("/api/diff", before="one", after="b9")
    assert status == 200
    assert found["params"] == [[name, *pair] for name, pair in expected["params"].items()]
    assert found["stages"] == [{"name": "search", "before": 128, "after": 256, "reasons": []}]
    for shown, condition in zip(found["measured"]["conditions"], expected["conditions"], strict=True):
        assert [each["measure"] for each in shown["measures"]] == list(condition["measures"])
        for each in shown["measures"]:
            assert condition["measures"][each["measure"]].items() <= each.items()
        assert shown["changes"] == [after - before for before, after in condition["psnr"].values()]
    assert found["curves"] == [
        {"name": "val_psnr", "before": [[10, 19], [30, 20]], "after": [[10, 20], [30, 21]]}
    ]


def test_a_run_without_results_still_shows_what_it_has(post):
    status, found = post("/api/diff", before="one", after="nothing")
    assert (status, found["measured"]) == (200, None)
    assert found["why"].startswith("nothing has no data/evaluate.parquet in its folder, the cache")
    assert found["params"] == [["clean.side", "128", "-"]]


def test_long_curves_keep_their_last_point(tmp_path):
    write_run(tmp_path, 20)
    table = "step\tl1\n" + "".join(f"{step}\t{step / 2}\n" for step in range(5003))
    (tmp_path / runs.CURVES / "l1.tsv").write_text(table)
    points = runs.read_curves(revisions.open_revision("workspace", tmp_path))["l1"]
    assert 500 < len(points) <= runs.MOST_POINTS
    assert points[-1] == (5002, 2501)


@pytest.mark.parametrize("words", [("nix", "one"), ("one", "data"), ("one", "HEAD~99")])
def test_what_is_no_run_is_one_sentence(post, words):
    status, found = post("/api/diff", before=words[0], after=words[1])
    assert status == 422
    assert "is no revision, no experiment and no folder of a project" in found["error"]


@pytest.mark.parametrize(
    "given", [{}, {"before": "one"}, {"before": 1, "after": "two"}, {"before": "", "after": "x"}]
)
def test_a_request_without_two_words_is_refused(post, given):
    assert post("/api/diff", **given)[0] == 400


def test_only_who_has_the_token_can_compare(committed, ask):
    answer = ask(functions=runs.FUNCTIONS).post("/api/diff", json={"before": "one", "after": "two"})
    assert answer.status_code == 403
    assert is_sentence(answer)


def test_a_remote_that_does_not_answer_is_one_sentence(committed, post, monkeypatch):
    asked = revisions.open_revision

    def without_remote(word, home=Path()):
        run = asked(word, home)
        return replace(run, system=Silent(run.system))

    monkeypatch.setattr(runs, "open_revision", without_remote)
    status, found = post("/api/diff", before="one", after="b9")
    assert (status, found["measured"]) == (200, None)
    assert "ConnectionError: no route" in found["why"]
    assert "see that its remote answers" in found["why"]


class Silent:
    """A file system that has small files, but whose remote does not answer."""

    def __init__(self, system):
        self.system = system

    def cat_file(self, path):
        if path.endswith((".yaml", ".json", ".tsv")) and "/data/" not in path:
            return self.system.cat_file(path)
        raise ConnectionError("no route")

    def ls(self, path, detail):
        return self.system.ls(path, detail=detail)


def test_pictures_that_changed_most_come_in_the_end_and_are_kept(committed, post, monkeypatch):
    monkeypatch.setattr(screen, "PICTURES", 1)  # the dataset has those alone that changed most
    _, found = post("/api/diff", before="one", after="b9")
    pair = {"before": "one", "after": "b9", "id": found["id"]}
    for _ in range(600):
        status, drawn = post("/api/diff/pictures", **pair)
        if status == 200:
            break
        assert (status, set(drawn)) == (202, {"busy"})
    assert [figure["key"] for figure in drawn["figures"]] == ["009", "010"]
    captions = [[tile["caption"] for tile in figure["tiles"]] for figure in drawn["figures"]]
    assert captions[0] == ["sketch", "original", "cue", "one\n20.00 dB", "b9\n24.00 dB"]
    shown = codec.decode(b64decode(drawn["figures"][0]["tiles"][1]["png"]))
    assert (shown == codec.decode(sample(9).members["color.png"])).all()
    assert "otherwise today than when it was measured" in drawn["notes"][0]  # the table is made up
    monkeypatch.setattr(runs, "open_revision", None)
    assert post("/api/diff/pictures", **pair) == (200, drawn)


def test_the_hash_of_a_pair_follows_what_decides_its_pictures(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, 20)
    first = runs.compare_words(tmp_path, "a", "b")["id"]
    assert runs.compare_words(tmp_path, "a", "b")["id"] == first
    write_run(tmp_path / "b", 21)
    assert runs.compare_words(tmp_path, "a", "b")["id"] != first


def test_runs_that_changed_since_they_were_compared_are_not_drawn(post):
    for _ in range(600):
        status, answer = post("/api/diff/pictures", before="one", after="b9", id="0" * 64)
        if status != 202:
            break
    assert (status, answer) == (
        422,
        {"error": "the runs have changed since they were compared: compare them again"},
    )


def test_drawing_stops_when_nobody_waits_and_can_begin_again(committed, ask):
    begun, go, ended = [], threading.Event(), threading.Event()

    def draw(home, before, after, pair, count, tick):
        begun.append(pair)
        tick(0, 2)
        if len(begun) == 1:
            go.wait(60)
            try:
                tick(1, 2)
            finally:
                ended.set()
        return {"figures": [], "notes": []}

    client = ask(data=committed / "data", params=committed / "params.yaml", functions={"draw_runs": draw})
    pair = {"before": "one", "after": "two", "id": "a"}

    def send(**given):
        answer = client.post("/api/diff/pictures", json=pair | given, headers=HELD)
        return answer.status_code, answer.json()

    assert send() == (202, {"busy": "Both models color the pictures: 0 of 2 steps are done."})
    assert send(stop=True) == (200, {})
    go.set()
    assert ended.wait(60)
    while (answer := send())[0] == 202:
        pass
    assert answer == (200, {"figures": [], "notes": []})
    assert send(stop=True) == (200, {})
    assert send() == answer  # what is finished stays
    assert begun == ["a", "a"]


@needs_node
def test_a_waterfall_has_a_step_for_each_reason_before_the_stage_that_rejects():
    def stage(name, before, after, *reasons):
        listed = [{"name": reason, "before": old, "after": new} for reason, old, new in reasons]
        return {"name": name, "before": before, "after": after, "reasons": listed}

    given = [
        stage("search", 90, 80, ("score", 10, 20)),
        stage("clean", 85, 70, ("blurred", 5, 10)),
        stage("cue", 85, 70),
        stage("pack, train", 80, 66),
        stage("pack, test", 5, None),
    ]
    rows = call("screens/rundiff.js", "waterfallRows", given)
    assert [(row["label"], row["before"], row["count"]) for row in rows] == [
        ("found", 100, 100), ("score", -10, -20), ("search", 90, 80), ("blurred", -5, -10), ("clean", 85, 70),
        ("pack, train", 80, 66), ("pack, test", 5, 0),
    ]  # fmt: skip
    assert [row.get("step", False) for row in rows] == [False, True, False, True, False, False, False]
