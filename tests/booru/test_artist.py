"""The artist draws a portrait from a number, tags every visible detail, and lets no color touch a line."""

import hashlib
import itertools
import os
import random
import subprocess
import sys
from dataclasses import astuple, fields, replace

import cv2
import numpy as np
import pytest

from pipeline.booru.artist import SIDE, Portrait, complicate, draw, portrait, recolor, tags
from pipeline.booru.artist.choices import EYES, HAIR, PALETTES
from pipeline.booru.artist.colors import LINE
from pipeline.booru.artist.ink import Ink
from pipeline.booru.artist.paths import curve, oval

FINGERPRINT = """
import hashlib
from pipeline.booru.artist import complicate, draw, portrait, recolor
sitters = portrait(3), recolor(portrait(14), 5), complicate(portrait(3))
print(hashlib.sha256(b"".join(draw(sitter).tobytes() for sitter in sitters)).hexdigest())
"""


@pytest.fixture(scope="module")
def gallery() -> dict[int, np.ndarray]:
    """Return the pictures of some numbers, drawn once for all tests."""
    return {number: draw(portrait(number)) for number in range(24)}


def sketch(picture: np.ndarray) -> np.ndarray:
    """Return the lines of a picture, 256 x 256, true where black."""
    height, width = picture.shape[:2]
    ratio = 256 / min(height, width)
    small = cv2.resize(picture, (round(width * ratio), round(height * ratio)), interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - 256) // 2, (small.shape[1] - 256) // 2
    gray = cv2.cvtColor(small[top : top + 256, left : left + 256], cv2.COLOR_RGB2GRAY)
    return cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 7, 2) == 0


def black(picture: np.ndarray) -> float:
    """Return the percentage of black in a picture's sketch."""
    return 100 * float(sketch(picture).mean())


def strays(first: np.ndarray, second: np.ndarray) -> int:
    """Return the largest difference from the color of the pen where the first picture has it."""
    inked = (first == LINE).all(axis=2)
    assert inked.mean() > 0.01
    return int(np.abs(second[inked].astype(int) - LINE).max())


def changed(first: np.ndarray, second: np.ndarray) -> int:
    """Return how many pixels clearly differ."""
    return int(np.sum(cv2.absdiff(first, second).max(axis=2) > 12))


def shared(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the first lines that lies within a pixel of the second."""
    near = cv2.dilate(second.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return float(near[first].mean())


# ---------------------------------------------------------------- determinism and variety


def test_a_fresh_process_draws_equal_bytes():
    found = [
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    sitters = portrait(3), recolor(portrait(14), 5), complicate(portrait(3))
    here = b"".join(draw(sitter).tobytes() for sitter in sitters)
    assert found == [hashlib.sha256(here).hexdigest()] * 2


def test_a_picture_depends_on_nothing_but_the_portrait_and_touches_nothing(gallery):
    def dice() -> tuple[str, str]:
        return repr(random.getstate()), repr(np.random.get_state())

    sitter, state = portrait(7), dice()
    before = astuple(sitter)
    tags(recolor(complicate(portrait(8)), 1))
    assert np.array_equal(draw(replace(sitter)), gallery[7])
    assert astuple(sitter) == before
    assert dice() == state


def test_a_portrait_is_made_of_plain_values_and_cannot_change():
    sitter = portrait(0)
    assert {type(value) for value in astuple(sitter)} <= {str, float, int, bool}
    assert len({portrait(number) for number in range(500)}) == 500
    with pytest.raises(AttributeError):
        sitter.hat = "beret"


def test_pictures_are_rgb_bytes_and_no_side_is_short(gallery):
    for number, picture in gallery.items():
        sitter = portrait(number)
        assert picture.dtype == np.uint8
        assert picture.shape == (sitter.height, sitter.width, 3)
        assert min(picture.shape[:2]) == SIDE
    assert len({picture.shape for picture in gallery.values()}) >= 3


def test_different_numbers_give_clearly_different_pictures(gallery):
    thumbnails = [cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA).astype(int) for p in gallery.values()]
    lines = [sketch(picture) for picture in gallery.values()]
    for i, j in itertools.combinations(range(len(thumbnails)), 2):
        assert np.abs(thumbnails[i] - thumbnails[j]).mean() > 10, (i, j)
        assert min(shared(lines[i], lines[j]), shared(lines[j], lines[i])) < 0.75, (i, j)


# ---------------------------------------------------------------- colors and lines


@pytest.mark.parametrize("number", [2, 9, 17, 21])
def test_recoloring_keeps_the_lines_and_changes_every_color(gallery, number):
    sitter = portrait(number)
    other = recolor(sitter, number)
    names = [field.name for field in fields(Portrait)]
    assert {name for name in names if getattr(sitter, name) != getattr(other, name)} == set(PALETTES)
    picture = draw(other)
    lines, same = sketch(gallery[number]), sketch(picture)
    assert max(strays(picture, gallery[number]), strays(gallery[number], picture)) < 20
    assert min(shared(lines, same), shared(same, lines)) > 0.9
    assert cv2.absdiff(picture, gallery[number]).mean() > 10


def test_recoloring_by_other_numbers_gives_other_colors():
    palettes = {tuple(getattr(recolor(portrait(4), n), field) for field in PALETTES) for n in range(40)}
    assert len(palettes) == 40
    assert recolor(portrait(4), 3) == recolor(portrait(4), 3)


def test_hair_has_the_color_that_its_tag_names():
    sitter = replace(portrait(6), hat="", ornament="", scene="plain")
    names = list(HAIR)
    pictures = {name: draw(replace(sitter, hair_color=name)) for name in names}
    hair = np.ptp(np.stack([pictures[name] for name in names]).astype(int), axis=0).max(axis=2) > 60
    assert hair.mean() > 0.03
    palette = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in HAIR.values()])
    for name, picture in pictures.items():
        color = np.median(picture[hair], axis=0)
        assert names[np.abs(palette - color).sum(axis=1).argmin()] == name
        assert f"{name}_hair" in tags(replace(sitter, hair_color=name))


@pytest.mark.parametrize("number", range(12))
def test_an_eye_color_is_tagged_if_and_only_if_it_is_visible(gallery, number):
    sitter = portrait(number)
    other = next(name for name in EYES if name != sitter.eye_color)
    seen = changed(gallery[number], draw(replace(sitter, eye_color=other))) > 0
    assert seen == (f"{sitter.eye_color}_eyes" in tags(sitter))


# ---------------------------------------------------------------- tags


def test_tags_are_sorted_unique_danbooru_words():
    for number in range(400):
        found = tags(portrait(number))
        assert found == sorted(set(found))
        assert all(tag and tag == tag.strip("_ {}").lower() and " " not in tag for tag in found), found
        assert "solo" in found
        assert ("1girl" in found) != ("1boy" in found)
        assert ("portrait" in found) != ("upper_body" in found)
        assert ("long_hair" in found) + ("short_hair" in found) <= 1


def test_the_first_sitters_use_the_whole_vocabulary():
    found = set().union(*(tags(portrait(number)) for number in range(400)))
    expected = (
        "witch_hat glasses holding_staff hair_bow closed_eyes one_eye_closed twintails serafuku night scarf"
    )
    assert set(expected.split()) <= found
    assert {f"{name}_hair" for name in HAIR} | {f"{name}_eyes" for name in EYES} <= found


@pytest.mark.parametrize("number", range(12))
def test_everything_tagged_is_visible(gallery, number):
    sitter = portrait(number)
    worn_fields = "hat ornament glasses neckwear staff mark earrings ahoge blush pointy_ears"
    for field in worn_fields.split():
        worn = getattr(sitter, field)
        if worn:
            without = replace(sitter, **{field: type(worn)()})
            assert set(tags(sitter)) > set(tags(without)), field
            assert changed(gallery[number], draw(without)) > 12, field


@pytest.mark.parametrize("number", range(12, 24))
def test_a_color_that_is_tagged_is_visible(gallery, number):
    sitter = portrait(number)
    for field in PALETTES:
        repainted = replace(sitter, **{field: getattr(recolor(sitter, 1), field)})
        if tags(repainted) != tags(sitter):
            assert changed(gallery[number], draw(repainted)) > 60, field


def test_closed_eyes_have_no_color_and_hidden_lids_no_shape():
    for number in range(200):
        found = set(tags(portrait(number)))
        if "closed_eyes" in found:
            assert not found & {f"{name}_eyes" for name in EYES}
            assert not found & {"tsurime", "tareme"}


# ---------------------------------------------------------------- sketches


def test_sketches_of_portraits_are_clean(gallery):
    shares = [black(picture) for picture in gallery.values()]
    assert min(shares) > 5
    assert max(shares) < 38


@pytest.mark.parametrize("number", [0, 3, 10, 15])
def test_a_complicated_portrait_is_nearly_half_black(number):
    sitter = portrait(number)
    busy = complicate(sitter)
    assert black(draw(busy)) > 45
    for field in ("hairstyle", "clothes", "hair_color"):
        assert getattr(busy, field) == getattr(sitter, field)
    assert not {"simple_background", "gradient_background", "indoors"} & set(tags(busy))


# ---------------------------------------------------------------- ink


def test_a_spline_passes_through_its_points():
    points = np.array([(0, 0), (1, 2), (3, 1), (4, 4)], float)
    for closed in (False, True):
        distances = np.linalg.norm(curve(points, closed)[:, None] - points, axis=2)
        assert distances.min(axis=0) == pytest.approx(0)


def test_drawing_inside_a_shape_leaves_no_trace_outside():
    ink = Ink(np.zeros((80, 80, 3), np.uint8), np.eye(3)[:2], pen=2.0)
    with ink.inside(oval(40, 40, 20, 20)) as part:
        part.fill(oval(50, 40, 60, 60), (255, 0, 0))
    y, x = np.nonzero(ink.pixels[..., 0])
    radius = np.hypot(x - 40, y - 40)
    assert radius.max() <= 21.5
    assert len(radius) == pytest.approx(np.pi * 20**2, rel=0.08)
