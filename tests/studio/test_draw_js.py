"""What the page paints: the brush, fills, undo and redo of everything, and the work that is saved."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from doodles import draw, scribble
from node import call, call_each, needs_node

from pipeline.operators import flats

pytestmark = needs_node
PAINT = str(Path(__file__).parent / "paint.mjs")


def paint(canvas, runs, value):
    """Paint runs on an array, cut off at its sides."""
    for y, start, stop in np.reshape(runs, (-1, 3)):
        if 0 <= y < len(canvas):
            canvas[y, max(0, start) : max(0, stop)] = value


def swept(shape, start, stop, radii):
    """How far each pixel is inside of discs between two places: the largest of many discs, in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.full(shape, -np.inf)
    for share in np.linspace(0, 1, 400):
        place = (1 - share) * np.array(start) + share * np.array(stop)
        radius = (1 - share) * radii[0] + share * radii[1]
        inside = np.maximum(inside, radius - np.hypot(x - place[0], y - place[1]))
    return inside


def test_a_brush_covers_what_its_disc_passes_over():
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(40):
        places, radii = rng.uniform(-10, 90, (2, 2)), rng.uniform(0.75, rng.choice([2, 15]), 2)
        if rng.random() < 0.2:
            places[1] = places[0] + rng.uniform(-2, 2, 2)  # one disc may lie in the other
        cases.append((places, radii))
    ends = [
        [{"x": float(x), "y": float(y), "radius": float(r)} for (x, y), r in zip(places, radii, strict=True)]
        for places, radii in cases
    ]
    for runs, (places, radii) in zip(call_each("draw/brush.js", "sweep", ends), cases, strict=True):
        made = np.zeros((80, 80), bool)
        paint(made, runs, True)
        inside = swept(made.shape, *places, radii)
        assert made[inside > 0.05].all()
        assert not made[inside < -0.05].any()


def test_the_thinnest_brush_leaves_no_hole():
    rng = np.random.default_rng(1)
    ends = [
        [{"x": float(x), "y": float(y), "radius": 0.1} for x, y in rng.uniform(2, 60, (2, 2))]
        for _ in range(50)
    ]
    for runs in call_each("draw/brush.js", "sweep", ends):
        rows = np.reshape(runs, (-1, 3))
        assert len(rows)
        assert (np.diff(rows[:, 0]) == 1).all()
        assert (rows[1:, 1] <= rows[:-1, 2]).all()
        assert (rows[:-1, 1] <= rows[1:, 2]).all()


def test_pressure_makes_a_brush_wider():
    radii = call_each("draw/brush.js", "radiusAt", [[20, pressure] for pressure in (0, 0.3, 0.7, 1)])
    assert radii == sorted(set(radii))
    assert radii[-1] == 10


def random_runs(rng, height, width):
    count = rng.integers(1, 40)
    starts = rng.integers(-30, width + 30, count)
    stops = starts + rng.integers(0, 300, count)
    return np.stack([rng.integers(-5, height + 5, count), starts, stops], axis=1).astype(np.int32).ravel()


class Model:
    """The same work by arrays: each step is a whole copy."""

    def __init__(self, height, width):
        self.now = {
            "strokes": np.zeros((height, width), np.uint32),
            "mask": np.zeros((height, width), np.uint8),
            "settings": {"gap": 4},
        }
        self.states, self.position = [self.copy()], 0

    def copy(self):
        return {name: each.copy() for name, each in self.now.items()}

    def same(self, other):
        arrays = all(np.array_equal(self.now[name], other[name]) for name in ("strokes", "mask"))
        return arrays and self.now["settings"] == other["settings"]

    def commit(self):
        if not self.same(self.states[self.position]):
            self.position += 1
            self.states[self.position :] = [self.copy()]

    def go(self, to):
        if 0 <= to < len(self.states):
            self.position = to
            self.now = {name: each.copy() for name, each in self.states[to].items()}

    def do(self, name, *given):
        if name == "paint":
            paint(self.now[given[0]], given[1], given[2])
        elif name == "clear":
            self.now[given[0]][:] = 0
        elif name == "set":
            self.now["settings"].update(given[0])
        elif name in ("undo", "redo"):
            self.go(self.position + (1 if name == "redo" else -1))
            return
        self.commit()

    def tell(self):
        sums = {name: zlib.crc32(np.ascontiguousarray(self.now[name])) for name in ("strokes", "mask")}
        settings = {"settings": self.now["settings"]}
        return sums | settings | {"position": self.position, "steps": len(self.states) - 1}


def random_actions(rng, height, width, count):
    actions = []
    for _ in range(count):
        layer = "strokes" if rng.random() < 0.7 else "mask"
        colors = [0xFF0000FF, 0xFF00FF00, 0xFF123456, 0] if layer == "strokes" else [255, 0]
        runs, pixel = random_runs(rng, height, width), int(rng.choice(colors))
        kind = rng.choice(["paint"] * 9 + ["undo"] * 5 + ["redo"] * 4 + ["set", "clear", "cancel", "fail"])
        match kind:
            case "paint" | "cancel":
                actions.append([kind, layer, runs, pixel])
            case "clear":
                actions.append([kind, layer])
            case "set":
                actions.append([kind, {str(rng.choice(["gap", "guide"])): int(rng.integers(3))}])
            case "fail":
                actions.append([kind, str(rng.choice(["QuotaExceededError", "", ""]))])
            case _:
                actions.append([str(kind)])
    return [*actions, ["fail", ""]]


@pytest.mark.parametrize("seed", range(6))
def test_undo_redo_copies_and_saved_work_are_exact_after_every_step(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(200, 800, 2).tolist()
    actions = random_actions(rng, height, width, 40)
    model, failing = Model(height, width), ""
    made = call(PAINT, "play", height, width, actions)
    for (name, *given), told in zip(actions, made["told"], strict=True):
        model.do(name, *given)
        failing = given[0] if name == "fail" else failing
        expected = model.tell()
        assert {key: told[key] for key in expected} == expected
        assert told["mirror"] == told["strokes"]
        assert bool(told["problem"]) == bool(failing)
        if failing:
            assert told["problem"].startswith("The browser's storage is full")
    for told in made["back"]:
        expected = model.tell()
        assert {key: told[key] for key in expected} == expected
        model.do("undo")
    assert model.position == 0
    model.go(len(model.states) - 1)
    assert made["again"] == model.tell()


def test_a_step_saves_only_what_it_changed():
    runs = np.array([10, 0, 300], np.int32)  # two tiles
    actions = [
        ["paint", "strokes", runs, 0xFF0000FF],
        ["paint", "mask", runs[:3] // 2, 255],
        ["undo"],
        ["set", {"gap": 9}],
        ["paint", "mask", np.array([-4, 0, 9], np.int32), 255],
    ]
    told = call(PAINT, "play", 600, 600, actions)["told"]
    written = [set(each["written"]) for each in told]
    assert written[1] == {"work", "tile/mask/0", "step/2"}
    assert written[2] == {"work", "tile/mask/0"}
    assert written[3] == {"work", "step/2", "step/3"}  # the undone step is gone
    assert (told[0]["box"], told[4]["box"], told[4]["step"]) == ([0, 10, 300, 11], None, None)


def test_long_strokes_take_few_bytes():
    rng = np.random.default_rng(0)
    ends = [
        [{"x": float(x), "y": float(y), "radius": 8.0} for x, y in rng.uniform(0, 1500, (2, 2))]
        for _ in range(8)
    ]
    actions = [["paint", "strokes", runs, 0xFF0000FF] for runs in call_each("draw/brush.js", "sweep", ends)]
    assert call(PAINT, "play", 1500, 1500, actions)["bytes"] < 8 * 1500 * 40


def test_a_stroke_that_is_under_way_is_saved_when_it_ends():
    first, second = np.array([5, 0, 40, 300, 280, 300], np.int32), np.array([5, 20, 90], np.int32)
    made = call(PAINT, "saveInStroke", 320, 320, first, second, 0xFF0000FF)
    canvas = np.zeros((320, 320), np.uint32)
    for state, runs in (made["during"], first), (made["after"], second):
        paint(canvas, runs, 0xFF0000FF)
        assert state["strokes"] == zlib.crc32(canvas)
    assert (made["during"]["steps"], made["after"]["steps"]) == (1, 2)


def test_saves_at_the_same_time_become_few():
    made = call(PAINT, "saveAtOnce", 300, 300, np.array([5, 0, 40], np.int32), 0xFF0000FF)
    assert made["saved"] == made["now"]
    assert made["written"] <= 2


def test_records_of_another_format_or_with_a_missing_step_are_no_work():
    assert call(PAINT, "parseOthers") == [None, None, None]


def test_colors_are_read_and_written_as_hex():
    texts = ["#ff8001", "FF8001", " #0af ", "abc", "#12345", "red", "", "#gggggg"]
    made = call_each("draw/colors.js", "fromHex", [[text] for text in texts])
    assert made == [0xFF0180FF, 0xFF0180FF, 0xFFFFAA00, 0xFFCCBBAA, None, None, None, None]
    assert call("draw/colors.js", "toHex", 0xFF0180FF) == "#ff8001"


def between_lines(sketch):
    lines = flats.Lines.of(sketch)
    free = lines.depth < flats.LINE_DEPTH
    return free.repeat(lines.step, axis=0).repeat(lines.step, axis=1)[: sketch.shape[0], : sketch.shape[1]]


def test_a_fill_gives_the_region_exactly_its_color():
    cases = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        height, width = rng.integers(20, 160, 2).tolist()
        if seed % 10 == 9:
            height, width = 2100, 70
        sketch, hints = draw(rng, height, width), scribble(rng, height, width)
        hints[..., 3] = np.where(hints[..., 3] >= 128, 255, 0)  # as strokes of the page are
        place = int(rng.integers(width)), int(rng.integers(height))
        cases.append([sketch, hints, float(rng.choice([0, 2, 5])), *place, float(rng.choice([1, 4, 12]))])
    filled = 0
    for made, (sketch, hints, gap, x, y, _) in zip(call(PAINT, "fill", cases), cases, strict=True):
        numbers = flats.number_regions(sketch, gap)
        if made is None:
            assert (numbers == 1).all()
            continue
        filled += 1
        strokes, color = hints.copy(), (1, 2, 3, 255)
        paint(strokes, made["erase"], 0)
        paint(strokes, made["paint"], color)
        before, known = flats.spread_hints(sketch, hints, gap)
        after, reached = flats.spread_hints(sketch, strokes, gap)
        region, free = numbers == numbers[y, x], between_lines(sketch)
        # Where a gap is closed, a region without strokes may take a few pixels of its neighbor.
        assert (after[region & free] == color).all(axis=1).mean() > 0.998
        assert reached[region & free].mean() > 0.98
        shown = [np.where(where[..., None], each, 0) for each, where in ((before, known), (after, reached))]
        same = (shown[0] == shown[1]).all(axis=2)[~region & free]
        assert not same.size or same.mean() > 0.99
    assert filled > 20
