"""Hints spread up to the lines of a sketch, and no further."""

import heapq
import tracemalloc

import cv2
import numpy as np
import pytest
from scipy import ndimage

from pipeline.operators import flats
from pipeline.operators.flats import fill_flats

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 60)


def circle(side=200, thick=2, gap=0):
    """Draw a circle around the middle, a third of the side in radius, with a gap at its top."""
    sketch = np.full((side, side), 255, np.uint8)
    cv2.circle(sketch, (side // 2, side // 2), side // 3, 0, thick)
    sketch[: side // 2, side // 2 - gap // 2 : side // 2 - gap // 2 + gap] = 255
    return sketch


def dabs(shape, *given):
    """Paint dabs (x, y, color) of 9 x 5 pixels on a transparent layer."""
    hints = np.zeros((*shape, 4), np.uint8)
    for x, y, color in given:
        hints[y - 2 : y + 3, x - 4 : x + 5] = (*color, 255)
    return hints


def radius(side):
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - side // 2, x - side // 2)


@pytest.mark.parametrize("side", [200, 401])
def test_a_closed_circle_divides_two_colors_on_its_line(side):
    sketch = circle(side)
    made = fill_flats(sketch, dabs(sketch.shape, (side // 2, side // 2, RED), (8, 8, BLUE)))
    assert {*map(tuple, made.reshape(-1, 4).tolist())} == {(*RED, 255), (*BLUE, 255)}
    red, off_line = (made[..., :3] == RED).all(axis=2), sketch == 255
    inside = radius(side) < side // 3
    assert (red == inside)[off_line].all()


def test_the_border_is_on_a_thin_line_of_a_picture_that_is_divided_at_a_smaller_size(monkeypatch):
    monkeypatch.setattr(flats, "WORK_SIDE", 130)  # 500 px at a quarter of the size
    sketch = circle(500, thick=1)
    made = fill_flats(sketch, dabs(sketch.shape, (250, 250, RED), (20, 20, BLUE)))
    red, line = (
        (made[..., :3] == RED).all(axis=2),
        cv2.dilate((sketch < 255).astype(np.uint8), np.ones((3, 3))),
    )
    assert (red == (radius(500) < 500 // 3))[line == 0].all()
    assert made[..., 3].min() == 255


@pytest.mark.parametrize("gap", [3, 4, 6, 9])
def test_a_gap_leaks_unless_gaps_of_its_width_are_closed(gap):
    sketch = circle(gap=gap)
    hints = dabs(sketch.shape, (8, 8, BLUE))
    reached = [fill_flats(sketch, hints, gap=width)[100, 100, 3] == 255 for width in (0, gap, gap + 3)]
    assert reached == [True, False, False]


def test_both_sides_of_a_gap_keep_their_colors():
    sketch = circle(gap=6)
    made = fill_flats(sketch, dabs(sketch.shape, (100, 100, RED), (8, 8, BLUE)), gap=0)
    red = (made[..., :3] == RED).all(axis=2)
    assert red[radius(200) < 60].all()
    assert not red[radius(200) > 72].any()


def test_each_color_is_that_of_a_hint_even_where_strokes_have_soft_edges(monkeypatch):
    random = np.random.default_rng(0)
    sketch = np.where(random.random((90, 120)) < 0.03, 0, 255).astype(np.uint8)
    hints = np.zeros((90, 120, 4), np.uint8)
    for color in (RED, BLUE, GREEN):
        x, y = random.integers(10, 80, 2)
        cv2.line(hints, (int(x), int(y)), (int(y), int(x)), (*color, 255), 7)
    hints[..., 3] = cv2.blur(hints[..., 3], (3, 3))
    given = {*map(tuple, hints[hints[..., 3] >= 128][:, :3].tolist())}
    for everywhere in (False, True):
        made = fill_flats(sketch, hints, everywhere=everywhere)
        assert {*map(tuple, made[made[..., 3] == 255][:, :3].tolist())} <= given
        assert {*np.unique(made[..., 3])} <= {0, 255}


def test_a_color_mixed_at_the_edge_of_two_strokes_is_no_hint():
    hints = dabs((60, 80), (20, 30, RED), (31, 30, BLUE))
    hints[28:33, 25:27] = (115, 30, 115, 255)
    made = fill_flats(np.full((60, 80), 255, np.uint8), hints)
    assert {*map(tuple, made.reshape(-1, 4).tolist())} == {(*RED, 255), (*BLUE, 255)}


def test_a_region_without_a_stroke_is_unknown_unless_colors_may_cross_lines():
    sketch = circle()
    hints = dabs(sketch.shape, (8, 8, BLUE))
    made = fill_flats(sketch, hints)
    assert not made[radius(200) < 64].any()
    assert (made[radius(200) > 69] == (*BLUE, 255)).all()
    assert (fill_flats(sketch, hints, everywhere=True) == (*BLUE, 255)).all()
    assert not fill_flats(sketch, np.zeros_like(hints), everywhere=True).any()


def test_what_hints_reach_is_the_same_where_colors_may_cross_lines(image):
    lines = cv2.Canny(image, 60, 120)
    hints = dabs(lines.shape, (10, 10, RED), (40, 50, GREEN))
    known, whole = (fill_flats(255 - lines, hints, 1, everywhere) for everywhere in (False, True))
    reached = known[..., 3] == 255
    assert 0 < reached.sum() < reached.size
    np.testing.assert_array_equal(whole[reached], known[reached])
    assert (whole[..., 3] == 255).all()


def test_without_gaps_a_stroke_reaches_the_pixels_that_a_flood_fill_does(image):
    lines = cv2.Canny(image, 60, 120)
    lines[0, 0] = 0
    made = fill_flats(255 - lines, dabs(lines.shape, (10, 10, RED)), gap=0)
    numbers, _ = ndimage.label(lines == 0)
    (number,) = {*numbers[8:13, 6:15].ravel()} - {0}
    assert ((made[..., 3] == 255) == (numbers == number))[lines == 0].all()


def test_to_move_a_stroke_within_its_region_changes_nothing():
    sketch = circle()
    places = [(100, 100), (60, 110), (130, 75)]
    first, *others = (fill_flats(sketch, dabs(sketch.shape, (*place, RED), (8, 8, BLUE))) for place in places)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_a_stroke_that_slips_a_little_over_a_line_colors_its_own_side():
    sketch = np.full((100, 100), 255, np.uint8)
    sketch[:, 60:62] = 0
    hints = np.zeros((100, 100, 4), np.uint8)
    hints[50:56, 10:64] = (*RED, 255)
    assert fill_flats(sketch, hints)[:, :60, 3].min() == 255
    assert fill_flats(sketch, hints)[:, 62:, 3].max() == 0
    hints[50:56, 10:90] = (*RED, 255)
    assert (fill_flats(sketch, hints) == (*RED, 255)).all()


def test_black_areas_and_lines_on_gray_bound_regions_and_gray_does_not():
    sketch = np.full((100, 100), 255, np.uint8)
    sketch[:, 30:60] = 0
    sketch[:, 80:] = 200
    hints = dabs(sketch.shape, (10, 50, RED))
    assert fill_flats(sketch, hints)[:, 61:, 3].max() == 0
    sketch[:, 30:60] = 255
    assert (fill_flats(sketch, hints) == (*RED, 255)).all()
    sketch[:, 90:92] = 120
    assert fill_flats(sketch, hints)[:, 92:, 3].max() == 0


def test_a_large_picture_takes_memory_in_proportion(monkeypatch):
    monkeypatch.setattr(flats, "WORK_SIDE", 200)
    sketch, hints = circle(1600), dabs((1600, 1600), (800, 800, RED), (9, 9, BLUE))
    tracemalloc.start()
    fill_flats(sketch, hints)
    assert tracemalloc.get_traced_memory()[1] < 30 * sketch.size
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("sketch", "hints", "gap", "said"),
    [
        (circle(), dabs((200, 200))[..., :3], 0, r"hints must be uint8 RGBA \(200, 200, 4\)"),
        (circle(), dabs((200, 100)), 0, "as large as the sketch"),
        (circle(), dabs((200, 200)).astype(float), 0, "hints must be uint8"),
        (dabs((200, 200))[..., :3], dabs((200, 200)), 0, r"sketch must be gray \(H, W\)"),
        (circle().astype(float), dabs((200, 200)), 0, "image must be uint8"),
        (circle(), dabs((200, 200)), -1, "gap must be 0 pixels or more, got -1"),
        (circle(), dabs((200, 200)), float("nan"), "gap must be 0 pixels or more, got nan"),
    ],
)
def test_other_arrays_are_refused(sketch, hints, gap, said):
    with pytest.raises(ValueError, match=said):
        fill_flats(sketch, hints, gap)


def flood_by_definition(height, markers, free):
    """Flood by a queue of (height, whether no marker, row by row, age): floods never fall."""
    found, queue, age = np.where(free, markers, 0), [], 0
    for rank, place in enumerate(zip(*np.nonzero(found), strict=True)):
        queue.append((int(height[place]), 0, rank, 0, place))
    heapq.heapify(queue)
    while queue:
        *order, _, (y, x) = heapq.heappop(queue)
        for place in (y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x):
            inside = min(place) >= 0 and place[0] < found.shape[0] and place[1] < found.shape[1]
            if inside and free[place] and not found[place]:
                age += 1
                found[place] = found[y, x]
                heapq.heappush(queue, (*max([int(height[place]), 1, 0], order), age, place))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_flood_takes_equal_heights_in_the_order_in_which_it_reaches_them(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 24, 2))
    height = rng.integers(0, rng.choice([1, 3, 300]), shape).astype(np.uint16)
    free = rng.random(shape) < rng.choice([0.6, 0.9, 1])
    markers = np.where(
        (rng.random(shape) < rng.choice([0.02, 0.1, 0.5])) & free, rng.integers(1, 6, shape), 0
    )
    made = flats.flood(height, markers.astype(np.int32), free)
    np.testing.assert_array_equal(made, flood_by_definition(height, markers, free))
    if free.all():
        np.testing.assert_array_equal(flats.flood(height, markers.astype(np.int32)), made)
