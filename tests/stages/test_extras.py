"""Data, coloring and the studio run without the packages of training; what lacks an extra names it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from loopback import get
from made import picture
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from project import ENVIRONMENT, ROOT, content, nursery, paint, standing

from pipeline import files
from pipeline.evaluation.summary import to_parquet
from pipeline.images import codec, png
from pipeline.params import Sketch
from stages import prep

METHODS = Sketch.__dataclass_fields__["method"].metadata["names"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"universal-pathlib": "upath"}  # packages that are imported under another name
REPRO = ("python", "-m", "dvc", "repro", "pack")
MOST = 800 << 20  # bytes of all packages of the data side, at most


def test_the_table_of_extras_matches_pyproject():
    for extra, packages in prep.EXTRAS.items():
        wanted = [Requirement(text).name for text in PROJECT["optional-dependencies"][extra]]
        names = [canonicalize_name(name) for name in wanted if name != "inkwash"]
        assert sorted(MODULES.get(name, name.replace("-", "_")) for name in names) == sorted(packages)


def closure(requirements: list[str]) -> dict:
    """Return the installed distributions that the requirements need, with dependencies, by name."""
    found, wanted = {}, [(Requirement(text), "") for text in requirements]
    while wanted:
        requirement, extra = wanted.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for asked in {"", *requirement.extras} - found.get(name, set()):
            found.setdefault(name, set()).add(asked)
            wanted += [(Requirement(text), asked) for text in distribution(name).requires or ()]
    return {name: distribution(name) for name in found}


@pytest.fixture(scope="module")
def packages():
    """Return the distributions of the data side."""
    return closure(PROJECT["dependencies"])


@pytest.fixture(scope="module")
def python(packages, tmp_path_factory):
    """Make an environment of the data side; return its Python."""
    return link_environment(tmp_path_factory.mktemp("bare"), packages)


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """Make an environment of the extra `studio`, and so of `color`; return its Python."""
    packages = closure([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["studio"]])
    return link_environment(tmp_path_factory.mktemp("studio"), packages)


def link_environment(home, packages) -> str:
    """Make an environment by links to the installed packages, and to the code here; return its Python."""
    venv.create(home, symlinks=True)
    link_packages(home, (*packages.values(), distribution("inkwash")))
    return str(home / "bin" / "python")


def link_packages(home, packages):
    (site,) = home.glob("lib/python*/site-packages")
    for package in packages:
        for top in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(package.locate_file(top))


@pytest.fixture(scope="module")
def project(python, tmp_path_factory):
    """Run all stages up to pack in it; yield their folder, and the function that runs a command there."""
    home = tmp_path_factory.mktemp("project")
    with nursery(python) as run, standing(home, 12, run):
        words = ["pack", "color", "sketch", "cue", "reference", "pairs", "--metrics", "metrics/pack.json"]
        done = run(words, home)
        assert done.code == 0, done.said
        for name in ("params.yaml", "keep.tsv", "drop.tsv"):
            shutil.copy(ROOT / name, home)
        row = {"condition": "paired", "guide": "cue", "key": "000000003", "by": "model", "psnr": 20.0}
        files.write(home / "data" / "evaluate.parquet", to_parquet([row]))
        yield home, run


def test_the_data_side_is_small(packages):
    files = [file.locate() for package in packages.values() for file in package.files]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    assert sum(sizes) < MOST


def test_the_environment_has_no_package_of_an_extra(python):
    every = [package for packages in prep.EXTRAS.values() for package in packages]
    code = f"from importlib.util import find_spec; print(*filter(find_spec, {every}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "plan posts.jsonl --host pictures",
        "sheet color sheet.png --side 32",
        "explain 000000001 --data .",
        "ls .",
        "show 000000003 color",
        "verify color",
        "report",
        "diff . .",
        "forget 2 --posts posts.jsonl --data . --params params.yaml",
        "gc --gigabytes 0",
    ],
)
def test_a_command_of_the_data_side_runs(project, words):
    home, run = project
    done = run(words.split(), home)
    assert done.code == 0, done.said


@pytest.mark.parametrize("method", sorted({*METHODS} - {"learned", "own"}))
def test_every_method_but_the_learned_one_runs(project, method, tmp_path):
    home, run = project
    done = run(["sketchify", "color", str(tmp_path / "out"), "--method", method], home)
    assert done.code == 0, done.said


def test_the_site_runs(project, python):
    home, _ = project
    command = [python, "-m", "stages.prep", "booru", "pictures"]
    with subprocess.Popen(command, cwd=home, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as site:
        assert "http://127.0.0.1" in site.stdout.readline()
        site.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("train pairs model", "train"),
        ("evaluate pairs model", "train"),
        ("compare pairs one other", "train"),
        ("colorize color out --model model", "train"),
        ("colorize color out --model model.onnx", "color"),
        ("colorize color out", "color"),
        ("sketchify color out --method learned --weights any", "train"),
        ("sheet color sheet.png --weights any", "train"),
        ("export model model.onnx", "onnx"),
        ("publish pairs ink/pairs", "hub"),
        ("cue color out --on ray", "ray"),
        ("studio", "studio"),
        ("cue color s3://bucket/out", "urls"),
    ],
)
def test_a_command_that_lacks_an_extra_names_it(project, words, extra):
    home, run = project
    done = run(words.split(), home)
    sentence = (
        rf"prep: a package is missing \(.+\): install inkwash\[{extra}\], then run the same command again"
    )
    said = done.said.splitlines()[-1]  # the first tells of params.yaml
    assert (done.code, bool(re.fullmatch(sentence, said))) == (1, True), done.said


def test_onnx_runtime_alone_colors_with_the_model_that_ships(painter, tmp_path):
    (tmp_path / "line.png").write_bytes(png.encode_png(picture(1, 70, 50)[..., :1].repeat(3, axis=2)))
    with nursery(painter) as run:
        done = run(["colorize", "line.png", "out.png"], tmp_path)
    assert done.code == 0, done.said
    assert "by the model that ships with inkwash (wash, onnxruntime" in done.said
    assert codec.decode((tmp_path / "out.png").read_bytes()).shape == (50, 70, 3)
    code = "from importlib.util import find_spec; print(find_spec('torch'), find_spec('safetensors'))"
    assert subprocess.run([painter, "-c", code], capture_output=True, text=True).stdout == "None None\n"


def test_onnx_runtime_alone_colors_in_the_studio(painter, tmp_path):
    command = [painter, "-m", "stages.prep", "studio", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as served:
        page = json.loads(get(served.stdout.readline(), "/api/model")[2])
        served.send_signal(signal.SIGINT)
    assert (served.returncode, page["why"]) == (0, "")
    assert page["model"]["engine"].startswith("onnxruntime")


def test_a_missing_package_that_no_extra_has_is_a_bug():
    assert prep.extra_of(ModuleNotFoundError("No module named 'pipelin'", name="pipelin")) is None


@pytest.mark.slow
def test_a_project_of_the_wheel_makes_the_bytes_of_the_checkout_and_follows_an_upgrade(packages, tmp_path):
    """Its folder and PYTHONPATH have a `pipeline` and `stages` that are not ours."""
    checkout = copy_checkout(tmp_path / "checkout")
    uv, wheels = [sys.executable, "-m", "uv", "--offline", "-q"], tmp_path / "wheels"
    subprocess.run([*uv, "build", "--no-build-isolation", "-o", wheels, checkout], check=True)
    venv.create(tmp_path / "fresh", symlinks=True)
    fresh, (wheel,) = tmp_path / "fresh", wheels.glob("*.whl")
    link_packages(fresh, [package for name, package in packages.items() if name != "inkwash"])
    python = fresh / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "--python", python, "--no-deps", wheel], check=True)

    pictures, cats = paint(tmp_path / "pictures", 12), tmp_path / "cats"
    run(fresh, tmp_path, "prep", "init", "cats", "--host", str(pictures))
    for name in ("pipeline", "stages"):
        (cats / name).mkdir()
        (cats / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    shrink(cats / "params.yaml")
    shutil.copy(cats / "params.yaml", checkout)
    assert run(fresh, cats, *REPRO, path=cats)[0] == "code"
    run(Path(sys.prefix), checkout, *REPRO, path=checkout)
    made = content(cats / "data")
    assert made == content(checkout / "data")
    assert {"pairs/seal.json", "code/pack.txt", "posts.jsonl"} <= made.keys()

    assert run(fresh, cats, *REPRO, path=cats) == ["code"]
    (installed,) = fresh.glob("lib/python*/site-packages/pipeline/operators/cue.py")
    installed.write_text(installed.read_text() + "\nUPGRADED = True\n")
    assert run(fresh, cats, *REPRO, path=cats) == ["code", "cue"]


def copy_checkout(folder):
    """Copy what a wheel is built of, and what DVC needs to run the stages of the checkout."""
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "inkwash.py", "setup.py", "pyproject.toml", "README.md", "LICENSE",
        "dvc.yaml", "params.yaml", "keep.tsv", "drop.tsv",
        ".gitignore", ".dvcignore", ".dvc/config", ".dvc/plots.html",
    ):  # fmt: skip
        files.write(folder / name, (ROOT / name).read_bytes())
    files.write(folder / ".dvc/config.local", b"[core]\n    no_scm = true\n")
    return folder


def shrink(params):
    """Make pictures so small that a run is short, and take all of them."""
    text = params.read_text()
    for line in (
        "score: 0",
        "size: 1",
        "side: 32",
        "smallest: 1",
        "blur: 9.0",
        "tolerance: 100.0",
        "near: 0",
    ):
        text = re.sub(rf"^  {line.partition(':')[0]}: .*", f"  {line}", text, flags=re.MULTILINE)
    params.write_text(text)


def run(home, folder, *command, path=""):
    """Run a command of an environment in a folder, with `path` as PYTHONPATH; list the stages that ran."""
    changed = {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(path)}
    changed |= {"PREP_WORKERS": "2", "DVC_SITE_CACHE_DIR": str(home / "site")}
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT | changed, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall("^Running stage '(.*)'", done.stdout, flags=re.MULTILINE)
