"""A new project has the stages of the checkout, loses nothing, and may have folders named like ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.config import Config
from dvc.repo import Repo
from made import picture, run_prep
from project import ROOT
from ruamel.yaml import YAML

from pipeline import files
from pipeline.images import png
from pipeline.upkeep.project import make_params
from stages import prep
from stages.init import place_source

OURS = YAML(typ="safe").load(ROOT / "dvc.yaml")


@pytest.fixture
def begin(elsewhere, capsys, monkeypatch, tmp_path):
    """Return what begins the project `cats`; a folder with a picture is beside it."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    files.write(Path("pictures/cat.png"), png.encode_png(picture(1)))
    return lambda *words: run_prep(capsys, "init", *(words or ("cats", "--host", "pictures")))


def test_dvc_finds_the_stages_of_the_checkout_in_a_project(begin):
    assert begin()[0] == 0
    theirs = YAML(typ="safe").load(Path("cats/dvc.yaml"))
    assert theirs["stages"].pop("code") == {
        "cmd": "prep code data/code",
        "always_changed": True,
        **{name: OURS["stages"]["code"][name] for name in ("params", "outs")},
    }
    assert theirs["stages"] == {name: stage for name, stage in OURS["stages"].items() if name != "code"}
    with Repo("cats") as repo:
        assert {stage.name.partition("@")[0] for stage in repo.index.stages} == {*prep.STAGES}
    for name in ("dvc.yaml", "params.yaml"):
        assert comments(Path("cats", name).read_text()) >= comments((ROOT / name).read_text())
    for name in ("keep.tsv", "drop.tsv"):
        assert Path("cats", name).read_bytes() == (ROOT / name).read_bytes()


def comments(text):
    return {line.partition("#")[2] for line in text.splitlines()}


def test_the_parameters_name_the_source_and_take_all_of_a_folder(begin, tmp_path):
    begin()
    changed = set(Path("cats/params.yaml").read_text().split("\n"))
    changed -= set((ROOT / "params.yaml").read_text().split("\n"))
    host, *others = sorted(changed)
    assert host.startswith(f'  host: "{tmp_path}/pictures"        # or the address of a Danbooru')
    assert others == ["  limit: 0", '  tags: ""']


@pytest.mark.parametrize("source", ["own", "list:a.csv", "pairs:own"])
def test_a_source_inside_of_the_project_moves_with_it(elsewhere, source):
    files.write(Path("cats/a.csv"), b"path\n")
    Path("cats/own").mkdir()
    kind, colon, path = source.rpartition(":")
    assert place_source(f"{kind}{colon}cats/{path}", Path("cats").absolute()) == source


def test_a_site_keeps_its_limit_and_pairs_bring_a_column_of_sketches():
    site, pairs = (
        YAML(typ="safe").load(make_params(host, whole))
        for host, whole in [("sample", False), ("pairs:a", True)]
    )
    assert site == YAML(typ="safe").load(ROOT / "params.yaml")
    assert pairs["search"] == site["search"] | {"host": "pairs:a", "tags": "", "limit": 0}
    assert pairs["sketches"] == site["sketches"] | {"own": {"method": "own"}}


@pytest.mark.parametrize(
    "source", ["nowhere", "pairs:", "list:pictures", "pictures/cat.png", ".", "cats/data", ""]
)
def test_a_source_that_cannot_be_searched_is_refused_before_anything_is_written(begin, source):
    code, _, said = begin("cats", "--host", source)
    assert (code, said.startswith("prep: Invalid value: host must be ")) == (2, True), said
    assert not Path("cats").exists()


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml"])
def test_a_project_that_exists_stays_as_it_is(begin, name):
    files.write(Path("cats", name), b"stages: {}\n")
    code, _, said = begin()
    assert (code, said) == (
        1,
        f"prep: cats/{name} exists, so nothing was written: move it, or name another folder\n",
    )
    assert [path.name for path in Path("cats").iterdir()] == [name]
    assert Path("cats", name).read_bytes() == b"stages: {}\n"


def test_a_repository_and_a_project_of_dvc_keep_their_settings(begin):
    files.write(Path("cats/.gitignore"), b"mine\n.prep/")
    files.write(Path("cats/keep.tsv"), b"7\tmine\n")
    subprocess.run(["git", "init", "-q", "."], check=True)
    files.write(Path("cats/.dvc/config"), b"[core]\n    autostage = true\n[parsing]\n    bool = store_true\n")
    assert begin()[0] == 0
    assert not Path("cats/.git").exists()
    assert Path("cats/keep.tsv").read_bytes() == b"7\tmine\n"
    assert Path("cats/.gitignore").read_text().split("\n")[:4] == ["mine", ".prep/", "# a project", "data/*"]
    config = Config("cats/.dvc")
    assert (config["core"]["autostage"], config["core"]["analytics"]) == (True, False)
    assert config["parsing"] == {"bool": "boolean_optional", "list": "append"}
    assert "{plot_divs}" in Path("cats/.dvc", config["plots"]["html_template"]).read_text()


def test_the_source_is_asked_for_on_a_terminal_and_must_be_given_elsewhere(begin, monkeypatch):
    code, _, said = begin("cats")
    assert (code, "host must be given where there is no terminal" in said) == (2, True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text: "sample")
    assert begin("cats")[0] == 0
    assert YAML(typ="safe").load(Path("cats/params.yaml"))["search"]["host"] == "sample"


WORKERS = """
import inkwash
inkwash.prefer_ours()
from pipeline import codehash
from pipeline.run.spread import spread
if __name__ == "__main__":
    print(*spread(codehash.find_source, ["pipeline", "stages"], 2), sep="\\n")
"""


def test_folders_named_like_our_packages_do_no_harm(tmp_path):
    for name in ("pipeline", "stages"):
        files.write(tmp_path / name / "__init__.py", b"raise RuntimeError('not ours')")
    environment = {"PYTHONPATH": f".{os.pathsep}{ROOT}"}

    def said(*words):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    assert said("-m", "inkwash", "--version").startswith("inkwash ")
    assert said("-c", WORKERS).split() == [f"{ROOT}/{name}/__init__.py" for name in ("pipeline", "stages")]
