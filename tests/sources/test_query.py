"""Words of a search mean what Danbooru's cheat sheet says."""

import math

import pytest

from pipeline.sources import query

POST = {
    "id": 50, "rating": "q", "score": -3, "md5": "ab" * 16, "file_ext": "jpg", "file_size": 2_000_000,
    "image_width": 1200, "image_height": 900, "created_at": "2024-02-29T23:59:00.000-05:00", "parent_id": 7,
    "is_deleted": False, "is_banned": True, "tag_string": ":d 1girl long_hair re:zero",
}  # fmt: skip
ORPHAN = POST | {"parent_id": None}


@pytest.mark.parametrize(
    "tags",
    [
        "",
        "1girl",
        "1girl long_hair",
        ":d",
        "re:zero",
        "1GIRL",
        "-2girls",
        "rating:q,s rating:questionable -rating:g",
        "Rating:Q",
        "score:-3 score:<0 score:<=-3 score:>-4 score:>=-3 score:-5..-1 score:..0 score:-3.. score:7,-3",
        "-score:0..",
        "id:50 id:1,50 id:40..60 id:>=50",
        "width:1200 height:>800 filesize:1000000..3000000 mpixels:1..1.1 mpixels:1.08",
        "ratio:4:3 ratio:1.33 ratio:>1 ratio:1:1..16:9",
        "date:2024-02-29 date:2024-02-01..2024-03-01 date:>=2024-02-29 date:..2024-02-29 -date:2024-03-01..",
        "filetype:jpg filetype:png,jpg -filetype:png",
        f"md5:{'ab' * 16}",
        "parent:7 parent:50 parent:any -parent:none",
        "status:active status:banned status:any -status:deleted",
        "order:score",
    ],
)
def test_a_post_fits_a_search_when_it_fits_every_word(tags):
    assert query.parse_search(tags)(POST)
    for word in tags.split():
        assert query.parse_search(word)(POST)
        if not word.startswith("-"):
            assert not query.parse_search(f"-{word}")(POST)
            assert not query.parse_search(f"1girl -{word} rating:q")(POST)


@pytest.mark.parametrize(
    "word",
    [
        "girl", "long", "long_hair_", "rating:g,s,e", "score:0..", "score:>-3", "score:<-3", "score:3",
        "id:51..", "id:..49", "id:1,2,3", "width:1201", "filesize:<2000000", "mpixels:>1.08", "ratio:<1.33",
        "ratio:3:4", "date:2024-03-01", "date:..2024-02-28", "filetype:jpeg", "md5:00", "parent:8",
        "parent:none", "status:deleted",
    ],
)  # fmt: skip
def test_one_word_that_does_not_fit_is_enough(word):
    assert not query.parse_search(word)(POST)
    assert not query.parse_search(f"1girl {word} rating:q")(POST)
    assert query.parse_search(f"-{word}")(POST)


def test_a_post_without_a_parent_has_none():
    assert query.parse_search("parent:none -parent:any parent:50")(ORPHAN)
    assert not query.parse_search("parent:7")(ORPHAN)


def test_an_unknown_size_is_in_no_range():
    unknown = {name: value for name, value in POST.items() if name != "file_size"}
    assert not query.parse_search("filesize:>=0")(unknown)
    assert query.parse_search("-filesize:>=0")(unknown)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("score:high", "'high' is not a number"),
        ("score:", "is not a number"),
        ("score:1..x", "'x' is not a number"),
        ("score:1,,2", "is not a number"),
        ("score:>>1", "'>1' is not a number"),
        ("-id:five", "'five' is not a number"),
        ("ratio:4:0", "'4:0' is not a number"),
        ("date:today", "'today' is not a date such as 2024-05-31"),
        ("date:2024-02-30", "is not a date"),
        ("status:odd", "status odd is not known"),
        ("pixiv:5", "the metatag pixiv is not known"),
        ("user:ann", "the metatag user is not known"),
    ],
)
def test_a_search_that_cannot_be_read_is_refused_with_the_reason(word, sentence):
    with pytest.raises(ValueError, match=sentence):
        query.parse_search(f"1girl {word}")


def test_tags_count_towards_the_limit_and_free_metatags_do_not():
    free = " ".join(f"{name}:1 -{name}:1 {name.upper()}:1" for name in query.FREE_METATAGS)
    assert query.counted_words(free) == []
    assert query.counted_words("1girl -solo hair* :d re:zero") == ["1girl", "-solo", "hair*", ":d", "re:zero"]
    for name in ("order", "random", "source", "user", "pool"):
        assert query.counted_words(f"{name}:1 -{name}:1") == [f"{name}:1", f"-{name}:1"]
    assert query.counted_words("rating idea:1 ratings:g") == ["rating", "idea:1", "ratings:g"]


def test_the_free_metatags_are_those_that_danbooru_names():
    names = """status rating limit is id date age filesize filetype parent child md5 width height duration
              mpixels ratio score favcount tagcount pixiv"""
    assert set(query.FREE_METATAGS) == set(names.split())


def test_an_account_of_a_higher_level_may_use_more_tags():
    assert list(query.TAG_LIMITS.items()) == [
        ("anonymous", 2),
        ("member", 2),
        ("gold", 6),
        ("platinum", math.inf),
    ]
