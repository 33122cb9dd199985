"""A contact sheet shows unchanged pixels with captions, each at its place."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_column, picture
from PIL import ImageFont
from safetensors.torch import save_file
from typer.testing import CliRunner

from pipeline import files
from pipeline.images import codec, pixels, png, sheets
from pipeline.images.sheets import (
    HAIRLINE,
    Strip,
    contact_sheet,
    frame_tile,
    plain_sheet,
    render_text,
    wrap_words,
)
from pipeline.operators.anime2sketch import Extractor
from pipeline.operators.sketch import draw_sketch
from pipeline.operators.swatches import draw_swatches, list_methods
from pipeline.params import Sketch
from stages import prep

SIDE = 48


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder that holds a picture girl.png."""
    monkeypatch.chdir(tmp_path)
    files.write(Path("girl.png"), png.encode_png(picture(1, 90, 70)))


def tile(number: int, caption: str = "") -> sheets.Tile:
    """Paint a picture of the size of a tile."""
    return picture(number, SIDE, SIDE), caption


def places(sheet: np.ndarray, shown: np.ndarray) -> list[tuple[int, int]]:
    """Find the places (top, left) of a picture on a sheet, pixel by pixel."""
    height, width = shown.shape[:2]
    shown = shown if shown.ndim == 3 else np.dstack([shown] * 3)
    spots = np.argwhere(
        (sheet[: len(sheet) - height + 1, : sheet.shape[1] - width + 1] == shown[0, 0]).all(2)
    )
    for y, x in np.random.default_rng(0).integers(0, (height, width), (200, 2)):
        spots = spots[(sheet[spots[:, 0] + y, spots[:, 1] + x] == shown[y, x]).all(1)]
    return [(y, x) for y, x in spots.tolist() if (sheet[y : y + height, x : x + width] == shown).all()]


def test_a_sheet_holds_each_picture_at_its_place():
    image = picture(1, 64, 64)
    gray = image[..., 0]
    shown = plain_sheet([[image, gray], [gray]], side=64, gap=2)
    assert shown.shape == (134, 134, 3)
    np.testing.assert_array_equal(shown[2:66, 2:66], image)
    np.testing.assert_array_equal(shown[2:66, 68:132], np.stack([gray] * 3, axis=2))
    np.testing.assert_array_equal(shown[68:132, 2:66], np.stack([gray] * 3, axis=2))
    assert shown[68:132, 68:].min() == 255


def test_a_row_without_pictures_takes_its_place_on_a_sheet():
    assert plain_sheet([[picture(1)], []], side=16, gap=2).shape == (38, 20, 3)


def test_every_tile_lies_on_the_page_once_unchanged_and_in_line():
    sheet = contact_sheet([Strip("", [tile(1, "a"), tile(2, "b")]), Strip("", [tile(3), tile(4)])], SIDE)
    (first,), (second,), (third,), (fourth,) = (places(sheet, tile(number)[0]) for number in range(1, 5))
    assert first[0] == second[0] < third[0] == fourth[0]
    assert first[1] == third[1] < second[1] == fourth[1]
    assert sheet.shape[1] - second[1] - SIDE == first[1]  # the margins are equal


def test_equal_tiles_give_equal_bytes_and_the_pictures_stay_as_they_were():
    shown = picture(1, 100, 60)
    made = [png.encode_png(contact_sheet([Strip("title", [(shown, "words")])], SIDE)) for _ in range(2)]
    assert made[0] == made[1]
    np.testing.assert_array_equal(shown, picture(1, 100, 60))


def test_a_missing_tile_leaves_its_room():
    whole = contact_sheet([Strip("", [tile(1, "a"), tile(2, "b"), tile(3, "c")])], SIDE)
    lacking = contact_sheet([Strip("", [tile(1, "a"), None, tile(3, "c")])], SIDE)
    assert lacking.shape == whole.shape
    assert places(lacking, tile(3)[0]) == places(whole, tile(3)[0])
    assert not places(lacking, tile(2)[0])
    short = contact_sheet([Strip("", [tile(1)] * 3), Strip("", [tile(2)])], SIDE)
    assert places(short, tile(2)[0])[0][1] == places(short, tile(1)[0])[0][1]


def test_a_caption_changes_pixels_below_its_tile_alone():
    one, other = (
        contact_sheet([Strip("title", [tile(1, "a"), tile(2, words)])], SIDE) for words in ("one", "two")
    )
    ((top, left),) = places(one, tile(2)[0])
    rows, columns = np.nonzero((one != other).any(axis=2))
    assert rows.min() > top + SIDE
    assert left - 1 <= columns.min()
    assert columns.max() <= left + SIDE


def test_a_title_lies_above_its_row_and_none_takes_no_room():
    bare, titled = (contact_sheet([Strip(words, [tile(1)])], SIDE) for words in ("", "gray: 12"))
    ((top, left),), ((lower, same),) = places(bare, tile(1)[0]), places(titled, tile(1)[0])
    assert (left, lower - top) == (same, len(titled) - len(bare))
    assert lower > top
    assert (titled[: lower - 1] < 128).any()
    np.testing.assert_array_equal(titled[lower - 1 :], bare[top - 1 :])


def test_a_long_caption_is_broken_into_lines_that_all_tiles_of_the_row_leave_room_for():
    short, long = (
        contact_sheet([Strip("", [tile(1, "a"), tile(2, words)]), Strip("", [tile(3)])], SIDE)
        for words in ("b", "so many words that no line could ever hold them")
    )
    assert places(short, tile(1)[0]) == places(long, tile(1)[0])
    assert short.shape[1] == long.shape[1]
    assert places(long, tile(3)[0])[0][0] > places(short, tile(3)[0])[0][0]


@pytest.mark.parametrize("words", ["", "a", "some  words, to be set", "unbreakable" * 5, "two\nlines"])
@pytest.mark.parametrize("width", [1, 30, 80, 1000])
def test_lines_are_no_wider_than_they_may_be_and_lose_no_letter(words, width):
    font = ImageFont.load_default(12)
    lines = list(wrap_words(words, width, font))
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)
    assert render_text(words, width, 12).shape[1:] == (width, 3)


def test_words_are_broken_where_there_are_two_spaces_or_else_one_if_they_must_be():
    font = ImageFont.load_default(12)
    assert list(wrap_words("p19-05  12.3 %", font.getlength("p19-05  12.3 "), font)) == ["p19-05", "12.3 %"]
    assert list(wrap_words("too complex", font.getlength("too comp"), font)) == ["too", "complex"]
    assert list(wrap_words("b7  27.3 %", font.getlength("b7  27.3 %"), font)) == ["b7  27.3 %"]


def test_text_is_dark_gray_smooth_and_not_cut_off():
    lines = render_text("Ágjpqy|", 200, 18)
    assert lines.min() == sheets.INK
    assert len(np.unique(lines)) > 10
    assert (lines[[0, -1]] == 255).all()


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(96, 48, (48, 24)), (20, 30, (20, 30)), (1, 1, (1, 1)), (5000, 2, (48, 1)), (48, 48, (48, 48))],
)
@pytest.mark.parametrize("gray", [True, False])
def test_a_picture_of_any_shape_is_shrunk_to_its_room_or_kept_and_stands_in_the_middle(
    width, height, shown, gray
):
    image = picture(1, width, height)[..., 0] if gray else picture(1, width, height)
    room = sheets.white_rows(SIDE + 2, SIDE + 2)
    frame_tile(room, image)
    assert places(room, pixels.resize(image, *shown))
    rows, columns = np.nonzero((room != 255).any(axis=2))
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (shown[0] + 2, shown[1] + 2)
    assert abs(rows.min() - (SIDE + 1 - rows.max())) <= 1
    assert abs(columns.min() - (SIDE + 1 - columns.max())) <= 1


def test_a_hairline_keeps_a_white_picture_from_dissolving():
    room = sheets.white_rows(SIDE + 2, SIDE + 2)
    frame_tile(room, np.full((SIDE, SIDE), 255, np.uint8))
    border = np.concatenate([room[0], room[-1], room[:, 0], room[:, -1]])
    assert (border == HAIRLINE).all()
    assert (room[1:-1, 1:-1] == 255).all()


@pytest.mark.parametrize(
    "rows", [[], [Strip("", [])], [Strip("no example of this: 3", [])], [Strip("", [None])]]
)
def test_a_page_of_nothing_is_white_but_for_its_titles(rows):
    sheet = contact_sheet(rows, SIDE)
    assert (sheet.dtype, sheet.shape[2]) == (np.uint8, 3)
    assert (sheet == 255).all() == (not rows or not rows[0].title)
    png.encode_png(sheet)


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


def test_the_command_draws_the_page_of_a_picture_and_equal_bytes_twice():
    told = run("girl.png", "a.png", "--side", SIDE)
    assert (told.exit_code, told.output) == (0, "sheet: girl drawn to a.png\n")
    rows = draw_swatches("girl", Path("girl.png").read_bytes(), list_methods(), SIDE)
    assert Path("a.png").read_bytes() == png.encode_png(contact_sheet(rows, SIDE))
    run("girl.png", "b.png", "--side", SIDE)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_blocksizes_are_those_that_were_asked_for():
    assert run("girl.png", "a.png", "--side", SIDE, "--blocksizes", "15,3,15").exit_code == 0
    rows = draw_swatches("girl", Path("girl.png").read_bytes(), list_methods((15, 3)), SIDE)
    assert Path("a.png").read_bytes() == png.encode_png(contact_sheet(rows, SIDE))


def test_learned_lines_are_drawn_with_the_weights_that_were_named():
    torch.manual_seed(0)
    save_file(Extractor(4).state_dict(), "netG.safetensors")
    assert run("girl.png", "a.png", "--side", SIDE, "--weights", "netG.safetensors").exit_code == 0
    square = pixels.square(picture(1, 90, 70), SIDE)
    learned = draw_sketch(square, Sketch(method="learned", weights="netG.safetensors"))
    assert len(places(codec.decode(Path("a.png").read_bytes()), learned)) == 1


def test_the_first_pictures_of_a_folder_or_those_of_the_keys_get_a_block_each():
    make_column(Path("column"), [f"{number:09d}" for number in range(1, 7)])

    def drawn(*keys):
        told = run("column", "a.png", "--side", SIDE, *(word for key in keys for word in ("--key", key)))
        sheet = codec.decode(Path("a.png").read_bytes())
        spots = {n: places(sheet, pixels.square(picture(n), SIDE)) for n in range(1, 7)}
        return told.output, sorted((n for n in spots if spots[n]), key=spots.get)

    told = "sheet: 000000001, 000000002, 000000003, 000000004 drawn to a.png\n"
    assert drawn() == (told, [1, 2, 3, 4])
    assert drawn("000000006", "000000002", "000000006")[1] == [6, 2]


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
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(capsys, monkeypatch, arguments, code, words):
    files.write(Path("broken.png"), png.encode_png(picture(1))[:200])
    before = {path: path.read_bytes() for path in Path().iterdir()}
    found, err = said(capsys, monkeypatch, *arguments)
    assert (found, err.count("\n"), err[:6]) == (code, 1, "prep: ")
    assert words in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
