"""An option accepts what its field accepts: a number, or a range where a range is allowed."""

import inspect
import shlex
from pathlib import Path

import pytest
import typer
from dvc.parsing.interpolate import to_str
from made import run_prep
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline import params as parameters
from pipeline.params import Cue, Reference, Sketch
from stages.options import unfold, unread_fields

ROOT = Path(__file__).parent.parent.parent
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
SECTIONS = [name for name in PARAMS if name != "sketches"] + [
    f"sketches {name}" for name in PARAMS["sketches"]
]
pytestmark = pytest.mark.usefixtures("elsewhere")


def parse(*arguments, kind=Sketch):
    """Run a command that takes parameters of a class; return its exit code and the parameters."""
    taken = []

    @unfold
    def command(given: kind, dest: Path = Path("out")) -> None:
        """Take parameters."""
        taken.append(given)

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

    others = {"context", "params", "entry"}
    assert set(inspect.signature(command).parameters) == {*Sketch.__dataclass_fields__, *others}


def check_same(kind, section, entry=()):
    """Check that a section of a file arrives as the text does that DVC makes of it."""
    by_dvc = parse(*shlex.split(to_str(section)), "--params", "none", kind=kind)
    by_file = parse("--params", "all.yaml", *entry, kind=kind)
    assert by_file == by_dvc
    assert (by_file[0], repr(by_file[1])) == (
        0,
        repr(by_dvc[1]),
    )  # 6 and 6.0 are other bytes of a fingerprint


@pytest.mark.parametrize("name", SECTIONS)
def test_a_file_of_parameters_arrives_as_dvc_passes_it(name):
    section, _, entry = name.partition(" ")
    Path("all.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    if entry:
        check_same(Sketch, PARAMS[section][entry], ["--entry", entry])
    else:
        check_same(getattr(parameters, section.capitalize()), PARAMS[section])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (parameters.Search, "{since: 2024-05-31, tags: 1234, forget: 5, ratio: 3}"),
        (parameters.Train, "{precision: 32, lr: 2e-3, ema: 0, vgg: none}"),
        (Sketch, "{sigma: .8..1.2, c: -3..-1, blocksize: 3..9, phi: 1e9, seed: '4'}"),
        (parameters.Clean, "{}"),
    ],
)
def test_numbers_days_and_ranges_of_a_yaml_file_arrive_as_dvc_passes_them(kind, text):
    entry = kind is Sketch
    Path("all.yaml").write_text(f"sketches: {{out: {text}}}" if entry else f"{kind.__name__.lower()}: {text}")
    check_same(kind, YAML(typ="safe").load(text))


def test_a_parameter_comes_from_the_line_then_from_the_file_and_then_from_the_class(capsys, drawing):
    Path("params.yaml").write_text("cue: {method: points, size: 5, drop: ~}\nsketches: {b9: {blocksize: 9}}")
    for words, said in (
        ("cue girl.png a", "cue: parameters from params.yaml\n"),
        ("cue girl.png b --seed 2 --size 7", "cue: parameters from params.yaml, size, seed from the line\n"),
        ("cue girl.png c --method points --size 5 --params none", ""),
        ("sketchify girl.png b9", "sketchify: parameters from params.yaml (b9)\n"),
        ("sketchify girl.png d --entry b9 --c 3", "sketchify: parameters from params.yaml (b9), c from the "
         "line\n"),
        ("sketchify girl.png e", "sketchify: params.yaml has no sketch e, so the defaults stand (--entry: "
         "b9)\n"),
        ("sketchify girl.png f --blocksize 9 --params none", ""),
        ("sketchify girl.png b9/g --blocksize 9 --c 2 --params other.yaml", ""),
    ):  # fmt: skip
        Path("other.yaml").write_text("search: {}")
        code, _, err = run_prep(capsys, *words.split())
        assert (code, err) == (0, said)
    made = {path.parent.name: path.read_bytes() for path in Path().glob("*/girl.png")}
    assert made["a"] == made["c"] != made["b"]
    assert made["b9"] == made["f"] != made["e"]


@pytest.mark.parametrize(
    ("text", "words", "code", "said"),
    [
        ("cue: [1", "cue girl.png out", 1, "params.yaml cannot be read as YAML"),
        ("cue: {sizes: 3}", "cue girl.png out", 2, "params.yaml, section cue: the parameters of cue must be"),
        ("cue: {size: -1}", "cue girl.png out --size 3", 2, "section cue: size must be an integer from 1"),
        ("cue: 3", "cue girl.png out", 2, "params.yaml, section cue: the parameters of cue must be"),
        ("cue: {size: 3}", "cue girl.png out --params my.yaml", 1, "my.yaml is missing: name"),
        ("sketches: {b7: {}}", "sketchify girl.png out --entry b", 2, "of params.yaml (b7), got 'b'"),
        ("search: {host: 5, tag: x}", "fetch p.jsonl out", 2, "the parameters of search must be some of"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_parameters_stops_a_command_with_one_sentence(
    capsys, drawing, text, words, code, said
):
    Path("params.yaml").write_text(text)
    found, _, err = run_prep(capsys, *words.split())
    assert (found, said in err, err.count("\n")) == (code, True, 1), err
    assert not Path("out").exists()


def test_fetch_takes_the_host_of_the_search_and_plan_follows_both_sections(capsys, drawing):
    Path("params.yaml").write_text("search: {host: pics, size: 1}\nfetch: {shard: 3}")
    Path("pics").mkdir()
    drawing.rename("pics/girl.png")
    assert run_prep(capsys, "search", "posts.jsonl")[0] == 0
    assert run_prep(capsys, "fetch", "posts.jsonl", "out")[:2] == (0, "fetch: 1 of 1 written to out\n")
    code, out, err = run_prep(capsys, "plan", "--shard", "2")
    assert (code, out) == (0, "plan: no requests; 1 files on this machine\n")
    assert err == "plan: parameters from params.yaml, shard from the line\n"
