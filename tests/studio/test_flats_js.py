"""The page fills flats as Python does, number by number."""

import numpy as np
import pytest
from doodles import draw, scribble
from node import ScriptError, call, needs_node

from pipeline.operators import flats

pytestmark = needs_node


@pytest.mark.parametrize("seed", range(24))
def test_flats_and_regions_are_those_of_python(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 160, 2).tolist()
    if seed % 6 == 5:  # more than 2,000 pixels: divided at a half or a third of the size
        height, width = (2100, width) if seed % 4 == 3 else (height, int(rng.integers(2001, 4300)))
    sketch, hints = draw(rng, height, width), scribble(rng, height, width)
    gap = float(rng.choice([0, 0.5, 1, 3, 7.3, min(height, width) * flats.GAP, 1000]))
    made = call("engine/flats.js", "spreadHints", sketch, hints, gap)
    colors, reached = flats.spread_hints(sketch, hints, gap)
    np.testing.assert_array_equal(made["flats"], colors)
    np.testing.assert_array_equal(made["reached"], reached)
    np.testing.assert_array_equal(
        call("engine/flats.js", "numberRegions", sketch, gap), flats.number_regions(sketch, gap)
    )


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_gap_is_a_share_of_the_short_side_unless_it_is_given(everywhere):
    rng = np.random.default_rng(7)
    sketch, hints = draw(rng, 300, 520), scribble(rng, 300, 520)
    made = call("engine/flats.js", "fillFlats", sketch, hints, None, everywhere)
    np.testing.assert_array_equal(made, flats.fill_flats(sketch, hints, everywhere=everywhere))


def test_a_negative_gap_is_refused():
    with pytest.raises(ScriptError, match="gap must be 0 pixels or more"):
        call("engine/flats.js", "numberRegions", np.full((8, 8), 255, np.uint8), -1)
