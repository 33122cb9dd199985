"""Back-projection: what blurs to its cue stays, what does not comes closer, at any size."""

import numpy as np
import pytest
import torch
from made import picture
from torch.nn.functional import avg_pool2d

from pipeline.batches.dataset import to_tensor
from pipeline.operators.cue import draw_cue
from pipeline.params import Cue
from pipeline.systems.backprojection import cue_blur, lacking

LEVEL = 1 / 127.5
SIZES = pytest.mark.parametrize(("height", "width"), [(64, 64), (128, 128), (96, 256), (320, 128)])


def colored(height, width):
    """Paint a picture, and make its cue as the dataset has it, at 1/4: (1, 3, H, W)."""
    color = picture(3, width, height)
    cue = draw_cue(color, Cue(sigma=20.0))
    return to_tensor(color)[None], avg_pool2d(to_tensor(cue)[None], 4)


@SIZES
def test_a_picture_that_blurs_to_its_cue_lacks_nothing(height, width):
    color, cue = colored(height, width)
    found = lacking(avg_pool2d(color, 2), cue, cue_blur(cue))
    assert found.shape == (1, 3, height // 2, width // 2)
    assert found.abs().max() < 2 * LEVEL
    shifted = lacking(avg_pool2d(color, 2) - 0.25, cue, cue_blur(cue))
    torch.testing.assert_close(shifted, torch.full_like(shifted, 0.25), rtol=0, atol=2 * LEVEL)


@SIZES
def test_adding_what_is_lacking_brings_any_picture_closer_to_its_cue(height, width):
    _, cue = colored(height, width)
    blur = cue_blur(cue)
    found, before = torch.zeros(1, 3, height // 2, width // 2), []
    for _ in range(4):
        before.append(float((blur(avg_pool2d(found, 2)) - cue).abs().mean()))
        found = found + lacking(found, cue, blur)
    assert before == sorted(before, reverse=True)
    assert before[-1] < before[0] / 20


def test_the_blur_keeps_a_flat_picture_and_is_a_gaussian_away_from_the_border():
    blur = cue_blur(torch.zeros(1, 1, 64, 64))  # whose sigma is 5
    flat = torch.full((1, 1, 64, 64), 0.3)
    torch.testing.assert_close(blur(flat), flat)
    dot = torch.zeros(1, 1, 64, 64)
    dot[..., 32, 32] = 1
    distances = np.arange(64) - 32
    wanted = np.exp(-np.add.outer(distances**2, distances**2) / 50) / (2 * np.pi * 25)
    np.testing.assert_allclose(blur(dot)[0, 0], wanted, atol=1e-6)
