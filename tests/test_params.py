"""Parameters are checked at the door, each by one rule said in words."""

import dataclasses

import pytest

from pipeline import params
from pipeline.params import Clean, Pack, Search, Section, Sketch

SECTIONS = Section.__subclasses__()


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_are_within_their_own_bounds(section):
    assert dataclasses.is_dataclass(section())


@pytest.mark.parametrize("section", SECTIONS)
def test_every_parameter_is_one_lower_case_word_with_a_sentence_of_help(section):
    for field in dataclasses.fields(section):
        assert field.name.isalnum()
        assert field.name.islower()
        assert field.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("blocksize", 6, "an odd integer from 3 to 255"),
        ("blocksize", 1, "an odd integer from 3 to 255"),
        ("blocksize", 7.0, "an odd integer from 3 to 255"),
        ("blocksize", True, "an odd integer from 3 to 255"),
        ("sigma", float("nan"), "a number from 0.1 to 100"),
        ("sigma", "2", "a number from 0.1 to 100"),
        ("method", "pencil", "one of threshold, xdog-a, xdog-p, own"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {rule}, got {value!r}$"):
        Sketch(**{name: value})


def test_a_bound_is_allowed_itself_and_an_integer_serves_as_a_number():
    assert Clean(complexity=100, gray=0.0).complexity == 100


def test_splits_must_leave_something_to_train_on():
    with pytest.raises(ValueError, match=r"val \+ test must be below 100, got 100"):
        Pack(val=60.0, test=40.0)


def test_a_section_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sketch().blocksize = 9


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        (params.number(1, "N.", 1), "an integer of at least 1"),
        (params.number(1.0, "N.", high=3), "a number of at most 3"),
        (params.number(1.0, "N."), "a number"),
        (params.words("", "N."), "text"),
    ],
)
def test_a_rule_reads_as_words(field, rule):
    field.type = type(field.default)
    assert params.describe(field) == rule


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("rating", "safe", "some of g, s, q and e joined by commas"),
        ("rating", "", "some of g, s, q and e joined by commas"),
        ("rating", "g,", "some of g, s, q and e joined by commas"),
        ("rating", "g s", "some of g, s, q and e joined by commas"),
        ("types", "", "file types joined by commas"),
        ("types", "png,", "file types joined by commas"),
        ("types", "PNG", "file types joined by commas"),
        ("types", "png id:1", "file types joined by commas"),
        ("since", "2024-02-30", "a date such as 2024-05-31"),
        ("since", "20240531", "a date such as 2024-05-31"),
        ("until", "yesterday", "a date such as 2024-05-31"),
        ("until", "2024-5-1", "a date such as 2024-05-31"),
        ("forget", "ann", "IDs and artist:NAME"),
        ("forget", "artist:", "IDs and artist:NAME"),
        ("forget", "-5", "IDs and artist:NAME"),
        ("recipe", "pix2pix", "one of none, tag2pix"),
        ("limit", 0, "an integer of at least 1"),
        ("ratio", 0.5, "a number from 1 to 1000"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {rule}, got {value!r}$"):
        Search(**{name: value})


def test_what_a_search_says_in_words_may_be_empty_one_or_several():
    assert Search(rating="e,g", types="png", since="", until="2024-02-29", forget="").forget == ""
    assert Search(forget="5  artist:o'hara artist:a:b\n7").forget.split()[-1] == "7"
