"""A person's lists decide for the keys that they name, and a list with a fault is refused in one sentence."""

import json

import pytest
from made import make_column, process
from store import content

from pipeline import files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec
from pipeline.images.result import Result
from pipeline.params import Cue
from pipeline.run.choices import Choices, read_choices
from pipeline.run.step import Step
from pipeline.shards.column import list_shards
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.shards.loose import list_parts, write_loose

KEEP = {"2": "night", "3": "whole", "5": "lit"}
DROP = {"1": "six\tfingers", "7": "a photo", "9": "no picture has this key"}


def score(data, key, params):
    """Give 1 and 4 the same score, and 2 and 5; the third cannot be used."""
    if key == "3":
        raise BadImage("cannot decode")
    return Result(codec.decode(data), {"score": int(key) % 3})


def fussy(reported):
    """Reject 2, 5 and 8."""
    return "low" if reported["score"] == 2 else ""


@pytest.mark.parametrize("loose", [False, True])
def test_lists_decide_before_limits_but_not_about_duplicates_and_broken_pictures(tmp_path, loose):
    source = make_column(tmp_path / "column", [*"1234578"])
    if loose:
        for shard in list_shards(source):
            write_loose(tmp_path / "loose", shard)
        source = tmp_path / "loose"
    how = {"judge": fussy, "distinct": "score", "choices": Choices(KEEP, DROP)}
    step = Step(score, Cue(), report=("score",))
    for workers in (1, 3):
        out = tmp_path / str(workers)
        report = process(step, source, out, cache=tmp_path / out.name / "c", workers=workers, **how)
    assert content(tmp_path / "1") == content(tmp_path / "3")
    assert [sample.key for part in list_parts(out) for sample in part] == ["2", "4"]  # 4 in the place of 1
    assert report.rejected == {"cannot decode": 1, "dropped": 2, "duplicate": 1, "low": 1}
    rows = [(row[0][0], row[1], json.loads(row[2] or "{}")) for row in read_ledger(out / LEDGER)[1:]]
    assert sorted(rows, key=lambda row: row[0]) == [
        ("1", "dropped", {"score": 1, "why": "six\tfingers"}),
        ("3", "cannot decode", {}),
        ("5", "duplicate", {"score": 2}),
        ("7", "dropped", {"score": 1, "why": "a photo"}),
        ("8", "low", {"score": 2}),
    ]


def test_a_list_may_have_comments_empty_lines_tabs_and_the_line_ends_of_any_editor(tmp_path):
    text = "\ufeff# seen in May\r\n\r\n000000007\tnight scene\tof Ann\r\n  \t\n 猫_1 \t 夜 \n000000008\tlast"
    files.write(tmp_path / "keep.tsv", text.encode())
    keep = {"000000007": "night scene\tof Ann", "猫_1": "夜", "000000008": "last"}
    assert read_choices(str(tmp_path / "keep.tsv"), "") == Choices(keep, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"7\tgood\n8 bad\n", "drop.tsv, line 2, is not a key, a tab and a reason: correct it"),
        (b"#\n\n7\t \n", "drop.tsv, line 3, is not a key, a tab and a reason: correct it"),
        (b"\tgood\n", "drop.tsv, line 1, is not a key, a tab and a reason: correct it"),
        (b"7\ta\n7\tb\n", "drop.tsv, line 2, names 7 a second time: remove one of the lines"),
        (b"5\ta\n4\tb\n", "keep.tsv and drop.tsv both name 4: remove it from one of them"),
        (b"7\t\xff\n", "drop.tsv is not UTF-8 (.*): save it as UTF-8"),
        (None, "drop.tsv does not exist: make it, if only as an empty file, or name another"),
    ],
)
def test_a_list_with_a_fault_is_refused(tmp_path, monkeypatch, text, fault):
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "keep.tsv", b"4\tnight\n")
    if text is not None:
        files.write(tmp_path / "drop.tsv", text)
    with pytest.raises(Halt, match=f"^{fault}$"):
        read_choices("keep.tsv", "drop.tsv")
