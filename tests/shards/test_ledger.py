"""Ledgers: tables of rejected samples."""

import pytest

from pipeline.errors import Halt
from pipeline.shards.ledger import LEDGER, find_reject, read_ledger, write_ledger


def test_a_ledger_names_keys_and_reasons(tmp_path):
    write_ledger(tmp_path / LEDGER, [("1", "gray"), ("2", "too small")], "reason")
    assert (tmp_path / LEDGER).read_text() == "key\treason\n1\tgray\n2\ttoo small\n"


def test_a_reject_is_found_by_its_key(tmp_path):
    write_ledger(tmp_path / LEDGER, [("1", "gray"), ("2", "too small")], "reason")
    assert find_reject(tmp_path / LEDGER, "2") == ["2", "too small"]
    assert find_reject(tmp_path / LEDGER, "3") == find_reject(tmp_path / "none.tsv", "1") == []


def test_another_table_is_no_ledger(tmp_path):
    (tmp_path / "a.tsv").write_text("name\treason\n1\tgray\n")
    assert read_ledger(tmp_path / "a.tsv") == []


def test_a_ledger_holds_no_control_characters_and_no_secrets(tmp_path):
    path = tmp_path / LEDGER
    write_ledger(
        path, [("a\x1b", "gone", "https://ann:pw@example.org/?token=s3cret \x9b2J")], "reason", "detail"
    )
    row = ["a\\u001b", "gone", "https://example.org/?token=*** \\u009b2J"]
    assert find_reject(path, "a\x1b") == row
    write_ledger(path, read_ledger(path)[1:], "reason", "detail")  # as forget does
    assert read_ledger(path)[1:] == [row]


@pytest.mark.parametrize(
    "data", [b"key\treason\n1\tgr\xe1y\n", b"key\treason\n1\n", b'key\treason\n1\t"gray\n']
)
def test_a_damaged_ledger_is_refused(tmp_path, data):
    (tmp_path / LEDGER).write_bytes(data)
    with pytest.raises(Halt, match=r"rejects.tsv is damaged \(.*\): run the stage"):
        read_ledger(tmp_path / LEDGER)
