"""The file to take of a post, or the reason why there is none."""

import json

import pytest
from rig import make_post

from pipeline import files
from pipeline.params import Fetch
from pipeline.sources import posts
from pipeline.sources.checks import FileDamaged, FileRejected, choose_file

POST = make_post(1, file_url="/original/1.png")


@pytest.mark.parametrize(
    "fields",
    [{"file_size": 100_000_001}, {"image_width": 40000, "image_height": 40000}],
)
def test_a_file_declared_too_big_is_not_requested(fields):
    with pytest.raises(FileRejected) as error:
        choose_file(POST | fields, Fetch())
    assert error.value.reason == "too big"


def test_a_variant_that_is_not_there_is_the_original():
    for name in ("sample", "720x720"):
        assert choose_file(POST, Fetch(variant=name)) == choose_file(POST, Fetch())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"md5": None, "file_url": None}, "hidden"),
        ({"md5": None, "file_url": None, "is_banned": True}, "banned"),
        ({"md5": "../../../etc/passwd"}, "hidden"),
        ({"file_ext": "mp4"}, "wrong type"),
        ({"file_ext": "../png"}, "wrong type"),
        ({"variants": {"sample": {"url": "/x", "file_ext": "zip", "width": 1, "height": 1}}}, "wrong type"),
    ],
)
def test_a_post_without_a_file_to_request_says_why(fields, reason):
    post = posts.reduce_post(POST | fields) | {
        name: value for name, value in fields.items() if name == "variants"
    }
    with pytest.raises(FileRejected) as error:
        choose_file(post, Fetch(variant="sample"))
    assert error.value.reason == reason


def test_a_damage_is_remembered_as_the_reject_that_it_is():
    damage = FileDamaged("truncated", "half")
    again = FileRejected(*json.loads(files.dumps(damage.args)))
    assert (again.reason, again.detail) == (damage.reason, damage.detail) == ("truncated", "half")
    with pytest.raises(FileRejected):
        raise damage
