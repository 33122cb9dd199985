"""Every command explains itself, calls the library, and says in one line what went wrong."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import requests
from made import STAGE_FACTS, make_column, make_columns, packed, picture, run_prep
from typer.testing import CliRunner

from pipeline import files
from pipeline.booru import catalog, site
from pipeline.images import codec, pixels, png
from pipeline.operators.sketch import draw_sketch
from pipeline.params import Sketch
from pipeline.shards import column, loose
from stages import prep


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREP_WORKERS", "PREP_CACHE", "PREP_DEVICE", "PREP_CONTACT", "PREP_RATE", "PREP_LEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def drawing():
    """Write a picture to girl.png."""
    files.write(Path("girl.png"), png.encode_png(picture(1)))
    return Path("girl.png")


def commands():
    """List the names of all commands."""
    return [command.callback.__name__ for command in prep.app.registered_commands]


@pytest.mark.parametrize("name", commands())
def test_every_command_and_every_option_has_help(name):
    from typer.main import get_command

    command = get_command(prep.app).commands[name]
    assert command.help.partition("\n\n")[0].endswith(".")
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name}"


def test_help_lists_every_command_and_imports_no_torch():
    code = (
        "import sys; sys.argv = ['prep', '--help']\n"
        "from stages.prep import main\n"
        "try: main()\n"
        "except SystemExit: assert 'torch' not in sys.modules and 'dvc' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in commands():
        assert f" {name} " in done.stdout


def test_the_version_is_that_of_the_package(capsys):
    assert run_prep(capsys, "--version") == (0, f"inkwash {version('inkwash')}\n", "")


def test_every_parameter_is_an_option_with_its_rule_in_the_help():
    text = CliRunner().invoke(prep.app, ["sketchify", "--help"], env={"COLUMNS": "200"}).output
    for field in dataclasses.fields(Sketch):
        assert f"--{field.name}" in text
    assert "an odd integer from 3 to 255" in text


def test_one_picture_gives_one_sketch(capsys, drawing):
    code, out, _ = run_prep(capsys, "sketchify", drawing, "out", "--blocksize", "9")
    assert (code, out) == (0, "sketchify: 1 of 1 written to out\n")
    expected = draw_sketch(picture(1), Sketch(blocksize=9))
    np.testing.assert_array_equal(codec.decode(Path("out/girl.png").read_bytes())[..., 0], expected)


def test_an_option_that_the_method_does_not_read_gives_a_line(capsys, drawing):
    code, _, err = run_prep(capsys, "sketchify", drawing, "out", "--method", "canny", "--blocksize", "9")
    assert (code, err) == (0, "sketchify: the method canny does not read blocksize\n")


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
    assert '"taken": 1' in Path("m/s.json").read_text()
    assert codec.decode(Path("m/s.png").read_bytes()).shape[2] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["sketchify", "girl.png", "out", "--blocksize", "6"],
            "blocksize must be an odd integer from 3 to 255, or a range LOW..HIGH, got 6",
        ),
        (["sketchify", "girl.png", "out", "--blocksize", "big"], "or a range LOW..HIGH, got 'big'"),
        (
            ["sketchify", "girl.png", "out", "--method", "crayon"],
            "learned, own, got 'crayon'",
        ),
        (["sketchify", "girl.png", "out", "--bloksize", "7"], "No such option: --bloksize"),
        (["sketchify", "girl.png"], "dest"),
        (["sketchify", "girl.png", "out", "--workers", "0"], "--workers"),
        (
            ["pack", "a", "b", "c", "d", "e", "--val", "60", "--test", "50"],
            "val + test must be below 100, got 110",
        ),
        (["search", "posts.jsonl", "--tags", "a b c"], "tags must be at most 2 for the level member"),
        (
            ["search", "posts.jsonl", "--tags", "a b c d e f g", "--level", "gold"],
            "at most 6 for the level gold",
        ),
        (["search", "posts.jsonl", "--since", "May"], "since must be a date such as 2024-05-31, got 'May'"),
        (["search", "posts.jsonl", "--host", "https://a.example", "--rate", "11"], "at most 10 off loopback"),
        (["fetch", "posts.jsonl", "out", "--variant", "small"], "one of original, sample, 720x720"),
        (["plan", "--tags", "a b c"], "tags must be at most 2"),
        (["plan", "--host", "loose", "--tags", "score:high"], "'high' is not a number"),
        (["forget", "everything"], "everything"),
        (["nonsense"], "No such command"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(capsys, drawing, arguments, said):
    code, out, err = run_prep(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("prep: ")
    assert said in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sketchify", "nowhere", "out"], "nowhere does not exist: name a picture"),
        (["sketchify", "empty", "out"], "empty holds no pictures"),
        (["clean", "broken", "out"], "3 of 4 pictures were rejected (cannot decode 1, too small 2)"),
        (["pack", "a", "b", "c", "d", "e"], "b holds no sketch columns: name the folder above them"),
        (["fetch", "posts.jsonl", "out", "--host", "loose"], "posts.jsonl does not exist"),
        (["search", "posts.jsonl", "--host", "nowhere"], "nowhere"),
        (["search", "posts.jsonl", "--host", "https://booru.example"], "PREP_CONTACT"),
        (["search", "posts.jsonl", "--host", "dump:nowhere"], "nowhere is not a folder"),
        (["search", "posts.jsonl", "--host", "list:nowhere.csv"], "nowhere.csv"),
        (["search", "posts.jsonl", "--host", "loose", "--tags", "hat", "--size", "1"], "loose has no post"),
        (["plan", "--host", "https://booru.example"], "PREP_CONTACT"),
        (["plan", "--host", "dump:nowhere"], "nowhere is not a folder"),
        (["train", "nowhere", "model"], "nowhere does not exist"),
        (["evaluate", "nowhere", "model"], "model"),
        (["colorize", "girl.png", "out"], "data/model/config.json is missing: run train"),
    ],
)
def test_a_failure_outside_the_program_is_one_line_and_exit_code_1(capsys, drawing, arguments, said):
    Path("empty").mkdir()
    for name, data in {
        "broken/a.png": b"",
        "broken/b.png": png.encode_png(picture(1)),
        "broken/c.png": png.encode_png(picture(2)),
        "broken/d.png": png.encode_png(picture(3, 300, 300)),
        "loose/a.png": png.encode_png(picture(1)),
    }.items():
        files.write(Path(name), data)
    code, _, err = run_prep(capsys, *arguments)
    assert (code, err.count("\n")) == (1, 1), err
    assert said in err


def test_a_search_of_a_folder_takes_any_number_of_tags_and_rejects_unknown_metatags(capsys):
    make_set("pictures")
    search = ["search", "posts.jsonl", "--host", "pictures", "--size", "1", "--tags"]
    assert run_prep(capsys, *search, "-a -b -c -d -e -f -g")[0] == 0
    code, _, err = run_prep(capsys, *search, "pixiv:5")
    assert (code, "the metatag pixiv is not known here" in err) == (2, True)


def test_a_paired_set_goes_through_to_a_column_of_its_own_sketches(capsys):
    for number in range(3):
        files.write(Path(f"set/color/{number}.png"), png.encode_png(picture(number, 300, 300)))
        files.write(Path(f"set/sketch/{number}.png"), png.encode_png(picture(number, 300, 300)[..., 0]))
    for command in (
        ["search", "posts.jsonl", "--host", "pairs:set", "--size", "1"],
        ["fetch", "posts.jsonl", "original", "--host", "pairs:set", "--ledger", "fetch.tsv"],
        ["clean", "original", "color"],
        ["sketchify", "color", "sketch/own", "--method", "own"],
        ["sketchify", "color", "sketch/b7"],
        ["cue", "color", "cue"],
        ["reference", "color", "reference"],
        ["pack", "color", "sketch", "cue", "reference", "pairs", "--val", "0", "--test", "0"],
    ):
        code, _, err = run_prep(capsys, *command)
        assert code == 0, err
    samples = [sample for shard in column.list_shards(Path("pairs")) for sample in shard]
    [sample] = [sample for sample in samples if sample.metadata["source"] == "0.png"]
    expected = pixels.square(picture(0, 300, 300)[..., 0], 256)
    np.testing.assert_array_equal(codec.decode(sample.members["sketch-own.png"])[..., 0], expected)
    assert sample.metadata["license"] == "unknown"


def test_a_plan_is_printed_as_a_sentence_or_as_json(capsys):
    make_set("pictures")
    with site.serve(catalog.folder_catalog(Path("pictures"))) as host:
        code, out, _ = run_prep(capsys, "plan", "--host", host, "--size", "1")
        assert (code, out.split(";")[0]) == (0, "plan: about 6 requests, 3 for posts and 3 for files")
        run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")
        code, out, _ = run_prep(capsys, "plan", "posts.jsonl", "--host", host, "--rate", "0.5", "--json")
    plan = json.loads(out)
    assert (plan["files"], plan["requests"], plan["seconds"], plan["exact"]) == (3, 3, 6, True)


def test_a_plan_for_what_lies_on_this_machine_counts_its_files_and_writes_nothing(capsys, monkeypatch):
    monkeypatch.setenv("PREP_CONTACT", "me@example.org")
    make_set("pictures")
    for name in ("color", "sketch"):
        make_set(f"pairs/{name}")
    lines = "path,url\npictures/0.png,\n,https://a.example/1.png\n,https://b.example/2.png\n"
    Path("list.csv").write_text(lines, encoding="utf-8")
    before = sorted(Path().rglob("*"))
    for host, sentence in {
        "pictures": "no requests; 3 files on this machine",
        "halves:pictures": "no requests; 3 files on this machine",
        "pairs:pairs": "no requests; 6 files on this machine",
        "list:list.csv": "2 requests, 0 for posts and 2 for files; an unknown number of bytes; "
        "at least 0 h 00 min 01 s; 1 files on this machine",
    }.items():
        assert run_prep(capsys, "plan", "--host", host, "--size", "1") == (0, f"plan: {sentence}\n", "")
    assert {*Path().rglob("*")} - {*before} <= {Path(".prep"), Path(".prep/site.lock")}


def test_a_host_may_contain_spaces_quotes_and_shell_commands(capsys):
    folder = """it's a "set"; touch ran $HOME `ls`"""
    make_set(folder)
    for host in (folder, f"halves:{folder}"):
        assert run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")[0] == 0
        code, out, _ = run_prep(capsys, "fetch", "posts.jsonl", "original", "--host", host)
        assert (code, out) == (0, "fetch: 3 of 3 written to original\n")
        assert run_prep(capsys, "plan", "posts.jsonl", "--host", host)[0] == 0


def make_set(folder):
    """Write a folder of three pictures."""
    for number in range(3):
        files.write(Path(folder) / f"{number}.png", png.encode_png(picture(number)))


def test_the_newest_id_at_the_first_search_of_a_site_bounds_the_later_ones(capsys):
    make_set("pictures")
    held = catalog.folder_catalog(Path("pictures"))
    with site.serve(held) as host:
        search = ["search", "posts.jsonl", "--host", host, "--size", "1", "--metrics", "search.json"]
        assert run_prep(capsys, *search)[1] == "search: 3 posts written to posts.jsonl\n"
        first = Path("posts.jsonl").read_bytes()
        newest = held.posts[-1]["id"]
        held.posts.append(held.posts[-1] | {"id": newest + 1})
        assert run_prep(capsys, *search)[0] == 0
        assert Path("posts.jsonl").read_bytes() == first
        assert json.loads(Path("search.json").read_bytes())["ceiling"] == newest
        assert json.loads(Path("ceilings.json").read_bytes()) == {host: newest}
        Path("ceilings.json").unlink()
        assert run_prep(capsys, *search)[1] == "search: 4 posts written to posts.jsonl\n"


def test_again_requests_finally_rejected_files_once_more(capsys):
    make_set("pictures")
    held = catalog.folder_catalog(Path("pictures"))
    lost = Path("pictures/1.png").read_bytes()
    with site.serve(held) as host:
        run_prep(capsys, "search", "posts.jsonl", "--host", host, "--size", "1")
        Path("pictures/1.png").unlink()
        fetch = ["fetch", "posts.jsonl", "out", "--host", host]
        assert run_prep(capsys, *fetch)[1] == "fetch: 2 of 3 written to out; rejected: gone 1\n"
        files.write(Path("pictures/1.png"), lost)
        assert run_prep(capsys, *fetch)[1] == "fetch: 2 of 3 written to out; rejected: gone 1\n"
        assert run_prep(capsys, *fetch, "--again")[1] == "fetch: 3 of 3 written to out\n"


def test_a_broken_picture_is_counted_and_the_others_are_written(capsys):
    for number in range(4):
        files.write(Path(f"in/{number}.png"), png.encode_png(picture(number, 300, 300)))
    files.write(Path("in/2.png"), Path("in/2.png").read_bytes()[:500])
    code, out, _ = run_prep(capsys, "clean", "in", "out")
    assert (code, out) == (0, "clean: 3 of 4 written to out; rejected: cannot decode 1\n")
    assert sorted(path.name for path in Path("out").glob("*.png")) == ["0.png", "1.png", "3.png"]
    assert Path("out/rejects.tsv").read_text() == "key\treason\ttold\n2\tcannot decode\t\n"


def test_a_full_disk_is_one_line_and_leaves_no_partial_file(capsys, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    make_column(Path("column"), ["000000001"])
    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run_prep(capsys, "sketchify", "column", "out")
    assert (code, err) == (
        1,
        "prep: [Errno 28] No space left on device: free some space, then run the same command to go on\n",
    )
    left = [path.name for folder in ("out", ".prep") for path in Path(folder).rglob("*") if path.is_file()]
    assert left == ["made.sqlite"]  # the table of the memo, which is empty


OUT_OF_MEMORY = (
    "prep: out of memory{}: use fewer --workers, or more memory, then run the same command to go on\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_DATA")
def test_too_little_memory_for_a_picture_is_one_line(drawing):
    files.write(Path("in/big.png"), png.encode_png(np.zeros((9900, 9900), np.uint8)))
    code = (
        "import resource, sys\n"
        "from stages import prep, clean\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))\n"
        "sys.argv = ['prep', 'clean', 'in', 'out', '--workers', '1']\n"
        "prep.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, OUT_OF_MEMORY.format(" on big"))


def test_out_of_memory_outside_of_a_step_is_one_line_too(capsys, drawing, monkeypatch):
    monkeypatch.setattr("stages.column.run_step", lambda *given, **more: np.empty(1 << 50, np.uint8))
    code, _, said = run_prep(capsys, "sketchify", drawing, "out")
    assert (code, said) == (1, OUT_OF_MEMORY.format(""))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_says_so_and_leaves_no_seal_and_the_next_resumes(capsys, number, code):
    make_column(Path("column"), [f"{n:09d}" for n in range(500)], per_shard=2)
    command = [sys.executable, "-m", "stages.prep", "sketchify", "column", "out", "--workers", "2"]
    root = Path(__file__).parent.parent.parent
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(root)}
    )
    while not any(Path(".prep").rglob("*.json")):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert err == "prep: interrupted; finished work is kept, run the same command to go on\n"
    assert not Path("out/seal.json").exists()
    assert run_prep(capsys, "sketchify", "column", "out")[0] == 0
    assert sum(map(len, column.list_shards(Path("out")))) == 500


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_site_serves_a_folder_until_it_is_interrupted(drawing):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n",
    ]
    files.write_json(Path("faults.json"), [{"fault": "page", "match": "^/counts"}])
    arguments = [
        "prep",
        "booru",
        ".",
        "--port",
        str(port),
        "--account",
        "ann:key:gold",
        "--faults",
        "faults.json",
    ]
    command[-1] += f"import sys; sys.argv = {arguments}\n"
    command[-1] += "from stages.prep import main; main()"
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout.readline().startswith("booru: 1 posts at http://127.0.0.1")
        asked = {"headers": {"User-Agent": "test/1 (user a; b)"}, "auth": ("ann", "key")}
        url = f"http://127.0.0.1:{port}/posts.json?tags=-a -b -c -d -e -f"
        posts = eventually(lambda: requests.get(url, **asked).json())
        page = requests.get(f"http://127.0.0.1:{port}/counts/posts.json", **asked)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=10) == 0
    assert [post["file_size"] for post in posts] == [drawing.stat().st_size]
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")


def test_a_bad_account_or_a_bad_fault_keeps_the_site_from_starting(drawing, capsys):
    code, _, err = run_prep(capsys, "booru", ".", "--account", "ann:key")
    assert (code, "account must be LOGIN:API_KEY:LEVEL" in err) == (2, True)
    files.write_json(Path("faults.json"), [{"fault": "flood"}])
    code, _, err = run_prep(capsys, "booru", ".", "--faults", "faults.json")
    assert (code, "faults.json, fault 1: fault must be one of" in err) == (1, True)


def eventually(request):
    """Repeat a request until the site answers."""
    for _ in range(100):
        with suppress(requests.ConnectionError):
            return request()
        time.sleep(0.05)
    raise AssertionError("the site never answered")


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


def make_all_columns(keys, *sketches):
    """Write a column of each stage, as far as pack tells them apart."""
    make_columns(Path(), keys, "color", "cue", "reference")
    for name in sketches:
        make_column(Path("sketch", name), keys, **STAGE_FACTS["sketch"])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ("color sketch reference cue", "reference holds a reference in the place of a cue"),
        ("color sketch cue cue", "cue holds a cue in the place of a reference"),
        ("color sketch color reference", "color holds a color in the place of a cue"),
        ("cue sketch color reference", "cue holds a cue in the place of a color"),
        ("sketch/b7 sketch cue reference", "sketch/b7 holds a sketch in the place of a color"),
        ("other sketch cue reference", "other holds no picture of clean, sketchify, cue or reference in"),
        ("color . cue reference", "color holds a color in the place of a sketch"),
        ("color sketch/b7 cue reference", "sketch/b7 holds no sketch columns: name the folder above them"),
        ("color nothere cue reference", "nothere holds no sketch columns: name the folder above them"),
    ],
)
def test_packing_refuses_columns_in_a_wrong_place(capsys, columns, sentence):
    make_all_columns([f"{n:09d}" for n in range(3)], "b7")
    make_column(Path("other"), [f"{n:09d}" for n in range(3)])
    code, _, err = run_prep(capsys, "pack", *columns.split(), "pairs")
    assert (code, sentence in err, err.count("\n")) == (1, True, 1), err
    assert not Path("pairs").exists()


def test_packing_takes_the_listed_sketches_and_removes_the_columns_of_others(capsys):
    keys = [f"{n:09d}" for n in range(12)]
    make_all_columns(keys, "b7", "b9", "old")
    Path("params.yaml").write_text("sketches: {b9: {}, b7: {}}")
    columns = ["color", "sketch", "cue", "reference"]
    code, _, err = run_prep(capsys, "pack", *columns, "pairs", "--params", "params.yaml")
    assert code == 0, err
    sample = next(iter(column.list_shards(Path("pairs"))[0]))
    names = ["color.png", "cue.png", "reference.png", "sketch-b7.png", "sketch-b9.png", "json"]
    assert list(sample.members) == names
    assert not Path("sketch/old").exists()


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


def test_the_cache_is_emptied_on_demand(capsys, drawing):
    make_column(Path("color"), ["000000001"])
    run_prep(capsys, "cue", "color", "out")
    assert list(Path(".prep/steps").glob("*/*.tar"))
    code, out, _ = run_prep(capsys, "gc", "--gigabytes", "0")
    assert (code, out[:13]) == (0, "gc: 1 entries")
    assert not list(Path(".prep/steps").glob("*/*.tar"))
    assert run_prep(capsys, "verify", "out")[0] == 0


def test_no_message_writes_control_characters_or_secrets_to_the_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_prep(
        capsys, "fetch", "a\x1b[2J\x9b\u202e?token=s3cret.jsonl", "out", "--host", tmp_path
    )
    assert (code, out) == (1, "")
    assert err == "prep: a\\u001b[2J\\u009b\\u202e?token=*** does not exist: run search first\n"
