"""Scores measure what their names say, and follow the published formulas."""

import warnings

import cv2
import numpy as np
import pytest
from made import picture
from PIL import Image, ImageDraw, ImageFont
from skimage.color import rgb2hsv, rgb2lab
from skimage.measure import blur_effect

from pipeline.operators.scores import (
    blank,
    blur,
    borders,
    colorfulness,
    measure_scores,
    monochrome,
    saturation,
    text,
)

SIDE = 256
RANDOM = np.random.default_rng(0)
INKS = {"sepia": (110, 70, 30), "blue": (40, 60, 150), "red": (200, 30, 40)}
TRIVIAL = {
    "black": np.zeros((SIDE, SIDE, 3), np.uint8),
    "white": np.full((SIDE, SIDE, 3), 255, np.uint8),
    "red": np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8),
    "gray": np.full((SIDE, SIDE, 3), 127, np.uint8),
    "two levels": np.tile(np.uint8([[[100], [101]]]), (SIDE, SIDE // 2, 3)),
    "gray noise": np.repeat(RANDOM.integers(0, 256, (SIDE, SIDE, 1), np.uint8), 3, axis=2),
    "noise": RANDOM.integers(0, 256, (SIDE, SIDE, 3), np.uint8),
    "halves": np.repeat(np.repeat(np.uint8([[[0] * 3, [255] * 3]]), SIDE, axis=0), SIDE // 2, axis=1),
}


@pytest.fixture(scope="module")
def image():
    """An RGB picture of 256 x 256: sharp discs on a gradient."""
    return picture(1, SIDE, SIDE)


def jpeg(image, quality=75):
    """Compress a picture as JPEG and decode it."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def print_in(image, ink, paper):
    """Print the brightness of a picture with one ink on paper; both are RGB."""
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return np.rint(light * paper + (1 - light) * ink).astype(np.uint8)


def figure(ground=255, end=SIDE):
    """Draw a round head on shoulders that end at a row, on a flat ground."""
    image = np.full((SIDE, SIDE, 3), ground, np.uint8)
    cv2.circle(image, (128, 90), 50, (240, 190, 160), -1)
    cv2.ellipse(image, (128, end), (90, 110), 0, 180, 360, (60, 90, 200), -1)
    return image


def letter(image, size, lines, ink=0, paper=255):
    """Write lines of text on a box of paper in a picture, in the font that comes with Pillow."""
    page = Image.fromarray(image)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    box = draw.textbbox((16, 16), lines, font)
    draw.rectangle((box[0] - 6, box[1] - 6, box[2] + 6, box[3] + 6), (paper,) * 3)
    draw.text((16, 16), lines, (ink,) * 3, font)
    return np.array(page)


# ---------------------------------------------------------------- all of them


def test_measure_scores_has_every_score(image):
    functions = (colorfulness, saturation, monochrome, borders, text, blur, blank)
    assert measure_scores(image) == {function.__name__: function(image) for function in functions}


def test_scores_have_four_decimals_and_do_not_change_the_picture(image):
    before = image.copy()
    scores = measure_scores(image)
    np.testing.assert_array_equal(image, before)
    assert all(type(score) is float and score == round(score, 4) for score in scores.values())


@pytest.mark.parametrize("name", TRIVIAL)
def test_scores_of_trivial_pictures_are_finite(name):
    with warnings.catch_warnings(action="error"), np.errstate(all="raise"):
        scores = measure_scores(TRIVIAL[name])
    assert all(0 <= score < 200 for score in scores.values())


@pytest.mark.parametrize("name", ["black", "white", "red", "gray"])
def test_a_picture_of_one_color_is_blank_and_all_frame_without_edges_text_and_hues(name):
    scores = measure_scores(TRIVIAL[name])
    assert (scores["blank"], scores["borders"], scores["blur"], scores["text"]) == (100, 100, 0, 0)
    assert scores["monochrome"] == 0


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.rot90])
def test_a_turned_picture_scores_the_same(image, turn):
    framed = cv2.copyMakeBorder(image[:216], 40, 0, 0, 0, cv2.BORDER_CONSTANT)
    turned = measure_scores(np.ascontiguousarray(turn(framed)))
    assert turned == pytest.approx(measure_scores(framed), abs=0.05)


# ---------------------------------------------------------------- color


def test_colorfulness_is_the_published_formula(image):
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    first, second = red - green, (red + green) / 2 - blue
    spread = np.sqrt(first.var() + second.var())
    assert colorfulness(image) == round(spread + 0.3 * np.sqrt(first.mean() ** 2 + second.mean() ** 2), 4)


def test_saturation_is_that_of_scikit_image(image):
    assert saturation(image) == pytest.approx(100 * rgb2hsv(image)[..., 1].mean(), abs=0.2)


@pytest.mark.parametrize("name", ["black", "white", "gray", "two levels", "gray noise", "halves"])
def test_gray_has_no_color(name):
    assert [score(TRIVIAL[name]) for score in (colorfulness, saturation, monochrome)] == [0, 0, 0]


def test_red_is_as_saturated_as_can_be():
    assert saturation(TRIVIAL["red"]) == 100


def test_monochrome_is_the_residual_of_a_parabola_over_lightness():
    blocks = RANDOM.integers(0, 256, (16, 16, 3), np.uint8)
    light, *color = rgb2lab(blocks).reshape(-1, 3).T
    rest = [channel - np.polyval(np.polyfit(light, channel, 2), light) for channel in color]
    expected = np.sqrt(np.mean(np.square(rest).sum(axis=0)))
    assert monochrome(np.kron(blocks, np.ones((16, 16, 1), np.uint8))) == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("paper", [(255, 255, 255), (250, 235, 205)], ids=["white paper", "old paper"])
@pytest.mark.parametrize("ink", INKS)
def test_a_print_in_one_ink_is_monochrome_and_a_painting_is_not(image, ink, paper):
    assert monochrome(jpeg(print_in(image, INKS[ink], paper))) < 2 < 10 < monochrome(image)


def test_a_print_in_opposite_inks_is_monochrome_and_their_shapes_side_by_side_are_not(image):
    assert monochrome(jpeg(print_in(image, (20, 40, 120), (255, 225, 150)))) < 2
    sides = np.hstack([print_in(image, INKS[ink], (255,) * 3)[:, ::2] for ink in ("sepia", "blue")])
    assert monochrome(sides) > 5


def test_a_red_scarf_makes_a_gray_picture_less_monochrome(image):
    gray = print_in(image, (0, 0, 0), (255, 255, 255))
    scarf = gray.copy()
    scarf[150:190, 60:200] = (200, 30, 40)
    assert monochrome(gray) == 0
    assert monochrome(scarf) > 5


def test_blank_is_the_share_of_the_commonest_color(image):
    half = image.copy()
    half[:, :128] = (30, 200, 90)
    assert 50 <= blank(half) < 55
    assert blank(TRIVIAL["noise"]) < 1


@pytest.mark.parametrize("level", [5, 128, 255])
def test_blank_sees_one_color_through_the_noise_of_a_jpeg(level):
    noise = RANDOM.normal(0, 2, (SIDE, SIDE, 3)).round()
    assert blank(jpeg(np.clip(level + noise, 0, 255).astype(np.uint8))) > 99


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(
    ("top", "bottom", "left", "right"), [(32, 32, 0, 0), (0, 0, 48, 16), (20, 20, 20, 20)]
)
def test_borders_are_the_share_of_bars_and_frames(level, top, bottom, left, right):
    inside = picture(2, SIDE - left - right, SIDE - top - bottom)
    framed = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(level,) * 3)
    expected = 100 * (1 - inside.shape[0] * inside.shape[1] / SIDE**2)
    assert borders(framed) == pytest.approx(expected, abs=1e-4)
    assert borders(jpeg(framed)) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("ground", [0, 200, 255])
def test_the_ground_around_a_figure_is_not_a_frame(ground):
    assert borders(jpeg(figure(ground))) == 0


def test_a_bust_that_ends_in_a_straight_line_has_no_frame():
    assert borders(jpeg(figure(end=200))) == 0


def test_a_picture_without_frame_has_no_borders(image):
    assert borders(image) == 0


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_blur_measures_the_sigma_of_a_step(sigma):
    step = cv2.GaussianBlur(TRIVIAL["halves"], (0, 0), sigma)
    assert blur(step) == pytest.approx(np.sqrt(2 * (sigma**2 + 1)), rel=0.06)  # 1 is of the blur within


def test_blur_grows_with_every_blur(image):
    scores = [blur(image)] + [
        blur(cv2.GaussianBlur(image, (0, 0), sigma)) for sigma in (0.5, 1, 1.5, 2, 3, 4, 6)
    ]
    assert scores == sorted(set(scores))
    assert scores[0] < 1.8 < scores[4]


def test_blur_ranks_blurred_and_enlarged_pictures_as_scikit_image_does(image):
    small = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for side in (96, 48, 24)]
    row = [image] + [cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for part in small]
    assert np.argsort([blur(part) for part in row]).tolist() == list(range(4))
    assert np.argsort([blur_effect(part, channel_axis=2) for part in row]).tolist() == list(range(4))


def test_flat_vector_art_and_noise_are_sharp():
    assert blur(figure()) < 1.5
    assert blur(TRIVIAL["noise"]) < 1


def test_contrast_does_not_blur(image):
    assert blur((image // 4 + 90).astype(np.uint8)) == pytest.approx(blur(image), rel=0.05)


# ---------------------------------------------------------------- letters

WORDS = "One morning the fox\nwent out to look for\nthe lazy brown dog,\nand nobody knew why"


@pytest.mark.parametrize("size", [7, 9, 12, 16, 22])
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (60, 220)])
def test_letters_are_text_at_every_size_dark_or_light(image, size, ink, paper):
    plain, lettered = text(image), text(jpeg(letter(image, size, WORDS, ink, paper)))
    box = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), WORDS, ImageFont.load_default(size))
    covers = 100 * min(box[2], SIDE) * min(box[3], SIDE) / SIDE**2
    assert plain == 0
    assert 0.25 * covers < lettered < 1.1 * covers


def test_the_stroke_font_of_opencv_is_text(image):
    lettered = image // 2
    for line, base in zip(WORDS.upper().split("\n"), (40, 80, 120, 160), strict=True):
        cv2.putText(lettered, line, (8, base), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    assert text(lettered) > 8


def test_more_lines_cover_more(image):
    pages = [letter(image, 12, "\n".join(["the lazy brown dog"] * count)) for count in (1, 3, 6, 10)]
    scores = [text(page) for page in pages]
    assert scores == sorted(set(scores))


@pytest.mark.parametrize("name", [name for name in TRIVIAL if "noise" not in name])
def test_trivial_pictures_hold_no_text(name):
    assert text(TRIVIAL[name]) == 0


def test_faces_discs_and_hatching_are_not_text(image):
    hatched = figure()
    hatched[60:120:6] = 0
    assert text(figure()) == text(image) == text(hatched) == 0


def test_a_short_word_is_not_text_since_four_spots_in_a_row_are_common(image):
    assert text(letter(image, 20, "hand")) == 0
    assert text(letter(image, 20, "hands up")) > 0
