"""The change of measures, picture by picture, on the test pictures that two tables share."""

import numpy as np
import pytest

from pipeline.errors import Halt
from pipeline.evaluation.labels import MODEL
from pipeline.evaluation.paired import TOO_FEW, UNTOLD, PairedPicture, pair_measures, read_measures
from pipeline.evaluation.summary import to_parquet

RNG = np.random.default_rng(7)
BASE = RNG.normal(22, 3, 40)  # dB


def rows(psnr, condition="paired", guide="cue", by=MODEL, **measures):
    """Make a row for each picture: those of even keys are of nib, the others of hatch."""
    named = {name: list(values) for name, values in measures.items()}
    return [
        {"condition": condition, "guide": guide, "key": f"{number:03d}", "by": by, "psnr": float(value)}
        | {"artist": ("nib", "hatch")[number % 2], "source": f"https://site{number // 20}.example/{number}"}
        | {name: float(values[number]) for name, values in named.items()}
        for number, value in enumerate(psnr)
    ]


def test_a_change_that_does_nothing_is_zero_and_not_told_apart():
    paired = pair_measures(rows(BASE, ssim=BASE / 30), rows(BASE, ssim=BASE / 30))
    (condition,) = paired.conditions
    for found in condition.differences.values():
        assert (found.change, found.low, found.high, found.verdict) == (0, 0, 0, UNTOLD)
    assert (paired.shared, paired.only_before, paired.only_after) == (40, 0, 0)


def test_half_a_db_is_found_where_the_intervals_of_the_means_overlap():
    after = BASE + 0.5 + RNG.normal(0, 0.4, 40)
    half = [1.96 * column.std(ddof=1) / np.sqrt(40) for column in (BASE, after)]
    assert BASE.mean() + half[0] > after.mean() - half[1]
    found = pair_measures(rows(BASE), rows(after)).conditions[0].differences["psnr"]
    assert (found.before, found.after) == pytest.approx((BASE.mean(), after.mean()))
    changes = after - BASE
    error = 1.96 * changes.std() / np.sqrt(40)
    expected = changes.mean(), changes.mean() - error, changes.mean() + error
    assert (found.change, found.low, found.high) == pytest.approx(expected, abs=0.03)
    assert found.verdict == "better"
    assert pair_measures(rows(after), rows(BASE)).conditions[0].differences["psnr"].verdict == "worse"


def test_less_is_better_for_a_distance():
    found = pair_measures(rows(BASE, colors=BASE), rows(BASE, colors=BASE - 1)).conditions[0].differences
    assert found["colors"].verdict == "better"
    assert found["colors"].change == pytest.approx(-1)


def test_few_pictures_tell_nothing_even_if_all_change_alike():
    """Five heads of a coin in a row, or five tails, come once in 16 throws; six once in 32."""
    for count, verdict in ((5, TOO_FEW), (6, "better")):
        found = pair_measures(rows(BASE[:count]), rows(BASE[:count] + 1)).conditions[0].differences["psnr"]
        assert (found.pictures, found.verdict) == (count, verdict)


def test_only_shared_pictures_count():
    before, after = rows(BASE)[:30], rows(BASE + np.where(np.arange(40) < 30, 1, 99))[10:]
    paired = pair_measures(before, after)
    assert (paired.shared, paired.only_before, paired.only_after) == (20, 10, 10)
    assert paired.conditions[0].differences["psnr"].change == pytest.approx(1)


def test_the_change_is_split_by_artist_and_by_the_host_of_the_source():
    change = np.where(np.arange(40) % 2, 2.0, -1.0)
    groups = pair_measures(rows(BASE), rows(BASE + change)).conditions[0].groups
    assert {name: each.change for name, each in groups["artist"].items()} == {
        "hatch": pytest.approx(2), "nib": pytest.approx(-1)
    }  # fmt: skip
    assert {name: each.pictures for name, each in groups["source"].items()} == {
        "site0.example": 20, "site1.example": 20
    }  # fmt: skip


def test_pictures_are_ranked_from_the_greatest_loss_to_the_greatest_gain():
    condition = pair_measures(rows([20, 20, 20, 20]), rows([21, 15, 29, 20])).conditions[0]
    assert [picture.key for picture in condition.pictures] == ["001", "003", "000", "002"]
    assert condition.pictures[0] == PairedPicture("001", "hatch", 20, 15)
    assert [picture.key for picture in condition.extremes(1)] == ["002", "001"]
    assert [picture.key for picture in condition.extremes(9)] == ["002", "000", "001"]  # one did not change


def test_a_condition_is_matched_by_its_guide_whatever_the_model_calls_it():
    before = rows(BASE, "paired", "reference") + rows(BASE, "unseen", "reference")
    after = rows(BASE, "paired", "cue") + rows(BASE + 1, "reference", "reference")
    (condition,) = pair_measures(before, after).conditions
    assert (condition.condition, condition.names) == ("reference", ("paired", "reference"))
    assert condition.differences["psnr"].change == pytest.approx(1)


def test_baselines_that_changed_are_a_sign_of_other_pictures():
    before, after = rows(BASE) + rows(BASE - 5, by="cue"), rows(BASE + 1) + rows(BASE - 5, by="cue")
    assert pair_measures(before, after).conditions[0].same_inputs
    after[-1]["psnr"] += 0.02
    assert not pair_measures(before, after).conditions[0].same_inputs


def test_a_table_from_before_guides_were_written_is_compared_by_condition():
    before = [{name: value for name, value in row.items() if name != "guide"} for row in rows(BASE)]
    assert pair_measures(before, rows(BASE + 1)).conditions[0].differences["psnr"].change == pytest.approx(1)


def test_nothing_shared_is_a_sentence():
    with pytest.raises(Halt, match="no test picture is shared \\(30 before, 10 after\\)"):
        pair_measures(rows(BASE)[:30], rows(BASE)[30:])
    with pytest.raises(Halt, match="no condition is shared \\(cue by cue; reference by reference\\)"):
        pair_measures(rows(BASE), rows(BASE, guide="reference"))


def test_a_file_that_is_no_table_of_measures_is_named():
    assert read_measures(to_parquet(rows(BASE)), "t.parquet") == rows(BASE)
    for data in (b"PAR1", to_parquet([{"key": "a"}])):
        with pytest.raises(Halt, match=r"^t\.parquet is no "):
            read_measures(data, "t.parquet")
