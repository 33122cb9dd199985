"""A colorizer takes pictures of any size, whole or in tiles that fade into each other."""

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.batches.dataset import to_tensor
from pipeline.models.inference import as_network
from pipeline.models.tiles import colorize_picture, image_planes, infer_tiled, tile_windows
from pipeline.params import Model
from pipeline.systems import SYSTEMS, system

MODEL = Model(width=4, depth=4)
CONFIG = asdict(MODEL)


@pytest.fixture(scope="module")
def generator():
    """Build a small generator whose weights are large enough to make a picture."""
    torch.manual_seed(0)
    network, _ = system("pix2pix").networks(MODEL)
    for parameter in network.parameters():
        parameter.data *= 5
    return network.eval()


class Local(nn.Module):
    """Color each pixel by its own cue and sketch alone."""

    def __init__(self):
        """Have a parameter, since a generator has."""
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, sketch, cue):
        """Multiply."""
        return self.scale * sketch * cue


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def given(height: int, width: int) -> dict[str, np.ndarray]:
    """Make a sketch and a cue."""
    return {"sketch": picture(height, width), "cue": picture(height, width, 3)}


@pytest.mark.parametrize("shape", [(1, 1), (37, 81), (300, 200), (16, 17)])
def test_a_picture_of_any_size_keeps_its_size(generator, shape):
    result = colorize_picture(as_network(generator, CONFIG), given(*shape))
    assert result.shape == (*shape, 3)
    assert result.dtype == np.uint8


def test_a_size_that_needs_no_padding_is_colored_by_the_plain_network(generator):
    images = given(32, 48)
    with torch.inference_mode():
        plain = generator(*(to_tensor(image)[None] for image in images.values()))[0]
    levels = ((plain.numpy().transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8)
    assert levels.std() > 1
    assert (colorize_picture(as_network(generator, CONFIG), images) == levels).all()


def test_padding_continues_the_sketch_in_white_and_all_else_with_its_edges():
    seen = {}

    class Watching(Local):
        def forward(self, sketch, cue):
            seen.update(sketch=sketch, cue=cue)
            return super().forward(sketch, cue)

    images = given(20, 30)
    colorize_picture(as_network(Watching(), CONFIG), images)
    assert seen["sketch"].shape == (1, 1, 32, 32)
    assert (seen["sketch"][..., 20:, :] == 1).all()
    assert (seen["sketch"][..., 30:] == 1).all()
    assert torch.equal(seen["cue"][0, :, :20, 31], to_tensor(images["cue"])[:, :, 29])


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_colors_a_picture_in_tiles(name):
    model = Model(system=name, width=4, depth=4)
    torch.manual_seed(0)
    generator = system(name).networks(model)[0].eval()
    images = {"sketch": picture(70, 150), "cue": picture(70, 150, 3), "color": picture(70, 150, 3)}
    images |= {"reference": picture(48, 80, 3), "mask": np.full((70, 150), 255, np.uint8)}
    read = {"sketch", *system(name).columns, *(["color"] if name == "mask" else [])} - {"flow", "guide"}
    made = colorize_picture(as_network(generator, asdict(model)), {each: images[each] for each in read}, 64)
    assert made.shape == (70, 150, 3)


@pytest.mark.parametrize("shape", [(64, 65), (33, 200), (200, 33), (150, 170)])
def test_tiles_change_nothing_for_a_network_that_sees_single_pixels(shape):
    whole, tiled = (colorize_picture(as_network(Local(), CONFIG), given(*shape), tile) for tile in (0, 64))
    assert whole.std() > 10
    np.testing.assert_allclose(tiled.astype(int), whole, atol=1)


def test_a_picture_no_larger_than_a_tile_is_colored_whole(generator):
    inputs = {name: image_planes(image) for name, image in given(48, 64).items()}
    network = as_network(generator, CONFIG)
    np.testing.assert_array_equal(infer_tiled(network, inputs, tile=64), infer_tiled(network, inputs))


@pytest.mark.parametrize(("side", "tile"), [(65, 64), (127, 64), (128, 64), (1000, 96), (40, 64)])
def test_tiles_cover_a_side_overlap_by_a_quarter_and_fade(side, tile):
    covered, ends = np.zeros(side), []
    for place, weights in tile_windows(side, tile):
        assert place.stop - place.start == len(weights) == min(side, tile)
        assert weights[0] < weights[len(weights) // 2] == 1
        covered[place] += weights
        ends.append((place.start, place.stop))
    assert covered.min() > 0
    assert (ends[0][0], ends[-1][1]) == (0, side)
    assert all(before[1] - after[0] >= tile // 4 for before, after in pairwise(ends))


def test_a_reference_is_never_cut():
    sizes = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, sketch, reference):
            sizes.append((tuple(sketch.shape[2:]), tuple(reference.shape[2:])))
            return [self.scale * sketch.repeat(1, 3, 1, 1)]

    config = asdict(Model(system="liu"))
    images = {"sketch": picture(64, 100), "reference": picture(96, 32, 3)}
    colorize_picture(as_network(Watching(), config), images, tile=64)
    assert set(sizes) == {((64, 64), (96, 32))}


def test_a_tile_that_is_too_small_is_refused(generator):
    with pytest.raises(ValueError, match="tile must be 0 or at least 32, got 31"):
        colorize_picture(as_network(generator, CONFIG), given(100, 100), tile=31)


def test_colorizing_changes_neither_picture(generator):
    images = given(20, 20)
    before = {name: image.copy() for name, image in images.items()}
    colorize_picture(as_network(generator, CONFIG), images)
    assert all((images[name] == before[name]).all() for name in images)


@pytest.mark.parametrize(
    ("sketch", "cue"),
    [
        (picture(8, 8, 3), picture(8, 8, 3)),
        (picture(8, 8), picture(8, 9, 3)),
        (picture(8, 8), picture(8, 8)),
        (picture(8, 8) / 255, picture(8, 8, 3)),
        (picture(0, 8), picture(0, 8, 3)),
    ],
)
def test_other_shapes_and_types_are_refused(generator, sketch, cue):
    with pytest.raises(ValueError, match="must be"):
        colorize_picture(as_network(generator, CONFIG), {"sketch": sketch, "cue": cue})
