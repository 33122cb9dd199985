"""Fields describe their rules in words and read the ends of ranges."""

import pytest

from pipeline.fields import describe_rule, number, parse_range, ranged, words


@pytest.mark.parametrize(
    ("default", "text", "read"),
    [
        (1.0, ".8..1.2", (0.8, 1.2)),
        (0, "-2..+2", (-2, 2)),
        (0, "0.5..2", None),
        (0, "2..", None),
        (0, "2", None),
    ],
)
def test_a_range_has_two_ends_of_the_type_of_its_field(default, text, read):
    assert parse_range(ranged(default, "N."), text) == read


@pytest.mark.parametrize("field", [number(0, "N."), words("", "N.")])
def test_a_field_that_allows_no_range_reads_none(field):
    assert parse_range(field, "1..2") is None


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        (number(1, "N.", 1), "an integer of at least 1"),
        (number(1.0, "N.", high=3), "a number of at most 3"),
        (number(1.0, "N."), "a number"),
        (words("", "N."), "text"),
    ],
)
def test_a_rule_reads_as_words(field, rule):
    assert describe_rule(field) == rule
