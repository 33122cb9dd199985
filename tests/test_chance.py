"""Draws depend on the seed and the names only."""

from pipeline import chance


def test_equal_names_draw_equal_numbers_in_any_order():
    first = chance.generator(0, "stage", "1").random()
    chance.generator(0, "stage", "2").random()
    assert chance.generator(0, "stage", "1").random() == first


def test_seed_stage_key_and_their_separators_all_count():
    draws = {
        chance.fraction(*names)
        for names in [(0, "a", "b"), (1, "a", "b"), (0, "ab"), (0, "b", "a"), (0, "a")]
    }
    assert len(draws) == 5


def test_fractions_are_uniform():
    draws = [chance.fraction(0, str(number)) for number in range(2000)]
    assert 0 <= min(draws) < 0.01 < 0.99 < max(draws) < 1
    assert abs(sum(draws) / 2000 - 0.5) < 0.02
