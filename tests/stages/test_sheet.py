"""The command `prep sheet` draws a picture by every method."""

import sys
from pathlib import Path

import pytest
import torch
from made import find_picture, make_column, picture
from safetensors.torch import save_file
from typer.testing import CliRunner

from pipeline import files
from pipeline.images import codec, pixels, png
from pipeline.images.sheets import contact_sheet
from pipeline.operators.anime2sketch import Extractor
from pipeline.operators.sketch import draw_sketch
from pipeline.operators.swatches import draw_swatches, list_methods
from pipeline.params import Sketch
from stages import prep

SIDE = 48


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Work in an empty folder that holds a picture girl.png."""
    monkeypatch.chdir(tmp_path)
    files.write(Path("girl.png"), png.encode_png(picture(1, 90, 70)))


def run(*arguments):
    """Run `prep sheet`."""
    return CliRunner().invoke(prep.app, ["sheet", *map(str, arguments)])


def said(capsys, monkeypatch, *arguments) -> tuple[int, str]:
    """Run `prep sheet` as a user does; return the exit code and stderr."""
    monkeypatch.setattr(sys, "argv", ["prep", "sheet", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        prep.main()
    return end.value.code, capsys.readouterr().err


def test_a_sheet_shows_all_methods_and_has_equal_bytes_twice():
    result = run("girl.png", "a.png", "--side", SIDE)
    assert (result.exit_code, result.output) == (0, "sheet: girl drawn to a.png\n")
    rows = draw_swatches("girl", Path("girl.png").read_bytes(), list_methods(), SIDE)
    assert Path("a.png").read_bytes() == png.encode_png(contact_sheet(rows, SIDE))
    run("girl.png", "b.png", "--side", SIDE)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_blocksizes_are_those_of_the_option():
    assert run("girl.png", "a.png", "--side", SIDE, "--blocksizes", "15,3,15").exit_code == 0
    rows = draw_swatches("girl", Path("girl.png").read_bytes(), list_methods((15, 3)), SIDE)
    assert Path("a.png").read_bytes() == png.encode_png(contact_sheet(rows, SIDE))


def test_weights_add_learned_lines():
    torch.manual_seed(0)
    save_file(Extractor(4).state_dict(), "netG.safetensors")
    assert run("girl.png", "a.png", "--side", SIDE, "--weights", "netG.safetensors").exit_code == 0
    square = pixels.square(picture(1, 90, 70), SIDE)
    learned = draw_sketch(square, Sketch(method="learned", weights="netG.safetensors"))
    assert len(find_picture(codec.decode(Path("a.png").read_bytes()), learned)) == 1


def test_a_folder_shows_some_pictures_or_those_of_the_keys_or_ids():
    make_column(Path("column"), [f"{number:09d}" for number in range(1, 7)])

    def drawn(*keys):
        result = run("column", "a.png", "--side", SIDE, *(word for key in keys for word in ("--key", key)))
        sheet = codec.decode(Path("a.png").read_bytes())
        spots = {n: find_picture(sheet, pixels.square(picture(n), SIDE)) for n in range(1, 7)}
        return result.output, sorted((n for n in spots if spots[n]), key=spots.get)

    message = "sheet: 000000002, 000000004, 000000005, 000000006 drawn to a.png\n"
    assert drawn() == drawn() == (message, [2, 4, 5, 6])
    assert drawn("000000006", "2", "000000006")[1] == [6, 2]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["broken.png", "a.png"], 1, "broken.png, broken: cannot decode: name another picture"),
        (["nowhere.png", "a.png"], 1, "nowhere.png does not exist: name a picture"),
        (["girl.png", "a.png", "--key", "boy"], 1, "girl.png holds no picture with the key boy: name one"),
        (["girl.png", "a.png", "--weights", "no.pth"], 1, "no.pth is missing: download the weights"),
        (["girl.png", "a.png", "--blocksizes", "3,x"], 2, "each an odd integer from 3 to 255, got '3,x'"),
        (["girl.png", "a.png", "--blocksizes", "3,4"], 2, "each an odd integer from 3 to 255, got '3,4'"),
        (["girl.png", "a.png", "--side", "8"], 2, "--side"),
        (["girl.png", "boy.jpg"], 2, "dest must be a .png file other than the source, got boy.jpg"),
        (["girl.png", "./girl.png"], 2, "dest must be a .png file other than the source, got girl.png"),
    ],
)
def test_an_error_is_one_sentence_and_writes_nothing(capsys, monkeypatch, arguments, code, words):
    files.write(Path("broken.png"), png.encode_png(picture(1))[:200])
    before = {path: path.read_bytes() for path in Path().iterdir()}
    found, err = said(capsys, monkeypatch, *arguments)
    assert (found, err.count("\n"), err[:6]) == (code, 1, "prep: ")
    assert words in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
