"""A search writes the same posts whichever source it searches."""

from dataclasses import replace
from random import Random

import pytest
from made import picture
from rig import ALL, find, make_post, make_posts, read, write_lines

from pipeline.booru import site as booru_site
from pipeline.booru.catalog import Catalog
from pipeline.booru.site import show_post
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.params import Search
from pipeline.sources.posts import PostSource, hash_id, read_posts
from pipeline.sources.search import search_posts
from pipeline.web.client import open_site


def ids(path):
    """List the ids of a file of posts."""
    return [post["id"] for post in read_posts(path)]


def mixed_posts():
    """Make posts, some of which are rejected, for different reasons."""
    return [
        make_post(1),
        make_post(2, tag_string_general="comic"),
        make_post(3, tag_string_artist="ann"),
        make_post(4, rating="e"),
        make_post(5, tag_string_meta="duplicate", tag_string_artist="ann"),
        make_post(6),
        make_post(7, is_deleted=True),
        make_post(8, is_banned=True),
        make_post(9, tag_string_artist="ann"),
    ]


def local_source(posts):
    """Make a source of posts as a site shows them, in random order."""
    shown = [show_post(post, "", "anonymous") for post in posts]
    Random(0).shuffle(shown)
    return PostSource(None, lambda: iter(shown))


WANTED = Search(forget="artist:ann")


def test_a_search_of_a_site_counts_what_it_took_and_skipped_and_has_its_ceiling(serve, tmp_path):
    with serve(mixed_posts()) as host, open_site(host) as site:
        counts = search_posts(site, tmp_path / "a", WANTED)
    assert counts == {"posts": 3, "ceiling": 9, "skipped": {"blacklist": 1, "forgotten": 3}}
    assert ids(tmp_path / "a") == [1, 6, 8]


@pytest.mark.parametrize("wanted", [WANTED, Search(sample=2), Search(limit=3), ALL])
def test_a_source_on_disk_is_searched_to_the_same_bytes(serve, tmp_path, wanted):
    with serve(mixed_posts()) as host, open_site(host) as site:
        counts = search_posts(site, tmp_path / "a", wanted)
    local_counts = search_posts(local_source(mixed_posts()), tmp_path / "b", wanted)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert local_counts["posts"] == counts["posts"]
    assert wanted.limit < 9 or local_counts == {name: counts[name] for name in ("posts", "skipped")}


def test_a_folder_of_pictures_is_searched(tmp_path):
    (tmp_path / "ann").mkdir()
    for number in (1, 2):
        (tmp_path / "ann" / f"bob_{number}.png").write_bytes(png.encode_png(picture(number)))
    (tmp_path / "ann" / "bob_2.json").write_text('{"rating": "e"}')
    source = open_source(str(tmp_path / "ann"))
    counts = search_posts(source, tmp_path / "posts.jsonl", Search(size=64))
    assert counts == {"posts": 1, "skipped": {"rating": 1}}
    (post,) = read_posts(tmp_path / "posts.jsonl")
    assert (post["file_url"], post["image_width"]) == ("bob_1.png", 64)
    with pytest.raises(Halt, match=r"\(rating 1, size 1\); its posts are rated e 1, unknown 1: "):
        search_posts(source, tmp_path / "none.jsonl", Search(size=65))


TWELVE = [
    {}, {}, {"tags": "comic, hat"}, {"rating": "e"}, {"rating": "q"}, {"rating": "g"},
    {"rating": "g", "score": 4.5}, {"width": 200, "height": 200}, {"width": 2000, "height": 100},
    {"is_deleted": "true"}, {"date": "2023-06-01"}, {"date": "2023-06-01", "id": 1},
]  # fmt: skip
USUAL = {"deleted": 1, "rating": 2, "ratio": 1, "blacklist": 1}
FILTERED = [  # a search, and what it leaves out of the twelve, by filter
    ({}, USUAL),
    ({"unrated": "skip"}, {"deleted": 1, "rating": 9}),
    ({"rating": "g,s,q,e", "blacklist": ""}, {"deleted": 1, "ratio": 1}),
    ({"size": 512}, {"deleted": 1, "rating": 2, "size": 2, "blacklist": 1}),
    ({"score": 5}, USUAL | {"score": 1}),
    ({"types": "jpeg,gif", "rating": "g,e"}, {"deleted": 1, "rating": 1, "types": 9}),
    ({"since": "2023-01-01"}, {"deleted": 1, "rating": 2, "ratio": 1, "since": 6}),
    ({"until": "2023-12-31"}, {"deleted": 1, "rating": 2, "ratio": 1, "until": 6}),
    ({"tags": "hat", "blacklist": ""}, {"tags": 11}),
    ({"forget": "1"}, USUAL | {"forgotten": 1}),
    ({"limit": 2}, USUAL | {"limit": 5}),
    ({"limit": 4, "sample": 1}, USUAL | {"limit": 3, "sample": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "left_out"), FILTERED)
def test_every_filter_counts_what_it_leaves_out_by_its_name(tmp_path, fields, left_out):
    rows = [{"url": f"https://a.example/{n}.png"} | told for n, told in enumerate(TWELVE)]
    rows[3]["url"] = "https://a.example/3.gif"
    source = open_source(f"list:{write_lines(tmp_path / 'list.jsonl', *rows, rows[0], {'url': 'x'})}")
    ledger = tmp_path / "search.tsv"
    counts = search_posts(source, tmp_path / "posts.jsonl", Search(**{"size": 1} | fields), ledger=ledger)
    assert counts["skipped"] == left_out | {"same id": 1, "gone": 1}
    assert counts["posts"] + sum(counts["skipped"].values()) == len(TWELVE) + 2
    assert ledger.read_text() == (
        f"name\treason\tdetail\nrow 13\tsame id\trow 1 has the id {hash_id(rows[0]['url'])}\n"
        "row 14\tgone\tthere is no such file\n"
    )


def test_without_a_file_or_row_that_is_no_post_no_table_of_them_is_left(tmp_path):
    ledger = tmp_path / "search.tsv"
    ledger.write_text("of an earlier search")
    search_posts(local_source(mixed_posts()), tmp_path / "posts.jsonl", WANTED, ledger=ledger)
    assert not ledger.exists()


def test_two_posts_of_a_dump_with_one_id_are_counted(tmp_path):
    posts = [make_post(1), make_post(2), make_post(1)]
    counts = search_posts(local_source(posts), tmp_path / "posts.jsonl", ALL)
    assert counts == {"posts": 2, "skipped": {"same id": 1}}


def test_a_search_that_no_rating_passes_says_which_ratings_there_are(tmp_path):
    posts = [make_post(number, rating="s") for number in (1, 2, 3)]
    with pytest.raises(Halt, match=r"no post for this search \(rating 3\); its posts are rated s 3: ask for"):
        search_posts(local_source(posts), tmp_path / "a", Search())


def test_the_table_of_what_is_no_post_holds_nothing_that_a_terminal_obeys(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(png.encode_png(picture(1)))
    (tmp_path / "in/a\x1b[2J.txt").write_bytes(b"no picture")
    source = open_source(str(tmp_path / "in"))
    search_posts(source, tmp_path / "posts.jsonl", Search(size=1), ledger=tmp_path / "search.tsv")
    [_, row] = (tmp_path / "search.tsv").read_text(encoding="utf-8").splitlines()
    assert row.split("\t")[0] == "a\\u001b[2J.txt"


def test_the_limit_counts_what_is_taken_not_what_is_found(serve, traffic, tmp_path):
    posts = [make_post(number, tag_string_general="comic" * (number % 2)) for number in range(1, 501)]
    with serve(posts) as host, open_site(host) as site:
        counts = search_posts(site, tmp_path / "a", Search(limit=120))
    assert counts["posts"] == 120
    assert ids(tmp_path / "a") == list(range(262, 501, 2))
    assert len(traffic.targets) == 3  # the newest id, and two pages: no third is needed


def test_equal_posts_give_equal_bytes_whatever_the_port(serve, tmp_path):
    for name in ("one", "two"):
        with serve(make_posts(5)) as host:
            find(host, tmp_path / name)
            assert host.rpartition(":")[2].encode() not in (tmp_path / name).read_bytes()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"127.0.0.1" not in (tmp_path / "one").read_bytes()


def test_later_uploads_do_not_change_the_answer_once_it_was_given(traffic, tmp_path):
    posts, ceilings = mixed_posts(), tmp_path / "ceilings.json"
    with booru_site.serve(Catalog(posts, read), traffic) as host, open_site(host) as site:
        first = search_posts(site, tmp_path / "a", ALL, ceilings=ceilings)
        posts.append(make_post(10))
        assert search_posts(site, tmp_path / "b", ALL, ceilings=ceilings) == first
        assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
        ceilings.unlink()
        assert search_posts(site, tmp_path / "b", ALL, ceilings=ceilings)["ceiling"] == 10
        assert search_posts(site, tmp_path / "b", ALL)["ceiling"] == 10


GROWN = [  # posts of which some match, and searches whose limits cut old posts off, new ones, and none
    make_post(number, rating="gse"[number % 3], tag_string_general="comic" * (number % 5 == 0))
    for number in range(1, 241)
]
GROWTHS = [(3, 240, {}), (60, 61, {}), (100, 240, {"limit": 20}), (100, 240, {"limit": 90}), (239, 240, {})]


@pytest.mark.parametrize("where", ["site", "source"])
@pytest.mark.parametrize(
    ("before", "after", "fields"), [*GROWTHS, (30, 30, {}), (5, 90, {"rating": "g,s,q,e"})]
)
def test_a_new_search_of_what_only_grew_gives_what_a_full_one_gives(
    serve, traffic, tmp_path, monkeypatch, where, before, after, fields
):
    monkeypatch.setattr("pipeline.sources.danbooru.PAGE_SIZE", 25)
    wanted, posts, dest = Search(**fields), GROWN[:before], tmp_path / "a.jsonl"
    ceilings = tmp_path / "ceilings.json"
    with serve(posts) as host, open_site(host) as site:

        def find_all(path, new=False):
            given = site if where == "site" else local_source(posts)
            return search_posts(given, path, wanted, ceilings=ceilings, new=new)

        find_all(dest)
        earlier = ids(dest)
        posts += GROWN[before:after]
        asked = len(traffic.targets)
        counts = find_all(dest, new=True)
        if where == "site":  # no page of what is known, but for the newest id
            assert len(traffic.targets) - asked <= 2 + (after - before) // 8
        find_all(tmp_path / "full.jsonl")
    assert dest.read_bytes() == (tmp_path / "full.jsonl").read_bytes()
    assert (counts["posts"], counts["new"]) == (len(ids(dest)), len(set(ids(dest)) - set(earlier)))
    assert "same id" not in counts["skipped"]


def test_a_new_search_keeps_the_posts_that_it_knows_as_they_were(tmp_path):
    dest, posts = tmp_path / "a.jsonl", [make_post(1, score=3), make_post(2)]
    search_posts(local_source(posts), dest, ALL)
    before = dest.read_bytes()
    search_posts(local_source([make_post(1, score=99), make_post(9)]), dest, ALL, new=True)
    assert dest.read_bytes().startswith(before)
    assert ids(dest) == [1, 2, 9]


def test_a_new_search_that_cannot_add_leaves_everything_as_it_is(tmp_path):
    dest, posts, source = tmp_path / "a.jsonl", mixed_posts(), local_source(mixed_posts())

    def refused(wanted, sentence):
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(Halt, match=sentence + r": search without --new, or name another file$"):
            search_posts(source, dest, wanted, new=True, ledger=tmp_path / "search.tsv")
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    refused(ALL, "a.jsonl is not as a search wrote it")
    search_posts(source, dest, ALL)
    refused(replace(ALL, score=5, tags="hat"), "a search with another tags and another score")
    write_lines(dest, {"id": 1})
    refused(ALL, "a.jsonl is not as a search wrote it")
    drawn = replace(ALL, sample=2)
    search_posts(local_source(posts), dest, drawn)
    refused(drawn, "a.jsonl holds a random draw, to which no post can be added")


def test_a_search_that_finds_nothing_stops_with_the_counts_of_skipped_posts(serve, tmp_path):
    with serve(mixed_posts()) as host, open_site(host) as site:
        for wanted, outcome in (
            (Search(host=host, tags="nobody"), "not one was found"),
            (Search(host=host, tags="comic"), "blacklist 1"),
            (Search(host=host, forget="1 6 8 artist:ann"), "blacklist 1, forgotten 6"),
        ):
            with pytest.raises(
                Halt, match=rf"{host} has no post for this search \({outcome}\): ask for less"
            ):
                search_posts(site, tmp_path / "a", wanted)
    assert not (tmp_path / "a").exists()


def test_progress_is_reported_after_each_post(serve, tmp_path):
    seen = []
    with serve(mixed_posts()) as host, open_site(host) as site:
        search_posts(site, tmp_path / "a", WANTED, tick=lambda *numbers: seen.append(numbers))
    assert seen == [(1, 1000), (2, 1000), (3, 1000)]
    seen.clear()
    search_posts(
        local_source(mixed_posts()), tmp_path / "a", replace(WANTED, limit=2), tick=lambda *n: seen.append(n)
    )
    assert seen == [(1, 2), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("fields", "level", "sentence"),
    [
        ({"tags": "hat solo -monochrome"}, "anonymous", "tags must be at most 2 for the level anonymous"),
        ({"tags": "hat solo user:ann"}, "member", "tags must be at most 2 for the level member"),
        ({"tags": "a b c d e f g"}, "gold", "tags must be at most 6 for the level gold"),
        ({"tags": "order:score"}, "platinum", "tags must not ask for an order"),
    ],
)
def test_a_search_that_the_site_would_refuse_is_never_sent(serve, traffic, tmp_path, fields, level, sentence):
    with serve(make_posts(1)) as host, open_site(host) as site, pytest.raises(ValueError, match=sentence):
        search_posts(site, tmp_path / "a", Search(**fields), level=level)
    assert traffic.targets == []


def test_an_account_searches_as_many_tags_as_its_level_allows(tmp_path):
    posts = [make_post(1, tag_string_general="a b c"), make_post(2, tag_string_general="a b")]
    accounts = {"ann": ("secret", "gold")}
    with booru_site.serve(Catalog(posts, read), accounts=accounts) as host:
        with open_site(host, login="ann", api_key="secret") as site:
            search_posts(site, tmp_path / "a", Search(tags="a b c"), level="gold")
        assert ids(tmp_path / "a") == [1]
        with open_site(host) as site, pytest.raises(Halt, match=r"422 .*set PREP_LEVEL"):
            search_posts(site, tmp_path / "a", Search(tags="a b c"), level="gold")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 5, 25, 49]),
        ({"since": "2020-01-02"}, [25, 49]),
        ({"until": "2020-01-02"}, [1, 5, 25]),
        ({"since": "2020-01-02", "until": "2020-01-02"}, [25]),
        ({"types": "gif"}, [5]),
        ({"types": "jpg,gif"}, [5, 49]),
        ({"ratio": 1.1}, [49]),
        ({"ratio": 8.0}, [1, 5, 7, 25, 49]),
        ({"score": -9}, [1, 5, 8, 25, 49]),
        ({"size": 100}, [1, 5, 9, 25, 49]),
        ({"rating": "s,e"}, [10, 11]),
        ({"tags": "hat"}, [25]),
    ],
)
def test_each_parameter_reaches_the_site(serve, tmp_path, fields, expected):
    posts = [
        make_post(1),  # from January 1 on, one post an hour
        make_post(5, ext="gif"),
        make_post(6, ext="zip"),
        make_post(7, image_width=5000),
        make_post(8, score=-9),
        make_post(9, image_width=500),
        make_post(10, rating="s"),
        make_post(11, rating="e"),
        make_post(25, tag_string_general="hat"),
        make_post(49, image_width=700, ext="jpg"),
    ]
    with serve(posts) as host, open_site(host) as site:
        search_posts(site, tmp_path / "a", Search(**fields))
    assert ids(tmp_path / "a") == expected


def test_a_published_selection_is_applied_to_a_site(serve, tmp_path):
    tags = "1girl blue_eyes red_hair simple_background"
    posts = [make_post(1, tag_string_general=tags), make_post(2, tag_string_general=f"{tags} 1boy")]
    with serve(posts) as host, open_site(host) as site:
        counts = search_posts(site, tmp_path / "a", Search(recipe="tag2pix"))
    assert (ids(tmp_path / "a"), counts["skipped"]) == ([1], {"recipe": 1})
