"""The augmentation of a batch agrees with what `warp` does to one picture on the host.

References differ a little: there OpenCV rounds each position to a 32nd of a pixel, here none is rounded.
"""

import cv2
import numpy as np
import pytest
import torch
from made import packed, picture
from torch._subclasses import FakeTensorMode
from torch.utils.data import default_collate

from pipeline.batches import augment
from pipeline.batches.augment import halve_batch, prepare_batch
from pipeline.batches.dataset import AugmentationPolicy, Pairs, to_array, to_tensor
from pipeline.operators import warp
from pipeline.params import Reference

SIDES = pytest.mark.parametrize("side", [32, 320])  # below and above the lattice
SHAPES = {"sketch": 1, "color": 3, "cue": 3, "mask": 1, "reference": 3, "target": 3}  # their channels


def smooth(number: int, width: int, height: int) -> np.ndarray:
    """Paint a picture without edges."""
    return cv2.GaussianBlur(picture(number, width, height), (0, 0), width / 40)


def drawn(side: int, height: int = 0, **params) -> tuple[dict, list[np.ndarray], list[dict]]:
    """Make a batch of four with fresh references, their colors, and the metadata of the references."""
    colors = [smooth(number, side, height or side) for number in range(4)]
    metadata = [warp.draw_reference(str(number), Reference(**{"flip": 0.5} | params)) for number in range(4)]
    made = [
        {
            "key": str(number),
            "mirrored": False,
            "color": torch.from_numpy(color),
            "sketch": torch.from_numpy(color[..., 0]),
            "points": torch.tensor(one["points"], dtype=torch.float32),
            "shift": torch.tensor(one["shift"], dtype=torch.float32),
            "tinted": one["order"] == "before",
            "flipped": one["flip"],
            "flow": True,
        }
        for number, (color, one) in enumerate(zip(colors, metadata, strict=True))
    ]
    assert {one["flip"] for one in metadata} == {True, False} or params
    return default_collate(made), colors, metadata


def loaded(folder, columns, place=2, **fresh) -> dict:
    """Prepare a batch of one sample, twice, with the augmentation of epoch 1."""
    pairs = Pairs(folder, "train", "b7", columns, AugmentationPolicy(0, **fresh))
    return prepare_batch(default_collate([pairs[(1, place)]] * 2))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


def test_samples_as_packed_are_scaled_to_minus_one_and_one(data):
    pairs = Pairs(data, "train", "b7", ("cue", "mask", "reference"))
    raw = [pairs[number] for number in range(3)]
    found = prepare_batch(default_collate(raw))
    assert found.keys() == {"key", *SHAPES}
    assert found["key"] == ["000", "001", "002"]
    for name, channels in SHAPES.items():
        assert found[name].shape == (3, channels, 32, 32)
        assert found[name].dtype == torch.float32
        assert found[name].is_contiguous()
    for name in ("sketch", "color", "cue", "reference"):
        wanted = torch.stack([to_tensor(one[name].numpy()) for one in raw])
        assert torch.equal(found[name], wanted)
    assert torch.equal(found["target"], found["color"])
    assert torch.equal(found["mask"][:, 0], torch.stack([one["mask"] for one in raw]).float())


def test_samples_without_augmentation_have_the_color_as_target():
    levels = torch.from_numpy(np.stack([picture(number) for number in range(2)]))
    raw = {"key": ["a", "b"], "color": levels, "reference": levels.flip(0), "sketch": levels[..., 0]}
    found = prepare_batch(raw)
    assert found.keys() == {"key", "sketch", "color", "reference", "target"}
    assert torch.equal(found["target"], found["color"])
    assert (to_array(found["reference"][0]) == levels[1].numpy()).all()


@SIDES
def test_the_flow_is_that_of_the_host(side):
    raw, _, metadata = drawn(side, strength=0.25)
    found = prepare_batch(raw)["flow"]
    for at, one in zip(found, metadata, strict=True):
        np.testing.assert_allclose(at, warp.spline_flow(one["points"], side, side, one["flip"]), atol=1e-4)


def test_the_flow_of_an_oblong_picture_is_that_of_the_host():
    raw, _, metadata = drawn(48, 24)
    for at, one in zip(prepare_batch(raw)["flow"], metadata, strict=True):
        np.testing.assert_allclose(at, warp.spline_flow(one["points"], 24, 48, one["flip"]), atol=1e-4)


@SIDES
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_reference_is_that_of_the_host_but_for_the_32nd_of_a_pixel(side, order):
    raw, colors, metadata = drawn(side, order=order)
    for found, color, one in zip(prepare_batch(raw)["reference"], colors, metadata, strict=True):
        difference = np.abs(to_array(found).astype(int) - warp.bend_picture(color, one))
        assert difference.mean() < 0.5
        assert difference.max() <= 2


def test_a_picture_is_tinted_level_by_level_as_on_the_host():
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 1, 3)).copy()
    shifts = np.array([(0.5, -0.5, 12.345), (-1e3, 1e3, 0.0), (1.5, 49.999, -49.5)])
    batch = torch.from_numpy(levels).permute(2, 0, 1).expand(3, 3, 256, 1)
    found = augment.tint_batch(batch, torch.from_numpy(shifts).float())
    for one, shift in zip(found, shifts, strict=True):
        assert np.array_equal(one.permute(1, 2, 0).numpy(), warp.tint_picture(levels, shift))


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_target_is_tinted_if_the_reference_is_before_it_is_bent(order):
    raw, colors, metadata = drawn(32, order=order)
    for found, color, one in zip(prepare_batch(raw)["target"], colors, metadata, strict=True):
        wanted = warp.tint_picture(color, np.array(one["shift"])) if order == "before" else color
        assert (to_array(found) == wanted).all()


def test_each_sample_of_a_batch_keeps_its_own_augmentation():
    raw, colors, metadata = drawn(32)
    raw["mirrored"], raw["tinted"] = torch.tensor([[True, False] * 2, [True, True, False, False]])
    found = prepare_batch(raw)
    for number, (color, one) in enumerate(zip(colors, metadata, strict=True)):
        seen = color[:, ::-1].copy() if number % 2 == 0 else color
        one = one | {"order": "before" if number < 2 else "after"}
        assert (to_array(found["color"][number]) == seen).all()
        assert (
            np.abs(to_array(found["reference"][number]).astype(int) - warp.bend_picture(seen, one)).max() <= 2
        )


def test_a_mirrored_sample_is_mirrored_in_all_that_shows_it():
    raw, _, _ = drawn(32)
    raw |= {"cue": raw["color"].flip(0), "reference": raw["color"].flip(1), "mask": raw["sketch"] % 2}
    plain, mirrored = (prepare_batch(raw | {"mirrored": torch.full((4,), each)}) for each in (False, True))
    for name in ("color", "sketch", "cue"):
        assert torch.equal(plain[name].flip(3), mirrored[name])
        assert not torch.equal(plain[name], mirrored[name])
    for name in ("mask", "reference"):
        assert torch.equal(plain[name], mirrored[name])


@pytest.mark.parametrize("params", [None, Reference(order="before", flip=1.0)])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_flow_takes_the_target_to_the_reference_mirrored_or_not(tmp_path, params, flip):
    """As packed, a reference shows its picture as that was before it was mirrored."""
    data = packed(tmp_path, reference=Reference(order="before"))
    found = loaded(data, ("reference", "flow"), reference=params, flip=flip)
    again = warp.warp(to_array(found["target"][0]), found["flow"][0].numpy())
    difference = np.abs(to_array(found["reference"][0]).astype(int) - again)
    assert np.quantile(difference, 0.95) <= 2  # of a disk, whose edge is sharp
    assert np.ptp(again.astype(int), axis=(0, 1)).max() > 100
    assert not torch.equal(found["target"], found["color"])


def test_the_flow_is_computed_on_request(data):
    for params in (None, Reference()):
        assert "flow" in loaded(data, ("reference", "flow"), reference=params)
        assert "flow" not in loaded(data, ("reference",), reference=params)


def test_nothing_waits_for_a_gpu_and_its_pictures_are_channels_last():
    """Fake tensors claim to lie on a GPU; they have no values, and raise if one is asked for."""
    raw, _, _ = drawn(48, 24)
    try:
        with FakeTensorMode() as mode:
            fake = {
                name: values if name == "key" else mode.from_tensor(values) for name, values in raw.items()
            }
            found = prepare_batch(fake | {"cue": fake["color"], "mask": fake["sketch"]}, "cuda")
    finally:
        augment.device_basis.cache_clear()
    assert found.keys() == {"key", "flow", *SHAPES}
    for name, channels in SHAPES.items():
        assert found[name].device.type == "cuda"
        assert found[name].shape == (4, channels, 24, 48)
        assert found[name].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_makes_the_same():
    raw, _, _ = drawn(320)
    here, there = prepare_batch(raw), prepare_batch(raw, "cuda")
    for name in here.keys() - {"key"}:
        torch.testing.assert_close(there[name].cpu(), here[name], atol=2.1 / 127.5, rtol=0)
        assert (there[name].cpu() - here[name]).abs().mean() < 1e-4


def test_preparing_changes_no_loaded_tensor():
    raw, _, _ = drawn(32)
    before = {name: values.clone() for name, values in raw.items() if name != "key"}
    prepare_batch(raw)
    assert all(torch.equal(raw[name], values) for name, values in before.items())


def mean_of_four(values: np.ndarray) -> np.ndarray:
    """Average every 2 x 2 pixels of (B, C, H, W)."""
    return (
        values[..., ::2, ::2] + values[..., 1::2, ::2] + values[..., ::2, 1::2] + values[..., 1::2, 1::2]
    ) / 4


def test_a_halved_batch_has_the_mean_of_every_2_by_2_pixels_and_keeps_the_rest():
    raw, _, _ = drawn(48, 24)
    raw |= {"cue": raw["color"].flip(0), "mask": raw["sketch"] % 2}
    whole = prepare_batch(raw)
    before = {name: values.clone() for name, values in whole.items() if name != "key"}
    small = halve_batch(whole)
    assert small.keys() == whole.keys()
    assert small["key"] == whole["key"]
    for name in SHAPES.keys() - {"mask"}:
        np.testing.assert_allclose(small[name], mean_of_four(whole[name].numpy()), atol=1e-6)
    assert np.array_equal(small["mask"], mean_of_four(whole["mask"].numpy()) >= 0.75)
    assert all(torch.equal(whole[name], values) for name, values in before.items())


def test_a_halved_flow_that_moves_nothing_moves_nothing():
    y, x = ((np.arange(side) + 0.5) / side for side in (24, 48))
    still = np.stack(np.meshgrid(x, y), axis=2)
    found = halve_batch({"flow": torch.from_numpy(still)[None]})["flow"]
    y, x = ((np.arange(side) + 0.5) / side for side in (12, 24))
    np.testing.assert_allclose(found[0], np.stack(np.meshgrid(x, y), axis=2), atol=1e-12)


@pytest.mark.parametrize("opaque", [0, 1, 2, 3, 4])
def test_a_halved_guide_has_the_color_of_its_opaque_pixels_and_their_share(opaque):
    """Where nothing is opaque, the color does not count, but must be a number."""
    color = torch.tensor([0.5, -1.0, 0.25])
    guide = torch.full((1, 4, 2, 2), 0.9)  # of the pixels that no one sees
    guide[:, 3] = 0
    guide.flatten(2)[0, :, :opaque] = torch.cat([color, torch.ones(1)])[:, None]
    found = halve_batch({"guide": guide})["guide"]
    assert found.shape == (1, 4, 1, 1)
    assert found[0, 3] == opaque / 4
    torch.testing.assert_close(found[0, :3, 0, 0], color if opaque else torch.zeros(3))


def test_the_faintest_pixel_of_a_guide_keeps_its_color_when_halved():
    guide = torch.zeros(1, 4, 2, 2)
    guide[0, :, 1, 0] = torch.tensor([0.5, -1.0, 0.25, 1 / 255])
    found = halve_batch({"guide": guide})["guide"][0, :, 0, 0]
    torch.testing.assert_close(found, torch.tensor([0.5, -1.0, 0.25, 1 / 1020]))
