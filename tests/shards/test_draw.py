"""A few samples of a column to look at: the same ones of all columns, and one of every source."""

import numpy as np
from made import make_column

from pipeline.files import dumps
from pipeline.shards import loose
from pipeline.shards.column import list_shards
from pipeline.shards.draw import draw_keys, draw_samples, origin_of
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard


def test_samples_are_drawn_from_the_whole_and_the_same_ones_of_a_column_and_of_a_folder(tmp_path):
    keys = [f"{number:09d}" for number in range(60)]
    listed = list_shards(make_column(tmp_path / "shards", keys, per_shard=7))
    for shard in listed:
        loose.write_loose(tmp_path / "loose", shard)
    drawn = draw_samples(tmp_path / "shards", 16)
    assert drawn == draw_samples(tmp_path / "loose", 16)
    found = [sample.key for sample in drawn]
    assert len(set(found)) == 16
    assert found == sorted(found)
    assert len({int(key) // 10 for key in found}) > 3
    fewer = [sample.key for sample in draw_samples(make_column(tmp_path / "half", keys[::2]), 16)]
    assert set(found) & set(keys[::2]) <= set(fewer)


def test_one_of_each_origin_is_drawn_before_a_second_one_of_any_in_whatever_order_the_keys_come():
    random = np.random.default_rng(1)
    for origins in range(1, 30):
        owners = {f"{key:09d}": f"site{random.zipf(1.5) % origins}" for key in random.permutation(200)}
        drawn = draw_keys(owners, 16)
        counts = [[owners[key] for key in drawn].count(origin) for origin in set(owners.values())]
        assert len(drawn) == sum(counts) == 16
        whole = [list(owners.values()).count(origin) for origin in set(owners.values())]
        assert all(drawn >= min(size, max(counts) - 1) for drawn, size in zip(counts, whole, strict=True))
        assert draw_keys(dict(sorted(owners.items())), 16) == drawn


def test_another_key_changes_no_more_of_a_draw_than_one():
    owners = {f"{key:09d}": "" for key in range(99)}
    assert len(draw_keys(owners, 16) - draw_keys(owners | {"new": ""}, 16)) <= 1


def test_a_column_without_sources_shows_the_samples_of_the_one_that_it_was_made_from(tmp_path):
    keys = [f"{number:09d}" for number in range(30)]
    thin, color = make_column(tmp_path / "thin", keys), tmp_path / "color"
    plain = [sample.key for sample in draw_samples(thin, 2)]
    rare = next(key for key in keys if key not in plain)
    described = []
    for sample in (sample for shard in list_shards(thin) for sample in shard):
        source = "rare/a.png" if sample.key == rare else "https://a.org/b"
        described.append(Sample(sample.key, sample.members | {"json": dumps({"source": source})}))
    seal_column(color, [write_shard(color / "000000.tar", described)], len(keys), {})
    drawn = [sample.key for sample in draw_samples(color, 2)]
    assert rare in drawn
    assert [sample.key for sample in draw_samples(thin, 2, color)] == drawn


def test_an_origin_is_a_site_or_a_folder():
    assert origin_of("https://i.pximg.net/img/1.png") == "https://i.pximg.net"
    assert origin_of("ann/2024/girl.png") == "ann/2024"
    assert origin_of("girl.png") == origin_of("inkwash, drawing 1") == ""
