"""A full disk stops every stage with one sentence, damages nothing, and the stage resumes with more room."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import COMMANDS, OTHER, command, content, folder, nursery, standing

from pipeline.shards import column

BLOCK = 4096  # bytes; the size of a tmpfs is a multiple
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)  # free space, as a share of the bytes that a stage writes


@contextmanager
def disk(path: Path) -> Iterator[Path]:
    """Mount a separate disk at a folder, or skip the test where mounting is not allowed."""
    path.mkdir()
    if not shutil.which("mount") or mount("-t", "tmpfs", "-o", "size=256m", "tmpfs", path):
        pytest.skip("only root may mount a small disk here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def mount(*words) -> int:
    """Mount; return the exit code."""
    return subprocess.run(["mount", *map(str, words)], capture_output=True).returncode


def resize(path: Path, size: int) -> None:
    """Change the size of a mounted disk, in bytes."""
    assert mount("-o", f"remount,size={size}", path) == 0


def used(path: Path) -> int:
    """Count the bytes in use on a disk."""
    stat = os.statvfs(path)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


@pytest.fixture(scope="module")
def run():
    """Yield the function that runs a command."""
    with nursery() as started:
        yield started


@pytest.fixture(scope="module")
def place(run, tmp_path_factory):
    """Yield a folder with the inputs of all stages, and the URL of a site with the pictures."""
    with standing(tmp_path_factory.mktemp("home"), 24, run) as place:
        yield place


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_full_disk_is_one_sentence_and_the_same_command_resumes_with_more_room(run, place, tmp_path, stage):
    words = command(stage, place[1])
    with disk(tmp_path / "small") as small:
        home = folder(place[0], small / "whole")
        begun = used(small)
        assert run(words, home).code == 0
        needs, whole = used(small) - begun, content(home / "out")
        shutil.rmtree(home)
        halts = 0
        for share in SHARES:
            home = folder(place[0], small / f"{share}")
            assert run([*words, *OTHER[words[0]]], home).code == 0
            for cached in (home / ".prep").glob("*"):
                if cached.is_dir():
                    shutil.rmtree(cached)
            before = content(home / "out")
            resize(small, used(small) + int(share * needs) // BLOCK * BLOCK)
            full = run(words, home)
            left = content(home / "out")
            resize(small, 256 << 20)
            halts += full.code
            if full.code:  # deleting the old output may have freed enough space
                assert (full.code, full.said.count("\n")) == (1, 1), full.said
                assert re.search("No space left on device.*: free some space", full.said)
            assert column.SEAL not in left or left in (before, whole)
            assert not [name for name in left if name.endswith(".part")]
            again = run(words, home)
            assert again.code == 0, again.said
            assert content(home / "out") == whole
            shutil.rmtree(home)
        assert halts
