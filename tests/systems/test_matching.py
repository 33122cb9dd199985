"""Matching: a reference that is the target gives its own colors; only what is shown is taken."""

import cv2
import numpy as np
import pytest
import torch
from learning import flow_of, noise, still
from made import picture
from torch.nn.functional import avg_pool2d

from pipeline.batches.dataset import to_tensor
from pipeline.systems.matching import Match, own_sketch, place_loss


@pytest.fixture
def match():
    """Build a match whose lines are their own keys, and which trusts likeness alone."""
    torch.manual_seed(0)
    made = Match(32)
    for layer in (made.query, made.key):
        torch.nn.init.dirac_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.zeros_(made.color_key.weight)
    torch.nn.init.zeros_(made.color_key.bias)
    made.sharpness.data.fill_(5.0)
    made.nearness.data.fill_(-9.0)
    return made


ONE, ALL = torch.ones(1, 1, 1), torch.ones(1, 1, 64, 96)


@torch.no_grad()
def test_a_reference_that_is_the_target_gives_its_own_colors(match):
    lines, target = torch.randn(1, 32, 8, 12), noise(1, 3, 64, 96)
    found = match(lines, lines, target, ALL, ONE)
    torch.testing.assert_close(found.colors, avg_pool2d(target, 4), rtol=0, atol=1e-3)
    torch.testing.assert_close(found.confidence, torch.ones(1, 1, 8, 12), rtol=0, atol=1e-2)


@torch.no_grad()
def test_colors_move_with_the_lines(match):
    lines, target = torch.randn(1, 32, 8, 12), noise(1, 3, 64, 96)
    found = match(lines, lines.flip(3), target.flip(3), ALL, ONE)
    torch.testing.assert_close(avg_pool2d(found.colors, 2), avg_pool2d(target, 8), rtol=0, atol=1e-3)


@torch.no_grad()
def test_where_all_lines_look_alike_the_nearest_place_is_taken(match):
    match.nearness.data.fill_(9.0)
    lines, target = torch.ones(1, 32, 8, 12), noise(1, 3, 64, 96)
    found = match(lines, lines, target, ALL, ONE)
    torch.testing.assert_close(found.colors, avg_pool2d(target, 4), rtol=0, atol=1e-3)
    unplaced = match(lines, lines, target, ALL, 0 * ONE)
    mean = target.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(avg_pool2d(unplaced.colors, (16, 24)), mean, rtol=0, atol=1e-5)


@torch.no_grad()
def test_nothing_is_taken_from_where_a_reference_is_transparent(match):
    lines, target = torch.randn(1, 32, 8, 12), torch.ones(1, 3, 64, 96)
    target[..., :48] = -1
    opacity = (target[:, :1] > 0).float()
    found = match(lines, lines, target * opacity, opacity, 0 * ONE)
    torch.testing.assert_close(found.colors, torch.ones(1, 3, 16, 24))


def test_the_sketch_of_a_reference_is_the_threshold_of_opencv():
    color = picture(2, 96, 64)
    found = own_sketch(to_tensor(color)[None])[0, 0].numpy() > 0
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    wanted = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 7, 2)
    assert 0.02 < (wanted == 0).mean() < 0.6
    assert (found == (wanted > 0)).mean() > 0.97  # of which some lie on the threshold


def test_the_place_loss_is_low_where_each_place_matches_its_origin():
    right = 50 * torch.eye(64)[None]
    assert place_loss(right, still(64)).max() < 1e-6
    mirrored = right.view(1, 8, 8, 8, 8).flip(4).reshape(1, 64, 64)
    assert place_loss(mirrored, still(64, flip=True)).max() < 1e-6
    assert place_loss(mirrored, still(64)).min() > 40
    away = flow_of(np.tile([2.0, 0.0], (9, 1)), 64)  # all comes from beyond the border
    assert place_loss(right, away).max() == 0
