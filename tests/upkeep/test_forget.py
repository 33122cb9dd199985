"""A forgotten post leaves no trace in a project, its neighbors lose no byte, and no search takes it again."""

import hashlib
import json
import os
import re
import shutil
import tarfile
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from made import PARAMS, picture, process, run_prep

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.operators import cue, sketch
from pipeline.packing.pack import pack_columns
from pipeline.params import Cue, Pack, Search, Sketch
from pipeline.run.step import Step
from pipeline.shards.column import CARD_FILE, INDEX, SEAL, list_shards
from pipeline.shards.ledger import LEDGER
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.sources.posts import read_posts
from pipeline.sources.selection import is_forgotten
from pipeline.upkeep import forget

ARTISTS = {2: "red_fox", 3: "blue_owl red_fox", 5: "blue_owl red_fox", 7: "red_foxes", 11: "blue_owl red_fox"}
POSTS = {n: ARTISTS.get(n, f"hand_{n}") for n in range(1, 13)}
GRAY = (4, 5)  # rejected by the color column
GONE = (11, 12)  # rejected by the column of originals
UNLISTED = 3  # still in the columns, but no longer in the file of posts


@cache
def original(number):
    return png.encode_png(picture(number))


def md5(number):
    return hashlib.md5(original(number)).hexdigest()


def metadata_of(number):
    return {"id": number, "family": number, "artist": POSTS[number], "md5": md5(number), "pixels": ""}


def write_column(folder, numbers, rejects, reason):
    """Write and seal a column, two posts a shard, with its ledger."""
    shards = []
    for start in range(1, numbers[-1], 2):
        kept = [n for n in (start, start + 1) if n not in rejects]
        samples = [
            Sample(f"{n:09d}", {"png": original(n), "json": files.dumps(metadata_of(n))}) for n in kept
        ]
        shards.append(write_shard(folder / f"{start // 2:06d}.tar", samples))
    rows = "".join(f"{n:09d}\t{reason}\n" for n in rejects)
    files.write(folder / LEDGER, f"key\treason\n{rows}".encode())
    seal_column(folder, shards, len(numbers), {reason: len(rejects)} if rejects else {})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a project of twelve posts, with all its columns, the packed dataset and the cache."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("params.yaml").write_text(PARAMS)
        lines = [{"id": n, "md5": md5(n), "tag_string_artist": POSTS[n]} for n in POSTS if n != UNLISTED]
        files.write(Path("data/posts.jsonl"), b"".join(files.dumps(line) + b"\n" for line in lines))
        write_column(Path("data/original"), range(1, 13), GONE, "gone")
        write_column(Path("data/color"), range(1, 11), GRAY, "gray")
        steps = {
            "cue": Step(cue.make_cue, Cue()),
            "sketch/b7": Step(sketch.make_sketch, Sketch(), report=("complexity",)),
        }
        for name, step in steps.items():
            process(step, Path("data/color"), Path("data", name), cache=Path(".prep"))
        repack(Path("data/pairs"))
        for n in POSTS:
            files.write(Path(".prep/files", md5(n)[:2], f"{md5(n)}.png"), original(n))
    return home


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """Enter a copy of the project."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("PREP_CACHE", "PREP_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def repack(dest):
    columns = {"color": "color", "sketch-b7": "sketch/b7", "cue": "cue"}
    return pack_columns({name: Path("data", folder) for name, folder in columns.items()}, dest, Pack())


COLUMNS = [Path("data", name) for name in ("color", "cue", "original", "pairs", "sketch/b7")]
PLACES = {"params": Path("params.yaml"), "posts": Path("data/posts.jsonl")}
PLACES |= {"data": Path("data"), "cache": Path(".prep")}


def forget_names(*names):
    return forget.forget_posts(names, **PLACES)


def state():
    """Return the bytes and the modification time of every file of the project."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in all_files()}


def all_files():
    return sorted(path for path in Path().rglob("*") if path.is_file())


def traces(*numbers):
    """List the files that still have a post's key, MD5 or picture, in their name or inside."""
    words = [rf"(?<!\d){n:09d}(?!\d)|{md5(n)}".encode() + b"|" + re.escape(original(n)) for n in numbers]
    pattern = re.compile(b"|".join(words))
    return [path for path in all_files() if pattern.search(bytes(path) + b"\n" + path.read_bytes())]


def contents():
    """Return every sample of every column, by column, shard and key, as any reader sees it."""
    return {
        (column, shard.name, sample.key): sample.members
        for column in COLUMNS
        for shard in list_shards(column)
        for sample in shard
    }


def test_no_trace_of_a_forgotten_post_is_left(project):
    assert len(traces(2)) == 16
    removed = forget_names("2")
    assert traces(2) == []
    assert removed == {PLACES["posts"]: 1, PLACES["cache"]: 5} | dict.fromkeys(COLUMNS, 1)
    assert not [*Path().rglob("*.forget*")]


def test_an_artist_removes_every_post_with_that_word_listed_or_not(project):
    forget_names("artist:red_fox")
    assert traces(2, 3, 5, 11) == []
    assert not [path for path in all_files() if b"red_fox" in path.read_bytes().replace(b"red_foxes", b"")
                and path != PLACES["params"]]  # fmt: skip
    assert [post["id"] for post in read_posts(PLACES["posts"])] == [1, 4, 6, 7, 8, 9, 10, 12]
    assert {key for _, _, key in contents()} == {f"{n:09d}" for n in (1, 4, 6, 7, 8, 9, 10)}


def test_the_neighbors_of_a_forgotten_post_lose_no_byte(project):
    before, lines = contents(), PLACES["posts"].read_bytes().splitlines()
    forget_names("1", "artist:blue_owl")
    assert contents() == {place: data for place, data in before.items() if int(place[2]) not in (1, 3, 5)}
    assert PLACES["posts"].read_bytes().splitlines() == [
        line for n, line in enumerate(lines) if n not in (0, 3, 9)
    ]


def test_only_files_that_hold_a_forgotten_post_are_written(project):
    before = state()
    forget_names("8")
    changed = {path for path, entry in state().items() if before.get(path) != entry}
    shards = {Path(column, "000003.tar") for column in COLUMNS if column.name != "pairs"}
    [pair] = [path for path in changed if path.parent == Path("data/pairs") and path.suffix == ".tar"]
    seals = {column / name for column in COLUMNS for name in (SEAL, INDEX)}
    assert changed == {PLACES["params"], PLACES["posts"], pair} | shards | seals
    # an original, two finished shards with their entries, and the card and its like, which name artists
    assert len(set(before) - set(state())) == 9
    for name in (CARD_FILE, "croissant.json", "scores.parquet", "SHA256SUMS"):
        assert not Path("data/pairs", name).exists()


def test_columns_stay_aligned_even_when_a_shard_is_emptied(project):
    forget_names("1", "2")
    shard = list_shards(Path("data/cue"))[0]
    assert (shard.name, len(shard), list(shard)) == ("000000.tar", 0, [])
    with tarfile.open(shard.path) as tar:
        assert tar.getnames() == []
    counts = repack(Path("again"))
    assert sum(counts[name] for name in ("train", "val", "test")) == 6
    keys = [
        sample.key for column in ("again", "data/pairs") for s in list_shards(Path(column)) for sample in s
    ]
    assert set(Counter(keys).values()) == {2}
    process(Step(cue.make_cue, Cue()), Path("data/color"), Path("cue"), cache=Path(".prep"))
    assert [s.sha256 for s in list_shards(Path("cue"))] == [s.sha256 for s in list_shards(Path("data/cue"))]


def seal_of(column):
    return json.loads(Path("data", column, SEAL).read_bytes())


def test_the_counts_add_up_without_the_forgotten(project):
    forget_names("5", "6")
    color, originals = seal_of("color"), seal_of("original")
    assert (color["taken"], color["written"], color["rejected"]) == (8, 7, {"gray": 1})
    assert (originals["taken"], originals["written"], originals["rejected"]) == (10, 8, {"gone": 2})
    assert Path("data/color/rejects.tsv").read_text() == "key\treason\n000000004\tgray\n"
    forget_names("4")
    assert seal_of("color")["rejected"] == {}


def test_a_ledger_beside_the_column_counts_too(project):
    Path("data/original/rejects.tsv").unlink()
    seal_column(Path("data/original"), list_shards(Path("data/original")), 12, {"gone": 2})
    table = 'key\treason\tdetail\n000000011\tgone\t404\n000000012\tgone\t"a\tb"\n'
    Path("data/fetch.tsv").write_text(table)
    forget_names("11")
    assert Path("data/fetch.tsv").read_text() == table.replace("000000011\tgone\t404\n", "")
    assert (seal_of("original")["taken"], seal_of("original")["rejected"]) == (11, {"gone": 1})
    assert seal_of("pairs")["taken"] == 8


@pytest.mark.parametrize("change", [("gone", "gond"), ("gone", "g\xffne"), ("\tgone", "gone")])
def test_a_ledger_that_lacks_a_counted_reject_is_refused_before_anything_changes(project, change):
    ledger = Path("data/original/rejects.tsv")
    damaged = ledger.read_bytes().decode().replace(*change, 1).encode("latin-1")
    ledger.unlink()
    seal_column(Path("data/original"), list_shards(Path("data/original")), 12, {"gone": 2})
    Path("data/fetch.tsv").write_bytes(damaged)
    before = state()
    with pytest.raises(Halt, match=r"fetch.tsv (lists fewer rejects|is damaged)"):
        forget_names("2")
    assert state() == before


def test_a_table_of_something_else_is_left_alone(project):
    Path("data/other.tsv").write_text("id\tn\n000000002\t1\n")
    forget_names("2")
    assert Path("data/other.tsv").read_text() == "id\tn\n000000002\t1\n"


def test_the_search_never_takes_the_post_again(project):
    forget_names("artist:red_fox", "0009")
    from ruamel.yaml import YAML

    names = YAML(typ="safe").load(PLACES["params"])["search"]["forget"]
    assert names == "artist:red_fox 9"
    Search(forget=names)
    assert is_forgotten({"id": 9}, set(names.split()))
    assert is_forgotten({"id": 1, "tag_string_artist": "blue_owl red_fox"}, set(names.split()))


def test_repeated_names_are_kept_once(project):
    forget_names("7", "7", "artist:a")
    forget_names("artist:a", "7")
    assert 'forget: "7 artist:a"\n' in PLACES["params"].read_text()


def test_forgetting_twice_changes_nothing_more(project):
    forget_names("artist:red_fox", "1")
    before = state()
    assert forget_names("artist:red_fox", "1") == {}
    assert state() == before


def test_a_read_only_file_with_another_link_is_replaced_and_not_written_to(project):
    """DVC links outputs to its cache and makes them read-only."""
    kept = {}
    for path in [p for pattern in ("*.tar", "*.json*", "*.tsv") for p in Path("data").rglob(pattern)]:
        kept[path] = (Path("kept") / path, path.read_bytes())
        kept[path][0].parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o444)
        kept[path][0].hardlink_to(path)
    forget_names("artist:red_fox")
    assert all(link.read_bytes() == data for link, data in kept.values())
    shutil.rmtree("kept")
    assert traces(2, 3, 5, 11) == []


@pytest.mark.parametrize("place", ["original/000005.tar", "sketch/b7/000000.tar"])
def test_a_column_that_is_not_as_its_seal_says_is_refused_before_anything_changes(project, place):
    data = bytearray(Path("data", place).read_bytes())
    data[-600] ^= 1
    Path("data", place).unlink()
    Path("data", place).write_bytes(data)
    before = state()
    with pytest.raises(Halt, match=r"differs from its seal|cannot be read"):
        forget_names("2")
    assert state() == before


def test_a_column_without_a_seal_is_refused_before_anything_changes(project):
    Path("data/cue/seal.json").unlink()
    before = state()
    with pytest.raises(Halt, match=r"data/cue has no seal.json, so it is not whole"):
        forget_names("2")
    assert state() == before


@pytest.mark.parametrize("change", ["{", '{"id": 1}', '{"id": 92, "md5": "*"}'])
def test_a_damaged_list_of_posts_is_refused_before_anything_changes(project, change):
    with PLACES["posts"].open("a") as file:
        file.write(change)
    before = state()
    with pytest.raises(Halt, match=r"posts\.jsonl line 12 is (no JSON|not the next post)"):
        forget_names("2")
    assert state() == before


class Killed(BaseException):
    """The process is killed."""


def killed_at(step, *names):
    """Forget, but die at one of the calls that change a file, counted from 1; return how many were made."""
    calls = []

    def watch(function):
        def call(*given, **more):
            calls.append(function)
            if 0 < step <= len(calls):  # a killed process cleans up nothing
                raise Killed
            return function(*given, **more)

        return call

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        for owner, name in ((Path, "replace"), (Path, "unlink"), (shutil, "rmtree")):
            patch.setattr(owner, name, watch(getattr(owner, name)))
        forget_names(*names)
    return len(calls)


def test_a_run_killed_at_any_change_is_finished_by_the_next(project, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    shutil.copytree(project, project.parent / "copy", copy_function=os.link)
    total = killed_at(0, "artist:blue_owl")
    expected = {path: data for path, (data, _) in state().items()}
    for step in range(1, total + 1):
        shutil.rmtree(project)
        shutil.copytree(project.parent / "copy", project, copy_function=os.link)
        os.chdir(project)
        assert killed_at(step, "artist:blue_owl") >= step
        forget_names("artist:blue_owl")
        left = {path: data for path, (data, _) in state().items() if not path.name.startswith(".params")}
        assert left == expected, step


def test_another_name_finishes_a_killed_run_too(project):
    killed_at(20, "artist:red_fox")
    forget_names("9")
    assert traces(2, 3, 5, 9, 11) == []


def test_unfinished_and_unlisted_shards_of_the_memo_go_too(project):
    left = [Path(".prep/steps/ab/.abc.tar.0.part"), Path(".prep/steps/ab/abc.tar")]
    for path in left:
        files.write(path, b"000000002")
    files.write(Path(".prep", "files", md5(2)[:2], f".{md5(2)}.png.0.part"), original(2)[:50])
    forget_names("2")
    assert not any(path.exists() for path in left)
    assert traces(2) == []


def note_of(number):
    """Make the note on a shard of originals, whose only post was rejected."""
    return {"rows": [], "rejects": [[f"{number:09d}", "gone", "404"]]}


def test_the_notes_of_the_cache_about_a_forgotten_post_go_too(project):
    sample = "5" * 32  # of a smaller variant, which has a file of its own
    small = Sample("000000002", {"png": b"", "json": files.dumps(metadata_of(2) | {"file_md5": sample})})
    seal_column(Path("data/small"), [write_shard(Path("data/small/000000.tar"), [small])], 1, {})
    files.write(Path(".prep/files/55", f"{sample}.jpg"), b"")
    files.write(Path(".prep/names/ab/abc.part"), b"\xff")
    forgotten = {"names/ab/abc": {"md5": sample, "sha256": ""}, "laid/ab/abc.json": note_of(2)}
    kept = {"names/ab/abd": {"md5": md5(1)}, "laid/ab/abd.json": note_of(1)}
    for name, value in (forgotten | kept).items():
        files.write_note(Path(".prep", name), value)
    forgotten |= {f"files/55/{sample}.jpg": b"", "names/ab/abc.part": b"nothing tells its post"}
    forget_names("2")
    assert not any(Path(".prep", name).exists() for name in forgotten)
    assert all(Path(".prep", name).exists() for name in kept)


def test_a_post_that_hides_its_md5_or_gives_no_hash_removes_no_file_of_others(project):
    posts = [{"id": 90}, {"id": 91, "md5": None}]
    with PLACES["posts"].open("ab") as file:
        file.writelines(files.dumps(post) + b"\n" for post in posts)
    originals = sorted(Path(".prep/files").rglob("*.png"))
    assert forget_names("90", "91") == {PLACES["posts"]: 2}
    assert sorted(Path(".prep/files").rglob("*.png")) == originals


def test_the_command_says_what_went_and_what_remains_to_do(project, capsys):
    code, out, err = run_prep(capsys, "forget", "artist:red_fox", "9")
    assert (code, err) == (0, "")
    assert "4 from data/posts.jsonl" in out
    assert "3 from data/pairs" in out
    assert "dvc repro" in out
    assert "dvc gc --workspace --cloud" in out


def test_an_absent_artist_is_kept_out_all_the_same(project, capsys):
    code, out, err = run_prep(capsys, "forget", "artist:nobody")
    assert (code, err) == (0, "")
    assert out == "forget: artist:nobody not found in this project; params.yaml keeps it out\n"
    assert 'forget: "artist:nobody"' in PLACES["params"].read_text()


def test_a_project_without_data_keeps_it_out_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    assert run_prep(capsys, "forget", "5")[0] == 0
    assert all_files() == [Path("params.yaml")]


@pytest.mark.parametrize("name", ["fox", "artist:", "-5", "1.5", "", "artist:red fox"])
def test_a_name_that_is_neither_id_nor_artist_is_bad_usage(project, capsys, name):
    before = state()
    code, out, err = run_prep(capsys, "forget", "--", "1", name) if name else run_prep(capsys, "forget", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "forget must be IDs, artist:NAME and md5:HASH, got" in err
    assert state() == before


@pytest.mark.parametrize("text", [None, "", "search: a: b", "train: {}", "search:\n"])
def test_a_folder_without_parameters_is_no_project(project, capsys, text):
    PLACES["params"].unlink() if text is None else PLACES["params"].write_text(text)
    before = state()
    code, _, err = run_prep(capsys, "forget", "2")
    assert (code, err.count("\n")) == (1, 1)
    assert "run this in the folder of a project" in err
    assert state() == before
