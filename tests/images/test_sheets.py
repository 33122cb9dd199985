"""A contact sheet has unchanged pictures in rows, with titles above and captions below."""

import numpy as np
import pytest
from made import find_picture, picture
from PIL import ImageFont

from pipeline.images import pixels, png, sheets
from pipeline.images.sheets import (
    HAIRLINE,
    Strip,
    contact_sheet,
    frame_tile,
    plain_sheet,
    render_text,
    wrap_words,
)

SIDE = 48


def tile(number: int, caption: str = "") -> sheets.Tile:
    """Paint a picture of the size of a tile."""
    return picture(number, SIDE, SIDE), caption


def test_a_plain_sheet_has_each_picture_in_its_place():
    image = picture(1, 64, 64)
    gray = image[..., 0]
    shown = plain_sheet([[image, gray], [gray]], side=64, gap=2)
    assert shown.shape == (134, 134, 3)
    np.testing.assert_array_equal(shown[2:66, 2:66], image)
    np.testing.assert_array_equal(shown[2:66, 68:132], np.stack([gray] * 3, axis=2))
    np.testing.assert_array_equal(shown[68:132, 2:66], np.stack([gray] * 3, axis=2))
    assert shown[68:132, 68:].min() == 255


def test_an_empty_row_takes_its_space():
    assert plain_sheet([[picture(1)], []], side=16, gap=2).shape == (38, 20, 3)


def test_every_tile_is_on_the_sheet_once_unchanged_and_aligned():
    sheet = contact_sheet([Strip("", [tile(1, "a"), tile(2, "b")]), Strip("", [tile(3), tile(4)])], SIDE)
    (first,), (second,), (third,), (fourth,) = (
        find_picture(sheet, tile(number)[0]) for number in range(1, 5)
    )
    assert first[0] == second[0] < third[0] == fourth[0]
    assert first[1] == third[1] < second[1] == fourth[1]
    assert sheet.shape[1] - second[1] - SIDE == first[1]  # the margins are equal


def test_equal_tiles_give_equal_bytes_and_are_not_changed():
    shown = picture(1, 100, 60)
    made = [png.encode_png(contact_sheet([Strip("title", [(shown, "words")])], SIDE)) for _ in range(2)]
    assert made[0] == made[1]
    np.testing.assert_array_equal(shown, picture(1, 100, 60))


def test_a_blank_tile_takes_its_space():
    whole = contact_sheet([Strip("", [tile(1, "a"), tile(2, "b"), tile(3, "c")])], SIDE)
    lacking = contact_sheet([Strip("", [tile(1, "a"), None, tile(3, "c")])], SIDE)
    assert lacking.shape == whole.shape
    assert find_picture(lacking, tile(3)[0]) == find_picture(whole, tile(3)[0])
    assert not find_picture(lacking, tile(2)[0])
    short = contact_sheet([Strip("", [tile(1)] * 3), Strip("", [tile(2)])], SIDE)
    assert find_picture(short, tile(2)[0])[0][1] == find_picture(short, tile(1)[0])[0][1]


def test_a_caption_changes_only_pixels_below_its_tile():
    one, other = (
        contact_sheet([Strip("title", [tile(1, "a"), tile(2, words)])], SIDE) for words in ("one", "two")
    )
    ((top, left),) = find_picture(one, tile(2)[0])
    rows, columns = np.nonzero((one != other).any(axis=2))
    assert rows.min() > top + SIDE
    assert left - 1 <= columns.min()
    assert columns.max() <= left + SIDE


def test_a_title_is_above_its_row_and_an_empty_one_takes_no_space():
    bare, titled = (contact_sheet([Strip(words, [tile(1)])], SIDE) for words in ("", "gray: 12"))
    ((top, left),), ((lower, same),) = find_picture(bare, tile(1)[0]), find_picture(titled, tile(1)[0])
    assert (left, lower - top) == (same, len(titled) - len(bare))
    assert lower > top
    assert (titled[: lower - 1] < 128).any()
    np.testing.assert_array_equal(titled[lower - 1 :], bare[top - 1 :])


def test_a_long_caption_is_wrapped_and_the_next_row_moves_down():
    short, long = (
        contact_sheet([Strip("", [tile(1, "a"), tile(2, words)]), Strip("", [tile(3)])], SIDE)
        for words in ("b", "so many words that no line could ever hold them")
    )
    assert find_picture(short, tile(1)[0]) == find_picture(long, tile(1)[0])
    assert short.shape[1] == long.shape[1]
    assert find_picture(long, tile(3)[0])[0][0] > find_picture(short, tile(3)[0])[0][0]


@pytest.mark.parametrize("words", ["", "a", "some  words, to be set", "unbreakable" * 5, "two\nlines"])
@pytest.mark.parametrize("width", [1, 30, 80, 1000])
def test_wrapped_lines_fit_and_lose_no_letter(words, width):
    font = ImageFont.load_default(12)
    lines = list(wrap_words(words, width, font))
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)
    assert render_text(words, width, 12).shape[1:] == (width, 3)


def test_lines_break_at_two_spaces_or_else_at_one_only_if_needed():
    font = ImageFont.load_default(12)
    assert list(wrap_words("p19-05  12.3 %", font.getlength("p19-05  12.3 "), font)) == ["p19-05", "12.3 %"]
    assert list(wrap_words("too complex", font.getlength("too comp"), font)) == ["too", "complex"]
    assert list(wrap_words("b7  27.3 %", font.getlength("b7  27.3 %"), font)) == ["b7  27.3 %"]


def test_text_is_dark_gray_smooth_and_not_clipped():
    lines = render_text("Ágjpqy|", 200, 18)
    assert lines.min() == sheets.INK
    assert len(np.unique(lines)) > 10
    assert (lines[[0, -1]] == 255).all()


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(96, 48, (48, 24)), (20, 30, (20, 30)), (1, 1, (1, 1)), (5000, 2, (48, 1)), (48, 48, (48, 48))],
)
@pytest.mark.parametrize("gray", [True, False])
def test_a_picture_of_any_shape_is_shrunk_if_larger_and_centered(width, height, shown, gray):
    image = picture(1, width, height)[..., 0] if gray else picture(1, width, height)
    room = sheets.white_rows(SIDE + 2, SIDE + 2)
    frame_tile(room, image)
    assert find_picture(room, pixels.resize(image, *shown))
    rows, columns = np.nonzero((room != 255).any(axis=2))
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (shown[0] + 2, shown[1] + 2)
    assert abs(rows.min() - (SIDE + 1 - rows.max())) <= 1
    assert abs(columns.min() - (SIDE + 1 - columns.max())) <= 1


def test_a_hairline_frames_a_white_picture():
    room = sheets.white_rows(SIDE + 2, SIDE + 2)
    frame_tile(room, np.full((SIDE, SIDE), 255, np.uint8))
    border = np.concatenate([room[0], room[-1], room[:, 0], room[:, -1]])
    assert (border == HAIRLINE).all()
    assert (room[1:-1, 1:-1] == 255).all()


@pytest.mark.parametrize(
    "rows", [[], [Strip("", [])], [Strip("no example of this: 3", [])], [Strip("", [None])]]
)
def test_an_empty_sheet_is_white_except_for_titles(rows):
    sheet = contact_sheet(rows, SIDE)
    assert (sheet.dtype, sheet.shape[2]) == (np.uint8, 3)
    assert (sheet == 255).all() == (not rows or not rows[0].title)
    png.encode_png(sheet)
