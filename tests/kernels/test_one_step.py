"""Calls of one step, which read each weight once: the oracle's gradients, a longer call's bits."""

import pytest
import torch
from compiled import ISAS, assert_same_bits, by_native, by_oracle, tensors, threads
from oracle import assert_same, randn, randomise

import carousel
from carousel import kernels

KINDS = {
    "RNN": ("RNN", {}),
    "GRU": ("GRU", {}),
    "LSTM": ("LSTM", {"num_layers": 2, "bidirectional": True}),
    "LSTM without biases": ("LSTM", {"bias": False}),
    "LSTM with peepholes": ("LSTM", {"peephole": True, "zoneout": 0.2}),
    "GRU with softsign": ("GRU", {"activation": "softsign"}),
    "GRU, reset first": ("GRU", {"reset_after": False}),
    "LSTM, projected": ("LSTM", {"proj_size": 3}),
    "LSTM, normalised": ("LSTM", {"layer_norm": True}),
    "RNN, every 2 steps saved": ("RNN", {"checkpoint_every": 2}),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
# (B, I, H): tiny; one row and many units; sizes no vector divides; rows whose units threads share;
# as many rows as are few, and many; rows that a row of tiles takes, and one more.
SHAPES = [(1, 3, 4), (1, 37, 210), (3, 70, 100), (13, 17, 37), (5, 300, 330), (96, 19, 33)]
SHAPES += [(1100, 3, 5), (6, 33, 48), (7, 48, 33)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


def problem(kind, shape, steps=1):
    (name, options), (B, inputs, hidden) = KINDS[kind], shape
    layer = randomise(getattr(carousel, name)(inputs, hidden, **options)).eval()
    return layer, randn(steps, B, inputs, dtype=torch.float32)


@each_kind
@each_shape
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_step_equals_the_oracle(kind, shape, count, isa):
    layer, x = problem(kind, shape)
    with threads(count):
        assert_same(by_native(layer, x), by_oracle(layer, x))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("inputs", [400, 403])
def test_gradients_larger_than_caches_equal_the_oracle(inputs, count, isa):
    layer, x = problem("GRU", (2, inputs, 1024))  # 17 MB, which are written past the caches
    with threads(count):
        assert_same(by_native(layer, x), by_oracle(layer, x))


@each_kind
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("lengths", [[0, 0, 0], [1, 0, 1], [1, 0, 1, 0, 0]], ids=str)
def test_rows_without_a_step_equal_the_oracle(kind, lengths, count, isa):
    layer, x = problem(kind, (3, 37, 210) if len(lengths) == 3 else (5, 300, 330))
    with threads(count):
        assert_same(by_native(layer, x, None, lengths), by_oracle(layer, x, None, lengths))


@each_kind
@each_shape
@pytest.mark.parametrize("count", [1, 2])
def test_one_step_has_the_bits_of_the_first_of_two(kind, shape, count, isa):
    layer, x = problem(kind, shape, steps=2)
    if layer.bidirectional:
        pytest.skip("the other direction begins elsewhere")
    with threads(count), kernels.use("native"):
        whole, _ = layer(x)
        first, state = layer(x[:1])
        assert_same_bits(tensors((torch.cat([first, layer(x[1:], state)[0]]), ())), [whole])


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_gradients_of_one_step_have_the_bits_of_a_step_beside_one_that_does_not_count(name, isa):
    """The second of two steps whose gradients are zero adds nothing to those of the first."""
    layer = randomise(getattr(carousel, name)(37, 210))
    x = randn(2, 3, 37, dtype=torch.float32).requires_grad_()
    found = []
    for steps in (1, 2):
        with kernels.use("native"):
            layer(x[:steps])[0][0].square().sum().backward()
        found.append([x.grad[0].clone(), *[p.grad.clone() for p in layer.parameters()]])
        x.grad = None
        layer.zero_grad()
    assert_same_bits(*found)
