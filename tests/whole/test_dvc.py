"""Stages, commands, parameters and lists of code agree."""

import dataclasses
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from dvc.parsing import DataResolver
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.fields import Section, parse_range
from pipeline.params import Sketch
from stages import prep
from stages.code import deciding

ROOT = Path(__file__).parent.parent.parent
DVC = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
STAGES = {name: stage.get("do", stage) for name, stage in DVC.items()}
CLASSES = {section.__name__.lower(): section for section in Section.__subclasses__()}
SECTIONS = {"train": ["model", "train"], "sketchify": ["sketches.${key}"], "fetch": ["search.host", "fetch"]}
ON_CARD = ["search", "fetch", "clean", "sketches", "cue", "reference"]  # shown by the dataset card
SECTIONS |= {"pack": [*ON_CARD, "pack"], "code": ["search.host", "sketches", "model.system"]}


def test_every_stage_is_a_command_and_every_command_of_the_pipeline_a_stage():
    assert list(STAGES) == prep.STAGES
    for name, stage in STAGES.items():
        assert stage["cmd"].startswith(f"prep {name} ")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_tracks_the_sections_that_its_command_is_given(name):
    assert STAGES[name]["params"] == SECTIONS.get(name, [name])
    for section in STAGES[name]["params"]:
        if name != "code" and (name != "pack" or section not in ON_CARD) and section != "search.host":
            assert "${item}" in STAGES[name]["cmd"] or f"${{{section}}}" in STAGES[name]["cmd"]


@pytest.mark.parametrize("section", [section for section in PARAMS if section != "sketches"])
def test_a_section_gives_every_field_of_its_class(section):
    """The code would decide a missing field, and DVC would not track its value."""
    assert list(PARAMS[section]) == [field.name for field in dataclasses.fields(CLASSES[section])]
    CLASSES[section](**PARAMS[section])


def reads(sketch):
    """Return the fields that a sketch must give: method or preset, what they read, and what differs."""
    fields = {field.name: field for field in dataclasses.fields(sketch)}
    given = {name for name, field in fields.items() if getattr(sketch, name) != field.default}
    if sketch.preset == "none":
        given |= {"method", *(n for n, f in fields.items() if sketch.method in f.metadata.get("methods", ()))}
    chance = any(parse_range(fields[name], getattr(sketch, name)) for name in given if is_text(sketch, name))
    return given | ({"seed"} if chance or sketch.noise else set())


def is_text(sketch, name):
    """Return whether a field is text, which may be a range, and not a number."""
    return isinstance(getattr(sketch, name), str)


@pytest.mark.parametrize("name", PARAMS["sketches"])
def test_a_sketch_gives_the_fields_that_its_method_reads(name):
    assert set(PARAMS["sketches"][name]) == reads(Sketch(**PARAMS["sketches"][name]))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"method": "xdog-a"}, {"method", "sigma", "k", "gamma", "eps", "phi"}),
        ({"method": "threshold", "c": "1..3", "weight": 1}, {"method", "blocksize", "c", "weight", "seed"}),
        ({"preset": "a-08", "noise": 3.0}, {"preset", "noise", "seed"}),
        ({"method": "own"}, {"method"}),
        ({"method": "learned", "weights": "netG.pth"}, {"method", "weights"}),
    ],
)
def test_a_sketch_must_give_what_decides_it_and_nothing_else(given, names):
    assert reads(Sketch(**given)) == names


def test_no_class_is_without_its_section():
    assert set(CLASSES) - {"sketch"} == set(PARAMS) - {"sketches"}


@pytest.mark.parametrize("name", [name for name in STAGES if name != "code"])
def test_a_stage_depends_on_the_list_of_the_code_that_decides_it(name):
    listed = f"data/code/{name}-${{key}}.txt" if name == "sketchify" else f"data/code/{name}.txt"
    assert listed in STAGES[name]["deps"]
    assert {Path(listed).stem.replace("${key}", key) for key in PARAMS["sketches"]} <= set(deciding(PARAMS))


def test_clean_depends_on_the_lists_that_its_parameters_name_and_they_begin_empty():
    for name in ("keep", "drop"):
        assert f"${{clean.{name}}}" in STAGES["clean"]["deps"]
        lines = (ROOT / PARAMS["clean"][name]).read_text().splitlines()
        assert [line for line in lines if not line.startswith("#")] == []


def test_the_lists_of_code_follow_the_parameters_that_name_modules():
    read = [param.partition(".")[0] for param in STAGES["code"]["params"]]
    assert {"search", "sketches", "model"} == set(read)
    other = PARAMS | {"search": {"host": "pictures"}, "model": {"system": "scft"}}
    other["sketches"] = {"far": {"method": "learned", "weights": "netG.pth"}}
    assert "stages.sample" in deciding(PARAMS)["search"]
    assert "stages.sample" not in deciding(other)["search"]
    assert "pipeline.systems.scft" in deciding(other)["train"]
    assert "pipeline.operators.anime2sketch" in deciding(other)["sketchify-far"]
    assert "pipeline.operators.anime2sketch" not in deciding(PARAMS)["sketchify-b7"]


def test_every_artifact_is_an_output_of_a_stage():
    artifacts = YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    outputs = [out for stage in STAGES.values() for out in stage["outs"]]
    assert all(artifact["path"] in outputs for artifact in artifacts.values())
    assert {artifact["type"] for artifact in artifacts.values()} == {"dataset", "model"}


HOSTS = ["/pictures of mine", "/it's", "/a;touch broken", '/"$(touch broken)"', "/`x`"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_value_with_any_characters_is_one_word_of_the_command(host, tmp_path):
    """DVC quotes the values of a section; no value stands alone in a command."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["search"]["host"] = host
    yaml.dump(params, tmp_path / "params.yaml")
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")
    resolver = DataResolver(Repo.init(tmp_path, no_scm=True), str(tmp_path), stages)
    command = shlex.split(resolver.resolve_one("search")["search"]["cmd"])
    assert command[command.index("--host") + 1] == host


@pytest.mark.parametrize("name", STAGES)
def test_no_bare_value_stands_in_a_command(name):
    sections = {"${item}", *(f"${{{section}}}" for section in PARAMS if section != "sketches")}
    for word in shlex.split(STAGES[name]["cmd"], posix=False):
        assert "${" not in word or word in sections or (word.startswith('"') and word.endswith('"'))


def test_the_name_of_a_sketch_is_plain():
    with pytest.raises(typer.BadParameter, match="the name of a sketch must be"):
        deciding(PARAMS | {"sketches": {"a;b": {}}})


def test_no_stage_depends_on_a_setting_of_the_machine():
    text = (ROOT / "dvc.yaml").read_text() + (ROOT / "params.yaml").read_text()
    for option in ("workers", "device", "cache:", "--cache", "PREP_"):
        assert option not in text.replace("cache: false", "")


def test_the_page_of_plots_may_load_nothing_from_elsewhere():
    """Its content security policy allows no source but the page itself and the pictures beside it."""
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.feed((ROOT / ".dvc" / "plots.html").read_text(encoding="utf-8"))
    [policy] = [given["content"] for tag, given in tags if tag == "meta" and "content" in given]
    first, *others = (rule.split() for rule in policy.split(";"))
    assert first == ["default-src", "'none'"]
    local = {"'self'", "'unsafe-inline'", "'unsafe-eval'", "file:", "data:", "blob:"}
    assert {source for _, *sources in others for source in sources} <= local
    assert not [tag for tag, given in tags if {"src", "href"} & given.keys()]
    assert [given["id"].rpartition("-")[0] for tag, given in tags if "id" in given] == [
        "vega", "vega-lite", "vega-embed"
    ]  # fmt: skip


def test_telemetry_is_off_and_switches_and_lists_can_be_passed():
    config = (ROOT / ".dvc" / "config").read_text()
    for line in ("analytics = false", "bool = boolean_optional", "list = append"):
        assert line in config
