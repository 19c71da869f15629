"""Masks as a function of their place: uniform, independent, and the same for whoever asks."""

import itertools

import pytest
import torch

from carousel.cells import masks

SEED = torch.tensor(123456789)


def by_hand(kind, seed, step, row, unit):
    """The definition of native/masks.hpp in Python's integers."""
    word, long = 2**32 - 1, 2**64 - 1

    def mixed(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & long
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & long
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    key = mixed(seed + golden * (step + 2) & long)
    key = mixed(key + golden * (row + 1) & long)
    offset = masks.KINDS.index(kind) * 0x9E3779B9
    x = (key & word) + offset + unit & word
    x = (x ^ (x >> 16)) * 0x21F0AAAD & word
    x = (x ^ (x >> 15) ^ ((key >> 32) + offset & word)) * 0x735A2D97 & word
    return (x ^ (x >> 15)) >> 8


@pytest.mark.parametrize("seed", [0, 1, 2**62 - 1, -5])
@pytest.mark.parametrize("step", [masks.EVERY_STEP, 0, 7, 10**6])
def test_draws_are_those_of_the_definition(seed, step):
    for kind in masks.KINDS:
        drawn = masks.draws(kind, torch.tensor(seed), step, 4, 9)
        for row, unit in itertools.product(range(4), range(9)):
            assert drawn[row, unit] == by_hand(kind, seed % 2**64, step, row, unit)


def assert_rate(mask, p):
    """The share of true within 5 standard deviations of a binomial with probability p."""
    n = mask.numel()
    assert abs(mask.double().mean().item() - p) < 5 * (p * (1 - p) / n) ** 0.5 + 2**-24


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.97])
def test_share_of_what_happens_is_its_probability(p):
    steps = torch.stack([masks.happens(p, "state", SEED, t, 64, 96) for t in range(50)])
    assert_rate(steps, p)
    for axis in (steps.transpose(0, 1), steps.permute(2, 0, 1)):  # of each row, of each unit
        bound = 6 * (p * (1 - p) / axis[0].numel()) ** 0.5
        assert (axis.double().mean((1, 2)) - p).abs().max() < bound


@pytest.mark.parametrize("bit", range(24))
def test_each_bit_of_a_draw_is_fair(bit):
    drawn = torch.stack([masks.draws("cell", SEED, t, 40, 100) for t in range(20)])
    assert_rate((drawn >> bit) & 1, 0.5)


@pytest.mark.parametrize("p", [0.2, 0.5])
@pytest.mark.parametrize("what", ["kind", "seed", "step", "row", "unit"])
def test_neighbours_are_independent(what, p):
    """Both of two masks happen with probability p²."""
    one = torch.stack([masks.happens(p, "state", SEED, t, 60, 80) for t in range(40)])
    if what == "kind":
        other = torch.stack([masks.happens(p, "cell", SEED, t, 60, 80) for t in range(40)])
    elif what == "seed":
        other = torch.stack([masks.happens(p, "state", SEED + 1, t, 60, 80) for t in range(40)])
    else:
        dim = ["step", "row", "unit"].index(what)
        other, one = one.narrow(dim, 1, one.size(dim) - 1), one.narrow(dim, 0, one.size(dim) - 1)
    assert_rate(one & other, p * p)


def test_kept_scales_what_remains():
    factors = masks.kept(0.25, "product", SEED, 3, 50, 60)
    assert set(factors.unique().tolist()) == {0.0, 1 / 0.75}
    assert torch.equal(factors == 0, masks.happens(0.25, "product", SEED, 3, 50, 60))


def test_nothing_happens_with_probability_zero():
    assert not masks.happens(0.0, "cell", SEED, 0, 99, 99).any()
