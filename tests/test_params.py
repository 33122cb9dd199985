"""Parameter classes refuse bad values by name, rule and value."""

import dataclasses
import re

import pytest

from pipeline.fields import Section
from pipeline.params import (
    Clean,
    Cue,
    Pack,
    Reference,
    Search,
    Sketch,
    Train,
    guide_shares,
    misnamed_blocksize,
)

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
        ("grid", 1, "an integer from 2 to 16"),
        ("grid", 7.0, "an integer from 2 to 16"),
        ("grid", True, "an integer from 2 to 16"),
        ("grid", "3..5", "an integer from 2 to 16"),
        ("jitter", float("nan"), "a number from 0 to 255"),
        ("jitter", "2", "a number from 0 to 255"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {rule}, got {re.escape(repr(value))}$"):
        Reference(**{name: value})


@pytest.mark.parametrize(
    ("name", "settings", "blocksize"),
    [
        ("b7", {"blocksize": 7}, ""),
        ("b7", {"blocksize": 9}, "9"),
        ("b7", {"method": "mean", "blocksize": "5..11"}, "5..11"),
        ("b9", {}, "7"),
        ("b7", {"method": "xdog-a", "sigma": 0.7}, ""),
        ("b9", {"preset": "a-08"}, ""),
        ("bold7", {"blocksize": 9}, ""),
    ],
)
def test_a_name_that_tells_another_blocksize_is_found(name, settings, blocksize):
    assert misnamed_blocksize(name, settings) == blocksize


ODD = "an odd integer from 3 to 255, or a range LOW..HIGH"
SIGMA = "a number from 0.1 to 100, or a range LOW..HIGH"


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("blocksize", 6, ODD),
        ("blocksize", 7.0, ODD),
        ("blocksize", "7", ODD),
        ("blocksize", "4..7", ODD),
        ("blocksize", "3..257", ODD),
        ("blocksize", "7..3", ODD),
        ("blocksize", "3.0..7", ODD),
        ("sigma", "0..1", SIGMA),
        ("sigma", "1..", SIGMA),
        ("sigma", "..1", SIGMA),
        ("sigma", "1..2..3", SIGMA),
        ("sigma", "1..nan", SIGMA),
        ("sigma", "1..inf", SIGMA),
        ("sigma", "one", SIGMA),
        ("seed", "1..2", "an integer of at least 0"),
        ("method", "chalk", "one of threshold, mean, xdog-a, xdog-p, canny, dog, pencil, learned, own"),
        ("weights", 3, "text"),
        ("sha256", "beef", "64 digits of 0-9 and a-f"),
    ],
)
def test_a_bad_sketch_is_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {re.escape(rule)}, got {re.escape(repr(value))}$"):
        Sketch(**{name: value})


def test_a_range_may_be_written_short_be_negative_and_have_equal_ends():
    assert Sketch(sigma=".8..1.2", c="-3..-1e-1", blocksize="7..7", weight="-2..+2").sigma == ".8..1.2"


@pytest.mark.parametrize(("name", "value"), [("method", "canny"), ("sigma", 0.7), ("tau", "0..1")])
def test_a_preset_stands_alone_but_for_the_pen(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be left to the preset a-08, got {value!r}$"):
        Sketch(preset="a-08", **{name: value})
    assert Sketch(preset="a-08", weight=1, noise="0..3", seed=4).preset == "a-08"


def test_a_learned_sketch_needs_weights():
    with pytest.raises(ValueError, match=r"^weights must be a file where the method is learned, got ''$"):
        Sketch(method="learned")


def test_bounds_are_inclusive_and_an_integer_is_a_number():
    assert Clean(complexity=100, gray=0.0).complexity == 100


def test_splits_must_leave_something_to_train_on():
    with pytest.raises(ValueError, match=r"val \+ test must be below 100, got 100"):
        Pack(val=60.0, test=40.0)


@pytest.mark.parametrize(("low", "high"), [("fewest", "most"), ("thin", "thick"), ("short", "long")])
def test_the_least_of_a_cue_must_not_exceed_the_largest(low, high):
    with pytest.raises(ValueError, match=f"^{low} must be at most {high}, got 9$"):
        Cue(**{low: 9, high: 8})


def test_a_section_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sketch().blocksize = 9


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
        ("forget", "ann", "IDs, artist:NAME and md5:HASH"),
        ("forget", "artist:", "IDs, artist:NAME and md5:HASH"),
        ("forget", "-5", "IDs, artist:NAME and md5:HASH"),
        ("recipe", "pix2pix", "one of none, tag2pix"),
        ("forget", "md5:0f", "IDs, artist:NAME and md5:HASH"),
        ("unrated", "maybe", "one of take, skip"),
        ("limit", -1, "an integer of at least 0"),
        ("ratio", 0.5, "a number from 1 to 1000"),
    ],
)
def test_a_bad_search_is_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {rule}, got {value!r}$"):
        Search(**{name: value})


def test_lists_of_a_search_may_be_empty_or_have_one_or_several_items():
    assert Search(rating="e,g", types="png", since="", until="2024-02-29", forget="").forget == ""
    assert Search(forget="5  artist:o'hara artist:a:b\n7").forget.split()[-1] == "7"


def test_shares_of_guides_are_scaled_and_those_of_zero_are_left_out():
    assert guide_shares("cue 3, none 1,gray 0") == {"cue": 0.75, "none": 0.25}


@pytest.mark.parametrize(
    "text", ["", "cue", "cue 1 2", "cue -1, none 2", "cue 0", "blur 1", "cue nan", "cue inf"]
)
def test_wrong_shares_of_guides_are_answered_with_an_example(text):
    with pytest.raises(
        ValueError, match=r"guides must be some of cue, strokes.*such as 'cue 0\.6, none 0\.4', got"
    ):
        Train(guides=text)
