"""The data side and coloring run without the packages of training; what lacks an extra names it."""

import re
import shutil
import signal
import subprocess
import tomllib
import venv
from importlib.metadata import distribution

import pytest
from made import picture
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from project import ENVIRONMENT, ROOT, nursery, standing

from pipeline import files
from pipeline.evaluation.summary import to_parquet
from pipeline.images import codec, png
from pipeline.params import Sketch
from stages import prep

METHODS = Sketch.__dataclass_fields__["method"].metadata["names"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"universal-pathlib": "upath"}  # packages that are imported under another name
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
    """Make an environment of the extra `color`; return its Python."""
    packages = closure([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["color"]])
    return link_environment(tmp_path_factory.mktemp("color"), packages)


def link_environment(home, packages) -> str:
    """Make an environment by links to the installed packages; return its Python."""
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    for package in (*packages.values(), distribution("inkwash")):
        for top in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(package.locate_file(top))
    return str(home / "bin" / "python")


@pytest.fixture(scope="module")
def project(python, tmp_path_factory):
    """Run all stages up to pack in it; yield their folder, and the function that runs a command there."""
    home = tmp_path_factory.mktemp("project")
    with nursery(python) as run, standing(home, 12, run):
        words = ["pack", "color", "sketch", "cue", "reference", "pairs", "--metrics", "metrics/pack.json"]
        done = run(words, home)
        assert done.code == 0, done.said
        shutil.copy(ROOT / "params.yaml", home)
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
        ("cue color out --on ray", "ray"),
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


def test_a_missing_package_that_no_extra_has_is_a_bug():
    assert prep.extra_of(ModuleNotFoundError("No module named 'pipelin'", name="pipelin")) is None
