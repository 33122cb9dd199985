"""The ten masks are five pairs of complements, at any size."""

import numpy as np
import pytest

from pipeline.batches.mask import MASK_NAMES, make_mask

SIZES = [(1, 1), (1, 2), (2, 1), (3, 5), (5, 3), (4, 4), (6, 7), (17, 31), (64, 64), (224, 255)]
EIGHT = {
    "left": ["11110000"] * 8,
    "top": ["11111111"] * 4 + ["00000000"] * 4,
    "columns": ["11001100"] * 8,
    "rows": (["11111111"] * 2 + ["00000000"] * 2) * 2,
    "checkers": (["11001100"] * 2 + ["00110011"] * 2) * 2,
}


@pytest.mark.parametrize("name", EIGHT)
def test_masks_of_eight_by_eight_are_as_drawn_by_hand(name):
    expected = np.array([[digit == "1" for digit in row] for row in EIGHT[name]])
    np.testing.assert_array_equal(make_mask(MASK_NAMES.index(name), 8, 8), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pair", range(5))
def test_the_two_masks_of_a_pair_are_complements(pair, size):
    first, second = make_mask(2 * pair, *size), make_mask(2 * pair + 1, *size)
    assert first.shape == size
    assert first.dtype == bool
    np.testing.assert_array_equal(first, ~second)


@pytest.mark.parametrize("number", range(10))
def test_a_mask_covers_half_of_the_picture_up_to_one_row_or_column(number):
    for height in range(1, 24):
        for width in range(1, 24):
            area = make_mask(number, height, width).sum()
            assert abs(area - height * width / 2) <= max(height, width), (height, width)


def test_the_ten_differ_and_each_has_a_name():
    drawn = {make_mask(number, 9, 10).tobytes() for number in range(10)}
    assert len(drawn) == len(set(MASK_NAMES)) == 10


@pytest.mark.parametrize("number", range(10))
def test_an_enlarged_mask_is_the_mask_of_the_larger_size(number):
    blown = np.kron(make_mask(number, 8, 12), np.ones((5, 5), bool))
    np.testing.assert_array_equal(make_mask(number, 40, 60), blown)


@pytest.mark.parametrize("number", [-1, 10])
def test_there_is_no_eleventh(number):
    with pytest.raises(ValueError, match=f"number must be an integer from 0 to 9, got {number}"):
        make_mask(number, 8, 8)
