"""Summaries and tables of rows that are written by hand."""

import io

from pyarrow import parquet

from pipeline.evaluation.labels import CONDITION_TITLES, MODEL
from pipeline.evaluation.summary import headline, scatter_table, to_parquet


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


def test_the_numbers_that_runs_are_compared_by_are_flat_and_few():
    names = ("psnr", "ssim", "edges", "colors", "adherence", "ms_ssim", "lpips")
    scores = {name: {"mean": place / 8, "low": 0.0, "high": 1.0} for place, name in enumerate(names)}
    condition = {"scores": {MODEL: scores | {"fid": 3.0}}, "gain": {"mean": 4.5, "low": 4.0, "high": 5.0}}
    named = CONDITION_TITLES.keys() - {"cue"}  # its condition is paired
    numbers = headline({"conditions": dict.fromkeys(named, condition), "images": 3, "absent": {}})
    assert len(numbers) == 12
    assert all(type(number) is float for number in numbers.values())
    paired = {"psnr_db": 0.0, "ssim": 0.125, "edges_f1": 0.25, "colors_delta_e": 0.375, "gain_db": 4.5}
    assert numbers.items() >= (paired | {"unseen_psnr_db": 0.0, "strokes_psnr_db": 0.0}).items()
    assert "different_psnr_db" not in numbers  # the original is not what another reference asks for
