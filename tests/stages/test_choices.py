"""Pictures chosen by hand are kept and dropped by `prep clean`, and `prep explain` prints the reasons."""

import json
from pathlib import Path

import pytest
from made import make_column, run_prep

from pipeline.shards import column
from pipeline.shards.ledger import read_ledger

PARAMS = "clean: {side: 32, smallest: 65, blur: 9.0, keep: keep.tsv, drop: drop.tsv, tolerance: 100}"


@pytest.mark.usefixtures("elsewhere")
def test_choices_by_hand_are_followed_and_explained(capsys):
    make_column(Path("original"), ["000000001", "000000002", "000000003"])  # all are smaller than 65 pixels
    Path("params.yaml").write_text(PARAMS)
    Path("keep.tsv").write_text("000000002\ta night scene\n7\tgone\n8\tgone\n")
    Path("drop.tsv").write_text("000000003\tsix fingers\n")
    code, out, err = run_prep(capsys, "clean", "original", "data/color")
    assert (code, out) == (0, "clean: 1 of 3 written to data/color; rejected: dropped 1, too small 1\n")
    assert err.endswith("\nclean: original has no picture for 2 of the 3 keys in keep.tsv, such as 7\n")
    assert [shard.keys for shard in column.list_shards(Path("data/color"))] == [["000000002"]]
    rows = {row[0]: row[1:] for row in read_ledger(Path("data/color/rejects.tsv"))}
    assert json.loads(rows["000000003"][1])["why"] == "six fingers"

    def explained(key):
        code, out, _ = run_prep(capsys, "explain", key)
        first, rule, *_ = (" ".join(line.split()) for line in out.splitlines())
        return code, first, rule

    small = "too small 64 >= 65 rejected"
    kept = "clean taken data/color/000000.tar, on the keep list: a night scene"
    assert explained("2") == (0, kept, small)
    assert explained("3") == (0, "clean rejected dropped: six fingers", small)
    assert explained("1") == (0, "clean rejected too small", small)
