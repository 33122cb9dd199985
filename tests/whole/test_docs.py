"""The documents name commands, options, parameters, files and modules that exist, and examples that work."""

import ast
import dataclasses
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from made import make_columns
from ruamel.yaml import YAML
from typer.main import get_command

from pipeline.fields import Section
from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from stages import manual, prep

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "RESULTS.md"]
WRITTEN = [path for path in DOCUMENTS if path.parent in (ROOT, ROOT / "docs") and path != manual.MANUAL]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
CLASSES = {section.__name__.lower(): section for section in Section.__subclasses__()}
PREP = get_command(prep.app)
COMMANDS = PREP.commands
TARGETS = set(re.findall(r"^([a-z-]+|\.venv):", (ROOT / "Makefile").read_text(), re.MULTILINE))

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LOOP = re.compile(r"for (\w+) in (\w+)[^;]*; do (.*); done")
CELL = re.compile(r"^\| `pipeline/(\w+)/` \|", re.MULTILINE)
ROW = re.compile(r"^\| (`[^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]+(?:\.[a-z_]+)?")
SETTING = re.compile(
    r"(?P<name>(?P<section>\w+)\.(?P<field>(?!py$|json$|safetensors$)\w+))(?:: (?P<value>.+))?"
)
PLACE = re.compile(r"(?:pipeline|stages|tests|benchmarks|docs)/[\w./-]*|metrics/[\w-]+\.(?:png|json|tsv)")


def each(paths):
    """Parametrize a test by documents, named by their places."""
    return pytest.mark.parametrize("path", paths, ids=[path.relative_to(ROOT).as_posix() for path in paths])


def blocks(path, language):
    """List the blocks of code in a language."""
    text = path.read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


def inline(path):
    """List the short pieces of code in the text."""
    return INLINE.findall(BLOCK.sub("", path.read_text(encoding="utf-8")))


def shell(text):
    """Split a shell script into commands, as lists of words; of a loop, only the first round counts."""
    for name, first, body in LOOP.findall(text):
        text = LOOP.sub(body.replace(f"${name}", first), text, count=1)
    text = re.sub(r"\$\w+", "8", text.replace("\\\n", " ")).replace(
        "s3://", ""
    )  # sends no request to a bucket
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        while "&&" in words:
            at = words.index("&&")
            yield words[:at]
            words = words[at + 1 :]
        yield words


def check_command(words, complete=True):
    """Assert that a prep, dvc or make command exists, also if other commands start it."""
    names = ["prep" if word == "inkwash" else word for word in words]
    program = next((word for word in names if word in ("prep", "dvc", "make")), None)
    given = names[names.index(program) + 1 :] if program else []
    if program == "make":
        assert set(given) <= TARGETS, words
    if program == "dvc":
        check_dvc(given, complete)
    if program == "prep" and given and given[0].startswith("-"):
        assert set(given) <= {option for parameter in PREP.params for option in parameter.opts} | {"--help"}
    elif program == "prep" and given and not given[0].isupper():
        check_prep(*given, complete=complete)


def check_dvc(given, complete):
    """Assert that DVC can parse a command, and that its parameters exist and are within bounds."""
    parsed = get_main_parser().parse_args(given) if complete or len(given) > 1 else None
    for setting in getattr(parsed, "set_param", None) or []:
        check_setting(*setting.split("=", 1))


def check_setting(name, text):
    """Assert that params.yaml has a parameter of this name, and that the value is allowed."""
    section, *sketch, field = name.split(".")
    values = PARAMS[section][sketch[0]] if sketch else PARAMS[section]
    assert field in values, name
    value = YAML(typ="safe").load(text)
    CLASSES["sketch" if sketch else section](**values | {field: "" if value is None else value})


def check_prep(name, *given, complete):
    """Assert that a prep command takes these arguments, and that its parameters are within bounds."""
    command = COMMANDS[name]
    if not complete or "--help" in given:
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in given if word.startswith("--")} <= options, (name, given)
        return
    values = command.make_context(name, list(given)).params
    for section in CLASSES.values():
        names = [field.name for field in dataclasses.fields(section)]
        if set(names) <= set(values):
            section(**{name: values[name] for name in names})


@each(WRITTEN)
def test_every_command_in_an_example_can_be_parsed_and_has_valid_parameters(path):
    for script in blocks(path, "sh"):
        for words in shell(script):
            check_command(words)


@each(WRITTEN)
def test_every_command_in_the_text_exists_with_its_options(path):
    for code in inline(path):
        if code.startswith(("prep ", "dvc ", "make ")):
            check_command(shlex.split(code), complete=False)
        if code.startswith("-S "):
            check_dvc(["exp", "run", *shlex.split(code)], complete=True)


@each(WRITTEN)
def test_every_parameter_in_the_text_exists_and_may_have_its_value(path):
    for code in inline(path):
        found = SETTING.fullmatch(code)
        if found and found["section"] in PARAMS and found["value"]:
            check_setting(found["name"], found["value"])
        elif found and found["section"] in PARAMS:
            assert found["field"] in PARAMS[found["section"]], code


@pytest.mark.parametrize(
    ("script", "valid"),
    [
        ("prep sketchify a b --blocksize 7", True),
        ("prep sketchify a b --blocksize 6", False),
        ("prep sketchify a", False),
        ("uv run prep cuee a b", False),
        ("A=1 srun python -m inkwash train a b --bogus", False),
        ("dvc exp run -S cue.sigma=9 && dvc repro", True),
        ("dvc exp run -S cue.sigma=9 && dvc reprise", False),
        ("dvc exp run -S cue.sigmas=9", False),
        ("dvc exp run -S sketches.b7.blocksize=4", False),
        ("for x in pix2pix mask; do dvc exp run -S model.system=$x; done", True),
        ("for x in pix3pix mask; do dvc exp run -S model.system=$x; done", False),
        ("prep --versions", False),
        ("make everything", False),
    ],
)
def test_a_wrong_command_is_found(script, valid):
    assert is_valid(script) == valid


def is_valid(script):
    """Return whether every command of a script passes the check."""
    try:
        for words in shell(script):
            check_command(words)
    except (AssertionError, KeyError, ValueError, typer.TyperException, DvcParserError):
        return False
    return True


def anchors(path):
    """List the anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(BLOCK.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each(DOCUMENTS)
def test_every_relative_link_and_image_leads_to_a_file_and_a_heading(path):
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            place, _, anchor = link.partition("#")
            target = path.parent / place if place else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@each(WRITTEN)
def test_every_path_of_the_project_exists(path):
    for code in inline(path):
        if PLACE.fullmatch(code):
            assert (ROOT / code).exists(), code


def test_the_map_has_one_line_for_each_room_and_names_their_files():
    rooms = {path.parent.name for path in (ROOT / "pipeline").glob("*/*.py")}
    assert sorted(CELL.findall(README)) == sorted(rooms)
    for line in README.splitlines():
        if room := CELL.match(line):
            for name in re.findall(r"`(\w+\.py)`", line):
                assert (ROOT / "pipeline" / room[1] / name).is_file(), line


def test_every_name_in_a_guide_to_a_change_is_in_the_file_to_change():
    for cell, change in ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        files = [ROOT / place for place in INLINE.findall(cell) if (ROOT / place).is_file()]
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        for name in INLINE.findall(change):
            if files and NAME.fullmatch(name):
                assert re.search(rf"\b{name.split('.')[-1]}\b", text), f"{cell}: {name}"


def test_the_table_of_stages_has_every_stage():
    for name in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]:
        assert f"\n| {name} | " in README


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Pack a few samples to data/pairs."""
    home = tmp_path_factory.mktemp("project")
    keys = [f"{number:09d}" for number in range(1, 13)]
    columns = make_columns(home / "columns", keys, "color", "cue", "reference", "sketch-b7")
    pack_columns(columns, home / "data" / "pairs", Pack(val=20.0, test=20.0))
    return home


SNIPPETS = [(path, code) for path in WRITTEN for code in blocks(path, "python")]


@pytest.mark.parametrize(("path", "code"), SNIPPETS, ids=lambda given: getattr(given, "name", ""))
def test_every_python_snippet_runs(path, code, project):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            assert find_spec(node.module), f"{path}: {node.module}"
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_manual_is_what_the_commands_say():
    assert manual.MANUAL.read_text(encoding="utf-8") == manual.manual(), "stale: run `make docs`"


def test_the_manual_does_not_depend_on_terminal_cores_or_settings():
    code = (
        "import os; os.cpu_count = lambda: 77\n"
        "from stages import manual\n"
        "assert manual.manual() == manual.MANUAL.read_text(encoding='utf-8')"
    )
    environment = {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "40",
        "PREP_WORKERS": "5",
        "PREP_CACHE": "/c",
        "PATH": "",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_the_manual_has_every_option_of_every_command():
    text = manual.MANUAL.read_text(encoding="utf-8")
    for name, command in COMMANDS.items():
        section = text.partition(f"\n## prep {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            head = parameter.metavar if parameter.opts[0] == "names" else parameter.opts[0]
            assert f"\n- `{head}" in section, f"{name} {parameter.name}"


def test_every_environment_variable_of_the_code_is_documented_and_no_other():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    files = [path for folder in ("pipeline", "stages") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    ours = set(re.findall(r"\bPREP_[A-Z]+(?:_[A-Z]+)*\b", code))
    read = set(re.findall(r"""environ(?:\.\w+)?[\[(]["']([A-Z_]+)["']""", code))
    documented = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text))
    assert ours | read <= documented
    assert {name for path in WRITTEN for name in re.findall(r"\bPREP_[A-Z_]+\b", path.read_text())} <= ours


def test_every_dependency_has_its_reason_and_every_extra_exists():
    extras = PYPROJECT["optional-dependencies"]
    wanted = [*PYPROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]
    decisions = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    given = {
        name
        for cell in re.findall(r"^\|(?: `.*?` \|)? ([^|]+) \|", decisions, re.MULTILINE)
        for name in cell.split(", ")
    }
    names = {re.match(r"[\w.-]+", line)[0] for line in wanted} - {"inkwash"}
    assert names <= given | {"dvc"}, names - given
    for path in WRITTEN:
        for name in re.findall(r"inkwash\[(\w+)\]", path.read_text(encoding="utf-8")):
            assert name in extras, f"{path}: {name}"


def test_the_readme_is_short_and_lines_can_be_read():
    assert len(README.splitlines()) <= 160
    for path in WRITTEN:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert len(line) <= 120 or line.startswith("|"), f"{path}: {line}"


def test_the_citation_names_the_version_and_the_license_of_the_project():
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (PYPROJECT["version"], PYPROJECT["license"])
    assert f"## [{PYPROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
