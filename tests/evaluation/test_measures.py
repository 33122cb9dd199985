"""The measures against other implementations and formulas, and on blank, flat and tiny pictures."""

import math

import cv2
import numpy as np
import piq
import pytest
import torch
from scipy import stats
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pipeline.batches.dataset import to_tensor
from pipeline.booru import artist
from pipeline.evaluation.measures import (
    ADHERENT_METHODS,
    DIRECTIONS,
    MAX_PSNR,
    MS_SSIM_LEAST,
    SSIM_LEAST,
    adherence,
    bootstrap_interval,
    color_distance,
    derange,
    edge_f1,
    leakage,
    ms_ssim,
    psnr,
    psnr_inside,
    ssim,
)
from pipeline.images import codec, pixels, png
from pipeline.operators import cue as cues
from pipeline.params import Cue
from pipeline.systems.mask import to_yuv


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(*color: int, side: int = 32) -> np.ndarray:
    """Make a picture of one color."""
    return np.full((side, side, 3), color, np.uint8)


def drawing(number: int, side: int = 128) -> np.ndarray:
    """Draw a portrait."""
    return pixels.resize(artist.draw(artist.portrait(number)), side, side)


def worse(image: np.ndarray, seed: int = 1) -> np.ndarray:
    """Blur a picture and add noise."""
    noise = np.random.default_rng(seed).normal(0, 12, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) + noise, 0, 255).astype(np.uint8)


def lined(*lines: tuple[slice | int, slice | int], side: int = 32) -> np.ndarray:
    """Draw black lines on white."""
    image = flat(255, 255, 255, side=side)
    for line in lines:
        image[line] = 0
    return image


def test_psnr_equals_its_formula_and_scikit_image():
    first, second = picture(20, 30, 3), picture(20, 30, 3, seed=1)
    error = ((first.astype(float) - second) ** 2).mean()
    assert psnr(first, second) == pytest.approx(10 * np.log10(255**2 / error))
    assert psnr(first, second) == pytest.approx(peak_signal_noise_ratio(first, second, data_range=255))


def test_equal_pictures_have_a_psnr_of_100_and_a_similarity_of_1():
    first = picture(MS_SSIM_LEAST, MS_SSIM_LEAST, 3)
    assert psnr(first, first) == MAX_PSNR == 100
    assert ssim(first, first) == pytest.approx(1)
    assert ms_ssim(first, first) == pytest.approx(1)


def test_psnr_never_exceeds_its_cap():
    first = np.zeros(10**6, np.uint8)
    second = first.copy()
    second[0] = 1
    assert psnr(first, second) == MAX_PSNR  # and not 108 dB


def test_ssim_of_flat_pictures_equals_its_formula():
    first, second = flat(50, 50, 50, side=SSIM_LEAST), flat(200, 200, 200, side=SSIM_LEAST)
    c = (0.01 * 255) ** 2
    assert ssim(first, second) == pytest.approx((2 * 50 * 200 + c) / (50**2 + 200**2 + c), rel=1e-6)


@pytest.mark.parametrize("shape", [(11, 11, 3), (24, 37, 3), (128, 128, 3)])
def test_ssim_equals_scikit_image(shape):
    first = cv2.GaussianBlur(picture(*shape), (0, 0), 2)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    expected = structural_similarity(first, worse(first), data_range=255, **settings)
    assert ssim(first, worse(first)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [(176, 176, 3), (192, 256, 3)])
def test_ms_ssim_equals_piq(shape):
    first = cv2.resize(drawing(3, 256), shape[1::-1])
    second = worse(first)
    expected = piq.multi_scale_ssim(
        *(torch.from_numpy(image.transpose(2, 0, 1)[None]).double() for image in (first, second)),
        data_range=255,
    )
    assert 0.5 < ms_ssim(first, second) < 0.99
    assert ms_ssim(first, second) == pytest.approx(float(expected), abs=1e-6)


def test_ms_ssim_is_close_to_torchmetrics_which_counts_a_mirrored_border():
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    first = drawing(5, 256)
    planes = [to_tensor(image)[None] * 127.5 + 127.5 for image in (first, worse(first))]
    expected = multiscale_structural_similarity_index_measure(*planes, data_range=255.0)
    assert ms_ssim(first, worse(first)) == pytest.approx(float(expected), abs=0.01)


def test_ms_ssim_of_flat_pictures_counts_brightness_once_and_of_an_inverse_is_0():
    first, second = flat(50, 50, 50, side=176), flat(200, 200, 200, side=176)
    assert ms_ssim(first, second) == pytest.approx(ssim(first, second) ** 0.1333)
    noise = picture(176, 176, 3)
    assert ms_ssim(noise, 255 - noise) == 0


def test_a_last_odd_row_is_left_out_of_the_coarser_scales():
    first = cv2.GaussianBlur(picture(177, 191, 3), (0, 0), 3)
    assert 0 < ms_ssim(first, worse(first)) < 1


@pytest.mark.parametrize(("measure", "least"), [(ssim, SSIM_LEAST), (ms_ssim, MS_SSIM_LEAST)])
def test_pictures_without_room_for_a_window_are_refused(measure, least):
    measure(picture(least, least, 3), picture(least, least, 3))
    for shape in ((least - 1, least, 3), (least, least - 1, 3), (1, 1, 3)):
        with pytest.raises(ValueError, match=f"at least {least} pixels a side"):
            measure(picture(*shape), picture(*shape))


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim, edge_f1])
def test_pictures_of_different_shapes_or_of_other_types_are_refused(measure):
    first = picture(176, 177, 3)
    for other in (picture(177, 176, 3), first.astype(np.float32)):
        with pytest.raises(ValueError, match="must be uint8 of one shape"):
            measure(first, other)


def test_lines_match_within_one_pixel():
    first = lined((10, slice(None)))
    assert edge_f1(first, first) == 1
    assert edge_f1(first, lined((11, slice(None)))) == 1
    assert edge_f1(first, lined((12, slice(None)))) == 0
    assert edge_f1(lined((slice(None), 8), side=16), lined((slice(None), 9), side=16)) == 1


def test_an_extra_line_costs_precision_and_a_missing_line_costs_recall():
    one, two = lined((8, slice(None))), lined((8, slice(None)), (20, slice(None)))
    assert edge_f1(one, two) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert edge_f1(two, one) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_half_a_line_matches_half_a_line_and_the_pixel_next_to_its_end():
    whole, half = lined((16, slice(None))), lined((16, slice(0, 16)))
    assert edge_f1(whole, half) == pytest.approx(2 * 17 / 32 / (1 + 17 / 32))


def test_lines_do_not_depend_on_the_colors_around_them():
    colored = lined((10, slice(None)))
    colored[colored[..., 0] == 255] = (250, 200, 180)
    assert edge_f1(lined((10, slice(None))), colored) == 1


def test_two_blank_pictures_agree_and_a_blank_one_disagrees_with_lines():
    blank, line = flat(255, 255, 255), lined((10, slice(None)))
    assert edge_f1(blank, flat(90, 10, 30)) == 1
    assert edge_f1(blank, line) == 0
    assert edge_f1(line, blank) == 0
    assert edge_f1(picture(1, 1, 3), picture(1, 1, 3)) == 1


def test_color_distance_is_the_mean_wasserstein_distance_of_scipy_over_the_directions():
    first, second = drawing(1, 64), drawing(2, 64)
    points = [rgb2lab(image).reshape(-1, 3) for image in (first, second)]
    distances = [
        stats.wasserstein_distance(points[0] @ direction, points[1] @ direction) for direction in DIRECTIONS
    ]
    assert np.mean(distances) > 2
    assert color_distance(first, second) == pytest.approx(np.mean(distances), rel=2e-3)


def test_color_distance_of_flat_pictures_is_the_mean_length_of_their_shift_along_the_directions():
    first, second = flat(200, 120, 40, side=9), flat(90, 130, 220, side=40)
    shift = rgb2lab(second)[0, 0] - rgb2lab(first)[0, 0]
    assert color_distance(first, second) == pytest.approx(np.abs(DIRECTIONS @ shift).mean(), abs=0.2)
    assert color_distance(first, second) == pytest.approx(np.linalg.norm(shift) / 2, rel=0.02)


def test_the_directions_are_unit_vectors_and_cover_every_axis_equally():
    assert np.linalg.norm(DIRECTIONS, axis=1) == pytest.approx(1)
    assert np.abs(DIRECTIONS).mean(axis=0) == pytest.approx(0.5, abs=0.01)
    assert np.abs(DIRECTIONS.T @ DIRECTIONS / 64 - np.eye(3) / 3).max() < 0.01


def test_color_distance_ignores_size_and_place_and_is_symmetric():
    first, second = drawing(1, 64), drawing(2, 64)
    assert color_distance(first, first) == 0
    assert color_distance(first, first[::-1, ::-1]) == pytest.approx(0, abs=1e-5)
    assert color_distance(first, np.repeat(np.repeat(first, 2, axis=0), 3, axis=1)) == 0
    assert color_distance(first, second) == pytest.approx(color_distance(second, first))
    assert color_distance(picture(1, 1, 3), picture(1, 7, 3)) >= 0


def test_color_distance_of_some_pixels_is_close_to_that_of_all():
    first, second = drawing(1, 160), drawing(2, 160)
    points = [np.sort(DIRECTIONS @ rgb2lab(image).reshape(-1, 3).T, axis=1) for image in (first, second)]
    assert color_distance(first, second) == pytest.approx(np.abs(points[0] - points[1]).mean(), abs=0.3)


@pytest.mark.parametrize("method", ADHERENT_METHODS)
def test_a_picture_is_at_distance_0_from_its_own_cue_as_packed(method):
    image, params = drawing(1), Cue(method=method)
    given = codec.decode(png.encode_png(cues.draw_cue(image, params, "a")))
    assert adherence(image, given, params, "a") == 0
    assert adherence(drawing(2), given, params, "a") > 2


@pytest.mark.parametrize("method", ADHERENT_METHODS)
def test_a_flat_picture_is_as_far_from_a_cue_as_the_colors_of_both(method):
    params = Cue(method=method)
    given = codec.decode(png.encode_png(cues.draw_cue(flat(250, 255, 255, side=64), params, "a")))
    assert adherence(flat(250, 255, 252, side=64), given, params, "a") == 1
    assert adherence(flat(220, 255, 255, side=64), given, params, "a") == 10


def test_pixels_outside_the_hints_do_not_count():
    image, params = drawing(1), Cue(method="points")
    cue = cues.draw_cue(image, params, "a")
    other = np.where(cue[..., 3:] > 0, image, 255 - image)
    assert adherence(other, codec.decode(png.encode_png(cue)), params, "a") == 0


def test_adherence_is_undefined_for_a_palette_for_no_cue_and_for_a_dropped_one():
    image = drawing(1)
    for params in (Cue(method="palette"), Cue(method="none"), Cue(drop=1.0)):
        assert adherence(image, image, params, "a") is None
    assert adherence(image, image, Cue(), "a") is not None


def test_psnr_inside_counts_only_pixels_in_the_mask():
    first, second = picture(8, 8, 3), picture(8, 8, 3, seed=1)
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :4] = 255
    assert psnr_inside(first, second, mask) == pytest.approx(psnr(first[:, :4], second[:, :4]))
    assert psnr_inside(first, np.where(mask[..., None] > 0, first, second), mask) == MAX_PSNR
    assert psnr_inside(first, second, 0 * mask) == MAX_PSNR


def test_leakage_is_the_mean_of_u_and_v_outside_the_mask_as_the_system_computes_them():
    image, mask = picture(8, 8, 3), np.zeros((8, 8), np.uint8)
    mask[2:, 3:] = 255
    colors = to_yuv(to_tensor(image)[None]).colors[0].abs().numpy()
    assert leakage(image, mask) == pytest.approx(colors[:, mask == 0].mean(), rel=1e-5)
    assert leakage(image, 0 * mask) == pytest.approx(colors.mean(), rel=1e-5)


def test_leakage_is_0_in_gray_and_where_the_mask_covers_everything():
    mask = np.zeros((8, 8), np.uint8)
    assert leakage(np.repeat(picture(8, 8, 1), 3, axis=2), mask) == pytest.approx(0, abs=1e-12)
    assert leakage(picture(8, 8, 3), mask + 1) == 0
    assert leakage(flat(0, 0, 255, side=8), mask) == pytest.approx((1 + 0.228 / 1.402) / 2)


def test_an_interval_equals_scipy():
    values = np.random.default_rng(0).gamma(2, 3, 200)
    mean, low, high = bootstrap_interval(values, seed=1, resamples=4000)
    found = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(5)
    ).confidence_interval
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.05)


def test_an_interval_of_normal_values_has_the_theoretical_width():
    values = np.random.default_rng(0).normal(10, 2, 400)
    mean, low, high = bootstrap_interval(values, seed=0)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.1)


def test_an_interval_depends_on_the_seed_but_not_on_the_order_of_values():
    values = list(np.random.default_rng(0).random(50))
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values[::-1], seed=3)
    assert bootstrap_interval(values, seed=3)[0] == math.fsum(values) / 50
    assert bootstrap_interval(values, seed=3)[1:] != bootstrap_interval(values, seed=4)[1:]


def test_an_interval_of_one_value_is_that_value_and_no_values_are_refused():
    assert bootstrap_interval([3.25], seed=0) == (3.25, 3.25, 3.25)
    with pytest.raises(ValueError, match="values must be one or more"):
        bootstrap_interval([], seed=0)


@pytest.mark.parametrize("number", [2, 3, 4, 7, 100, 1001])
def test_every_sample_lends_its_picture_once_and_never_to_itself(number):
    places = derange([f"{key:06}" for key in range(number)], seed=number)
    assert sorted(places) == list(range(number))
    assert all(place != other for place, other in enumerate(places))


def test_the_pairs_depend_on_the_keys_and_the_seed_but_not_on_the_order():
    keys = [f"{key:03}" for key in range(50)]

    def pairs(keys: list[str], seed: int) -> dict[str, str]:
        return {key: keys[place] for key, place in zip(keys, derange(keys, seed), strict=True)}

    assert pairs(keys, 0) == pairs(keys[::-1], 0) == pairs(keys[20:] + keys[:20], 0)
    assert pairs(keys, 0) != pairs(keys, 1)


def test_fewer_than_two_keys_and_repeated_keys_are_refused():
    for keys in ([], ["a"], ["a", "b", "a"]):
        with pytest.raises(ValueError, match="keys must be 2 or more, each once"):
            derange(keys, 0)
