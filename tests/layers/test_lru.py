"""`LRU`: what it holds, how it starts, and gradients that come through the last output."""

import math

import pytest
import torch
from oracle import assert_close, randn, randomise
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel import kernels


def test_parameters_are_those_of_the_paper():
    shapes = {n: tuple(p.shape) for n, p in carousel.LRU(3, 5).named_parameters()}
    assert shapes == {
        "weight_ih_l0": (15, 3),
        "weight_sh_l0": (5, 10),
        "weight_nu_l0": (5,),
        "weight_theta_l0": (5,),
        "weight_gamma_l0": (5,),
        "bias_ih_l0": (5,),
    }
    layer = carousel.LRU(3, 5, 2, r_min=0.5, max_phase=0.3)
    assert repr(layer) == "LRU(3, 5, num_layers=2, r_min=0.5, max_phase=0.3)"


def test_sizes_and_angles_start_spread_over_their_ring():
    torch.manual_seed(1)
    layer = carousel.LRU(4, 2000, r_min=0.6, r_max=0.9, max_phase=0.5)
    size, angle = torch.exp(-layer.weight_nu_l0.exp()), layer.weight_theta_l0.exp()
    assert 0.6 <= size.min() < 0.61
    assert 0.89 < size.max() <= 0.9 + 1e-6
    share = (size**2 < (0.36 + 0.81) / 2).float().mean()  # half of its area within this radius
    assert abs(share - 0.5) < 0.05
    assert angle.min() < 0.01
    assert 0.49 < angle.max() <= 0.5 + 1e-6
    gamma = layer.weight_gamma_l0.exp()
    torch.testing.assert_close(gamma, (1 - size.double() ** 2).sqrt().float(), rtol=1e-4, atol=0)


def test_in_half_precision_it_starts_with_numbers():
    for ring in ({}, {"r_max": 1e-3}):
        for name, parameter in carousel.LRU(
            3, 8192, dtype=torch.float16, **ring
        ).named_parameters():
            assert parameter.isfinite().all(), (ring, name)


def test_a_ring_up_to_one_starts_with_numbers():
    torch.manual_seed(2)
    for parameter in carousel.LRU(4, 5000).parameters():
        assert parameter.isfinite().all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"r_min": 0.9, "r_max": 0.5}, "0 <= r_min < r_max <= 1, got 0.9 and 0.5"),
        ({"r_max": 1.5}, "0 <= r_min < r_max <= 1, got 0.0 and 1.5"),
        ({"max_phase": 7.0}, "above 0 and at most 2π, got 7.0"),
        ({"max_phase": math.nan}, "above 0 and at most 2π, got nan"),
    ],
)
def test_a_ring_that_is_none_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        carousel.LRU(3, 5, **given)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("lengths", [None, [6, 1, 0, 4, 6]], ids=["full", "ragged"])
def test_gradients_of_the_last_output_alone_are_those_of_the_equations(
    batch_first, packed, lengths
):
    layer = randomise(carousel.LRU(3, 7, bidirectional=True, batch_first=batch_first))
    x = randn(*((5, 6) if batch_first else (6, 5)), 3, dtype=torch.float32).requires_grad_()
    if packed:
        lengths = [max(1, n) for n in lengths or [6] * 5]

    def gradients(path):
        given = x
        if packed:
            given = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        hx = tuple(randn(2, 5, 7, seed=k, dtype=torch.float32).requires_grad_() for k in range(3))
        with kernels.use(path):
            _, (h, _, _) = layer(given, hx, None if packed else lengths)
            weight = randn(*h.shape, seed=9, dtype=torch.float32)
            wanted = [x, *hx, *layer.parameters()]
            return torch.autograd.grad((h * weight).sum(), wanted, materialize_grads=True)

    for actual, expected in zip(gradients("native"), gradients("cells"), strict=True):
        assert_close(actual, expected, "gradient")
