"""A command says in one line what stopped it, and its exit code tells of which kind that was."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made import make_column, picture, run_prep

from pipeline import files
from pipeline.images import png
from pipeline.shards import column
from stages import prep

pytestmark = pytest.mark.usefixtures("elsewhere")


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
        (
            ["colorize", "girl.png", "out", "--model", "data/model"],
            "data/model/config.json is missing: run train",
        ),
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


@pytest.mark.parametrize(
    ("text", "command", "code", "said"),
    [
        ("3", "report .", 1, "params.yaml has no sections of parameters: correct it"),
        ("clean: [1]", "explain 5", 1, "params.yaml has no section clean of names and values: correct it"),
        ("clean: {sid: 3}", "explain 5", 2, "the parameters of clean must be some of side, crop,"),
        ("search: {}", "code out", 1, "params.yaml has no section model of names and values: correct it"),
        (
            "{search: {}, model: {}, sketches: {b7: {blocksiz: 7}}}",
            "code out", 2, "the parameters of sketch must be some of method, preset, blocksize,",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_of_parameters_is_one_line(capsys, text, command, code, said):
    Path("params.yaml").write_text(text)
    found, _, err = run_prep(capsys, *command.split())
    assert (found, said in err, err.count("\n")) == (code, True, 1), err


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
    make_column(Path("column"), [f"{n:09d}" for n in range(160)], per_shard=1)
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
    assert sum(map(len, column.list_shards(Path("out")))) == 160


def test_a_bad_account_or_a_bad_fault_keeps_the_site_from_starting(drawing, capsys):
    code, _, err = run_prep(capsys, "booru", ".", "--account", "ann:key")
    assert (code, "account must be LOGIN:API_KEY:LEVEL" in err) == (2, True)
    files.write_json(Path("faults.json"), [{"fault": "flood"}])
    code, _, err = run_prep(capsys, "booru", ".", "--faults", "faults.json")
    assert (code, "faults.json, fault 1: fault must be one of" in err) == (1, True)


def test_no_line_of_a_command_writes_control_characters_either(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_prep(capsys, "gc", "--cache", "a\x1b]0;x\x07")
    assert (code, err) == (0, "")
    assert out.endswith("left in a\\u001b]0;x\\u0007\n")
    for path in Path(prep.__file__).parent.glob("*.py"):  # one function prints
        assert ("echo(" in path.read_text()) <= (path.name == "arguments.py"), path


def test_a_parameter_that_is_not_utf8_is_bad_usage(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write(Path("loose/a.png"), png.encode_png(picture(1)))
    code, _, err = run_prep(
        capsys, "search", "p.jsonl", "--host", "loose", "--size", "1", "--tags", "-\udcff"
    )
    assert (code, err.count("\n")) == (2, 1)
    assert "is not UTF-8: give another name" in err


def test_no_message_writes_control_characters_or_secrets_to_the_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_prep(
        capsys, "fetch", "a\x1b[2J\x9b\u202e?token=s3cret.jsonl", "out", "--host", tmp_path
    )
    assert (code, out) == (1, "")
    assert err == "prep: a\\u001b[2J\\u009b\\u202e?token=*** does not exist: run search first\n"
