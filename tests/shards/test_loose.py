"""Loose pictures become samples in batches, and members become files."""

import os
import sys
from pathlib import Path

import pytest
from made import picture, some_samples

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.shards import loose
from pipeline.shards.tar import Sample


def test_one_picture_is_a_sample(tmp_path):
    files.write(tmp_path / "Girl.v2.PNG", b"data")
    [part] = loose.list_parts(tmp_path / "Girl.v2.PNG")
    assert list(part) == [Sample("Girl.v2", {"png": b"data"})]


def test_a_folder_gives_its_pictures_in_order_with_the_json_beside_them(tmp_path):
    for name in ("b.jpg", "a.png", "a.json", "sub/c.webp", "notes.txt"):
        files.write(tmp_path / name, name.encode())
    [part] = loose.list_parts(tmp_path)
    assert list(part) == [
        Sample("a", {"png": b"a.png", "json": b"a.json"}),
        Sample("b", {"jpg": b"b.jpg"}),
        Sample("sub_c", {"webp": b"sub/c.webp"}),
    ]


def test_a_large_folder_comes_in_batches(tmp_path):
    data = png.encode_png(picture(1))
    for number in range(loose.PICTURES_PER_BATCH + 1):
        files.write(tmp_path / f"{number:03d}.png", data)
    assert [len(part) for part in loose.list_parts(tmp_path)] == [loose.PICTURES_PER_BATCH, 1]


def test_two_pictures_that_would_get_one_name_are_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        files.write(tmp_path / name, b"")
    with pytest.raises(Halt, match=r"a.jpg and .*a.png would get the same name: rename one"):
        loose.list_parts(tmp_path)


def test_nothing_to_work_on_is_said(tmp_path):
    with pytest.raises(Halt, match="holds no pictures: looked for png"):
        loose.list_parts(tmp_path)
    with pytest.raises(Halt, match="does not exist"):
        loose.list_parts(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf8_gives_a_key_that_is_and_of_its_own(tmp_path):
    for name in (b"caf\xe9.png", b"caf\xe8.png", b"caf\xc3\xa9.png"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(name)
    [part] = loose.list_parts(tmp_path)
    assert len(set(part.keys)) == len(part) == 3
    assert all(key.encode().startswith(b"caf") for key in part.keys)
    assert "café" in part.keys


def test_loose_members_are_files_of_their_own(tmp_path):
    loose.write_loose(tmp_path, some_samples(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000.json", "000000000.png"]


def test_a_file_that_is_gone_at_the_end_is_not_noted_as_made(tmp_path):
    with loose.claim_files(tmp_path, {"a.png", "b.png"}, force=False):
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(b"made")
    with loose.claim_files(tmp_path, {"a.png"}, force=False):
        (tmp_path / "b.png").unlink()
    assert files.read_note(tmp_path / loose.LOOSE_NOTE).keys() == {"a.png"}
