"""Resizing takes means, and blurs agree with SciPy."""

import numpy as np
import pytest
from made import picture
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.images.pixels import gaussian_blur, grayscale, resize, square, wide_blur
from pipeline.operators import hashes, lines, scores
from pipeline.operators.cue import draw_cue
from pipeline.operators.sketch import complexity, draw_sketch
from pipeline.operators.warp import bend_picture, draw_reference
from pipeline.params import Cue, Reference, Sketch


def test_shrinking_takes_the_mean_of_the_covered_area():
    checkered = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.unique(resize(checkered, 4, 4)).tolist() == [100]


@pytest.mark.parametrize(("crop", "rows"), [("center", slice(16, 48)), ("top", slice(0, 32))])
def test_a_square_is_cut_from_the_center_or_the_top(crop, rows):
    tall = picture(2, 32, 64)
    np.testing.assert_array_equal(square(tall, 32, crop), tall[rows])


@pytest.mark.parametrize(("side", "sigma"), [(64, 5.0), (16, 40.0), (1, 3.0), (33, 0.3)])
def test_blur_agrees_with_scipy_in_float64_reflected(side, sigma):
    pixels = picture(4, side, side).astype(np.float32)
    expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(pixels, sigma).reshape(expected.shape), expected, atol=0.01)


@pytest.mark.parametrize(
    ("size", "sigma"), [((256, 256), 20.0), ((64, 300), 9.0), ((5, 3), 40.0), ((1, 1), 8.0)]
)
def test_a_wide_blur_agrees_with_scipy_in_float64_reflected(size, sigma):
    noise = np.random.default_rng(2).integers(0, 2, (*size, 3), np.uint8) * 255
    for pixels in (noise, picture(4, *size[::-1])):
        expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="reflect")
        np.testing.assert_allclose(wide_blur(pixels, sigma), expected, atol=0.05)


RGB_OPERATORS = {
    "measure_scores": scores.measure_scores,
    "colorfulness": scores.colorfulness,
    "saturation": scores.saturation,
    "monochrome": scores.monochrome,
    "blank": scores.blank,
    "draw_cue": lambda image: draw_cue(image, Cue()),
    "bend_picture": lambda image: bend_picture(image, draw_reference("1", Reference())),
}
OPERATORS = RGB_OPERATORS | {
    "grayscale": grayscale,
    "draw_sketch": lambda image: draw_sketch(image, Sketch()),
    "complexity": lambda image: complexity(image, Sketch()),
    "threshold": lambda image: lines.threshold(image, 7, 2.0),
    "xdog": lambda image: lines.xdog(image, 0.7, 2.5, 1, 0.97, 0.0004, 51000),
    "canny": lambda image: lines.canny(image, 1, 100, 0.5),
    "dog": lambda image: lines.dog(image, 1, 1.6, 0.01),
    "pencil": lambda image: lines.pencil(image, 5),
    "black_share": lines.black_share,
    "borders": scores.borders,
    "text": scores.text,
    "blur": scores.blur,
    "color_hash": hashes.color_hash,
    "line_hash": hashes.line_hash,
}
NO_PICTURES = {
    "transparent": (
        np.zeros((40, 40, 4), np.uint8),
        r"must be RGB .* got \(40, 40, 4\): convert it",
    ),
    "one channel": (np.zeros((40, 40, 1), np.uint8), "must be RGB"),
    "a row": (np.zeros(40, np.uint8), "must be RGB"),
    "float": (np.zeros((40, 40, 3)), "must be uint8 with levels of 0 to 255, got float64: convert it"),
    "16 bits": (
        np.zeros((40, 40), np.uint16),
        "must be uint8 with levels of 0 to 255, got uint16",
    ),
    "Pillow": (Image.new("RGB", (40, 40)), "must be a NumPy array, got Image: give np.asarray"),
    "list": ([[0] * 40] * 40, "must be a NumPy array, got list"),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
@pytest.mark.parametrize("name", OPERATORS)
def test_an_array_that_is_no_picture_is_refused_by_every_operator(name, kind):
    image, sentence = NO_PICTURES[kind]
    with pytest.raises(ValueError, match=sentence):
        OPERATORS[name](image)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_gray_picture_is_refused_by_the_operators_that_need_colors(name):
    gray = picture(1)[..., 0]
    if name not in RGB_OPERATORS:
        OPERATORS[name](gray)
        return
    with pytest.raises(ValueError, match=r"must be RGB \(H, W, 3\), got \(64, 64\): convert it"):
        OPERATORS[name](gray)
