"""The card describes a model and its use, and nothing that it quotes becomes markup."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from made import picture
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from typer.main import get_command
from typer.testing import CliRunner

from pipeline.images import codec, png
from pipeline.models.card import MODEL_FOLDER, PAPERS, REDACTED, model_card, public
from pipeline.models.folder import load_model, save_model
from pipeline.params import Model, Train
from pipeline.systems import SYSTEMS, system
from stages import prep

GUIDES = {"cue": {"method": "gaussian", "sigma": 9.0}, "reference": {"grid": 3}}
BLOCK = re.compile(r"^(`+)(\w+)\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)


def config(name="pix2pix", *, train=None, columns=None, **changed):
    """Return the complete config of a tiny model."""
    guide = "cue" if name == "wash" else system(name).columns[0]
    made = {
        "dataset": "0123abcd",
        "columns": columns or {guide: GUIDES[guide]} if guide in GUIDES else {},
        "side": 192,
        "parameters": {"generator": 12345, "discriminator": 6789},
        "train": asdict(Train()) | (train or {}),
        "start": "",
        "validation": {"step": 54000, "val_psnr": 21.987, "val_l1": 0.12345},
    }
    return asdict(Model(system=name, width=4, depth=3)) | made | changed


def blocks(text, language):
    """List the blocks of code in a language."""
    return [body for _, found, body in BLOCK.findall(text) if found == language]


@pytest.fixture(params=SYSTEMS)
def home(request, tmp_path, monkeypatch):
    """Work in a folder with a tiny model, a sketch and guides, where the examples of the card find them."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    given = config(request.param)
    save_model(
        Path(MODEL_FOLDER),
        system(request.param).networks(Model(request.param, 4, 3))[0].state_dict(),
        given,
        model_card(given),
    )
    for number, name in enumerate(("sketch", "cue", "reference", "mask")):
        Path(f"{name}.png").write_bytes(png.encode_png(picture(number, 40 + number, 50)))
    return tmp_path


def test_the_snippet_and_the_command_of_the_card_make_the_same_picture(home):
    text = Path(MODEL_FOLDER, "README.md").read_text()
    (snippet,), (commands,) = blocks(text, "python"), blocks(text, "bash")
    exec(snippet, {})
    command, *_ = (shlex.split(line) for line in commands.splitlines())
    done = CliRunner().invoke(prep.app, [*command[1:], "--device", "cpu", "--cache", "cache"])
    assert done.exit_code == 0, done.output
    made = codec.decode(Path("picture.png").read_bytes())
    assert made.shape == (50, 40, 3)
    assert len(np.unique(made)) > 2
    np.testing.assert_array_equal(made, codec.decode(Path("out/sketch.png").read_bytes()))


def test_every_command_of_the_card_is_one_that_prep_has():
    for line in blocks(model_card(config()), "bash")[0].splitlines():
        _, name, *arguments = shlex.split(line, comments=True)
        get_command(prep.app).commands[name].make_context(name, arguments)


def test_a_model_that_was_trained_without_cues_is_used_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = config(columns={"cue": {"method": "none"}})
    save_model(
        Path(MODEL_FOLDER),
        system("pix2pix").networks(Model(width=4, depth=3))[0].state_dict(),
        given,
        model_card(given),
    )
    Path("sketch.png").write_bytes(png.encode_png(picture(1, 24, 24)))
    text = Path(MODEL_FOLDER, "README.md").read_text()
    assert "--cue" not in text
    exec(blocks(text, "python")[0], {})
    done = CliRunner().invoke(prep.app, ["colorize", "sketch.png", "out.png", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert Path("picture.png").read_bytes() == Path("out.png").read_bytes()


def test_a_saved_model_is_four_files_and_equal_models_have_equal_cards(home):
    folder = home / MODEL_FOLDER
    names = ["README.md", "SHA256SUMS", "config.json", "model.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == names
    generator, found = load_model(folder)
    backwards = dict(reversed(found.items()))
    save_model(home / "again", generator.state_dict(), backwards, model_card(backwards))
    assert (home / "again" / "README.md").read_bytes() == (folder / "README.md").read_bytes()


def test_another_process_writes_the_same_card():
    script = (
        "import sys, json; from pipeline.models.card import model_card;"
        "print(model_card(json.load(sys.stdin)), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(config()), capture_output=True, text=True, check=True
    )
    assert done.stdout == model_card(config())


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_header_is_the_metadata_that_the_hub_reads(name):
    text = model_card(config(name))
    facts = YAML(typ="safe").load(text.split("---\n")[1])
    assert facts == {
        "library_name": "inkwash",
        "pipeline_tag": "image-to-image",
        "tags": ["colorization", "sketch", "line-art", "illustration", name],
    }


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_card_names_the_paper_and_the_guide(name):
    text = model_card(config(name))
    assert PAPERS[name] in text
    guide = "cue" if name == "wash" else system(name).columns[0]
    assert f"--{guide} {guide}.png" in text
    assert ("halvings" in text) == (name == "pix2pix")
    assert ("its variant `main`" in text) == (name == "liu")


def test_every_system_has_its_paper():
    assert list(PAPERS) == list(SYSTEMS)


def test_the_numbers_of_the_config_are_shown():
    text = model_card(config(start="f" * 64))
    for part in ("12,345", "6,789", "192 x 192", "`0123abcd`", "`b7`", "54,000 steps", "21.99 dB", "0.1235"):
        assert part in text, part
    assert f"SHA-256 `{'f' * 64}`" in text
    columns, train = (YAML(typ="safe").load(block) for block in blocks(text, "yaml"))
    assert columns == {"cue": GUIDES["cue"]}
    assert train == asdict(Train())


def test_the_published_width_is_shown_as_a_number():
    assert "| channels of the first convolution | 64 |" in model_card(config(width=0))


@pytest.mark.parametrize(
    ("name", "vgg", "said"),
    [
        ("scft", "none", "compare features of vgg19, were not trained"),
        ("liu", "none", "compare features of vgg16, were not trained"),
        ("scft", "", "features of vgg19, with the weights of torchvision"),
        ("liu", "/home/ann/vgg.pth", "features of vgg16, with the weights of a file"),
    ],
)
def test_it_says_whether_perceptual_terms_were_trained(name, vgg, said):
    assert said in model_card(config(name, train={"vgg": vgg}))


@pytest.mark.parametrize("name", [name for name in SYSTEMS if not system(name).vgg])
def test_a_system_without_perceptual_terms_does_not_mention_them(name):
    assert "perceptual" not in model_card(config(name)).lower().replace("perceptual losses", "")


def test_paths_are_hidden_but_the_word_none_is_shown():
    private = {"vgg": "/home/ann/vgg.pth", "start": "/home/ann/model"}
    given = config(train=private, columns={"sketch-b7": {"weights": "/home/ann/netG.pth"}}, start="0" * 64)
    assert "/home/ann" not in model_card(given)
    assert public(given)["train"]["start"] == REDACTED
    assert public(given)["start"] == "0" * 64
    assert public(config(train={"vgg": "none"}))["train"] == asdict(Train()) | {"vgg": "none"}


@pytest.mark.parametrize(
    "text",
    ["``` end", "# head", "x\ny", "`", "<script>", "[x](http://evil.example)", "\u202eback", "---", ": {"],
)
def test_no_text_of_the_dataset_becomes_anything_but_text(text):
    plain, hostile = (
        model_card(config(dataset=each, sketch=each, columns={"cue": {each: each}}))
        for each in ("word", text)
    )
    kinds = [[token.type for token in MarkdownIt().parse(each)] for each in (plain, hostile)]
    assert kinds[0] == kinds[1]
    assert "\u202e" not in hostile


def test_sections_without_data_are_left_out():
    text = model_card(asdict(Model(width=4, depth=3)))
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert headings == ["How to use it", "What it is not for"]
    assert "pictures of one size" in text
