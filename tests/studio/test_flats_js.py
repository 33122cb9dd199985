"""The page fills flats as Python does, number by number."""

import numpy as np
import pytest
from doodles import draw, scribble
from node import ScriptError, call, call_each, needs_node

from pipeline.operators import flats

pytestmark = needs_node


def random_case(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 160, 2).tolist()
    if seed % 6 == 5:  # more than 2,000 pixels: divided at a half or a third of the size
        height, width = (2100, width) if seed % 4 == 3 else (height, int(rng.integers(2001, 4300)))
    gap = float(rng.choice([0, 0.5, 1, 3, 7.3, min(height, width) * flats.GAP, 1000]))
    return [draw(rng, height, width), scribble(rng, height, width), gap]


def test_flats_and_regions_are_those_of_python():
    cases = [random_case(seed) for seed in range(36)]
    spread = call_each("engine/flats.js", "spreadHints", cases)
    regions = call_each("engine/flats.js", "numberRegions", [[sketch, gap] for sketch, _, gap in cases])
    for (sketch, hints, gap), made, numbers in zip(cases, spread, regions, strict=True):
        colors, reached = flats.spread_hints(sketch, hints, gap)
        np.testing.assert_array_equal(made["flats"], colors)
        np.testing.assert_array_equal(made["reached"], reached)
        np.testing.assert_array_equal(numbers, flats.number_regions(sketch, gap))


def test_a_cloud_of_hints_is_divided_as_by_python():
    rng = np.random.default_rng(0)
    sketch, hints = np.full((120, 2100), 255, np.uint8), np.zeros((120, 2100, 4), np.uint8)
    hints[:, 50:200] = rng.integers(0, 256, (120, 150, 4)) | np.uint8([0, 0, 0, 128])
    hints[50:60, 900:950] = 200, 0, 0, 255
    made, wanted = call("engine/flats.js", "fillFlats", sketch, hints, 4), flats.fill_flats(sketch, hints, 4)
    np.testing.assert_array_equal(made, wanted)
    cloud = wanted[20:100, 80:170, :3]  # further from its edge than numbers spread
    np.testing.assert_array_equal(cloud[1::2, 1::2], hints[21:100:2, 81:170:2, :3])


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_gap_is_a_share_of_the_short_side_unless_it_is_given(everywhere):
    rng = np.random.default_rng(7)
    sketch, hints = draw(rng, 300, 520), scribble(rng, 300, 520)
    made = call("engine/flats.js", "fillFlats", sketch, hints, None, everywhere)
    np.testing.assert_array_equal(made, flats.fill_flats(sketch, hints, everywhere=everywhere))


def test_a_negative_gap_is_refused():
    with pytest.raises(ScriptError, match="gap must be 0 pixels or more"):
        call("engine/flats.js", "numberRegions", np.full((8, 8), 255, np.uint8), -1)
