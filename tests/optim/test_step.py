"""One optimiser step against the same written out."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from carousel.config import OptimizerConfig, RegularizationConfig
from carousel.config.regularization import MaxNorm, Penalty
from carousel.optim.step import OptimizerStep, mean_loss


def linear():
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(6.0).view(2, 3) - 2)
    return model


def loss_of(model, x, count=2):
    total = (model(x) ** 2).sum()
    return SimpleNamespace(objective=total / count, sums={"loss": total.detach()}, count=count)


def test_a_step_adds_penalties_clips_and_shortens_rows_as_written_out():
    x = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]])
    model, mine = linear(), linear()[0].weight.detach()
    optimizer = OptimizerConfig(name="sgd", learning_rate=0.5, clip_norm=1.5)
    kept = RegularizationConfig(l2=Penalty(head=0.25), max_norm=MaxNorm(head=2.0))
    step = OptimizerStep(optimizer, kept, model)
    for _ in range(3):
        taken = step.take(lambda: loss_of(model, x))
        said = x @ mine.T
        gradient = said.T @ x + 0.25 * mine  # d/dW of half the sum of squares, and of the penalty
        norm = gradient.norm()
        with torch.no_grad():
            mine = mine - 0.5 * gradient * min(1.0, 1.5 / norm)
            mine = mine * (2 / mine.norm(dim=1, keepdim=True)).clamp(max=1)
        assert taken.trouble == ""
        assert taken.loss == pytest.approx(float((said**2).sum()) / 2)
        assert taken.gradient_norm == pytest.approx(float(norm))
        torch.testing.assert_close(model[0].weight, mine, rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_not_finite_leaves_the_weights():
    model = linear()
    before = model[0].weight.clone()
    step = OptimizerStep(OptimizerConfig(), RegularizationConfig(), model)
    taken = step.take(lambda: loss_of(model, torch.full((1, 3), torch.inf)))
    assert taken.trouble in ("the loss is inf", "the loss is nan")
    assert torch.equal(model[0].weight, before)


def test_a_gradient_that_is_not_finite_leaves_the_weights():
    model = linear()
    before = model[0].weight.clone()
    step = OptimizerStep(OptimizerConfig(), RegularizationConfig(), model)

    def compute():  # the root of zero has a rise without end
        total = (model(torch.ones(1, 3)) * 0).abs().sum().sqrt()
        return SimpleNamespace(objective=total, sums={"loss": total.detach()}, count=1)

    taken = step.take(compute)
    assert taken.loss == 0
    assert taken.trouble == "the gradient's norm is nan"
    assert torch.equal(model[0].weight, before)


def test_a_batch_without_targets_has_no_loss():
    assert mean_loss(loss_of(linear(), torch.zeros(0, 3), count=0)) == 0
