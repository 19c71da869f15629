"""`S6`: what it holds, how it starts, and its memory in a batch of any lengths."""

import pytest
import torch
from oracle import assert_close, randn, randomise
from torch.nn import functional as F

import carousel
from carousel import kernels


def shapes_of(layer):
    return {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}


def test_parameters_are_those_of_the_paper():
    own = {"weight_log_a_l0": (5, 16), "weight_skip_l0": (5,), "bias_delta_l0": (5,)}
    assert shapes_of(carousel.S6(3, 5)) == own | {
        "weight_ih_l0": (10, 3),
        "weight_bx_l0": (16, 3),
        "weight_cx_l0": (16, 3),
    }
    layer = carousel.S6(5, 5, 2, bias=False, order=4)
    assert shapes_of(layer)["weight_ih_l1"] == (5, 5)
    assert repr(layer) == "S6(5, 5, num_layers=2, bias=False, order=4)"


def test_decays_and_steps_start_as_in_the_paper():
    torch.manual_seed(1)
    layer = carousel.S6(3, 2000, order=7)
    decay = layer.weight_log_a_l0.detach().exp()
    torch.testing.assert_close(decay, torch.arange(1.0, 8.0).expand(2000, 7))
    assert (layer.weight_skip_l0 == 1).all()
    steps = F.softplus(layer.bias_delta_l0.detach().double())
    assert 1e-3 * (1 - 1e-4) <= steps.min() < 1.1e-3
    assert 0.098 < steps.max() <= 0.1 * (1 + 1e-4)
    assert abs((steps < 0.01).double().mean() - 0.5) < 0.05  # half of it on a scale of logarithms


def test_an_order_that_is_none_is_refused():
    with pytest.raises(ValueError, match="order must be 1 or more coefficients, got 0"):
        carousel.S6(3, 5, order=0)


@pytest.mark.parametrize("order", [1, 3, 4, 16, 21])
@pytest.mark.parametrize("inputs", [5, 19], ids=["projected", "as it is"])
@pytest.mark.parametrize("lengths", [None, [40, 1, 0, 33, 16]], ids=["full", "ragged"])
def test_every_number_of_coefficients_equals_the_equations(order, inputs, lengths):
    """Sequences of several segments, each remembered at its start."""
    layer = randomise(carousel.S6(inputs, 19, bidirectional=True, order=order))
    x = randn(40, 5, inputs, dtype=torch.float32).requires_grad_()
    sizes = (19, 19 * order)
    hx = tuple(randn(2, 5, n, seed=n, dtype=torch.float32).requires_grad_() for n in sizes)

    def results(path):
        with kernels.use(path):
            y, final = layer(x, hx, lengths)
        seeded = [
            randn(*part.shape, seed=k, dtype=torch.float32) for k, part in enumerate((y, *final))
        ]
        total = sum((part * weight).sum() for part, weight in zip((y, *final), seeded, strict=True))
        wanted = [x, *hx, *layer.parameters()]
        return [y, *final], torch.autograd.grad(total, wanted, materialize_grads=True)

    (told, gradients), (expected, wanted) = results("native"), results("cells")
    for actual, truth in zip(told, expected, strict=True):
        assert_close(actual, truth, "forward")
    for actual, truth in zip(gradients, wanted, strict=True):
        assert_close(actual, truth, "gradient")


def test_gradients_of_the_memory_alone_come_through():
    layer = randomise(carousel.S6(3, 7, order=5))
    x = randn(20, 2, 3, dtype=torch.float32).requires_grad_()

    def gradients(path):
        with kernels.use(path):
            _, (_, c) = layer(x)
        wanted = [x, *layer.parameters()]
        return torch.autograd.grad(c.square().sum(), wanted, materialize_grads=True)

    for actual, truth in zip(gradients("native"), gradients("cells"), strict=True):
        assert_close(actual, truth, "gradient")
