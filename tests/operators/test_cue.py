"""A cue is the blurred picture, hints on transparent ground, a palette, or empty."""

import io
import json
import math

import numpy as np
import pytest
from made import make_columns, picture, process, unpacked
from PIL import Image
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from pipeline import chance
from pipeline.batches.dataset import Pairs
from pipeline.images import codec, png
from pipeline.images.pixels import resize
from pipeline.operators import cue as cues
from pipeline.operators.cue import draw_cue
from pipeline.packing.pack import pack_columns
from pipeline.params import Cue, Pack
from pipeline.run.step import Step

METHODS = ("gaussian", "none", "strokes", "points", "palette")
KEYS = [str(number) for number in range(1000)]
FLAT = np.full((40, 50, 3), (200, 10, 90), np.uint8)


@pytest.mark.parametrize("side", [64, 256, 300])
def test_a_cue_is_within_one_level_of_scipy_in_float64(side):
    image = picture(1, side, side)
    sigma = 20.0 * side / 256
    expected = gaussian_filter(image.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    assert np.abs(draw_cue(image, Cue(sigma=20.0)) - expected).max() <= 1


@pytest.mark.parametrize("size", [(256, 256), (100, 333), (512, 200), (3, 50), (13, 40)])
@pytest.mark.parametrize("sigma", [5.0, 20.0, 60.0])
def test_even_noise_and_checkers_are_blurred_within_one_level(size, sigma):
    noise = np.random.default_rng(1).integers(0, 2, (*size, 3), np.uint8) * 255
    half = noise[: size[0] // 2]
    half[:] = np.indices(half.shape[:2]).sum(axis=0)[..., None] % 2 * 255  # checkered
    noise[:, : size[1] // 3] = 0
    scaled = sigma * min(size) / 256
    expected = gaussian_filter(noise.astype(np.float64), (scaled, scaled, 0), mode="reflect")
    assert np.abs(draw_cue(noise, Cue(sigma=sigma)) - expected).max() <= 1


def test_sigma_is_scaled_with_the_side():
    image = picture(1, 64, 64)
    large = np.kron(image, np.ones((4, 4, 1), np.uint8))
    shrunk = resize(draw_cue(large, Cue()), 64, 64)
    assert np.abs(shrunk.astype(int) - draw_cue(image, Cue())).max() <= 1


def test_a_flat_color_does_not_change_up_to_the_border():
    flat = np.full((40, 50, 3), (200, 10, 90), np.uint8)
    np.testing.assert_array_equal(draw_cue(flat, Cue()), flat)


def test_none_is_all_white(image):
    assert draw_cue(image, Cue(method="none")).min() == 255


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_is_not_changed(method, image):
    before = image.copy()
    draw_cue(image, Cue(method=method), "1")
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("method", ["gaussian", "none"])
def test_the_metadata_of_a_blur_and_of_none_are_method_and_sigma(method, image):
    made, metadata = unpacked(cues.make_cue(png.encode_png(image), "1", Cue(method=method)))
    assert metadata == {"method": method, "sigma": 20.0}
    np.testing.assert_array_equal(made, draw_cue(image, Cue(method=method)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2), (40, 50)])
def test_flat_pictures_of_any_size_have_cues_of_their_color(method, size):
    flat = np.full((*size, 3), (200, 10, 90), np.uint8)
    made = draw_cue(flat, Cue(method=method), "1")
    assert made.shape == (*size, 4 if method in cues.HINT_METHODS else 3)
    given = made[made[..., 3] == 255][:, :3] if method in cues.HINT_METHODS else made.reshape(-1, 3)
    assert len(given) > 0
    assert (given == (255 if method == "none" else (200, 10, 90))).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_gray_picture_has_a_gray_cue(method):
    gray = np.stack([picture(1)[..., 0]] * 3, axis=2)
    made = draw_cue(gray, Cue(method=method), "1")
    assert (made[..., :3] == made[..., :1]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_cue_depends_only_on_picture_key_and_seed(method, image):
    params = Cue(method=method)
    first = draw_cue(image, params, "1")
    others = [draw_cue(image, params, "2"), draw_cue(image, Cue(method=method, seed=1), "1")]
    np.testing.assert_array_equal(first, draw_cue(image, params, "1"))
    assert [np.array_equal(first, other) for other in others] == [method not in cues.HINT_METHODS] * 2


@pytest.mark.parametrize("method", cues.MARK_METHODS)
def test_a_cue_can_be_rendered_again_from_its_metadata(method, image):
    made, metadata = unpacked(cues.make_cue(png.encode_png(image), "7", Cue(method=method, seed=3)))
    metadata = json.loads(json.dumps(metadata))
    np.testing.assert_array_equal(
        made, cues.render_marks(image, metadata["drawn"], cues.params_from_metadata(metadata))
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_metadata_have_the_parameters_that_decide_the_cue(method, image):
    given = {"sigma": 9.0, "fewest": 3, "most": 4, "thin": 2, "thick": 3, "short": 5, "long": 6}
    params = Cue(method=method, **given, points=3.0, size=4, colors=2, seed=8)
    made, metadata = unpacked(cues.make_cue(png.encode_png(image), "1", params))
    np.testing.assert_array_equal(made, draw_cue(image, cues.params_from_metadata(metadata), "1"))


@pytest.mark.parametrize("method", cues.HINT_METHODS)
def test_hints_are_on_white_and_alpha_is_their_mask(method, image):
    made = draw_cue(image, Cue(method=method), "1")
    assert made.shape == (64, 64, 4)
    assert set(np.unique(made[..., 3])) == {0, 255}
    assert (made[made[..., 3] == 0][:, :3] == 255).all()
    with Image.open(io.BytesIO(png.encode_png(made))) as opened:
        assert opened.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(opened), made)
    np.testing.assert_array_equal(codec.decode(png.encode_png(made)), made[..., :3])


def test_a_stroke_along_the_rows_has_its_length_and_thickness():
    spot = np.zeros((256, 256), bool)
    rows, columns, inside = cues.stroke_spot([0.5, 0.5, 0.0, 0.0, 20, 6], 256, 256)
    spot[rows, columns] = inside
    expected = np.zeros((256, 256), bool)
    expected[125:131, 118:138] = True
    np.testing.assert_array_equal(spot, expected)


def test_a_bent_stroke_covers_the_pixels_within_its_thickness_of_a_parabola():
    spot = np.zeros((256, 256), bool)
    rows, columns, inside = cues.stroke_spot([0.2, 0.2, 0.9, 0.08, 60, 6], 256, 256)
    spot[rows, columns] = inside
    along = np.linspace(-30, 30, 600)
    across = 0.08 * 60 * (along / 30) ** 2
    x = 51 + math.cos(0.9) * along - math.sin(0.9) * across
    y = 51 + math.sin(0.9) * along + math.cos(0.9) * across
    far = cdist(np.argwhere(np.ones((100, 100))), np.column_stack([y, x])).min(axis=1).reshape(100, 100)
    assert spot[:100, :100].sum() == spot.sum()
    assert not spot[:100, :100][far > 3.8].any()  # half the thickness, and more at the corners alone
    middle = np.hypot(*(np.mgrid[:100, :100] - 51)) < 28
    assert spot[:100, :100][(far < 2.7) & middle].all()


@pytest.mark.parametrize("angle", np.linspace(0, 3, 7))
def test_the_smallest_hint_of_the_smallest_picture_is_one_pixel(angle):
    for spot in (
        cues.stroke_spot([0.999999, 0, angle, 0.08, 4, 4], 2, 2),
        cues.point_spot([1.0, 0, 1], 2, 2),
    ):
        rows, columns, inside = spot
        marked = np.zeros((2, 2), bool)
        marked[rows, columns] = inside
        assert marked[0, 1]


def test_a_point_is_a_square_of_its_size_with_the_mean_color_below_it():
    image = picture(1, 256, 256)
    canvas = cues.render_marks(image, [[0.25, 0.5, 5]], Cue(method="points"))  # pixel 128 down, 64 across
    expected = np.zeros((256, 256), np.uint8)
    expected[126:131, 62:67] = 255
    np.testing.assert_array_equal(canvas[..., 3], expected)
    mean = np.rint(image[126:131, 62:67].reshape(-1, 3).mean(axis=0))
    assert (canvas[126:131, 62:67, :3] == mean).all()


def test_a_point_of_an_even_size_has_its_extra_pixel_above_and_to_the_left():
    rows, columns, inside = cues.point_spot([0.25, 0.5, 2], 256, 256)
    down, right = np.nonzero(inside)
    assert sorted(zip(rows.start + down, columns.start + right, strict=True)) == [
        (127, 63),
        (127, 64),
        (128, 63),
        (128, 64),
    ]


def test_hints_are_scaled_with_the_short_side():
    oblong = np.zeros((128, 512, 3), np.uint8)
    point, stroke = (
        cues.render_marks(oblong, [row], Cue(method=method))[..., 3] == 255
        for method, row in (("points", [0.5, 0.5, 6]), ("strokes", [0.5, 0.5, 0.0, 0.0, 20, 6]))
    )
    assert point.sum() == 3 * 3
    assert stroke.sum() == 10 * 3


def test_each_stroke_has_the_mean_color_of_the_picture_below_it_and_later_strokes_lie_on_top():
    image = picture(2, 128, 128)
    rows = cues.draw_marks(image, "1", Cue(method="strokes"))
    expected = np.zeros((128, 128, 3))
    for row in rows:
        alone = cues.render_marks(image, [row], Cue(method="strokes"))[..., 3] == 255
        expected[alone] = np.rint(image[alone].mean(axis=0))
    made = draw_cue(image, Cue(method="strokes"), "1")
    inside = made[..., 3] == 255
    np.testing.assert_array_equal(made[..., :3][inside], expected[inside])


@pytest.mark.parametrize("method", cues.HINT_METHODS)
def test_hints_cover_the_same_share_of_a_picture_of_any_size(method):
    params = Cue(method=method, size=40, long=100, thick=16)
    covered = [
        np.mean([draw_cue(np.zeros((side, side, 3), np.uint8), params, key)[..., 3] for key in KEYS[:20]])
        for side in (128, 512)
    ]
    assert covered[0] == pytest.approx(covered[1], rel=0.1)


def test_strokes_have_the_numbers_and_sizes_asked_for_and_cover_the_picture():
    drawn = [cues.draw_marks(FLAT, key, Cue(method="strokes")) for key in KEYS]
    numbers = [len(rows) for rows in drawn]
    rows = np.concatenate(drawn)
    assert (min(numbers), max(numbers)) == (8, 20)
    assert abs(np.mean(numbers) - 14) < 4 * 3.74 / 1000**0.5
    x, y, angle, bend, length, thickness = rows.T
    assert [set(length), set(thickness)] == [set(range(4, 65)), set(range(4, 9))]
    assert abs(bend).max() <= 0.08
    assert abs(np.mean(angle) - math.pi / 2) < 0.05
    for place in (x, y):
        np.testing.assert_allclose(np.histogram(place, 4, (0, 1))[0] / len(rows), 0.25, atol=0.02)


def test_the_number_of_points_is_geometric_with_a_mean_of_eight():
    drawn = [cues.draw_marks(FLAT, key, Cue(method="points")) for key in KEYS]
    numbers = np.array([len(rows) for rows in drawn])
    assert numbers.min() == 1
    assert abs(numbers.mean() - 8) < 4 * 56**0.5 / 1000**0.5  # variance (1 - p) / p^2
    for least in (2, 5, 9, 20):
        assert abs(np.mean(numbers >= least) - (7 / 8) ** (least - 1)) < 0.06
    sizes = np.concatenate(drawn)[:, 2]
    np.testing.assert_allclose(np.bincount(sizes.astype(int))[1:] / len(sizes), 1 / 9, atol=0.02)


def test_a_mean_of_one_point_is_always_one_point():
    assert {len(cues.draw_marks(FLAT, key, Cue(method="points", points=1.0))) for key in KEYS[:50]} == {1}


def test_a_palette_of_flat_colors_has_these_colors_the_most_frequent_first():
    image = np.full((10, 10, 3), (250, 250, 250), np.uint8)
    image[:3], image[3:5, :5] = (200, 30, 40), (10, 20, 230)
    np.testing.assert_array_equal(
        cues.dominant_colors(image, 6), [(250, 250, 250), (200, 30, 40), (10, 20, 230)]
    )
    made = draw_cue(image, Cue(method="palette", colors=3))
    np.testing.assert_array_equal(made[0], [[250] * 3] * 4 + [[200, 30, 40]] * 3 + [[10, 20, 230]] * 3)
    assert (made == made[:1]).all()


def test_the_order_of_the_pixels_does_not_change_the_palette(image):
    mixed = np.random.default_rng(0).permutation(image.reshape(-1, 3)).reshape(image.shape)
    np.testing.assert_array_equal(cues.dominant_colors(image, 5), cues.dominant_colors(mixed, 5))


@pytest.mark.parametrize("number", range(1, 6))
def test_a_palette_has_about_the_error_of_k_means_in_scipy(number):
    image = picture(number, 48, 48)
    pixels = image.reshape(-1, 3).astype(float)
    ours = cues.dominant_colors(image, 6).astype(float)
    others = [kmeans2(pixels, 6, minit="++", rng=seed)[0] for seed in range(10)]
    others += [kmeans2(pixels, ours, minit="matrix")[0]]
    error, *errors, further = [
        (cdist(pixels, centers).min(axis=1) ** 2).mean() for centers in (ours, *others)
    ]
    assert error < 1.2 * min(errors)
    assert error < 1.02 * further


def test_with_more_colors_than_columns_the_most_frequent_remain():
    image = np.zeros((9, 1, 3), np.uint8)
    image[:6] = (0, 250, 0)
    assert (draw_cue(image, Cue(method="palette", colors=256)) == (0, 250, 0)).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_dropped_cue_is_white_and_its_mask_empty(method, image):
    made, metadata = unpacked(cues.make_cue(png.encode_png(image), "1", Cue(method=method, drop=1.0)))
    assert metadata["dropped"] is True
    assert metadata.get("drawn", []) == []
    assert (made[..., :3] == 255).all()
    assert (made[..., 3:] == 0).all()
    assert made.shape[2] == (4 if method in cues.HINT_METHODS else 3)


@pytest.mark.parametrize("method", METHODS)
def test_a_cue_that_is_not_dropped_does_not_depend_on_the_probability(method, image):
    key = next(key for key in KEYS if not cues.is_dropped(key, Cue(drop=0.5)))
    made, metadata = unpacked(cues.make_cue(png.encode_png(image), key, Cue(method=method, drop=0.5)))
    assert (metadata["drop"], metadata["dropped"]) == (0.5, False)
    np.testing.assert_array_equal(made, draw_cue(image, Cue(method=method), key))


def test_the_share_of_dropped_cues_is_as_asked_and_a_larger_one_only_adds_some():
    before = set()
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        gone = {key for key in KEYS if cues.is_dropped(key, Cue(drop=share))}
        assert abs(len(gone) / len(KEYS) - share) <= 4 * math.sqrt(share * (1 - share) / len(KEYS))
        assert before <= gone
        before = gone


def test_dropping_depends_on_the_seed_and_on_no_other_random_number():
    gone = [[cues.is_dropped(key, Cue(drop=0.5, seed=seed)) for key in KEYS] for seed in (0, 1)]
    assert 0.4 < np.mean(np.equal(*gone)) < 0.6
    first = [chance.generator(0, "cue", key).random() < 0.5 for key in KEYS]
    assert 0.4 < np.mean(np.equal(gone[0], first)) < 0.6


@pytest.mark.parametrize("method", cues.HINT_METHODS)
def test_a_packed_dataset_shows_hints_on_white(method, tmp_path):
    keys = [f"{number:09d}" for number in range(1, 9)]
    columns = make_columns(tmp_path, keys, "color", "sketch-b7", "reference")
    step = Step(cues.make_cue, Cue(method=method, drop=0.5))
    process(step, columns["color"], tmp_path / "cue", cache=tmp_path / "cache")
    pack_columns(columns | {"cue": tmp_path / "cue"}, tmp_path / "pairs", Pack(val=0.0, test=0.0))
    pairs = Pairs(tmp_path / "pairs", "train", "b7")
    read = {sample["key"]: sample["cue"] for sample in (pairs[number] for number in range(len(keys)))}
    for key in keys:
        made = cues.make_cue(png.encode_png(picture(int(key))), key, step.params).picture
        np.testing.assert_array_equal(read[key], made[..., :3])
    assert cues.params_from_metadata(pairs.metadata["cue"]) == step.params
