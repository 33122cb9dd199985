"""An option accepts what its field accepts: a number, or a range where a range is allowed."""

import inspect

import pytest
import typer
from typer.testing import CliRunner

from pipeline.params import Cue, Reference, Sketch
from stages.options import unfold, unread_fields


def parse(*arguments):
    """Run a command that takes the parameters of a sketch; return its exit code and the parameters."""
    taken = []

    @unfold
    def command(sketch: Sketch) -> None:
        """Take a sketch."""
        taken.append(sketch)

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    return CliRunner().invoke(app, arguments).exit_code, *taken


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), {}),
        (("--sigma", "1", "--blocksize", "9"), {"sigma": 1.0, "blocksize": 9}),
        (("--sigma", ".8..1.2", "--blocksize", "3..9"), {"sigma": ".8..1.2", "blocksize": "3..9"}),
        (("--c", "-3..-1", "--weight", "-1", "--phi", "1e9"), {"c": "-3..-1", "weight": -1, "phi": 1e9}),
    ],
)
def test_numbers_arrive_as_numbers_and_ranges_as_text(arguments, given):
    code, sketch = parse(*arguments)
    assert (code, sketch) == (0, Sketch(**given))
    assert all(type(getattr(sketch, name)) is type(value) for name, value in given.items())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sigma", "one"),
        ("--sigma", "2..1"),
        ("--blocksize", "7.5"),
        ("--blocksize", "4"),
        ("--seed", "1..2"),
    ],
)
def test_any_other_text_is_a_usage_error(arguments):
    assert parse(*arguments) == (2,)


@pytest.mark.parametrize(
    ("params", "unread"),
    [
        (Sketch(), []),
        (Sketch(blocksize=9, gray=5.0, noise=3.0), []),
        (Sketch(method="canny", blocksize=9, c=3.0, edge=50.0), ["blocksize", "c"]),
        (Sketch(method="mean", blocksize=9, tau=0.1, weights="w.pth"), ["tau", "weights"]),
        (Sketch(preset="a-05", thin=1), []),
        (Cue(method="points", sigma=5.0, size=3, drop=0.5, seed=1), ["sigma"]),
        (Reference(strength=0.5), []),
    ],
)
def test_a_parameter_that_the_method_does_not_read_is_named(params, unread):
    assert unread_fields(params) == unread


def test_the_signature_has_one_option_per_field():
    @unfold
    def command(sketch: Sketch) -> None:
        """Take a sketch."""

    assert set(inspect.signature(command).parameters) == set(Sketch.__dataclass_fields__)
