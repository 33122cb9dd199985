"""Sketches of one picture: the bytes of prep sketchify, the controls of the page, and its YAML."""

import json
import struct
import zlib
from dataclasses import asdict, fields

import numpy as np
import pytest
from made import make_column, picture, run_prep
from node import call, call_each, needs_node
from serving import HELD, is_sentence

from pipeline import files
from pipeline.fields import parse_section
from pipeline.images import codec, png
from pipeline.operators.clean import PixelParams, make_color
from pipeline.operators.sketch import PRESETS, make_sketch
from pipeline.params import LOCAL_METHODS, Sketch
from pipeline.shards.column import find_sample
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.studio import sketching
from stages.arguments import read_params

ENTRIES = {  # as params.yaml has them
    "b7": {"method": "threshold", "blocksize": 7, "c": 2.0},
    "drawn": {"method": "mean", "blocksize": "5..15", "c": "1..4", "seed": 3},
    "form-a": {"preset": "a-05", "blur": "0..0.5"},
    "edges": {"method": "canny", "sigma": 1.2, "edge": 90, "weight": 1},
    "soft": {"method": "pencil", "dodge": 3.5, "noise": 4.0, "seed": 8},
    "hatched": {"method": "dog", "tau": 0.02, "hatch": 6, "gray": 40.0, "thin": 1},
}
LEARNED = {"method": "learned", "weights": "we \"ights'/netG.pth", "sha256": "0" * 64}
KEY = "000000003"


@pytest.fixture
def project(tmp_path):
    """Write a project with a column of colors and the sketches of ENTRIES; return its folder."""
    home = tmp_path / "project"
    make_column(home / "data" / "color", [f"{number:09d}" for number in range(1, 6)])
    document = {"clean": {"side": 32, "crop": "top"}, "sketches": ENTRIES | {"net": LEARNED}}
    (home / "params.yaml").write_text(json.dumps(document), encoding="utf-8")
    return home


def draw(client, sketch, body=None, **given):
    """Ask for a sketch; return status, content, and the facts that the header tells."""
    words = {"sketch": json.dumps(sketch)} | given
    answer = client.post("/api/sketch", params=words, content=body, headers=HELD)
    return answer.status_code, answer.content, json.loads(answer.headers.get(sketching.FACTS, "{}"))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_sketch_has_the_bytes_that_prep_sketchify_writes(project, client, capsys, name):
    out, params = project / "out" / name, project / "params.yaml"
    words = ("--params", params, "--workers", 1, "--cache", project / ".prep")
    assert run_prep(capsys, "sketchify", project / "data" / "color", out, *words)[0] == 0
    shard, row = find_sample(out, KEY)
    [expected] = shard.read([row])
    status, drawn, facts = draw(client, ENTRIES[name], column="color", key=KEY)
    assert (status, drawn) == (200, expected.members["png"])
    assert facts["complexity"] == expected.metadata["complexity"]
    assert (facts["width"], facts["height"]) == (64, 64)
    ranged = [field for field, value in ENTRIES[name].items() if ".." in str(value)]
    assert facts["drawn"] == {field: expected.metadata[field] for field in ranged}


def test_a_picture_from_outside_is_drawn_as_a_file_of_its_name(project, client, capsys):
    file, out = project / "girl.png", project / "out.png"
    files.write(file, png.encode_png(picture(5, 90, 60)))
    words = ("--params", project / "params.yaml", "--entry", "drawn", "--cache", project / ".prep")
    assert run_prep(capsys, "sketchify", file, out, *words)[0] == 0
    status, drawn, _ = draw(client, ENTRIES["drawn"], file.read_bytes(), key="girl")
    assert (status, drawn) == (200, out.read_bytes())


def test_a_picture_from_outside_can_be_drawn_as_the_square_that_clean_makes_of_it(client):
    data = png.encode_png(picture(6, 90, 140))
    square = make_color(data, "girl", PixelParams(32, "top", "7")).picture
    expected = make_sketch(png.encode_png(square), "girl", Sketch())
    status, drawn, facts = draw(client, {}, data, key="girl", square="1")
    assert (status, facts["width"], facts["height"]) == (200, 32, 32)
    assert (codec.decode(drawn)[..., 0] == expected.picture).all()


def test_the_artists_own_sketch_comes_with_its_picture_and_else_a_sentence(project, client):
    own, color = png.encode_png(picture(1)[..., 0]), png.encode_png(picture(2))
    samples = [
        Sample("with", {"png": color, "sketch.png": own}), Sample("without", {"png": color}),
        Sample("packed", {"cue.png": color, "color.png": color, "sketch-own.png": own}),
    ]  # fmt: skip
    folder = project / "data" / "pairs"
    seal_column(folder, [write_shard(folder / "000000.tar", samples)], 3, {})
    for key in ("with", "packed"):
        status, drawn, _ = draw(client, {"method": "own"}, column="pairs", key=key)
        assert status == 200
        assert (codec.decode(drawn)[..., 0] == picture(1)[..., 0]).all()
    status, drawn, _ = draw(client, {"method": "own"}, column="pairs", key="without")
    assert status == 422
    assert b"no sketch" in drawn


def test_the_page_learns_every_rule_the_presets_and_the_entries(client):
    found = client.get("/api/sketch").json()
    controls = {control["name"]: control for control in found["controls"]}
    assert controls.keys() | {"weights", "sha256"} == {field.name for field in fields(Sketch)}
    assert controls["blocksize"] == {
        "name": "blocksize", "kind": "integer", "default": 7, "low": 3, "high": 255, "odd": True,
        "range": True, "methods": list(LOCAL_METHODS), "help": "Side of the neighborhood, in pixels.",
    }  # fmt: skip
    assert controls["seed"]["high"] is None
    assert controls["thin"]["methods"] == []
    assert found["presets"] == PRESETS
    assert found["side"] == 32
    assert {entry["name"]: entry["sketch"] for entry in found["entries"]} == {
        name: asdict(parse_section(Sketch, given)) for name, given in (ENTRIES | {"net": LEARNED}).items()
    }


def test_a_broken_entry_says_what_is_wrong_and_the_others_stay(project, client):
    document = {"sketches": {"b8": {"blocksize": 8}, "bad": ["c"], "b7": None}}
    (project / "params.yaml").write_text(json.dumps(document), encoding="utf-8")
    first, second, third = client.get("/api/sketch").json()["entries"]
    assert first["fault"] == (
        "params.yaml, sketch b8: blocksize must be an odd integer from 3 to 255, or a range LOW..HIGH, got 8"
    )
    assert "sketch bad: the parameters of sketch must be some of method," in second["fault"]
    assert third["sketch"] == asdict(Sketch())


def huge_png(width, height):
    """Return a PNG that says it is that large, and has hardly any bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        png.PNG_SIGNATURE
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("sides", [(10_000, 10_000), (25_000_001, 1), (60_000, 60_000)])
@pytest.mark.parametrize("square", ["", "1"])
def test_a_picture_that_is_too_large_is_refused_by_its_header(client, monkeypatch, sides, square):
    monkeypatch.setattr(codec, "decode", None)
    status, answer, _ = draw(client, {}, huge_png(*sides), square=square)
    assert status == 422
    assert is_sentence(answer)
    assert b"25,000,000 at most" in answer or b"too large" in answer


@pytest.mark.parametrize(
    ("sketch", "sentence"),
    [
        ("{}", "the parameters must be names and values"),
        ({"blocksize": 8}, "blocksize must be an odd integer from 3 to 255, or a range LOW..HIGH, got 8"),
        ({"blocksize": "9..5"}, "blocksize must be an odd integer"),
        ({"method": "magic"}, "method must be one of threshold,"),
        ({"bloksize": 7}, "the parameters of sketch must be some of method,"),
        ({"c": [1]}, "c must be a number"),
        ({"sigma": 1e999}, "sigma must be a number"),
        ({"preset": "a-05", "k": 2}, "k must be left to the preset a-05"),
        (LEARNED | {"weights": "/etc/passwd"}, "the weights must be those of an entry of params.yaml"),
        ({"method": "learned", "weights": "../netG.pth"}, "the weights must be those of an entry"),
    ],
)
def test_wrong_parameters_are_a_sentence(client, sketch, sentence):
    status, answer, _ = draw(client, sketch, column="color", key=KEY)
    assert status == 400
    assert is_sentence(answer)
    assert json.loads(answer)["error"].startswith(sentence)


@pytest.mark.parametrize(
    ("body", "given", "status"),
    [
        (b"no picture", {}, 422), (b"", {}, 404), (b"", {"column": "color", "key": "x"}, 404),
        (b"", {"column": "../color", "key": KEY}, 404),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_a_sentence(client, body, given, status):
    answer = draw(client, {}, body, **given)
    assert answer[0] == status
    assert is_sentence(answer[1])


def test_weights_of_an_entry_are_looked_for_in_the_project(studio):
    params = read_params(studio.params)
    found = sketching.find_weights(studio, parse_section(Sketch, LEARNED), params)
    assert found.weights == str(studio.home / LEARNED["weights"])


def test_only_who_has_the_token_can_draw(client):
    assert (
        client.post("/api/sketch", params={"sketch": "{}", "column": "color", "key": KEY}).status_code == 403
    )


# ---------------------------------------------------------------- the parameters on the page

MODULE = "sketchparams.js"


def some_sketches():
    """Yield parameters of all kinds: every method, presets, ranges, odd numbers, and the pen."""
    yield from ENTRIES.values()
    yield LEARNED
    for method in ("mean", "xdog-a", "xdog-p", "dog", "own"):
        yield {"method": method}
    yield {"preset": "p19-04", "noise": "0..2.5", "seed": 4}
    yield {"method": "xdog-a", "phi": 1e12, "eps": -0.0000003, "gamma": ".9..1", "sigma": "0.3..1"}
    yield {"method": "threshold", "c": -255, "blocksize": "3..255", "weight": "-2..1", "hatch": "0..3"}


@needs_node
def test_the_yaml_of_the_page_is_read_as_the_same_sketch(tmp_path):
    controls, sketches = sketching.list_controls(), [parse_section(Sketch, each) for each in some_sketches()]
    values = [asdict(sketch) for sketch in sketches]
    made = call_each(MODULE, "entryOf", [[each, controls] for each in values])
    assert [sketching.parse_sketch(json.dumps(entry)) for entry in made] == sketches
    texts = call_each(MODULE, "entryYaml", [[f"mine-{n}", entry, controls] for n, entry in enumerate(made)])
    (tmp_path / "params.yaml").write_text("sketches:\n" + "".join(texts))
    entries = read_params(tmp_path / "params.yaml")["sketches"]
    assert [parse_section(Sketch, given) for given in entries.values()] == sketches


@needs_node
def test_prep_sketchify_takes_the_entry_that_the_page_writes(project, client, capsys):
    given = {"method": "xdog-p", "sigma": "0.4..0.9", "p": 12.5, "weight": 1, "seed": 2}
    controls = sketching.list_controls()
    entry = call(MODULE, "entryOf", asdict(parse_section(Sketch, given)), controls)
    assert entry == {"method": "xdog-p", "sigma": "0.4..0.9", "k": 1.6, "p": 12.5} | {
        "eps": -0.0004, "phi": 51000, "weight": 1, "seed": 2,
    }  # fmt: skip
    text = call(MODULE, "entryYaml", "mine", entry, controls)
    (project / "new.yaml").write_text(f"sketches:\n{text}")
    file, out = project / "000000003.png", project / "out.png"
    files.write(file, png.encode_png(picture(3)))
    words = ("--params", project / "new.yaml", "--entry", "mine", "--cache", project / ".prep")
    assert run_prep(capsys, "sketchify", file, out, *words)[0] == 0
    assert draw(client, given, column="color", key=KEY)[1] == out.read_bytes()


@needs_node
def test_a_slider_keeps_the_rule_and_has_the_default_in_its_place():
    controls = [control for control in sketching.list_controls() if control["kind"] != "choice"]
    steps = np.linspace(0, 1, 41).tolist()
    moved = call_each(MODULE, "valueAt", [[control, step] for control in controls for step in steps])
    places = call_each(MODULE, "placeOf", [[control, control["default"]] for control in controls])
    again = call_each(MODULE, "valueAt", [*zip(controls, places, strict=True)])
    for number, control in enumerate(controls):
        name, kind = control["name"], int if control["kind"] == "integer" else float
        values = moved[len(steps) * number :][: len(steps)]
        assert values == sorted(values)
        assert values[0] == control["low"]
        assert control["high"] in (values[-1], None)
        others = {"method": (control["methods"] or ["threshold"])[0]}
        for value in values:
            assert getattr(parse_section(Sketch, others | {name: value}), name) == kind(value)
        assert places[number] == (0 if control["default"] == control["low"] else 0.5)
        assert again[number] == control["default"]


@needs_node
def test_each_arrow_key_of_a_slider_leads_to_another_value_that_keeps_the_rule():
    controls = [control for control in sketching.list_controls() if control["kind"] != "choice"]
    for steps in (1, -1, 10):
        starts = [control["default"] for control in controls]
        found = call_each(MODULE, "nextValue", [[c, v, steps] for c, v in zip(controls, starts, strict=True)])
        for control, start, value in zip(controls, starts, found, strict=True):
            at_the_end = start == control["low" if steps < 0 else "high"]
            assert (value == start) == at_the_end, control["name"]
            others = {"method": (control["methods"] or ["threshold"])[0]}
            parse_section(Sketch, others | {control["name"]: value})
    blocksize = next(control for control in controls if control["name"] == "blocksize")
    assert call(MODULE, "nextValue", blocksize, 7, 1) == 9


@needs_node
def test_what_is_typed_follows_the_rule_of_its_control():
    controls = {control["name"]: control for control in sketching.list_controls()}
    cases = (
        ("blocksize", " 9 ", 9), ("blocksize", "8", None), ("blocksize", "7..11", "7..11"),
        ("blocksize", "9..7", None), ("blocksize", "7..10", None), ("c", "-1.5", -1.5),
        ("c", ".5..1", "0.5..1"), ("c", "300", None), ("c", "", None), ("c", "Infinity", None),
        ("c", "0x10", None), ("phi", "1e9", 1e9), ("seed", "1..2", None), ("thin", "0.5", None),
    )  # fmt: skip
    found = call_each(MODULE, "parseValue", [[controls[name], text] for name, text, _ in cases])
    for (name, text, value), read in zip(cases, found, strict=True):
        assert read.get("value") == value, (name, text)
        assert ("fault" in read) == (value is None)


@needs_node
def test_names_are_suggested_and_doubted():
    values = asdict(Sketch(blocksize=9))
    assert call(MODULE, "suggestName", values, ["b7"]) == "b9"
    assert call(MODULE, "suggestName", values, ["b9", "b9-2"]) == "b9-3"
    assert call(MODULE, "suggestName", asdict(Sketch(preset="a-08")), []) == "xdog-a-08"
    assert call(MODULE, "suggestName", asdict(Sketch(blocksize="7..9")), []) == "threshold"
    assert call(MODULE, "doubtName", "b9", values, []) == ""
    assert call(MODULE, "doubtName", "b7", values, []) == "Its blocksize is 9."
    assert "letters" in call(MODULE, "doubtName", "My_sketch", values, [])
    assert "of this name" in call(MODULE, "doubtName", "b9", values, ["b9"])


def test_a_very_wide_picture_is_no_bug(client):
    status, drawn, _ = draw(client, {}, png.encode_png(np.full((1, 300, 3), 90, np.uint8)))
    assert status == 200
    assert codec.read_size(drawn) == (300, 1)
