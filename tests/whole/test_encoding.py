"""Every text file is read and written as UTF-8, whatever the locale."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made import picture

from pipeline import files
from pipeline.images import png
from pipeline.sources.posts import hash_id

ROOT = Path(__file__).parent.parent.parent
SOURCES = [
    path for room in ("pipeline", "stages", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))
]
TEXT_CALLS = {
    "read_text": 0,
    "write_text": 1,
    "open": 1,
    "fdopen": 2,
    "TextIOWrapper": 1,
}  # by arguments before
OTHER_OPENERS = {"Image", "tarfile", "gzip", "os", "self"}  # open no text, or by a descriptor


def find_local_calls(tree: ast.AST) -> list[int]:
    """List the lines of calls that open a text file in the encoding of the locale."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and is_local(node)]


def is_local(call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name == "run" and isinstance(owner, ast.Name) and owner.id == "subprocess":
        return "encoding" not in keywords and bool({"text", "universal_newlines"} & keywords.keys())
    if name not in TEXT_CALLS or "encoding" in keywords:
        return False
    if isinstance(owner, ast.Name) and owner.id in OTHER_OPENERS:
        return False
    if name in ("open", "fdopen"):
        first = 0 if isinstance(call.func, ast.Attribute) and name == "open" else 1
        mode = keywords.get("mode", call.args[first] if len(call.args) > first else ast.Constant("r"))
        return not (isinstance(mode, ast.Constant) and "b" in str(mode.value))
    return len(call.args) <= TEXT_CALLS[name]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_read_in_the_encoding_of_the_locale(path):
    assert find_local_calls(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    ["Path(a).read_text()", "Path(a).write_text(b)", "open(a)", "open(a, 'w')", "a.open()", "a.open('a')",
     "os.fdopen(1)", "io.TextIOWrapper(a)", "subprocess.run(a, text=True)"],
)  # fmt: skip
def test_the_search_finds_a_call_without_an_encoding(code):
    assert find_local_calls(ast.parse(code)) == ([] if code == "os.fdopen(1)" else [1])


@pytest.mark.parametrize(
    "code", ["open(a, 'rb')", "a.open('rb')", "a.open(encoding='utf-8')", "Image.open(a)"]
)
def test_the_search_leaves_other_calls_alone(code):
    assert find_local_calls(ast.parse(code)) == []


@pytest.fixture(scope="module")
def latin(tmp_path_factory):
    """Compile a locale of 8 bits; return the variables that select it."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE.ISO-8859-1")]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True).returncode > 1:
        pytest.skip("this machine cannot compile a locale of 8 bits")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.ISO-8859-1"}


@pytest.fixture(params=["C", "latin"])
def locale(request):
    """The environment of a process in a locale that is not UTF-8."""
    chosen = {"LC_ALL": "C"} if request.param == "C" else request.getfixturevalue("latin")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    return kept | chosen | {"PYTHONUTF8": "0"}


def test_commands_read_and_write_the_same_in_every_locale(tmp_path, locale):
    shown = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    assert subprocess.run(shown, env=locale, capture_output=True, check=True).stdout.strip() != b"utf-8"
    folder = tmp_path / "Bilder für 猫"
    files.write(folder / "ñ.png", png.encode_png(picture(1)))
    files.write(folder / "ñ.txt", "猫耳, blue eyes".encode())
    files.write(folder / "MANIFEST.csv", "path,author\nñ.png,Zoë\n".encode())
    files.write(tmp_path / "params.yaml", f"search:\n  host: {folder}  # für\n".encode())
    for command in (
        ["search", "posts.jsonl", "--host", str(folder), "--size", "1"],
        ["fetch", "posts.jsonl", "original", "--params", "params.yaml"],
        ["show", str(hash_id("ñ.png")), "original"],
    ):
        run = [sys.executable, "-m", "stages.prep", *command]
        done = subprocess.run(run, env=locale | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr
    post = json.loads((tmp_path / "posts.jsonl").read_bytes())
    assert (post["id"], post["file_url"]) == (hash_id("ñ.png"), "ñ.png")
    assert (post["tag_string_artist"], post["tag_string_general"]) == ("zoë", "猫耳 blue_eyes")
    assert "猫耳" in done.stdout.decode()
