"""Commands read and write loose files, shards and the cache; they spoil nothing that others write."""

import json
import shutil
from pathlib import Path

import pytest
from made import make_all_columns, make_column, packed, picture, run_prep

from pipeline import files
from pipeline.images import codec, png
from pipeline.shards import column, loose

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize("command", ["sketchify", "cue", "reference"])
def test_a_folder_and_a_folder_of_shards_give_the_same_pictures(capsys, command):
    make_column(Path("shards"), ["000000001", "000000002"])
    for shard in column.list_shards(Path("shards")):
        loose.write_loose(Path("loose"), shard)
    assert run_prep(capsys, command, "loose", "a")[0] == 0
    assert run_prep(capsys, command, "shards", "b")[0] == 0
    for shard in column.list_shards(Path("b")):
        for sample in shard:
            assert (Path("a") / f"{sample.key}.png").read_bytes() == sample.picture


def test_metrics_and_sheet_are_written_to_the_given_files(capsys, drawing):
    run_prep(capsys, "sketchify", drawing, "out", "--metrics", "m/s.json", "--sheet", "m/s.png")
    metrics = json.loads(Path("m/s.json").read_bytes())
    [counts] = metrics.pop("counts")
    assert counts == {"taken": 1, "written": 1, "rejected": {}, "complexity": counts["complexity"]}
    assert metrics == {"pictures": 1, "rejected": 0, "complexity_mean": counts["complexity"]["mean"]}
    assert codec.decode(Path("m/s.png").read_bytes()).shape[2] == 3


@pytest.mark.parametrize(
    "command",
    [
        "sketchify color out", "sketchify pictures out", "cue color out", "reference color out",
        "clean color out", "forget 1 --posts posts.jsonl --data . --params params.yaml",
        "fetch posts.jsonl out --host pictures", "pack color sketch cue reference out --val 0 --test 0",
    ],
)  # fmt: skip
def test_a_command_leaves_a_folder_alone_to_which_another_writes(capsys, command):
    make_all_columns([f"{n:09d}" for n in range(3)], "b7")
    files.write(Path("pictures/girl.png"), png.encode_png(picture(1)))
    assert run_prep(capsys, "search", "posts.jsonl", "--host", "pictures", "--size", "1")[0] == 0
    make_column(Path("out"), ["000000001"])
    Path("params.yaml").write_text("search: {forget: ''}\n")
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    with files.lock_folder(Path("out")):
        code, _, err = run_prep(capsys, *command.split())
        assert (code, err) == (
            1,
            "prep: another command writes to out: wait for it, or name another place\n",
        )
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    code, _, err = run_prep(capsys, *command.split())
    assert "another command" not in err
    assert not Path("out", files.LOCK).exists()


@pytest.mark.parametrize(
    ("lock", "command"),
    [
        ("posts.jsonl", "search posts.jsonl --host sample"),
        ("search.tsv", "search other.jsonl --host sample"),
        ("a.onnx", "export model a.onnx"),
        ("a.json", "evaluate pairs model --metrics a.json"),
        ("r.json", "evaluate pairs model --report r.json"),
        ("a.tsv", "evaluate pairs model --scatter a.tsv"),
    ],
)
def test_a_command_leaves_a_file_alone_that_another_writes(capsys, lock, command):
    refused = (1, f"prep: another command writes to {lock}: wait for it, or name another place\n")
    with files.lock_files(Path(lock)):
        code, _, err = run_prep(capsys, *command.split())
        assert (code, err) == refused
    assert not [*Path().glob("*.*")]


@pytest.mark.parametrize("rank", ["0", "1"])
def test_only_the_first_process_of_a_training_locks_its_folder(capsys, monkeypatch, rank):
    packed(Path("pairs"))
    monkeypatch.setenv("LOCAL_RANK", rank)
    with files.lock_folder(Path("model")):
        code, _, err = run_prep(capsys, "train", "pairs", "model", "--batch", "99")
    assert code == 1
    assert ("another command writes to model: wait for it" in err) == (rank == "0")


@pytest.mark.parametrize("dest", ["out", "out/girl.png"])
def test_a_file_that_no_run_made_is_overwritten_only_by_force(capsys, drawing, dest):
    made = Path("out/girl.png")
    assert run_prep(capsys, "sketchify", "girl.png", dest)[0] == 0
    first = made.read_bytes()
    assert run_prep(capsys, "sketchify", "girl.png", dest, "--blocksize", "15")[0] == 0  # it is ours
    second = made.read_bytes()
    assert second != first
    made.write_bytes(b"corrected by hand")
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    code, _, err = run_prep(capsys, "sketchify", "girl.png", dest)
    assert (code, err) == (
        1,
        "prep: out/girl.png is not as a run made it: name another place, or overwrite it by --force\n",
    )
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before
    assert run_prep(capsys, "sketchify", "girl.png", dest, "--force")[0] == 0
    assert made.read_bytes() == first
    assert run_prep(capsys, "sketchify", "girl.png", dest, "--blocksize", "15")[0] == 0
    assert made.read_bytes() == second


def test_a_ledger_or_a_shown_member_of_another_origin_is_overwritten_only_by_force(capsys, drawing):
    files.write(Path("out/rejects.tsv"), b"a list of my own")
    assert run_prep(capsys, "sketchify", "girl.png", "out")[0] == 1
    assert Path("out/rejects.tsv").read_bytes() == b"a list of my own"
    assert run_prep(capsys, "sketchify", "girl.png", "out", "--force")[0] == 0
    make_column(Path("shards"), ["000000001"])
    files.write(Path("fin/000000001.png"), b"corrected by hand")
    show = ["show", "1", "shards", "--to", "fin"]
    assert run_prep(capsys, *show)[0] == 1
    assert Path("fin/000000001.png").read_bytes() == b"corrected by hand"
    assert [run_prep(capsys, *show, *more)[0] for more in (["--force"], [])] == [0, 0]


def test_the_ledger_of_a_run_is_renewed_by_the_next(capsys, drawing):
    files.write(Path("pictures/bad.png"), b"no picture")
    files.write(Path("pictures/girl.png"), Path("girl.png").read_bytes())
    for _ in range(2):
        assert run_prep(capsys, "sketchify", "pictures", "out")[0] == 0
        assert "bad.png\tcannot decode" in Path("out/rejects.tsv").read_text()


def test_a_folder_that_moved_is_still_known_as_made_here(capsys, drawing):
    assert run_prep(capsys, "sketchify", "girl.png", "out")[0] == 0
    shutil.rmtree(".prep", ignore_errors=True)
    Path("out").rename("moved")
    assert run_prep(capsys, "sketchify", "girl.png", "moved", "--blocksize", "15")[0] == 0
    shutil.copy("moved/girl.png", "moved/boy.png")
    Path("girl.png").rename("boy.png")
    code, _, err = run_prep(capsys, "sketchify", "boy.png", "moved")  # a copy is not ours
    assert (code, "moved/boy.png is not as a run made it" in err) == (1, True)


def test_a_destination_with_a_suffix_is_a_file_for_one_picture(capsys, drawing):
    assert run_prep(capsys, "sketchify", "girl.png", "folder")[0] == 0
    code, out, _ = run_prep(capsys, "sketchify", "girl.png", "drawn.png", "--sheet", "sheet.png")
    assert (code, out) == (0, "sketchify: 1 of 1 written to drawn.png\n")
    assert Path("drawn.png").read_bytes() == Path("folder/girl.png").read_bytes()
    assert Path("drawn.json").read_bytes() == Path("folder/girl.json").read_bytes()
    names = {"girl.png", "folder", "drawn.png", "drawn.json", "sheet.png", ".prep.loose.json"}
    assert {path.name for path in Path().iterdir()} == names
    code, _, err = run_prep(capsys, "sketchify", "girl.png", "drawn.jpg")
    assert (code, "drawn.jpg would be a PNG file: name a file that ends in .png" in err) == (1, True)
    code, _, err = run_prep(capsys, "sketchify", "girl.png", "girl.png")
    assert (code, "girl.png is where the pictures come from" in err) == (1, True)
    assert run_prep(capsys, "sketchify", "folder", "other.png")[0] == 0
    assert Path("other.png/girl.png").is_file()


@pytest.mark.parametrize("letters", [200, 216, 217, 240, 241, 251])
def test_a_picture_with_a_long_name_is_worked_on(capsys, letters):
    for name in ("a" * letters, "a" * (letters - 1) + "b"):
        files.write(Path("in/short.png"), png.encode_png(picture(1, 40, 40)))
        Path("in/short.png").rename(Path("in", name + ".png"))
    code, _, err = run_prep(capsys, "sketchify", "in", "out")
    assert code == 0, err
    written = {path.name for path in Path("out").glob("a*")}
    assert len(written) == 4
    if letters <= 240:
        assert "a" * letters + ".png" in written


def test_a_broken_picture_is_counted_and_the_others_are_written(capsys):
    for number in range(4):
        files.write(Path(f"in/{number}.png"), png.encode_png(picture(number, 300, 300)))
    files.write(Path("in/2.png"), Path("in/2.png").read_bytes()[:500])
    code, out, _ = run_prep(capsys, "clean", "in", "out")
    assert (code, out) == (0, "clean: 3 of 4 written to out; rejected: cannot decode 1\n")
    assert sorted(path.name for path in Path("out").glob("*.png")) == ["0.png", "1.png", "3.png"]
    assert Path("out/rejects.tsv").read_text() == "key\treason\ttold\n2.png\tcannot decode\t\n"


def test_the_cache_is_emptied_on_demand(capsys, drawing):
    make_column(Path("color"), ["000000001"])
    run_prep(capsys, "cue", "color", "out")
    assert list(Path(".prep/steps").glob("*/*.tar"))
    code, out, _ = run_prep(capsys, "gc", "--gigabytes", "0")
    assert (code, out[:13]) == (0, "gc: 1 entries")
    assert not list(Path(".prep/steps").glob("*/*.tar"))
    assert run_prep(capsys, "verify", "out")[0] == 0


def test_a_column_is_listed_shown_verified_and_explained_without_unpacking(capsys):
    keys = [f"{number:09d}" for number in range(1, 5)]
    make_column(Path("data/color"), keys, width=512)
    code, out, _ = run_prep(capsys, "ls", "data")
    assert (code, out.split()) == (0, ["data/color", "4", "samples", "2", "shards", *out.split()[5:]])
    code, out, _ = run_prep(capsys, "ls", "data/color")
    assert [line.split()[:2] for line in out.splitlines()] == [
        [key, "000000.tar" if key != keys[3] else "000001.tar"] for key in keys
    ]
    code, out, _ = run_prep(capsys, "show", keys[1], "data/color", "--to", "shown")
    assert code == 0
    assert '"width": 512' in out
    assert Path("shown", f"{keys[1]}.png").read_bytes() == png.encode_png(picture(2))
    code, out, _ = run_prep(capsys, "verify", "data")
    assert out.startswith("verify: 1 columns, 2 shards, 4 samples")
    code, _, err = run_prep(capsys, "show", "9", "data/color")
    assert (code, err.count("\n")) == (1, 1)
    assert "data/color holds no sample with the key 000000009: `prep ls data/color` lists its samples" in err
    shard = Path("data/color/000001.tar")
    shard.write_bytes(shard.read_bytes()[:-1] + b"\1")
    code, out, err = run_prep(capsys, "verify", "data")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"verify: {shard} differs from its seal",
        "prep: 1 faults in data: delete these files, then run their stages again",
    ]
