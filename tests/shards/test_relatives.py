"""A relative is another picture of the same family, never the sample itself."""

import numpy as np
import pytest
from made import picture, process

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.operators import warp
from pipeline.params import Reference
from pipeline.run.step import Step
from pipeline.shards import loose
from pipeline.shards.column import list_shards
from pipeline.shards.relatives import pair_relatives
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

FAMILIES = {1: "1", 2: "1", 3: "3", 4: "1", 5: "5", 6: "5", 7: "1"}
SAME = Reference(subject="family", strength=0.0, jitter=0.0)  # the relative as it is
STEP = Step(warp.make_reference, SAME, extra="relative")


def make(folder, numbers, paint=picture):
    """Write a column of pictures, three to a shard."""
    made = [
        Sample(f"{n:09d}", {"png": png.encode_png(paint(n)), "json": files.dumps({"family": FAMILIES[n]})})
        for n in numbers
    ]
    listed = [write_shard(folder / f"{at:06d}.tar", made[at : at + 3]) for at in range(0, len(made), 3)]
    seal_column(folder, listed, len(made), {})
    return folder


def references(column, tmp_path, step=STEP, **settings):
    """Make references and return the pictures and the subjects in their metadata, by number."""
    process(step, column, tmp_path / "out", cache=tmp_path / "cache", view=relatives, **settings)
    made = [sample for shard in list_shards(tmp_path / "out") for sample in shard]
    subjects = {int(each.key): each.metadata["subject"] for each in made}
    return {int(each.key): codec.decode(each.picture) for each in made}, subjects


def relatives(units):
    """Pair with the seed of the parameters."""
    return pair_relatives(units, SAME.seed)


def number_of(image):
    """Return the number of the picture that an image shows."""
    return next(n for n in FAMILIES if np.abs(image.astype(int) - picture(n)).max() <= 1)


def test_a_sample_gets_a_relative_of_its_family_or_its_own_picture(tmp_path):
    made, subjects = references(make(tmp_path / "in", FAMILIES), tmp_path)
    for number, image in made.items():
        other = number_of(image)
        assert FAMILIES[other] == FAMILIES[number]
        assert (other != number) == (number != 3)
    assert subjects == {n: "own" if n == 3 else "family" for n in FAMILIES}


def test_a_relative_is_bent_and_tinted_like_any_picture(tmp_path):
    params = Reference(subject="family", flip=0.5)
    column = make(tmp_path / "in", (5, 6))
    made, _ = references(column, tmp_path, Step(warp.make_reference, params, extra="relative"))
    own = warp.make_reference(png.encode_png(picture(6)), "000000005", params).picture
    np.testing.assert_array_equal(made[5], own)


def test_the_memo_notices_a_changed_relative(tmp_path):
    references(make(tmp_path / "in", FAMILIES), tmp_path)
    changed, _ = references(make(tmp_path / "in", FAMILIES, lambda n: picture(n)[::-1].copy()), tmp_path)
    assert {number_of(image[::-1]) for image in changed.values()} <= set(FAMILIES)
    fresh, _ = references(tmp_path / "in", tmp_path / "anew")
    np.testing.assert_array_equal([*changed.values()], [*fresh.values()])


def test_workers_and_memo_change_no_picture(tmp_path):
    column = make(tmp_path / "in", FAMILIES)
    inline, _ = references(column, tmp_path)
    again, _ = references(column, tmp_path)
    workers, _ = references(column, tmp_path / "other", workers=2)
    np.testing.assert_array_equal([*inline.values()], [*again.values()])
    np.testing.assert_array_equal([*inline.values()], [*workers.values()])


def test_the_choice_depends_on_the_seed(tmp_path):
    units = list_shards(make(tmp_path / "in", FAMILIES))
    drawn = [
        {key: row.key for unit in pair_relatives(units, seed) for key, (_, row) in unit.relatives.items()}
        for seed in range(9)
    ]
    assert len({str(each) for each in drawn}) > 1
    assert all(key != other for each in drawn for key, other in each.items())


def test_loose_pictures_have_no_families(tmp_path):
    files.write(tmp_path / "in" / "1.png", png.encode_png(picture(1)))
    with pytest.raises(Halt, match="loose pictures have no families: name a folder of shards"):
        pair_relatives(loose.list_parts(tmp_path / "in"), 0)
