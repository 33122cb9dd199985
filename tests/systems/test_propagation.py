"""Propagation: weights sum to one, flat stays flat, colors stop at walls, gradients are exact."""

import pytest
import torch

from pipeline.systems.propagation import Pass, average_neighbors, neighbor_weights, propagate

DISTANCES = (1, 3, 2)


@pytest.fixture
def weights():
    """Draw the weights of three passes."""
    torch.manual_seed(0)
    return neighbor_weights(torch.randn(2, 27, 8, 10), 3)


def test_the_weights_of_each_pixel_sum_to_one(weights):
    assert [each.shape for each in weights] == 3 * [(2, 9, 8, 10)]
    for each in weights:
        assert (each > 0).all()
        torch.testing.assert_close(each.sum(dim=1), torch.ones(2, 8, 10))


@pytest.mark.parametrize("learns", [True, False])
def test_a_flat_picture_stays_flat_and_no_color_is_new(weights, learns):
    flat = torch.tensor([0.2, -0.7]).view(1, 2, 1, 1).expand(2, -1, 8, 10)
    with torch.set_grad_enabled(learns):
        torch.testing.assert_close(propagate(flat, weights, DISTANCES), flat)
        found = propagate(torch.rand(2, 3, 8, 10), weights, DISTANCES)
    assert 0 <= found.min() <= found.max() <= 1


def test_a_pass_takes_the_neighbor_that_has_all_the_weight():
    maps = torch.arange(48.0).view(1, 1, 6, 8)
    for place, (down, right) in {0: (-2, -2), 4: (0, 0), 5: (0, 2), 7: (2, 0)}.items():
        weights = torch.zeros(1, 9, 6, 8)
        weights[:, place] = 1
        rows = (torch.arange(6) + down).clamp(0, 5)
        columns = (torch.arange(8) + right).clamp(0, 7)
        assert torch.equal(average_neighbors(maps, weights, 2)[0, 0], maps[0, 0][rows][:, columns])


def test_a_wall_without_weight_keeps_colors_apart():
    """The weights of every pixel look only to its own side of a wall between columns 4 and 5."""
    side = (torch.arange(10) >= 5).float().expand(1, 1, 8, 10)
    neighbors = torch.nn.functional.unfold(
        torch.nn.functional.pad(side, (1, 1, 1, 1), mode="replicate"), 3
    ).view(1, 9, 8, 10)
    (weights,) = neighbor_weights(-100 * (neighbors - side).abs(), 1)
    torch.testing.assert_close(propagate(side, 9 * (weights,), 9 * (1,)), side)


def test_the_fused_pass_and_its_gradients_are_those_of_the_plain_sum():
    torch.manual_seed(1)
    maps = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 9, 5, 7, dtype=torch.float64, requires_grad=True)
    for distance in (1, 2, 8):  # the last is wider than the picture
        torch.testing.assert_close(
            Pass.apply(maps, weights, distance), average_neighbors(maps, weights, distance)
        )
        assert torch.autograd.gradcheck(lambda *given, d=distance: Pass.apply(*given, d), (maps, weights))
