"""`QRNN`: what it holds, how it starts, and its windows."""

import pytest
import torch
from oracle import assert_close, randn, randomise

import carousel
from carousel import kernels


def shapes_of(layer):
    return {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}


def test_a_window_of_two_has_a_second_matrix():
    assert shapes_of(carousel.QRNN(3, 5, num_layers=2, bias=False)) == {
        "weight_ih_l0": (15, 3),
        "weight_ih_l1": (15, 5),
    }
    assert shapes_of(carousel.QRNN(3, 5, window=2)) == {
        "weight_ih_l0": (15, 3),
        "weight_ph_l0": (15, 3),
        "bias_ih_l0": (15,),
    }
    assert repr(carousel.QRNN(3, 5, window=2)) == "QRNN(3, 5, window=2)"


def test_weights_start_within_the_bounds_of_a_convolution():
    layer = carousel.QRNN(8, 300, window=2)  # 16 inputs of a step
    for weight in layer.parameters():
        assert 0.24 < weight.abs().max() <= 0.25


@pytest.mark.parametrize("window", [0, 3])
def test_a_window_of_other_sizes_is_refused(window):
    with pytest.raises(ValueError, match=f"window must be 1 or 2 inputs, got {window}"):
        carousel.QRNN(3, 5, window=window)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
def test_a_window_of_two_is_a_window_of_one_over_pairs_of_inputs(bidirectional):
    wide = randomise(carousel.QRNN(3, 17, window=2, bidirectional=bidirectional))
    x, lengths = randn(9, 4, 3, dtype=torch.float32), torch.tensor([9, 1, 0, 5])
    y, _ = wide(x, lengths=lengths)
    for direction in range(1 + bidirectional):
        end = "_l0" + "_reverse" * direction
        pairs = carousel.QRNN(6, 17)
        with torch.no_grad():
            own = [getattr(wide, name + end) for name in ("weight_ih", "weight_ph")]
            pairs.weight_ih_l0.copy_(torch.cat(own, 1))
            pairs.bias_ih_l0.copy_(getattr(wide, "bias_ih" + end))
        for row, steps in enumerate(lengths.tolist()):
            if not steps:
                continue
            given = x[:steps, row]
            given = given.flip(0) if direction else given
            before = torch.cat([torch.zeros(1, 3), given[:-1]])
            expected, _ = pairs(torch.cat([given, before], 1))
            expected = expected.flip(0) if direction else expected
            assert_close(y[:steps, row].split(17, 1)[direction], expected, "forward")


@pytest.mark.parametrize("path", ["native", "cells"])
def test_first_output_changes_nothing_and_gets_no_gradient(path):
    layer, x = carousel.QRNN(3, 5), torch.randn(4, 2, 3)
    h, c = (torch.randn(1, 2, 5, requires_grad=True) for _ in range(2))
    with kernels.use(path):
        y, _ = layer(x, (h, c))
        assert torch.equal(y, layer(x, (h + 1, c))[0])
    of_h, of_c = torch.autograd.grad(y.sum(), (h, c), materialize_grads=True)
    assert torch.count_nonzero(of_h) == 0
    assert torch.count_nonzero(of_c) == of_c.numel()


def test_a_window_of_two_wants_three_states():
    zeros = torch.zeros(1, 2, 5)
    with pytest.raises(TypeError, match=r"QRNN: hx must be the tuple \(h_0, c_0, n_0\)"):
        carousel.QRNN(3, 5, window=2)(torch.zeros(4, 2, 3), (zeros, zeros))
