"""A picture is rejected for the first limit that its scores break."""

import dataclasses

import numpy as np
import pytest
from made import picture

from pipeline.images import png
from pipeline.operators.clean import PixelParams, make_color
from pipeline.operators.limits import RULES, rejection_reason
from pipeline.params import Clean

FINE = {
    "width": 512, "height": 512, "gray": 30.0, "colorfulness": 60.0, "saturation": 30.0, "monochrome": 20.0,
    "borders": 0.0, "text": 0.0, "blur": 1.2, "blank": 20.0, "complexity7": 20.0, "complexity11": 25.0,
}  # fmt: skip
BAD = {  # for each reason a score, a value just within the default limit, and one beyond it
    "too small": ("height", 256, 255), "odd aspect": ("width", 1024, 1026), "blank": ("blank", 90.0, 90.1),
    "gray": ("gray", 6.0, 5.9), "monochrome": ("monochrome", 2.5, 2.4), "dull": ("colorfulness", 8.0, 7.9),
    "pale": ("saturation", 2.0, 1.9), "bordered": ("borders", 20.0, 20.1), "text": ("text", 8.0, 8.1),
    "blurred": ("blur", 1.8, 1.9), "too complex": ("complexity7", 40.0, 40.1),
    "too plain": ("complexity7", 5.0, 4.9),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_each_limit_has_its_reason_and_a_score_on_it_is_fine(reason):
    name, within, beyond = BAD[reason]
    params = Clean(plain=5.0)
    assert rejection_reason(FINE, params) == ""
    assert rejection_reason(FINE | {name: within}, params) == ""
    assert rejection_reason(FINE | {name: beyond}, params) == reason


def test_the_first_broken_rule_gives_the_reason():
    scores = FINE
    for reason, (name, _, beyond) in reversed(BAD.items()):
        scores = scores | {name: beyond}
        assert rejection_reason(scores, Clean(plain=5.0)) == reason


def test_every_limit_has_a_rule_and_every_rule_is_tested():
    assert [rule.reason for rule in RULES] == list(BAD)
    limits = {rule.limit for rule in RULES}
    others = {"side", "crop", "blocksizes", "blocksize", "keep", "drop", "tolerance"}
    assert limits | others == {field.name for field in dataclasses.fields(Clean)}


def test_the_blocksize_whose_complexity_is_limited_is_a_parameter():
    dark = FINE | {"complexity11": 60.0}
    assert rejection_reason(dark, Clean()) == ""
    assert rejection_reason(dark, Clean(blocksize=11)) == "too complex"


NOISE = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (picture(1), ""),
        (picture(1, 63, 80), "too small"),
        (picture(1, 129, 64), "odd aspect"),
        (np.repeat(picture(1)[..., :1], 3, axis=2), "gray"),
        (NOISE, "too complex"),
        (np.full((64, 64, 3), (200, 30, 30), np.uint8), "blank"),
    ],
    ids=["fine", "small", "wide", "gray", "noise", "one color"],
)
def test_each_fault_of_a_real_picture_has_its_reason(image, reason):
    params = Clean(side=64, smallest=64, blur=9.0)  # small pictures are blurred at 256
    scores = make_color(png.encode_png(image), "1", PixelParams.of(params)).metadata
    assert rejection_reason(scores, params) == reason
