"""Every command explains itself and its options."""

import dataclasses
import subprocess
import sys
from importlib.metadata import version

import pytest
from made import run_prep
from typer.testing import CliRunner

from pipeline.params import Sketch
from stages import prep

pytestmark = pytest.mark.usefixtures("elsewhere")


def commands():
    """List the names of all commands."""
    return [name for names in prep.COMMANDS.values() for name in names]


@pytest.mark.parametrize("name", commands())
def test_every_command_and_every_option_has_help(name):
    from typer.main import get_command

    command = get_command(prep.app).commands[name]
    assert command.help.partition("\n\n")[0].endswith(".")
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name}"


def modules_after(*arguments):
    """Return what prep prints, and the names of the modules that it imported."""
    code = (
        f"import sys; sys.argv = ['prep', *{arguments}]\n"
        "from stages.prep import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split())


def test_help_describes_every_command_in_the_words_of_the_command_and_imports_none():
    text, modules = modules_after("--help")
    lines = [line.strip("│ ").partition(" ") for line in text.splitlines()]
    described = {name: words.strip() for name, _, words in lines}
    for name in commands():
        first = prep.load_command(name).help.split(". ")[0].split("\n")[0].removesuffix(".")
        assert described[name].split(" ")[:3] == first.split(" ")[:3]
    assert not modules & {"torch", "dvc", "numpy", "cv2", "PIL"}
    assert {name for name in modules if name.startswith("stages.")} == {"stages.prep", "stages.arguments"}


@pytest.mark.parametrize("name", ["search", "fetch", "code", "train", "ls"])
def test_a_command_imports_no_other(name):
    _, modules = modules_after(name, "--help")
    assert f"stages.{name}" in modules
    assert not modules & {f"stages.{other}" for other in commands() if other != name}


def test_the_version_is_that_of_the_package(capsys):
    assert run_prep(capsys, "--version") == (0, f"inkwash {version('inkwash')}\n", "")


def test_every_parameter_is_an_option_with_its_rule_in_the_help():
    text = CliRunner().invoke(prep.app, ["sketchify", "--help"], env={"COLUMNS": "200"}).output
    for field in dataclasses.fields(Sketch):
        assert f"--{field.name}" in text
    assert "an odd integer from 3 to 255" in text
