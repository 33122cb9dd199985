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
