"""Packing again by a cache gives the bytes of packing without one, and makes only what has changed."""

import os
import shutil

import pytest
from made import make_columns

from pipeline.files import read_note
from pipeline.packing import assembly
from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from pipeline.shards.column import list_shards

KEYS = [f"{number:09d}" for number in range(60)]
PARAMS = Pack(val=20.0, test=20.0, shards=8)


@pytest.fixture
def made(monkeypatch):
    """List the keys of the samples that are joined, in place of being copied."""
    keys = []

    def note(columns, samples, added, join=assembly.join_samples):
        keys.append(samples[0].key)
        return join(columns, samples, added)

    monkeypatch.setattr(assembly, "join_samples", note)
    return keys


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pack(home, name, count, cache):
    columns = make_columns(home / f"columns{count}", KEYS[:count], "color", "sketch-b7", "cue")
    pack_columns(columns, home / name, PARAMS, cache=cache)
    return contents(home / name)


@pytest.mark.parametrize("at_once", [1, 3, 32])
def test_a_cache_changes_no_byte_however_the_dataset_grows_and_shrinks(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(assembly, "AT_ONCE", at_once)
    for number, count in enumerate([40, 60, 40, 57]):
        cached = pack(tmp_path, f"cached{number}", count, tmp_path / "cache")
        assert cached == pack(tmp_path, f"plain{number}", count, None)


def test_what_has_not_changed_is_linked_and_only_new_samples_are_joined(tmp_path, made):
    pack(tmp_path, "first", 57, tmp_path / "cache")
    assert sorted(made) == KEYS[:57]
    made.clear()
    pack(tmp_path, "again", 57, tmp_path / "cache")
    assert made == []
    for shard in list_shards(tmp_path / "again"):
        assert os.path.samefile(shard.path, tmp_path / "first" / shard.name)
    pack(tmp_path, "grown", 60, tmp_path / "cache")
    assert sorted(made) == KEYS[57:]
    same = [s for s in list_shards(tmp_path / "grown") if os.stat(s.path).st_nlink > 2]
    assert len(same) >= len(list_shards(tmp_path / "grown")) - 3


def test_columns_of_other_names_are_joined_again(tmp_path, made):
    columns = make_columns(tmp_path / "columns", KEYS[:40], "color", "sketch-b7", "cue")
    pack_columns(columns, tmp_path / "pairs", PARAMS, cache=tmp_path / "cache")
    made.clear()
    renamed = {name.replace("b7", "b9"): folder for name, folder in columns.items()}
    pack_columns(renamed, tmp_path / "renamed", PARAMS, cache=tmp_path / "cache")
    assert sorted(made) == KEYS[:40]


def test_a_damaged_sample_of_the_cache_is_made_from_the_columns(tmp_path):
    plain = pack(tmp_path, "plain", 57, None)
    pack(tmp_path, "first", 57, tmp_path / "cache")
    for path in sorted((tmp_path / "cache").rglob("*.tar")):
        data = bytearray(path.read_bytes())
        data[700] ^= 1
        path.unlink()
        path.write_bytes(bytes(data))
    assert pack(tmp_path, "again", 57, tmp_path / "cache") == plain


def test_a_shard_that_a_cleaned_cache_loses_before_it_is_linked_is_made_again(tmp_path, monkeypatch):
    plain = pack(tmp_path, "plain", 57, None)
    pack(tmp_path, "first", 57, tmp_path / "cache")

    def clean_and_link(source, path, link=assembly.link_or_copy):
        monkeypatch.setattr(assembly, "link_or_copy", link)
        shutil.rmtree(tmp_path / "cache")
        link(source, path)

    monkeypatch.setattr(assembly, "link_or_copy", clean_and_link)
    assert pack(tmp_path, "again", 57, tmp_path / "cache") == plain
    assert assembly.link_or_copy is not clean_and_link


def test_notes_of_the_cache_name_the_keys_so_that_a_removal_finds_them(tmp_path):
    pack(tmp_path, "pairs", 40, tmp_path / "cache")
    notes = [read_note(path) for path in sorted((tmp_path / "cache").rglob("*.json"))]
    keys = {line.split("\t")[0] for note in notes for line in note["rows"]}
    assert keys == set(KEYS[:40])
