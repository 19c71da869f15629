"""Cells without a recurrent product, whose gradients are asked for inside of autocast."""

import pytest
import torch
from compiled import assert_same_bits, by_native
from oracle import randn
from parallel_layers import KINDS, make, state_of

T, B, INPUTS, UNITS = 5, 3, 7, 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, [3, 5, 0]], ids=["full", "ragged"])
@pytest.mark.parametrize("inputs", [INPUTS, UNITS], ids=["projected", "as many as units"])
def test_gradients_inside_of_autocast_are_those_outside(kind, lengths, inputs):
    """Products of torch fill memory that the kernels read: it must not be of half the size."""
    layer = make(kind, inputs, UNITS, bidirectional=True, num_layers=2)
    x, hx = randn(T, B, inputs, dtype=torch.float32), state_of(layer, B)
    expected = by_native(layer, x, hx, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        actual = by_native(layer, x, hx, lengths)
    assert_same_bits(actual, expected)
