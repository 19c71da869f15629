"""Gradients of weights are sums over the rows of all steps: of however many, digits are kept."""

import pytest
import torch
from compiled import threads
from options import layer_with
from oracle import randn
from torch import nn

import carousel
from carousel import kernels

ALLOWED = 3e-6  # of the largest; a running sum in float32 is off by five times as much and more
MANY_ROWS, MANY_STEPS = (2, 70_000), (280, 500)
each_shape = pytest.mark.parametrize("shape", [MANY_ROWS, MANY_STEPS], ids=["rows", "steps"])
each_cell = pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM", "LSTM-projected"])


def gradients(layer, x, weight):
    """Of Σ weight ⊙ y: all of one sign where sums are to grow."""
    y, _ = layer(x)
    return torch.autograd.grad((y * weight).sum(), list(layer.parameters()))


def worst(actual, expected):
    pairs = zip(actual, expected, strict=True)
    return max(((a - e).abs().max() / e.abs().max()).item() for a, e in pairs)


def inputs(shape, features, outputs):
    x = 0.5 + randn(*shape, features, seed=2, dtype=torch.float32)
    return x, randn(*shape, outputs, seed=3, dtype=torch.float32).abs()


@each_cell
@pytest.mark.parametrize(
    ("shape", "count"),
    [(MANY_ROWS, 1), (MANY_ROWS, 2), (MANY_STEPS, 1)],
    ids=["rows", "rows of two threads", "steps"],
)
def test_gradients_over_many_rows_keep_their_digits(cell, shape, count):
    name, _, projected = cell.partition("-")
    more = {"proj_size": 3} if projected else {}
    layer = layer_with(name, {}, 3, 5, **more)
    double = getattr(nn, name)(3, 5, **more).double()
    double.load_state_dict(layer.state_dict())
    x, weight = inputs((shape[0], count * shape[1]), 3, 3 if projected else 5)
    with threads(count), kernels.use("native"):
        actual = gradients(layer, x, weight)
    assert worst(actual, gradients(double, x.double(), weight)) < ALLOWED


@pytest.mark.parametrize(
    "pair",
    [
        ("LSTM", {"peephole": True}),
        ("LSTM", {"layer_norm": True}),
        ("GRU", {"layer_norm": True}),
        ("GRU", {"activation": "softsign"}),
        ("GRU", {"reset_after": False}),
        ("RNN", {"zoneout": 0.1}),
    ],
    ids=str,
)
def test_gradients_of_options_over_many_rows_keep_their_digits(pair):
    layer = layer_with(*pair, 3, 5)
    double = layer_with(*pair, 3, 5, dtype=torch.float64)
    double.load_state_dict(layer.state_dict())
    x, weight = inputs(MANY_ROWS, 3, 5)
    with threads(1), kernels.use("native"):
        torch.manual_seed(1)
        actual = gradients(layer, x, weight)
    with kernels.use("cells"):
        torch.manual_seed(1)
        expected = gradients(double, x.double(), weight)
    assert worst(actual, expected) < ALLOWED


@each_shape
def test_recurrent_weights_of_the_indrnn_over_many_rows_keep_their_digits(shape):
    layer = carousel.IndRNN(3, 5)
    double = carousel.IndRNN(3, 5).double()
    double.load_state_dict(layer.state_dict())
    x, weight = inputs(shape, 3, 5)
    with threads(1), kernels.use("native"):
        y, _ = layer(x)
        (actual,) = torch.autograd.grad((y * weight).sum(), [layer.weight_hh_l0])
    with kernels.use("cells"):
        y, _ = double(x.double())
        (expected,) = torch.autograd.grad((y * weight).sum(), [double.weight_hh_l0])
    assert worst([actual], [expected]) < ALLOWED
