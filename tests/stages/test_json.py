"""With --json a command prints one document that says what its text says."""

import json
from pathlib import Path

import pytest
from made import make_column, run_prep

from pipeline import files
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

pytestmark = pytest.mark.usefixtures("elsewhere")
SCORES = {"gray": 1.0, "colorfulness": 50.0} | dict.fromkeys(
    ("width", "height", "saturation", "monochrome", "borders", "text", "blur", "blank", "complexity7"), 20
)


@pytest.fixture
def ask(capsys):
    """Return what runs a command, and gives its text and its document."""

    def run(words, expected=0):
        text, document = (run_prep(capsys, *words.split(), *option) for option in ([], ["--json"]))
        assert (text[0], document[0]) == (expected, expected), document[2]
        return text[1], json.loads(document[1])

    return run


def words_of(text):
    return [line.split() for line in text.splitlines()]


def test_columns_and_samples_are_listed(ask):
    make_column(Path("data/color"), [f"{number:09d}" for number in range(1, 5)])
    make_column(Path("data/cue"), ["000000001"])
    Path("data/cue/000000.tar").unlink()
    text, document = ask("ls data")
    whole, broken = document["columns"]
    size = sum(path.stat().st_size for path in Path("data/color").glob("*.tar"))
    assert whole == {"column": "data/color", "samples": 4, "shards": 2, "bytes": size}
    assert words_of(text)[0][:5] == ["data/color", "4", "samples", "2", "shards"]
    assert text.splitlines()[1] == f"data/cue  {broken['fault']}"
    text, document = ask("ls data/color")
    assert words_of(text) == [
        [sample["key"], sample["shard"], *(str(word) for size in sample["sizes"].items() for word in size)]
        for sample in document["samples"]
    ]


def test_a_sample_is_shown_with_texts_that_a_terminal_would_obey(ask, capsys):
    told = {"source": 'https://a.example/?token=s3cret\\"x', "artist": "\x1b[2J\x9b\x7f\u202e猫"}
    make_column(Path("color"), ["000000001"], **told)
    text, document = ask("show 1 color")
    assert document["metadata"] == {"family": "000000001", "artist": told["artist"]} | {
        "source": 'https://a.example/?token=***\\"x'
    }
    lines = words_of(text)
    assert lines[0] == [document["key"], "in", document["shard"]]
    for line, (suffix, place) in zip(lines[1:3], document["members"].items(), strict=True):
        assert line == [suffix, str(place["bytes"]), "bytes", "from", str(place["offset"])]
    code, out, err = run_prep(capsys, "show", "1", "color", "--json", "--to", "shown")
    assert (code, json.loads(out), err) == (0, document, "show: 2 files written to shown\n")
    assert all(31 < ord(letter) < 127 for letter in out.replace("\n", ""))


def test_decisions_are_explained_by_value_and_limit(ask):
    shard = write_shard(Path("data/color/000000.tar"), [Sample("000000001", {"json": files.dumps(SCORES)})])
    seal_column(Path("data/color"), [shard], 1, {})
    text, [decision] = ask("explain 1")
    lines = words_of(text)
    assert lines[0] == ["clean", "taken", decision["why"]]
    assert [" ".join(line) for line in lines[1:]] == [
        f"{rule['reason']} {rule['value']:g} {'>=' if rule['least'] else '<='} {rule['limit']:g} "
        f"{'fine' if rule['fine'] else 'rejected'}"
        for rule in decision["rules"]
    ]
    assert [rule["reason"] for rule in decision["rules"] if not rule["fine"]] == [
        "too small", "gray", "text", "blurred"
    ]  # fmt: skip


def test_an_audit_counts_and_names_faults(ask):
    make_column(Path("color"), ["000000001"])
    text, document = ask("verify color")
    counts = "verify: 1 columns, 1 shards, 1 samples, "
    assert text.startswith(counts)
    shard = Path("color/000000.tar")
    assert document == {"columns": 1, "shards": 1, "samples": 1, "bytes": shard.stat().st_size, "faults": []}
    shard.unlink()
    text, document = ask("verify color", expected=1)
    assert (text, document["faults"]) == ("", ["color/000000.tar is missing"])


def test_a_report_has_the_metrics_of_every_stage(ask):
    counts = {"taken": 6, "written": 5, "rejected": {"gray": 1}}
    Path("params.yaml").write_text("sketches: {b7: {blocksize: 9}}")
    for name in ("clean", "sketchify-b7", "sketchify-old"):
        files.write_json(Path("metrics", f"{name}.json"), counts)
    files.write_json(Path("metrics/train/metrics.json"), {"step": 5})
    text, document = ask("report")
    assert document == {
        "clean": counts, "sketchify-b7": counts | {"settings": {"blocksize": 9}}, "train": {"step": 5}
    }  # fmt: skip
    assert [line[0] for line in words_of(text)] == list(document)
    assert text.splitlines()[1].endswith(
        "5 of 6; rejected: gray 1; drawn with blocksize 9; despite its name, the blocksize is 9"
    )
