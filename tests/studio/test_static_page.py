"""prep export --page writes a folder that any static server can send, and touches nothing else."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from made import run_prep

from pipeline.errors import Halt
from pipeline.files import hash_file
from pipeline.models import export
from pipeline.models.network import SHIPPED_ONNX
from pipeline.params import GUIDES
from pipeline.studio import page, runtime

FAKES = {name: f"the file {name}".encode() for name in runtime.RUNTIME_SUMS}


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    """Let files of a few bytes be the runtime."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in FAKES.items()}
    monkeypatch.setattr(runtime, "RUNTIME_SUMS", sums)


@pytest.fixture
def package(tmp_path):
    """Make a folder with the runtime, as npm unpacks it."""
    folder = tmp_path / "node_modules"
    (folder / "dist").mkdir(parents=True)
    for name, data in FAKES.items():
        (folder / "dist" / name).write_bytes(data)
    return folder


def listing(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def pack(members):
    """Pack members as npm does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def good_package():
    return pack({"../../evil": b"x"} | {f"package/dist/{name}": data for name, data in FAKES.items()})


def test_a_page_is_complete_and_equal_models_give_equal_pages(package, tmp_path, capsys):
    for name in ("one", "two"):
        words = ("--page", tmp_path / name, "--runtime", package)
        assert run_prep(capsys, "export", SHIPPED_ONNX, *words)[0] == 0
    made = listing(tmp_path / "one")
    assert made == listing(tmp_path / "two")
    assert made["model.onnx"] == SHIPPED_ONNX.read_bytes()
    assert {made[f"runtime/{name}"] for name in runtime.RUNTIME_NAMES.values()} == set(FAKES.values())
    assert all(name.endswith((".html", ".css", ".js", ".svg", ".json", ".onnx", ".wasm")) for name in made)


def test_a_page_has_all_that_it_refers_to_and_nothing_of_other_screens(package, tmp_path):
    page.save_page(tmp_path / "page", SHIPPED_ONNX, runtime.find_runtime(str(package), tmp_path))
    made = listing(tmp_path / "page")
    screens = {name for name in made if name.startswith("screens/")}
    assert "screens/color.js" in screens
    assert all(name.startswith("screens/color") for name in screens)
    index = made["index.html"].decode()
    assert set(re.findall(r'(?:href|src)="([^"#]+)"', index)) <= made.keys()
    assert "default-src 'none'" in index
    modules = [name for name in made if name.endswith(".js") and not name.startswith("runtime/")]
    for name in modules:
        for wanted in re.findall(
            r'^(?:import |export |\} ).*?"(\.\S*)";$', made[name].decode(), re.MULTILINE
        ):
            assert os.path.normpath(os.path.join(os.path.dirname(name), wanted)) in made
    assert {"engine/worker.js", "engine/client.js", "formats/ora.js"} <= set(modules)


def test_the_note_of_a_page_describes_its_model(package, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(export, "export_onnx", lambda folder: SHIPPED_ONNX.read_bytes())
    words = (tmp_path / "mine", "--page", tmp_path / "page", "--runtime", package)
    assert run_prep(capsys, "export", *words)[0] == 0
    note = json.loads((tmp_path / "page" / "page.json").read_bytes())
    assert (note["mode"], note["file"], note["project"]) == ("static", "model.onnx", None)
    found = note["model"]
    assert (found["title"], found["system"], found["guides"]) == ("mine", "wash", list(GUIDES))
    assert found["sha256"] == hash_file(SHIPPED_ONNX)
    assert found["config"]["side"] == 256
    assert str(tmp_path) not in json.dumps(note)


def test_a_page_is_renewed_and_other_files_are_never_touched(package, tmp_path):
    parts = runtime.find_runtime(str(package), tmp_path)
    folder = tmp_path / "page"
    page.save_page(folder, SHIPPED_ONNX, parts)
    before = listing(folder)
    (folder / "CNAME").write_text("mine", encoding="utf-8")
    (folder / "app.css").write_text("broken", encoding="utf-8")
    page.save_page(folder, SHIPPED_ONNX, parts)
    assert listing(folder) == before | {"CNAME": b"mine"}
    for name in ("note.txt", "page.json"):
        foreign = tmp_path / f"foreign-{name}"
        foreign.mkdir()
        (foreign / name).write_text("[]", encoding="utf-8")
        with pytest.raises(Halt, match="is no page: name another folder"):
            page.save_page(foreign, SHIPPED_ONNX, parts)
        assert listing(foreign) == {name: b"[]"}


def test_without_a_runtime_the_command_says_what_to_add(tmp_path, capsys):
    words = ("export", "--page", tmp_path / "page", "--cache", tmp_path / "cache")
    status, _, told = run_prep(capsys, *words)
    assert status == 1
    assert "--runtime npm" in told
    assert not (tmp_path / "page").exists()
    assert run_prep(capsys, "export")[0] == 2
    assert run_prep(capsys, "export", SHIPPED_ONNX, tmp_path / "x.onnx", "--runtime", "npm")[0] == 2


def test_a_runtime_that_is_another_is_refused(package, tmp_path):
    (package / "dist" / "ort.wasm.min.mjs").write_bytes(b"another")
    with pytest.raises(Halt, match=f"is not that of onnxruntime-web {runtime.PACKAGE_VERSION}"):
        runtime.find_runtime(str(package), tmp_path)
    (package / "dist" / "ort.wasm.min.mjs").unlink()
    with pytest.raises(Halt, match=r"has no ort\.wasm\.min\.mjs"):
        runtime.find_runtime(str(package), tmp_path)


@pytest.mark.parametrize(
    "package",
    [b"", b"no gzip", good_package()[:80], pack({"package/dist/ort.wasm.min.mjs": b"another"})],
    ids=["empty", "no gzip", "cut", "another"],
)
def test_a_package_that_is_broken_is_refused(package, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "download_package", lambda: package)
    with pytest.raises(Halt, match=r"try again|is not that of"):
        runtime.find_runtime("npm", tmp_path)
    assert listing(tmp_path) == {}


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for npm is a shell script")
def test_npm_is_asked_once_and_what_it_unpacks_stays_inside(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "package.tgz").write_bytes(good_package())
    script = f'#!/bin/sh\necho "$@" >> {tools}/asked\ncp {tools}/package.tgz "$5/package.tgz"\n'
    (tools / "npm").write_text(script, encoding="utf-8")
    (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    found = [runtime.find_runtime(wanted, tmp_path / "cache") for wanted in ("npm", "npm", None)]
    assert found == [{runtime.RUNTIME_NAMES[name]: data for name, data in FAKES.items()}] * 3
    (asked,) = (tools / "asked").read_text(encoding="utf-8").splitlines()
    assert asked.startswith(f"pack onnxruntime-web@{runtime.PACKAGE_VERSION} --ignore-scripts")
    assert {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()} == set(FAKES)


def test_an_npm_that_is_missing_or_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Halt, match="npm is missing"):
        runtime.find_runtime("npm", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: "npm")
    monkeypatch.setattr(
        subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 1, b"", b"no registry")
    )
    with pytest.raises(Halt, match="no registry"):
        runtime.find_runtime("npm", tmp_path)
