"""The flow is the thin-plate spline through the points, and can be rebuilt from the metadata."""

import cv2
import numpy as np
import pytest
from made import picture, unpacked
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates

from pipeline.images import png
from pipeline.operators import warp
from pipeline.params import Reference


def spline(points, side):
    """Evaluate SciPy's thin-plate spline at every pixel."""
    grid = round(len(points) ** 0.5)
    control, at = warp.lattice_points(np.linspace(0, 1, grid)), warp.lattice_points(warp.pixel_centers(side))
    moved = RBFInterpolator(control, points, kernel="thin_plate_spline")(at)
    return (at + moved).reshape(side, side, 2)


@pytest.mark.parametrize("grid", [2, 3, 5])
def test_the_flow_agrees_with_scipy(grid):
    points, _ = warp.draw_displacements("1", Reference(grid=grid))
    np.testing.assert_allclose(warp.spline_flow(points, 64, 64), spline(points, 64), atol=1e-9)


def test_the_flow_of_a_large_picture_is_off_by_less_than_a_pixel():
    points, _ = warp.draw_displacements("1", Reference())
    error = np.linalg.norm(warp.spline_flow(points, 400, 400) - spline(points, 400), axis=2) * 400
    assert error.mean() < 0.3
    assert error.max() < 1


def test_the_flow_of_an_oblong_picture_is_the_flow_of_the_square_resampled():
    points, _ = warp.draw_displacements("1", Reference())
    oblong = warp.spline_flow(points, 32, 64)
    rows = spline(points, 64).reshape(32, 2, 64, 2).mean(axis=1)
    assert np.abs(oblong - rows).max() * 64 < 0.5


def test_points_that_do_not_move_change_no_pixel(image):
    flow = warp.spline_flow(np.zeros((9, 2)), 64, 64)
    np.testing.assert_array_equal(warp.warp(image, flow), image)


def test_moving_all_points_to_the_right_takes_pixels_from_the_right(image):
    flow = warp.spline_flow(np.tile((0.25, 0.0), (9, 1)), 64, 64)
    np.testing.assert_array_equal(warp.warp(image, flow)[:, :48], image[:, 16:])


def test_beyond_the_border_the_picture_is_reflected(image):
    flow = warp.spline_flow(np.tile((0.25, 0.0), (9, 1)), 64, 64)
    np.testing.assert_array_equal(warp.warp(image, flow)[:, 48:], image[:, :47:-1])


def test_a_control_point_takes_its_pixel_from_the_displaced_point():
    points = np.zeros((9, 2))
    points[4] = (0.25, -0.125)  # the center
    flow = warp.spline_flow(points, 65, 65)
    np.testing.assert_allclose(flow[32, 32], (0.75, 0.375), atol=1e-9)


def test_jitter_adds_one_shift_to_each_channel_within_bounds(image):
    tinted = warp.tint_picture(image, np.array([10.0, -300.0, 0.4]))
    np.testing.assert_array_equal(tinted[..., 0], np.minimum(image[..., 0].astype(int) + 10, 255))
    assert tinted[..., 1].max() == 0
    np.testing.assert_array_equal(tinted[..., 2], image[..., 2])


def test_every_level_is_shifted_rounded_and_clipped():
    levels = np.stack([np.arange(256, dtype=np.uint8)] * 3, axis=1)[None]
    for shift in ((0.5, -0.5, 12.345), (-1e3, 1e3, 0.0)):
        expected = np.clip(np.rint(levels + np.array(shift)), 0, 255)
        np.testing.assert_array_equal(warp.tint_picture(levels, np.array(shift)), expected)


@pytest.mark.parametrize("size", [(64, 64), (40, 56)])
def test_the_warp_is_that_of_scipy_up_to_the_32nd_of_a_pixel_that_opencv_rounds_to(size):
    source = cv2.GaussianBlur(picture(3, size[1], size[0]), (0, 0), 2)
    flow = warp.spline_flow(warp.draw_displacements("1", Reference())[0], *size)
    order = [flow[..., 1] * size[0] - 0.5, flow[..., 0] * size[1] - 0.5]
    expected = [map_coordinates(source[..., c] / 1, order, order=1, mode="reflect") for c in range(3)]
    assert np.abs(warp.warp(source, flow) - np.stack(expected, axis=2)).max() < 2


def test_random_numbers_depend_only_on_key_seed_and_variant():
    params = Reference()
    first = warp.draw_displacements("1", params)
    warp.draw_displacements("2", params)
    np.testing.assert_array_equal(first[0], warp.draw_displacements("1", params)[0])
    others = [
        warp.draw_displacements("2", params),
        warp.draw_displacements("1", Reference(seed=1)),
        warp.draw_displacements("1", params, "b"),
    ]
    assert not any(np.allclose(first[0], other[0]) for other in others)


def test_random_numbers_fill_the_ranges_of_strength_and_jitter():
    drawn = [warp.draw_displacements(str(key), Reference(strength=0.1, jitter=20.0)) for key in range(200)]
    points, shifts = np.stack([d[0] for d in drawn]), np.stack([d[1] for d in drawn])
    assert 0.099 < np.abs(points).max() <= 0.1
    assert 19 < np.abs(shifts).max() <= 20
    assert abs(points.mean()) < 0.005


def test_the_reference_can_be_rebuilt_from_its_metadata():
    source = picture(3)
    reference, metadata = unpacked(warp.make_reference(png.encode_png(source), "7", Reference()))
    again = warp.tint_picture(
        warp.warp(source, warp.spline_flow(metadata["points"], 64, 64)), np.array(metadata["shift"])
    )
    np.testing.assert_array_equal(reference, again)
    assert not np.array_equal(reference, source)


def test_the_metadata_have_the_random_numbers_and_the_parameters():
    metadata = warp.make_reference(png.encode_png(picture(3)), "7", Reference(strength=0.1)).metadata
    points, shift = warp.draw_displacements("7", Reference(strength=0.1))
    assert metadata.pop("points") == points.tolist()
    assert metadata.pop("shift") == shift.tolist()
    assert metadata == {
        "grid": 3, "order": "after", "strength": 0.1, "jitter": 50.0, "flip": False, "subject": "own",
    }  # fmt: skip


@pytest.mark.parametrize("order", ["after", "before"])
@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(64, 64), (40, 56), (1, 1)])
def test_the_rebuilt_flow_takes_the_picture_or_the_target_to_the_reference(order, flip, size):
    source = picture(3, size[1], size[0])
    reference, metadata = unpacked(
        warp.make_reference(png.encode_png(source), "7", Reference(order=order, flip=flip))
    )
    flow = warp.spline_flow(metadata["points"], *size, flip=metadata["flip"])
    if order == "before":
        expected = warp.warp(warp.tint_picture(source, np.array(metadata["shift"])), flow)
    else:
        expected = warp.tint_picture(warp.warp(source, flow), np.array(metadata["shift"]))
    np.testing.assert_array_equal(reference, expected)
    np.testing.assert_array_equal(reference, warp.bend_picture(source, metadata))


@pytest.mark.parametrize("order", ["after", "before"])
def test_a_flipped_reference_is_the_mirror_image_of_the_one_that_is_not(order):
    source = png.encode_png(picture(3))
    plain, mirrored = (
        warp.make_reference(source, "7", Reference(order=order, flip=flip)).picture for flip in (0.0, 1.0)
    )
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    assert not np.array_equal(mirrored, plain)


def test_a_flipped_flow_without_motion_mirrors_the_picture(image):
    flow = warp.spline_flow(np.zeros((9, 2)), 64, 64, flip=True)
    np.testing.assert_array_equal(warp.warp(image, flow), image[:, ::-1])


def test_a_tint_before_the_warp_clips_each_pixel_and_one_after_it_clips_their_mean():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 240
    flow = np.array([[[0.5, 0.5]]])  # halfway between the two
    metadata = {"points": np.zeros((4, 2)), "shift": [40.0] * 3, "flip": False}
    assert (warp.tint_picture(warp.warp(image, flow), np.full(3, 40.0)) == 160).all()
    assert (warp.warp(warp.tint_picture(image, np.full(3, 40.0)), flow) == 148).all()  # (40 + 255) / 2
    assert (warp.bend_picture(image, metadata | {"order": "before"}) == [[[40] * 3, [255] * 3]]).all()


def test_the_order_makes_a_difference_where_colors_are_clipped():
    source, params = picture(3), {"jitter": 120.0}
    after, before = (
        warp.make_reference(png.encode_png(source), "7", Reference(order=order, **params)).picture
        for order in ("after", "before")
    )
    assert 0 < np.mean(after != before) < 0.5
    np.testing.assert_allclose(after.mean(), before.mean(), atol=2)


def test_the_share_of_flips_is_as_asked_and_a_larger_one_only_adds_flips():
    before = set()
    for share in (0.0, 0.1, 0.5, 1.0):
        mirrored = {key for key in range(1000) if warp.is_flipped(str(key), Reference(flip=share))}
        assert abs(len(mirrored) / 1000 - share) <= 4 * (share * (1 - share) / 1000) ** 0.5
        assert before <= mirrored
        before = mirrored


def test_a_flip_changes_no_other_random_number():
    plain, flipped = (
        warp.make_reference(png.encode_png(picture(3)), "7", Reference(flip=flip)).metadata
        for flip in (0.0, 1.0)
    )
    assert plain | {"flip": True} == flipped
