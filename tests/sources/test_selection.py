"""Posts are chosen by rules that can be stated one at a time."""

from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random

import pytest
from rig import ALL, find, make_post

from pipeline.params import Search
from pipeline.sources.posts import count_posts, read_posts, reduce_post, write_posts
from pipeline.sources.selection import compose_search, draw_posts, is_forgotten, match_posts, select_posts

PERSON = "1girl blue_eyes blonde_hair simple_background"


def ids(posts):
    """List the ids of posts."""
    return [post["id"] for post in posts]


def tagged(**fields):
    """Make a post of 512 pixels that the Tag2Pix recipe takes, unless `fields` prevent it."""
    fields = {"image_width": 512, "image_height": 512, "tag_string_general": PERSON} | fields
    return make_post(1, **fields)


def chosen(posts, **fields):
    """Choose posts; return their ids and the counts of the others."""
    tally = Counter()
    return ids(select_posts(posts, Search(**fields), tally)), dict(tally)


# ---------------------------------------------------------------- the search in the site's language


def test_a_search_is_written_in_the_language_of_the_site():
    assert compose_search(Search()) == (
        "status:active rating:g score:>=0 filetype:png,jpg,webp,gif,avif "
        "width:>=512 height:>=512 ratio:0.25..4"
    )
    search = Search(
        tags="hat -scarf", rating="g,s", score=-5, types="png", size=64, ratio=3.0, since="2024-01-31"
    )
    assert compose_search(search, "member") == (
        "hat -scarf status:active rating:g,s score:>=-5 filetype:png date:2024-01-31.. "
        "width:>=64 height:>=64 ratio:0.33..3"
    )
    assert " date:..2024-02-01 " in compose_search(Search(until="2024-02-01"))
    assert " date:2024-01-31..2024-02-01 " in compose_search(Search(since="2024-01-31", until="2024-02-01"))


@pytest.mark.parametrize(
    ("level", "most"), [("anonymous", 2), ("member", 2), ("gold", 6), ("platinum", 1000)]
)
def test_an_account_may_search_a_number_of_tags_and_any_number_of_free_ones(level, most):
    tags = " ".join(["-monochrome", *(f"tag{number}" for number in range(most - 1))])
    free = "id:5.. age:<1y -parent:any MD5:0 mpixels:>1"
    assert compose_search(Search(tags=f"{tags} {free}"), level).startswith(f"{tags} {free} status:active ")
    if level != "platinum":
        sentence = rf"tags must be at most {most} for the level {level} \(what to exclude belongs into"
        for word in ("one_more", "-not", "user:ann", "source:x", "pool:3", "wild*", "dates:x"):
            with pytest.raises(ValueError, match=sentence):
                compose_search(Search(tags=f"{tags} {word}"), level)


@pytest.mark.parametrize("tags", ["order:score", "random:100", "hat Order:id"])
def test_a_search_never_asks_for_an_order(tags):
    with pytest.raises(ValueError, match="tags must not ask for an order"):
        compose_search(Search(tags=tags))


SEARCHES = [
    Search(),
    ALL,
    Search(rating="g,s"),
    Search(rating="e,q", score=-100),
    Search(score=5),
    Search(score=-5),
    Search(size=100),
    Search(size=701),
    Search(types="png"),
    Search(types="jpg,zip"),
    Search(ratio=1.0, size=1),
    Search(ratio=1.2, size=1),
    Search(ratio=3.0, size=1),
    Search(since="2020-01-02"),
    Search(until="2020-01-02"),
    Search(since="2020-01-02", until="2020-01-02"),
    Search(tags="hat"),
    Search(tags="-hat scarf"),
    Search(tags="hat id:..90 parent:none"),
    Search(tags="Hat mpixels:>0.4"),
]


@pytest.fixture(scope="module")
def various():
    """Make posts that differ in all that a search asks about."""
    dice = Random(0)
    return [
        make_post(
            number,
            rating=dice.choice("ggsqe"),
            score=dice.randrange(-9, 20),
            image_width=dice.choice((99, 233, 600, 720, 2100)),
            image_height=dice.choice((99, 233, 512, 720)),
            ext=dice.choice(("png", "png", "jpg", "zip", "gif")),
            parent_id=dice.choice((None, 3)),
            is_deleted=dice.random() < 0.1,
            is_banned=dice.random() < 0.1,
            tag_string_general=dice.choice(("", "hat", "scarf", "hat scarf")),
        )
        for number in range(1, 301)
    ]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: str(SEARCHES.index(search)))
def test_a_source_on_disk_is_searched_with_the_same_result_as_a_site(serve, various, tmp_path, search):
    search = replace(search, blacklist="")
    with serve(various) as host:
        assert ids(find(host, tmp_path / "posts.jsonl", search)) == ids(match_posts(various, search))


def test_each_of_these_searches_has_another_result(various):
    results = [tuple(ids(match_posts(various, search))) for search in SEARCHES]
    assert all(0 < len(result) < len(various) for result in results)
    assert len(set(results)) == len(results)


def test_a_post_of_unknown_size_passes_but_not_its_other_faults():
    unknown = {"image_width": 0, "image_height": 0}
    assert ids(match_posts([make_post(1, **unknown), make_post(2, rating="e", **unknown)], Search())) == [1]


@pytest.mark.parametrize(("wide", "narrow"), [(1337, 1000), (1500, 1000), (1600, 900), (4000, 1000)])
def test_a_picture_of_the_largest_ratio_itself_passes_lying_or_standing(wide, narrow):
    lying, standing = ({"image_width": w, "image_height": h} for w, h in ((wide, narrow), (narrow, wide)))
    longer = {"image_width": wide + 20, "image_height": narrow}
    posts = [make_post(1, **lying), make_post(2, **standing), make_post(3, **longer)]
    assert ids(match_posts(posts, Search(ratio=wide / narrow))) == [1, 2]


def test_a_search_that_cannot_be_read_is_refused_before_a_post_is_seen():
    with pytest.raises(ValueError, match="'high' is not a number"):
        match_posts(iter(()), Search(tags="score:high"))


# ---------------------------------------------------------------- choice


def test_blacklisted_tags_of_any_category_reject_a_post_and_are_counted():
    posts = [
        make_post(1, tag_string_general="hat comic scarf"),
        make_post(2, tag_string_meta="duplicate"),
        make_post(3, tag_string_artist="animated"),
        make_post(4, tag_string_general="comics not_comic"),
        make_post(5),
    ]
    assert chosen(posts) == ([4, 5], {"blacklist": 3})
    assert chosen(posts, blacklist="") == ([1, 2, 3, 4, 5], {})
    assert chosen(posts, blacklist="hat not_comic") == ([2, 3, 5], {"blacklist": 2})


def test_forgotten_posts_and_artists_are_rejected_first():
    posts = [
        make_post(5),
        make_post(50, tag_string_artist="ann"),
        make_post(51, tag_string_artist="bob ann", tag_string_general="comic"),
        make_post(52, tag_string_artist="anna", tag_string_general="ann"),
        make_post(53, tag_string_artist="o'hara"),
    ]
    assert chosen(posts, forget="5 artist:ann artist:o'hara") == ([52], {"forgotten": 4})
    assert is_forgotten({"id": 5}, {"artist:x", "5"})
    assert not is_forgotten({"id": 5}, {"55", "artist:5"})


@pytest.mark.parametrize(
    ("taken", "fields"),
    [
        (True, {}),
        (True, {"image_width": 511}),  # not both sides under 512
        (False, {"image_width": 511, "image_height": 511}),
        (True, {"image_width": 768, "image_height": 1024}),
        (False, {"image_width": 767, "image_height": 1024}),
        (True, {"image_width": 1024, "image_height": 768}),
        (False, {"image_width": 1025, "image_height": 768}),
        (True, {"tag_string_general": PERSON.replace("1girl", "1boy")}),
        (False, {"tag_string_general": PERSON.replace("1girl ", "")}),
        (False, {"tag_string_general": f"{PERSON} 1boy"}),
        (True, {"tag_string_general": PERSON.replace("blonde", "light_brown")}),
        (True, {"tag_string_general": f"{PERSON} long_hair closed_eyes"}),
        (False, {"tag_string_general": PERSON.replace("blonde", "long")}),
        (False, {"tag_string_general": f"{PERSON} pink_hair"}),
        (False, {"tag_string_general": PERSON.replace("blue_eyes ", "")}),
        (False, {"tag_string_general": f"{PERSON} red_eyes"}),
        (False, {"tag_string_general": PERSON.replace(" simple_background", "")}),
        (False, {"tag_string_general": f"{PERSON} comic"}),
        (False, {"tag_string_general": f"{PERSON} photo_(medium)"}),
        (False, {"tag_string_general": f"{PERSON} subtitled"}),
        (False, {"tag_string_general": f"{PERSON} black_border"}),
        (False, {"tag_string_general": f"{PERSON} multiple_views"}),
        (False, {"tag_string_meta": "english_text"}),
    ],
)
def test_each_rule_of_tag2pix_counts(taken, fields):
    ids, tally = chosen([tagged(**fields)], recipe="tag2pix", blacklist="")
    assert (ids, tally) == (([1], {}) if taken else ([], {"recipe": 1}))
    assert chosen([tagged(**fields)], blacklist="") == ([1], {})


def test_tag2pix_does_not_take_a_post_of_unknown_size():
    post = reduce_post(tagged(image_width=0, image_height=0))
    assert chosen([post | {"image_width": 0}], recipe="tag2pix") == ([], {"recipe": 1})
    del post["image_width"]
    assert chosen([post], recipe="tag2pix") == ([], {"recipe": 1})


# ---------------------------------------------------------------- limit and sample


def written(path, numbers, **fields):
    """Write posts with these ids by a search, and list the ids that the file holds."""
    posts = ({"id": number} for number in numbers)
    tally = Counter()
    count = write_posts(path, posts, partial(draw_posts, search=Search(**fields), tally=tally))
    assert count + tally.total() == len(set(numbers))
    assert count == count_posts(path)
    return ids(read_posts(path))


def test_a_limit_takes_the_newest_whatever_the_order(tmp_path):
    assert written(tmp_path / "a", [5, 1, 9, 9, 3, 7], limit=3) == [5, 7, 9]
    assert written(tmp_path / "a", [5, 1], limit=3) == [1, 5]


def test_a_sample_depends_on_seed_and_ids_alone(tmp_path):
    numbers = list(range(1, 201))
    first = written(tmp_path / "a", numbers, sample=20)
    Random(0).shuffle(numbers)
    assert written(tmp_path / "a", numbers, sample=20) == first == sorted(set(first))
    assert len(first) == 20
    assert written(tmp_path / "a", numbers, sample=20, seed=1) != first
    assert written(tmp_path / "a", numbers, sample=0) == sorted(numbers)
    assert written(tmp_path / "a", numbers, sample=500) == sorted(numbers)


def test_a_sample_is_drawn_uniformly_within_the_limit(tmp_path):
    assert all(number > 150 for number in written(tmp_path / "a", range(1, 201), limit=50, sample=20))
    draws = Counter()
    for seed in range(100):
        draws.update(written(tmp_path / "a", range(1, 21), sample=5, seed=seed))
    assert len(draws) == 20
    assert all(abs(count - 25) < 20 for count in draws.values())  # 4.6 standard deviations


def test_a_sample_keeps_its_posts_when_it_or_what_it_is_drawn_from_grows(tmp_path):
    few = set(written(tmp_path / "a", range(1, 101), sample=10))
    assert few < set(written(tmp_path / "a", range(1, 101), sample=20))
    grown = set(written(tmp_path / "a", range(1, 151), sample=10))
    assert {number for number in grown if number <= 100} <= few
    assert len(grown & few) > 3
