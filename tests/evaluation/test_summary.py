"""Summaries and tables of rows that are written by hand."""

import io

from pyarrow import parquet

from pipeline.evaluation.summary import MODEL, scatter_table, to_parquet


def test_the_table_holds_every_row_and_every_column():
    rows = [{"key": "a", "psnr": 1.0}, {"key": "b", "psnr": 2.0, "adherence": None}]
    table = parquet.read_table(io.BytesIO(to_parquet(rows))).to_pylist()
    assert table == [rows[0] | {"adherence": None}, rows[1]]
    assert to_parquet(rows) == to_parquet(rows)


def test_the_scatter_table_sets_each_picture_against_its_best_baseline():
    row = {"condition": "paired", "key": "a"}
    rows = [row | {"by": by, "psnr": psnr} for by, psnr in ((MODEL, 15), ("cue", 10), ("gray", 1 / 3))]
    rows.append(row | {"condition": "unseen", "by": "cue", "psnr": 99.0})
    assert scatter_table(rows) == "key\tbaseline\tpsnr\na\t10.0000\t15.0000\n"
