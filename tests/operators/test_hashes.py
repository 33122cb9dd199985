"""Pictures that look alike have near hashes, and so do drawings in other colors."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from pipeline.booru import artist
from pipeline.images import codec, pixels
from pipeline.operators import lines
from pipeline.operators.hashes import HAMMING_RADIUS, NO_HASH, color_hash, line_hash

EDITS = {
    "jpeg": lambda image: jpeg(image, 60),
    "half": lambda image: jpeg(pixels.resize(image, 272, 272), 75),
    "twice": lambda image: pixels.resize(image, 1024, 1024),
    "crop": lambda image: image[8:-8, 8:-8],
    "border": lambda image: cv2.copyMakeBorder(image, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)),
    "brighter": lambda image: np.clip(image.astype(int) + 25, 0, 255).astype(np.uint8),
    "flatter": lambda image: (64 + image * 0.75).astype(np.uint8),
    "signed": lambda image: signed(image),
}
SITTERS = [n for n in range(1, 60) if artist.portrait(n).width == artist.portrait(n).height][:8]


def canon(image):
    return pixels.square(np.ascontiguousarray(image), 256)


def jpeg(image, quality):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "jpeg", quality=quality)
    return codec.decode(buffer.getvalue())


def signed(image):
    return cv2.putText(image.copy(), "by me", (380, 500), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)


def sketch(image):
    return lines.threshold(pixels.grayscale(canon(image)), 7, 2.0)


def bits_apart(one, other):
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@pytest.fixture(scope="module")
def drawings():
    return [artist.draw(artist.portrait(n)) for n in SITTERS]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_keeps_both_hashes_near(drawings, edit):
    for drawing in drawings:
        edited = EDITS[edit](drawing)
        assert bits_apart(color_hash(canon(edited)), color_hash(canon(drawing))) <= HAMMING_RADIUS
        assert bits_apart(line_hash(sketch(edited)), line_hash(sketch(drawing))) <= HAMMING_RADIUS


def test_other_drawings_of_the_same_subject_are_far(drawings):
    for hashes in (
        [color_hash(canon(drawing)) for drawing in drawings],
        [line_hash(sketch(drawing)) for drawing in drawings],
    ):
        assert all(bits_apart(a, b) > HAMMING_RADIUS for n, a in enumerate(hashes) for b in hashes[:n])


def test_the_same_lines_in_other_colors_are_near():
    for number in SITTERS:
        sitter = artist.portrait(number)
        first, second = (artist.draw(p) for p in (sitter, artist.recolor(sitter, number)))
        assert bits_apart(line_hash(sketch(first)), line_hash(sketch(second))) <= HAMMING_RADIUS


def test_fills_in_reverse_order_of_brightness_keep_the_lines_near_and_the_colors_far():
    random = np.random.default_rng(0)
    ink = np.full((256, 256), 255, np.uint8)
    for _ in range(12):
        center, axes = random.integers(20, 236, 2).tolist(), random.integers(15, 60, 2).tolist()
        cv2.ellipse(ink, center, axes, 0, 0, 360, 0, 2)
    _, regions = cv2.connectedComponents(ink, connectivity=4)
    fills = random.integers(80, 240, regions.max() + 1).astype(np.uint8)
    light, dark = (
        np.where(ink == 0, 0, levels[regions]).astype(np.uint8)[..., None].repeat(3, axis=2)
        for levels in (fills, 320 - fills.astype(int))
    )
    assert bits_apart(line_hash(sketch(light)), line_hash(sketch(dark))) <= HAMMING_RADIUS
    assert bits_apart(color_hash(light), color_hash(dark)) > HAMMING_RADIUS


def test_hues_alone_change_little(drawings):
    for drawing in drawings:
        hues = cv2.cvtColor(drawing, cv2.COLOR_RGB2HSV)
        hues[..., 0] = (hues[..., 0] + 30) % 180
        turned = cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)
        assert bits_apart(line_hash(sketch(turned)), line_hash(sketch(drawing))) <= HAMMING_RADIUS


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_and_a_blank_sketch_have_no_hash(level):
    blank = np.full((256, 256, 3), level, np.uint8)
    assert color_hash(blank) == line_hash(blank[..., 0]) == NO_HASH


def test_a_nearly_empty_sketch_has_no_hash():
    speck = np.full((256, 256), 255, np.uint8)
    speck[100:110, 100:110] = 0
    assert line_hash(speck) == NO_HASH


def test_a_picture_with_faint_noise_has_no_hash():
    faint = np.random.default_rng(0).integers(126, 131, (256, 256, 3)).astype(np.uint8)
    assert color_hash(faint) == NO_HASH


def test_blank_pictures_with_noise_are_not_near_each_other():
    random = np.random.default_rng(0)
    noisy = [np.clip(random.normal(128, 12, (256, 256, 3)), 0, 255).astype(np.uint8) for _ in range(20)]
    for hashes in ([color_hash(n) for n in noisy], [line_hash(sketch(n)) for n in noisy]):
        assert NO_HASH not in hashes
        assert all(bits_apart(a, b) > HAMMING_RADIUS for n, a in enumerate(hashes) for b in hashes[:n])


def test_the_bits_are_those_of_the_transform_of_scipy(drawings):
    gray = pixels.grayscale(canon(drawings[0]))
    means = gray.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    low = np.rint(dctn(means, norm="ortho")[1:12, 1:12])
    assert color_hash(canon(drawings[0])) == np.packbits(low > np.median(low)).tobytes()


def test_frequencies_that_a_symmetric_picture_lacks_set_no_bits(drawings):
    half = canon(drawings[0])[:, :128]
    mirrored = np.concatenate([half, half[:, ::-1]], axis=1)
    mirrored[10, 10] ^= 4  # a trace of asymmetry is none
    bits = np.unpackbits(np.frombuffer(color_hash(mirrored), np.uint8))[:121].reshape(11, 11)
    assert not bits[:, ::2].any()  # the odd waves across
    assert bits[:, 1::2].sum() > 10


def test_the_inputs_are_not_changed(drawings):
    image = canon(drawings[0])
    black, before = sketch(image), image.copy()
    kept = black.copy()
    assert len(color_hash(image)) == len(line_hash(black)) == len(NO_HASH) == 16
    assert np.array_equal(image, before)
    assert np.array_equal(black, kept)
