"""A file is complete or absent."""

import subprocess
import sys

import pytest

from pipeline import files
from pipeline.errors import Halt


def test_a_failed_write_leaves_the_old_content_and_no_other_file(tmp_path):
    path = tmp_path / "a" / "file"
    files.write(path, b"old")
    with pytest.raises(TypeError), files.open_atomic(path) as file:
        file.writelines([b"new", None])
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_has_no_name_before_it_is_complete(tmp_path):
    path = tmp_path / "file"
    with files.open_atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_equal_values_give_equal_json():
    assert files.dumps({"b": 1, "a": "é"}) == files.dumps({"a": "é", "b": 1}) == '{"a":"é","b":1}'.encode()


def test_numbers_outside_json_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        files.dumps(float("nan"))


def test_a_link_replaces_an_existing_file(tmp_path):
    files.write(tmp_path / "a", b"a")
    files.write(tmp_path / "b", b"b")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"


@pytest.mark.parametrize("bit", range(0, 8 * 90, 7))
def test_a_note_with_one_flipped_bit_is_none(tmp_path, bit):
    path = tmp_path / "note.json"
    files.write_note(path, {"rows": ["a"], "n": 1})
    assert files.read_note(path) == {"rows": ["a"], "n": 1}
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)
    assert files.read_note(path) is None


def test_a_note_of_another_name_an_old_one_and_none_at_all_are_none(tmp_path):
    files.write_note(tmp_path / "a.json", 1)
    (tmp_path / "a.json").rename(tmp_path / "b.json")
    (tmp_path / "old.json").write_bytes(files.dumps({"rows": []}))
    (tmp_path / "empty.json").touch()
    assert [files.read_note(tmp_path / f"{name}.json") for name in ("a", "b", "old", "empty")] == [None] * 4


def test_a_folder_has_one_lock_which_leaves_no_file_and_ends_with_its_process(tmp_path):
    folder = tmp_path / "new" / "out"
    refused = pytest.raises(Halt, match=r"another command writes to .*out: wait for it")
    with files.lock_folder(folder), refused, files.lock_folder(folder):
        raise AssertionError("two have the lock")
    assert list(folder.iterdir()) == []
    code = "import os, sys; from pathlib import Path; from pipeline.files import lock_folder\n"
    code += "with lock_folder(Path(sys.argv[1])):\n    print('has it', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"has it\n"
        with pytest.raises(Halt), files.lock_folder(folder):
            raise AssertionError("two have the lock")
        other.kill()
    with files.lock_folder(folder):
        pass
    assert list(folder.iterdir()) == []
