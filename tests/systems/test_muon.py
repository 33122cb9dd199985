"""Muon: steps of matrices are orthogonal, other weights learn as by AdamW, and a state can be resumed."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from pipeline.systems.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(3, 8, 40), (2, 40, 8), (1, 16, 16)])
def test_orthogonal_steps_have_the_directions_of_the_matrix_and_singular_values_near_one(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    cores = left.mT @ orthogonalize(matrices) @ right.mT
    values = cores.diagonal(dim1=1, dim2=2)
    assert 0.6 < values.min() <= values.max() < 1.3
    assert (cores - torch.diag_embed(values)).abs().max() < 1e-3


def test_a_convolution_steps_as_the_matrix_of_its_rows_does():
    torch.manual_seed(0)
    weight, slope = torch.randn(16, 4, 3, 3), torch.randn(16, 4, 3, 3)
    flat = nn.Parameter(weight.flatten(1).clone())
    deep = nn.Parameter(weight.clone())
    flat.grad, deep.grad = slope.flatten(1).clone(), slope.clone()
    Muon([flat, deep], 0.1).step()
    torch.testing.assert_close(deep.flatten(1), flat)
    reference = torch.optim.Muon([single := nn.Parameter(weight.flatten(1).clone())], 0.1, weight_decay=0.0)
    single.grad = slope.flatten(1).clone()
    reference.step()
    torch.testing.assert_close(flat, single, rtol=0, atol=2e-3)  # it computes in bfloat16
    assert torch.equal(deep.grad, slope)


def test_vectors_and_narrow_matrices_learn_as_by_adamw_at_a_fifth_of_the_rate():
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(7)), nn.Parameter(torch.randn(3, 50))]
    theirs = [nn.Parameter(each.detach().clone()) for each in ours]
    one = Muon(ours, 0.1)
    other = torch.optim.AdamW(theirs, 0.02, betas=(0.9, 0.99), weight_decay=0.0)
    for _ in range(3):
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = its.grad = torch.randn_like(mine)
        one.step()
        other.step()
    for mine, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, its)


def test_a_resumed_state_takes_equal_steps():
    def steps(optimizer, weights, number):
        for step in range(*number):
            torch.manual_seed(step)
            for each in weights:
                each.grad = torch.randn_like(each)
            optimizer.step()

    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(9, 9)), nn.Parameter(torch.randn(9))]
    whole = Muon(weights, 0.1)
    steps(whole, weights, (0, 2))
    copies = [nn.Parameter(each.detach().clone()) for each in weights]
    resumed = Muon(copies, 0.1)
    resumed.load_state_dict(deepcopy(whole.state_dict()))
    steps(whole, weights, (2, 4))
    steps(resumed, copies, (2, 4))
    for one, other in zip(weights, copies, strict=True):
        assert torch.equal(one, other)
