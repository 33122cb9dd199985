"""The page colors as prep colorize does: each pixel within a level, by each system and guide."""

import cv2
import numpy as np
import pytest
from doodles import draw, scribble
from made import picture
from node import ScriptError, call, needs_node

from pipeline.images import codec
from pipeline.images.pixels import gaussian_blur, resize, wide_blur
from pipeline.models import colorize, lineart, scans
from pipeline.models.colorize import Colorizer, Options
from pipeline.models.network import Network
from pipeline.models.tiles import colorize_picture, image_planes, one_guide
from pipeline.operators.cue import blur_colors, dominant_colors
from pipeline.params import GUIDES

pytestmark = needs_node
RUN = "../../../tests/studio/colorizing.mjs"
SYSTEMS = {
    "wash": (GUIDES, {}), "pix2pix": (("cue",), {"cue": {"method": "gaussian", "sigma": 12.0}}),
    "strokes": (("cue",), {"cue": {"method": "strokes"}}), "mask": (("gray",), {}),
    "palette": (("cue",), {"cue": {"method": "palette", "colors": 4}}),
    "liu": (("reference",), {}), "scft": (("reference",), {}), "nerk": (("reference",), {}),
}  # fmt: skip


def stand_in(given):
    """Make colors that depend on the place, the sketch, and the guide if it has colors."""
    sketch = given["sketch"][0, 0]
    y, x = np.mgrid[: sketch.shape[0], : sketch.shape[1]]
    made = 0.6 * np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)]) + 0.3 * sketch
    for name in given.keys() & {"cue", "guide"}:
        made = (made + given[name][0, :3]) / 2
    return made[None].clip(-1, 1).astype(np.float32)


class Cases:
    """Drawings to color, what Python makes of them, and what its networks get."""

    def __init__(self, monkeypatch):
        self.cases, self.pictures, self.given = [], [], []
        monkeypatch.setattr(colorize, "colorize_picture", self.paint)

    def paint(self, network, given, tile):
        made = colorize_picture(network, given, tile)
        self.given[-1], self.cases[-1]["answer"] = given, made
        return made

    def add(self, drawing, kind="none", guide=None, system="wash", side=64, **options):
        guides, columns = SYSTEMS[system]
        config = {"system": system, "side": side, "columns": columns}
        network = Network(stand_in, config, guides, 8, "", "")
        self.given.append({})
        self.cases.append({"drawing": drawing, "guide": guide, "options": options | {"kind": kind}})
        self.cases[-1] |= {"model": {"config": config, "guides": list(guides)}, "answer": None}
        colorizer = Colorizer(network, kind, options=Options(**options))
        self.pictures.append(
            colorizer.color(codec.on_white(drawing) if drawing.shape[2] == 4 else drawing, guide)
        )

    def check(self):
        """The networks got the same, and the pictures differ by a level at most."""
        answers = call(RUN, "colorAll", self.cases)
        for made, expected, given in zip(answers, self.pictures, self.given, strict=True):
            assert made["given"].keys() == given.keys()
            for name, image in given.items():
                np.testing.assert_array_equal(made["given"][name], image)
            assert made["picture"].shape == expected.shape
            assert np.abs(made["picture"].astype(int) - expected).max() <= 1


@pytest.fixture
def cases(monkeypatch):
    return Cases(monkeypatch)


def doodle(seed, height, width):
    """Draw lines on white, RGB, and strokes for them, RGBA."""
    rng = np.random.default_rng(seed)
    return cv2.cvtColor(draw(rng, height, width), cv2.COLOR_GRAY2RGB), dabs(rng, height, width)


def dabs(rng, height, width):
    """Paint opaque strokes of several colors, and one with a soft edge."""
    hints = scribble(rng, height, width)
    for _ in range(6):
        place = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(hints, place, 5, (*rng.integers(0, 256, 3).tolist(), 255), -1)
    return hints


@pytest.mark.parametrize("seed", range(3))
def test_strokes_are_filled_and_colored_beyond(cases, seed):
    drawing, strokes = doodle(seed, 150, 110)
    for system in ("wash", "pix2pix", "strokes"):
        cases.add(drawing, "cue", strokes, system)
    cases.add(drawing, "cue", strokes[::2, ::2], gap=5.0)
    cases.add(drawing, "cue", strokes * np.uint8([[[1, 1, 1, 0]]]))
    for strength in (0, 0.35):
        cases.add(drawing, "cue", strokes, strength=strength)
        cases.add(drawing, "cue", strokes, strength=strength, lines="redraw")
    cases.check()


def test_each_guide_of_each_system_colors_alike(cases):
    drawing, _ = doodle(5, 140, 170)
    other = picture(3, 90)
    for kind in ("cue", "palette", "reference"):
        cases.add(drawing, kind, other)
    for system in ("pix2pix", "palette", "strokes"):
        cases.add(drawing, "cue", other, system)
        cases.add(drawing, system=system)
    for system in ("liu", "scft", "nerk"):
        cases.add(drawing, "reference", other, system)
    cases.add(drawing)
    cases.add(drawing, lines="redraw")
    cases.check()


def test_masks_color_gray_pictures_alike(cases):
    gray, strokes = picture(1, 100), dabs(np.random.default_rng(1), 60, 80)
    for system in ("wash", "mask"):
        cases.add(gray, "gray", None, system)
        cases.add(gray, "gray", strokes, system, strength=0.5)
        cases.add(gray, "gray", strokes[..., :3].copy(), system, lines="redraw", strength=0.5)
    cases.check()


def test_drawings_of_any_size_color_alike(cases):
    for seed, (height, width) in enumerate([(1, 1), (3, 40), (30, 25), (90, 210)]):
        drawing, strokes = doodle(seed, height, width)
        cases.add(drawing, "cue", strokes)
        cases.add(drawing, "cue", picture(2, 20))
        cases.add(drawing, "gray", strokes)
        cases.add(drawing, size=17)
    drawing, strokes = doodle(4, 2050, 60)
    cases.add(drawing, "cue", strokes, side=32)
    cases.check()


def test_scans_light_lines_and_transparent_drawings_color_alike(cases):
    drawing, strokes = doodle(7, 160, 130)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :130] / 160
    tint = np.stack([235 - 20 * x, 225 - 15 * y, 200 - 10 * x * y], axis=2)
    scan = np.rint(drawing / 255 * tint + rng.normal(0, 2, drawing.shape)).clip(0, 255).astype(np.uint8)
    cases.add(scan, "cue", strokes)
    cases.add(scan[:9], "cue", strokes[:9])
    cases.add(255 - scan, "cue", strokes, invert=True)
    cases.add(np.dstack([scan, rng.integers(0, 256, scan.shape[:2], dtype=np.uint8)]), "cue", strokes)
    cases.check()


def test_pixels_are_resized_and_blurred_as_in_python():
    rng = np.random.default_rng(0)
    jobs, wanted = [], []
    for size, (width, height) in [
        ((30, 40), (20, 15)), ((30, 40), (10, 10)), ((31, 47), (40, 31)), ((31, 47), (20, 13)),
        ((9, 7), (60, 50)), ((30, 40), (10, 60)), ((1, 1), (3, 2)), ((64, 90), (78, 64)),
    ]:  # fmt: skip
        for channels in ((), (3,), (4,)):
            image = rng.integers(0, 256, (*size, *channels), dtype=np.uint8)
            jobs.append(["pixels", "resize", image, width, height])
            wanted.append((lineart.fit(image, width, height), 0))
            jobs.append(["pixels", "resizeNearest", image, width, height])
            wanted.append((cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST), 0))
            levels = image.astype(np.float32)
            jobs.append(["pixels", "resize", levels, width, height])
            wanted.append((resize(levels, width, height), 0.01))
            jobs.append(["pixels", "resizeLinear", levels, width, height])
            wanted.append((cv2.resize(levels, (width, height)), 0.01))
    image = rng.integers(0, 256, (33, 50, 3), dtype=np.uint8)
    levels = image.astype(np.float32)
    jobs += [["pixels", "wideBlur", levels, 2.5], ["pixels", "gaussianBlur", levels, 1.0]]
    wanted += [(wide_blur(levels, 2.5), 1e-9), (gaussian_blur(levels, 1.0), 1e-3)]
    jobs += [["pixels", "boxBlur", levels, 2], ["pixels", "grayscale", image]]
    wanted += [(cv2.blur(levels, (5, 5)), 1e-3), (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 0)]
    jobs += [["cues", "blurColors", image, 3.0], ["cues", "blurColors", image, 20.0]]
    wanted += [(blur_colors(image, 3.0), 1), (blur_colors(image, 20.0), 0)]
    alphas = rng.integers(0, 256, (60, 70, 4), dtype=np.uint8)
    jobs.append(["pixels", "onWhite", alphas])
    wanted.append((codec.on_white(alphas), 0))
    for made, (expected, most) in zip(call(RUN, "callAll", jobs), wanted, strict=True):
        assert made.shape == expected.shape
        assert np.abs(made.astype(float) - expected).max() <= most


def test_colors_paper_and_hues_are_found_as_in_python():
    pictures = [picture(seed, 60) for seed in range(3)]
    pictures += [np.full((20, 30, 3), level, np.uint8) for level in (0, 120, 255)]
    jobs, wanted = [], []
    for image in pictures:
        jobs += [
            ["cues", "dominantColors", image, 6],
            ["scans", "isInverted", image],
            ["scans", "isColored", image],
        ]
        wanted += [dominant_colors(image, 6).tolist(), scans.is_inverted(image), scans.is_colored(image)]
        jobs.append(["scans", "levelPaper", image])
        wanted.append(scans.level_paper(image))
    for made, expected in zip(call(RUN, "callAll", jobs), wanted, strict=True):
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("kind", ["cue", "reference", "gray", "none"])
def test_the_network_gets_what_it_gets_in_python(kind):
    rng = np.random.default_rng(0)
    sketch, colors = (rng.integers(0, 256, size, dtype=np.uint8) for size in ((6, 9), (6, 9, 4)))
    given = {"sketch": sketch}
    if kind == "gray":
        given |= {"mask": colors[..., 0] // 128 * np.uint8(255), "color": colors[..., :3].copy()}
    elif kind != "none":
        given[kind] = colors if kind == "cue" else colors[..., :3].copy()
    several, single = call(RUN, "inputsOf", given, True), call(RUN, "inputsOf", given, False)
    for name, image in one_guide(given).items():
        assert several[name]["shape"] == list(image.shape)
        np.testing.assert_allclose(several[name]["values"], image.ravel(), atol=1e-7)
    for name in given.keys() - {"mask"}:
        np.testing.assert_allclose(single[name]["values"], image_planes(given[name]).ravel(), atol=1e-7)
    if kind == "gray":
        np.testing.assert_array_equal(single["mask"]["values"], given["mask"].ravel() > 0)


def test_what_the_page_cannot_do_is_refused():
    model = {"config": {"system": "scft", "side": 64, "columns": {}}, "guides": ["reference"]}
    case = {"drawing": picture(0, 40), "guide": None, "model": model, "answer": None}
    with pytest.raises(ScriptError, match="colors by a reference"):
        call(RUN, "colorAll", [case | {"options": {"kind": "none"}}])
    with pytest.raises(ScriptError, match="strength must be 0 to 1"):
        call(RUN, "colorAll", [case | {"options": {"kind": "none", "strength": 2}}])
    large = {"options": {"kind": "reference", "size": 5000}, "guide": picture(1, 40)}
    with pytest.raises(ScriptError, match="up to a megapixel"):
        call(RUN, "colorAll", [case | large])
