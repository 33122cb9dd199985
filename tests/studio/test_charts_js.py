"""The numbers behind the charts of the page: intervals, ticks, steps of a handle, and places of bars."""

import math

import numpy as np
import pytest
from node import call, call_each, needs_node

pytestmark = needs_node
MODULE = "charts.js"


def bins_of(values, **given):
    return call(MODULE, "chooseBins", np.sort(np.asarray(values, np.float64)), given)


def span(bins):
    return bins["low"], bins["low"] + bins["count"] * bins["width"]


def test_quantiles_are_those_of_numpy():
    values = np.sort(np.random.default_rng(0).normal(size=301))
    shares = [0, 0.005, 0.25, 0.5, 0.995, 1]
    found = call_each(MODULE, "quantile", [[values, share] for share in shares])
    assert found == pytest.approx(np.quantile(values, shares).tolist(), abs=1e-12)


def test_bins_cover_all_values_of_a_distribution_without_tails():
    values = np.random.default_rng(1).uniform(3, 98, 1000)
    low, high = span(bins_of(values))
    assert low == 0  # near enough to show it
    assert values.max() <= high <= 102


def test_a_long_tail_is_cut_but_never_the_limit():
    values = np.r_[np.random.default_rng(2).uniform(0, 10, 1000), 5000.0]
    assert span(bins_of(values))[1] < 11
    low, high = span(bins_of(values, shown=[40, -2]))
    assert low <= -2
    assert 40 < high < 45


@pytest.mark.parametrize(
    ("values", "shown"), [([], []), ([7.0], []), ([0.0] * 9, [90.0]), ([-3.0, -3.0], [])]
)
def test_few_or_equal_values_have_bins_too(values, shown):
    bins = bins_of(values, shown=shown)
    low, high = span(bins)
    assert bins["width"] > 0
    assert 1 <= bins["count"] < 100
    assert all(low <= value < high for value in [*values, *shown])


def test_bins_of_integers_begin_at_integers():
    bins = bins_of(np.arange(0, 61), integer=True, count=48)
    assert bins == {"low": 0, "width": 2, "count": 31}
    assert bins_of([4.0, 4.0], integer=True)["width"] == 1


def test_each_value_is_counted_in_its_bin_and_those_outside_at_the_ends():
    random = np.random.default_rng(3)
    values = np.r_[random.normal(size=500), -9.0, 9.0, np.arange(-10, 10) * 0.1]
    bins = {"low": -1, "width": 0.1, "count": 20}
    found = call(MODULE, "binIndices", values, bins)
    expected = np.clip(np.floor((values + 1) / 0.1 + 1e-9), 0, 19)
    assert (found == expected).all()
    assert (found[-20:] == np.arange(20)).all()  # a value on an edge belongs to the bin above


def test_ticks_are_round_and_inside():
    cases = [[0, 1, 5], [-0.31, 0.12, 4], [256, 2048, 4], [5, 5, 4]]
    assert call_each(MODULE, "ticks", cases) == [
        [0, 0.2, 0.4, 0.6, 0.8, 1], [-0.2, 0], [500, 1000, 1500, 2000], [5],
    ]  # fmt: skip


def test_numbers_are_written_for_people():
    given = [0, -0.0, 0.30000000000000004, 12345.678, -2.5, 99.99999, 1e-7, 51000.0, 1e12]
    written = call_each(MODULE, "formatNumber", [[value] for value in given])
    assert written == ["0", "0", "0.3", "12,346", "\N{MINUS SIGN}2.5", "100", "1e-7", "51,000", "1e+12"]


def test_keys_move_a_handle_within_its_bounds():
    moves = {
        ("ArrowLeft", False): 1.7, ("ArrowDown", False): 1.7, ("ArrowUp", False): 1.9,
        ("ArrowRight", True): 2.8, ("PageDown", False): 0.8, ("PageUp", False): 2.8, ("PageUp", True): 2.8,
        ("Home", False): 0.55, ("End", False): 3, ("Enter", False): None, ("Tab", True): None,
    }  # fmt: skip
    bounds = {"step": 0.1, "low": 0.55, "high": 3}
    cases = [[{"key": key, "shiftKey": shift}, 1.8, bounds] for key, shift in moves]
    assert call_each(MODULE, "sliderKey", cases) == [*moves.values()]
    ends = [[{"key": "PageUp"}, 2.95, bounds], [{"key": "PageDown"}, 1, bounds]]
    assert call_each(MODULE, "sliderKey", ends) == [3, 0.55]


def test_a_waterfall_steps_from_total_to_total():
    rows = [
        {"label": "found", "count": 200},
        {"label": "gone", "count": -50, "step": True},
        {"label": "back", "count": 10, "step": True},
        {"label": "left", "count": 160},
    ]
    placed = call(MODULE, "placeRows", rows)
    assert [(row["start"], row["end"]) for row in placed] == [(0, 1), (0.75, 1), (0.75, 0.8), (0, 0.8)]
    assert call(MODULE, "placeRows", [{"label": "none", "count": 0}])[0]["end"] == 0


def test_a_log_scale_is_for_a_few_bars_far_above_the_others():
    assert call(MODULE, "isSteep", np.array([280.0, 1, 2, 1, 0, 1]))
    assert not call(MODULE, "isSteep", np.array([280.0, 100, 40, 30]))
    assert not call(MODULE, "isSteep", np.array([280.0, 0, 0, 1]))


def test_the_extent_of_curves_leaves_out_numbers_that_are_none():
    assert call(MODULE, "extent", np.array([math.nan, 2.0, 5.0, math.inf])) == [2, 5]
    assert call(MODULE, "extent", np.array([4.0])) == [3.5, 4.5]
    assert call(MODULE, "extent", np.array([math.nan])) == [0, 1]
