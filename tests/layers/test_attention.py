"""Attention over time against sums written out, and the padding that must not matter."""

import math

import pytest
import torch

from carousel.layers.attention import AttentionPooling, masked_softmax, step_mask


@torch.no_grad()
def test_pooling_is_the_sum_that_the_docstring_states():
    torch.manual_seed(5)
    pool, outputs, lengths = AttentionPooling(3), torch.randn(2, 4, 3), torch.tensor([4, 2])
    pooled, weights = pool(outputs, lengths)
    for row, length in enumerate(lengths.tolist()):
        scores = [
            math.exp(float(pool.score.weight[0] @ torch.tanh(pool.hidden(outputs[row, t]))))
            for t in range(length)
        ]
        wanted = [score / sum(scores) for score in scores]
        assert weights[row, :length].tolist() == pytest.approx(wanted, abs=1e-6)
        assert (weights[row, length:] == 0).all()
        by_hand = sum(a * outputs[row, t] for t, a in enumerate(wanted))
        torch.testing.assert_close(pooled[row], by_hand)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_weights_sum_to_one_and_a_row_without_steps_has_none(scale):
    scores, lengths = scale * torch.randn(3, 7), torch.tensor([7, 1, 0])
    weights = masked_softmax(scores, step_mask(lengths, 7))
    torch.testing.assert_close(weights.sum(1), torch.tensor([1.0, 1.0, 0.0]))
    assert torch.isfinite(weights).all()


def test_gradients_of_an_empty_row_are_finite_and_zero():
    pool, outputs = AttentionPooling(3).double(), torch.randn(2, 4, 3, dtype=torch.float64)
    outputs.requires_grad_()
    pool(outputs, torch.tensor([3, 0]))[0].square().sum().backward()
    assert (outputs.grad[1] == 0).all()
    assert (outputs.grad[0, 3] == 0).all()
    assert (outputs.grad[0, :3] != 0).all()
    assert torch.autograd.gradcheck(lambda y: pool(y, torch.tensor([3, 2]))[0], outputs)
