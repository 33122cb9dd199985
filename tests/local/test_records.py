"""Records in any spelling give fields in one form, and what is not told stays unknown."""

import pytest

from pipeline.local.records import BadRecord, complete_post, parse_record


def tags(**given):
    """Return all tags of a record, as a blacklist sees them."""
    return complete_post({"id": 1} | parse_record(given))["tag_string"]


@pytest.mark.parametrize(
    "given",
    [
        "1girl, blue eyes, photo (medium)",
        "1girl,blue_eyes , photo_(medium),",
        "1Girl, Blue  Eyes, photo \\(medium\\)\n",
        "1girl\nblue eyes\nphoto (medium)\n",
        "1girl\uff0cblue eyes\u3001photo (medium)",
        "1girl blue_eyes photo_(medium)",
        ["1girl", "blue eyes", "photo (medium)"],
        ["1girl, blue eyes", "photo (medium)"],
        ("1girl", "blue_eyes", "photo_(medium)"),
        '["1girl", "blue eyes", "photo (medium)"]',
        "['1girl', 'blue eyes', 'photo (medium)']",
        {"general": ["1girl", "blue eyes"], "meta": ["photo (medium)"]},
        {"general": "1girl, blue eyes, photo (medium)"},
        [{"name": name, "category": "0"} for name in ("1girl", "blue_eyes", "photo_(medium)")],
    ],
)
@pytest.mark.parametrize("name", ["tags", "tag_string"])
def test_tags_mean_the_same_however_they_are_divided(given, name):
    assert tags(**{name: given}) == "1girl blue_eyes photo_(medium)"


def test_a_tag_is_the_same_however_its_accents_are_written():
    assert tags(tags="cafe\u0301") == tags(tags="caf\u00e9") == "caf\u00e9"


def test_a_tag_of_a_named_category_is_not_general_as_well():
    fields = parse_record({"tags": ["ann", "hat"], "tags_artist": ["ann"], "tag_string_general": "hat"})
    assert fields == {"tag_string_artist": "ann", "tag_string_general": "hat"}
    assert parse_record({"artist": "Ann Lee, Bob"}) == {"tag_string_artist": "ann_lee bob"}
    told = complete_post({"id": 1, "tag_string_general": "ann hat", "tag_string_artist": "ann"})
    assert told["tag_string"] == "ann hat"


@pytest.mark.parametrize("given", [{"tags": 5}, {"tags": [5]}, {"tags": [{"name": 1}]}, {"artist": {"a": 1}}])
def test_tags_that_are_no_names_are_refused(given):
    with pytest.raises(BadRecord) as caught:
        parse_record(given)
    assert caught.value.reason == "bad tags"


@pytest.mark.parametrize(
    ("word", "rating"),
    [("g", "g"), ("General", "g"), ("safe", "s"), ("sensitive", "s"), ("Q", "q"), ("explicit", "e"),
     ("R-18", "e"), ("unknown", None), ("None", None), ("", None), (None, None), (float("nan"), None)],
)  # fmt: skip
def test_a_rating_is_a_letter_or_a_word_or_unknown(word, rating):
    assert parse_record({"rating": word}).get("rating") == rating


def test_a_flag_is_a_word_or_a_number_and_no_other_is_taken_for_false():
    given = ["true", "False", "T", "f", "yes", "no", 1, 0, 1.0, 0.0, True, False]
    assert [parse_record({"is_banned": word})["is_banned"] for word in given] == [True, False] * 6
    for word in ("maybe", 2, [], {"a": 1}):
        with pytest.raises(BadRecord, match="bad is_banned"):
            parse_record({"is_banned": word})


def test_a_suffix_may_have_its_point():
    assert parse_record({"file_ext": " .JPEG "})["file_ext"] == "jpg"


@pytest.mark.parametrize("word", ["spicy", "good", 7, "gs", ["g"], {}])
def test_no_other_word_is_a_rating(word):
    with pytest.raises(BadRecord, match="bad rating"):
        parse_record({"rating": word})


VALUES = [
    None,
    "",
    "x",
    -1,
    0,
    1.5,
    10**40,
    "9" * 5000,
    True,
    [],
    [1],
    {},
    {"a": 1},
    float("inf"),
    float("nan"),
]


@pytest.mark.parametrize(
    "name",
    ["id", "score", "rating", "parent_id", "image_width", "md5", "sha256", "source", "license", "created_at",
     "file_ext", "tags", "artist", "tag_string_meta", "file_size",
     "media_asset", "pixel_hash", "is_deleted", "url"],
)  # fmt: skip
@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value)[:9])
def test_a_value_of_any_kind_is_taken_in_its_type_or_refused_with_a_reason(name, value):
    try:
        post = complete_post({"id": 1} | parse_record({name: value}))
    except BadRecord as bad:
        reason, detail = bad.args
        assert (reason[:4], len(detail) < 200) == ("bad ", True)
        return
    for field, found in post.items():
        if field in ("image_width", "id") or (field == "parent_id" and found is not None):
            assert type(found) is int
            assert 0 <= found < 2**53
        if field in ("source", "license", "md5", "tag_string", "file_ext", "rating", "created_at"):
            assert type(found) is str


def test_nothing_is_known_that_no_record_tells():
    post = complete_post({"id": 1} | parse_record({"id": None, "rating": "", "score": None, "other": 5}))
    assert not {"rating", "score", "license", "created_at", "md5", "other"} & post.keys()
    assert post["tag_string"] == post["source"] == ""
