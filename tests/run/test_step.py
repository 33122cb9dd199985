"""A step turns a sample into a picture with metadata, and passes the artist's own sketch on."""

from dataclasses import replace

import numpy as np
from made import picture, process

from pipeline import codehash, files
from pipeline.images import codec, pixels, png
from pipeline.operators import clean, cue, sketch
from pipeline.params import Clean, Cue, Sketch
from pipeline.run.step import Step
from pipeline.shards.column import list_shards
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

DRAW = Step(sketch.make_sketch, Sketch(), report=("complexity",))


def test_metadata_are_carried_only_on_request(column, tmp_path):
    for carry in (False, True):
        step = Step(cue.make_cue, Cue(), carry=carry)
        process(step, column, tmp_path / "out", cache=tmp_path / "cache")
        first = next(iter(list_shards(tmp_path / "out")[0]))
        carried = {"family": first.key} if carry else {}
        assert first.metadata == carried | {"method": "gaussian", "sigma": 20.0}


def test_the_fingerprint_depends_on_parameters_and_code(monkeypatch, tmp_path):
    assert DRAW.fingerprint() == Step(sketch.make_sketch, Sketch(), report=("complexity",)).fingerprint()
    assert DRAW.fingerprint() != replace(DRAW, params=Sketch(blocksize=9)).fingerprint()
    before = DRAW.fingerprint()
    edited = tmp_path / "edited.py"
    edited.write_text("changed = True")
    monkeypatch.setattr(codehash, "source_files", lambda module: (edited,))
    assert DRAW.fingerprint() != before


CLEAN = Step(clean.make_color, clean.PixelParams.of(Clean(side=16)), carry=True, extra="sketch")
OWN = Step(sketch.make_sketch, Sketch(method="own"), report=("complexity",), extra="sketch")


def make_pairs(folder, suffixes):
    """Write a column of one shard: a picture for each suffix of an own sketch; "" is none."""
    listed = []
    for number, suffix in enumerate(suffixes, 1):
        members = {"png": png.encode_png(picture(number)), "json": files.dumps({"family": "1"})}
        if suffix:
            members[suffix] = png.encode_png(picture(number)[..., 0])
        listed.append(Sample(f"{number:09d}", members))
    seal_column(folder, [write_shard(folder / "000000.tar", listed)], len(listed), {})
    return folder


def test_own_sketches_become_a_column(tmp_path):
    column = make_pairs(tmp_path / "in", ["sketch.png", "sketch.jpg"])
    process(CLEAN, column, tmp_path / "color", cache=tmp_path / "cache")
    process(OWN, tmp_path / "color", tmp_path / "own", cache=tmp_path / "cache")
    process(Step(cue.make_cue, Cue()), tmp_path / "color", tmp_path / "cue", cache=tmp_path / "cache")
    colors, sketches, cues = (list(list_shards(tmp_path / name)[0]) for name in ("color", "own", "cue"))
    assert len(colors) == len(sketches) == 2
    for number, (color, own, other) in enumerate(zip(colors, sketches, cues, strict=True), 1):
        assert list(color.members) == ["png", "sketch.png", "json"]
        assert color.metadata["family"] == "1"
        np.testing.assert_array_equal(codec.decode(color.picture), pixels.square(picture(number), 16))
        assert list(own.members) == list(other.members) == ["png", "json"]
        assert own.picture == color.members["sketch.png"] != other.picture
        np.testing.assert_array_equal(
            codec.decode(own.picture)[..., 0], pixels.square(picture(number)[..., 0], 16)
        )


def test_an_own_sketch_changes_no_picture(tmp_path):
    for name, suffix in (("with", "sketch.png"), ("without", "")):
        process(
            CLEAN, make_pairs(tmp_path / f"{name}-in", [suffix]), tmp_path / name, cache=tmp_path / "cache"
        )
    beside, alone = (next(iter(list_shards(tmp_path / name)[0])) for name in ("with", "without"))
    assert alone.members["png"] == beside.members["png"]
    assert alone.metadata == beside.metadata | {"lines": alone.metadata["lines"]}


def test_a_picture_without_an_own_sketch_is_rejected(tmp_path):
    column = make_pairs(tmp_path / "in", ["sketch.png", "", "sketch-b7.png"])
    process(OWN, column, tmp_path / "own", cache=tmp_path / "cache")
    assert [row[:2] for row in read_ledger(tmp_path / "own" / LEDGER)[1:]] == [
        ["000000002", "no sketch"],
        ["000000003", "no sketch"],
    ]
