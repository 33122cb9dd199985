"""The page fills flats as Python does, number by number."""

import cv2
import numpy as np
import pytest
from node import ScriptError, call, needs_node

from pipeline.operators import flats

pytestmark = needs_node


def draw(rng, height, width):
    """Draw random lines, open and closed shapes, gray areas, and sometimes noise."""
    sketch = np.full((height, width), 255, np.uint8)

    def place():
        return int(rng.integers(-5, width + 5)), int(rng.integers(-5, height + 5))

    for _ in range(rng.integers(1, 12)):
        level, thick = int(rng.integers(0, 200)), int(rng.integers(1, 4))
        smooth = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
        match rng.integers(5):
            case 0:
                cv2.line(sketch, place(), place(), level, thick, smooth)
            case 1:
                cv2.circle(sketch, place(), int(rng.integers(2, 9 + min(height, width) // 2)), level, thick)
            case 2:
                cv2.rectangle(sketch, place(), place(), level, -1 if rng.random() < 0.2 else thick)
            case 3:
                axes = int(rng.integers(2, 4 + width // 2)), int(rng.integers(2, 4 + height // 2))
                cv2.ellipse(sketch, place(), axes, 0, 0, int(rng.integers(200, 360)), level, thick, smooth)
            case _:
                cv2.circle(sketch, place(), int(rng.integers(2, 10)), level, -1)
    if rng.random() < 0.3:
        sketch = np.clip(sketch + rng.integers(-40, 40, sketch.shape), 0, 255).astype(np.uint8)
    return sketch


def scribble(rng, height, width):
    """Paint random strokes of few colors; some have soft edges, some are too transparent to count."""
    hints = np.zeros((height, width, 4), np.uint8)
    colors = rng.integers(0, 256, (5, 3)).tolist()
    for _ in range(rng.integers(0, 9)):
        start = int(rng.integers(0, width)), int(rng.integers(0, height))
        reach = 9 if rng.random() < 0.6 else max(height, width)
        stop = start[0] + int(rng.integers(-reach, reach)), start[1] + int(rng.integers(-reach, reach))
        color = (*colors[rng.integers(5)], int(rng.choice([255, 255, 255, 128, 100])))
        smooth = cv2.LINE_AA if rng.random() < 0.3 else cv2.LINE_8
        cv2.line(hints, start, stop, color, int(rng.integers(1, 9)), smooth)
    return hints


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
