"""Thresholds on one line: log-probabilities of ranks against differences of sigmoids."""

import math

import torch

from carousel.layers.ordinal import CumulativeLogits


def test_probabilities_are_differences_of_sigmoids_and_sum_to_one():
    torch.manual_seed(0)
    head = CumulativeLogits(3, 5).double()
    with torch.no_grad():
        head.gaps.normal_()
        head.sharpness.fill_(0.3)
    x = torch.randn(20, 3).double()
    below = torch.sigmoid(math.exp(4 * 0.3) * (head.thresholds - head.score(x)))
    edges = torch.cat((torch.zeros(20, 1), below, torch.ones(20, 1)), 1)
    torch.testing.assert_close(head(x).exp(), edges.diff(dim=1))
    torch.testing.assert_close(head(x).softmax(1), edges.diff(dim=1))
    assert (head.thresholds.diff() > 0).all()


def test_every_rank_is_as_probable_as_another_at_the_start_and_gradients_are_right():
    head = CumulativeLogits(2, 7).double()
    torch.testing.assert_close(
        head(torch.zeros(1, 2).double()).exp(), torch.full((1, 7), 1 / 7).double()
    )
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(head, (x,))
    assert CumulativeLogits(2, 2)(torch.randn(3, 2)).shape == (3, 2)


def test_a_score_far_out_has_finite_logarithms():
    head = CumulativeLogits(1, 4)
    with torch.no_grad():
        head.score.weight.fill_(1.0)
    found = head(torch.tensor([[-300.0], [300.0]]))
    assert torch.isfinite(found).all()
    assert found.argmax(1).tolist() == [0, 3]
