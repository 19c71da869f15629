"""The first tensor that is not finite has a name."""

import torch
from torch import nn

from carousel.coach.autopsy import first_nonfinite


class Noisy(nn.Module):
    """Finite weights, and an output that is not."""

    def forward(self, x):
        return x / 0


def network():
    return nn.Sequential(nn.Linear(2, 2), Noisy(), nn.Linear(2, 1))


def test_a_weight_is_named_before_the_gradients_and_outputs():
    model = network()
    model[2].weight.data[0, 1] = torch.inf
    model[0].weight.grad = torch.full((2, 2), torch.nan)
    assert first_nonfinite(model) == "the weight 2.weight"


def test_a_gradient_is_named():
    model = network()
    model[0].bias.grad = torch.tensor([0.0, torch.nan])
    assert first_nonfinite(model) == "the gradient of 0.bias"


def test_the_first_output_is_named_and_the_hooks_are_gone():
    model = network()
    assert first_nonfinite(model, lambda: model(torch.ones(1, 2))) == "the output of 1"
    assert not any(module._forward_hooks for module in model.modules())


def test_where_all_is_finite_but_the_loss_it_is_the_loss():
    model = nn.Sequential(nn.Linear(2, 1))
    assert first_nonfinite(model, lambda: model(torch.ones(1, 2))) == "the loss itself"
    assert first_nonfinite(model) == "an output of the model"
