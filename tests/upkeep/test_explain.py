"""The decisions about a sample are explained with the value and the limit of each rule."""

import shutil
from functools import partial

import pytest
from made import picture, process

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.operators import clean, cue, limits, sketch
from pipeline.packing.pack import pack_columns
from pipeline.params import Clean, Cue, Pack, Sketch
from pipeline.run.step import Step
from pipeline.shards.ledger import LEDGER, write_ledger
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.sources.posts import write_posts
from pipeline.upkeep.explain import describe_check, explain_sample

LIMITS = Clean(side=64, smallest=64, blur=9.0, complexity=100.0)


def original(number):
    """Paint a picture; the third is too small, the fourth is broken, the fifth equals the first."""
    if number == 4:
        return b"broken"
    return png.encode_png(picture(1 if number == 5 else number, 32 if number == 3 else 64))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write the files of all stages for five posts, and a sixth that could not be fetched."""
    data = tmp_path_factory.mktemp("project") / "data"
    keys = [f"{number:09d}" for number in range(1, 6)]
    write_posts(data / "posts.jsonl", ({"id": n, "rating": "g", "score": n} for n in range(1, 7)))
    samples = [
        Sample(key, {"png": original(int(key)), "json": files.dumps({"family": key, "md5": f"md5-{key}"})})
        for key in keys
    ]
    shard = write_shard(data / "original" / "000000.tar", samples)
    seal_column(data / "original", [shard], 6, {"gone": 1})
    write_ledger(data / "fetch.tsv", [("000000006", "gone", "404")], "reason", "detail")
    step = Step(
        clean.make_color, clean.PixelParams.of(LIMITS), carry=True, report=clean.reported_scores(LIMITS)
    )
    judged = {"judge": partial(limits.rejection_reason, params=LIMITS), "distinct": "pixels"}
    process(step, data / "original", data / "color", cache=data.parent / "cache", **judged)
    process(Step(cue.make_cue, Cue()), data / "color", data / "cue", cache=data.parent / "cache")
    b7 = data.parent / "b7"
    process(Step(sketch.make_sketch, Sketch()), data / "color", b7, cache=data.parent / "cache")
    columns = {"color": data / "color", "sketch-b7": b7, "cue": data / "cue"}
    pack_columns(columns, data / "pairs", Pack(val=0.0, test=0.0, near=0))
    return data


def decisions(data, number, limits=LIMITS):
    """Return the decisions about a sample, by stage."""
    return {decision.stage: decision for decision in explain_sample(f"{number:09d}", data, limits)}


def test_a_sample_that_was_kept_is_followed_to_its_split(data):
    decided = decisions(data, 1)
    assert {decision.outcome for decision in decided.values()} == {"taken"}
    assert list(decided) == ["search", "fetch", "clean", "cue", "pack"]
    assert "md5-000000001" in decided["fetch"].why
    assert "pairs/train-" in decided["pack"].why
    assert "split train" in decided["pack"].why


def test_every_rule_is_shown_with_value_and_limit(data):
    rules = decisions(data, 1)["clean"].rules
    assert len(rules) == len(limits.RULES)
    assert describe_check(rules[0]).split() == ["too", "small", "64", ">=", "64", "fine"]
    strict = decisions(data, 1, Clean(smallest=65))["clean"].rules
    assert describe_check(strict[0]).split() == ["too", "small", "64", ">=", "65", "rejected"]


def test_a_reject_is_shown_with_its_numbers_too(data):
    decision = decisions(data, 3)["clean"]
    assert (decision.outcome, decision.why) == ("rejected", "too small")
    assert [rule for rule in decision.rules if not rule.fine] == [decision.rules[0]]
    assert "pack" not in decisions(data, 3)


def test_a_reject_without_numbers_is_shown_with_its_reason_alone(data):
    assert (decisions(data, 4)["clean"].why, decisions(data, 4)["clean"].rules) == ("cannot decode", ())
    assert decisions(data, 5)["clean"].why == "duplicate"
    assert decisions(data, 6)["fetch"].why == "gone: 404"
    assert list(decisions(data, 6)) == ["search", "fetch"]


def test_an_unknown_key_is_refused(data):
    with pytest.raises(Halt, match=r"nothing in .*data knows the key 000000099: `prep ls"):
        explain_sample("000000099", data, LIMITS)


def test_a_damaged_ledger_explains_nothing(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    ledger = tmp_path / "data/color" / LEDGER
    ledger.write_bytes(ledger.read_bytes().replace(b"duplicate", b"duplicatd", 1))
    with pytest.raises(Halt, match=r"color/rejects.tsv is missing or differs from the seal: run the stage"):
        decisions(tmp_path / "data", 1)
