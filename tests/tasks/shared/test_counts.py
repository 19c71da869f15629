"""Negative binomial counts beside SciPy's."""

import numpy as np
import pytest
import torch
from scipy.stats import nbinom, poisson

from carousel.errors import DataError
from carousel.tasks.shared.counts import (
    count_losses,
    count_quantiles,
    numbers_of,
    require_counts,
)
from carousel.tasks.shared.quantiles import quantile_loss


def some(count, seed=0, largest=12.0):
    chance = np.random.default_rng(seed)
    mean = np.exp(chance.uniform(-6, largest, count))
    return mean, np.exp(chance.uniform(-7, 2, count))


def of_scipy(mean, shape):
    return nbinom(1 / shape, 1 / (1 + shape * mean))


def test_the_loss_is_the_logarithm_of_scipys_probability():
    mean, shape = some(501)
    truth = of_scipy(mean, shape).rvs(random_state=1).astype(float)
    found = count_losses(*map(torch.from_numpy, (mean, shape, truth)))
    np.testing.assert_allclose(found.numpy(), -of_scipy(mean, shape).logpmf(truth), rtol=1e-7)


def test_without_a_shape_it_is_poissons():
    truth = np.arange(9.0)
    found = count_losses(torch.tensor(3.0), torch.tensor(1e-7), torch.from_numpy(truth))
    np.testing.assert_allclose(found.numpy(), -poisson(3.0).logpmf(truth), rtol=1e-5)


def test_the_gradient_of_the_loss_is_that_of_finite_differences():
    raw = torch.tensor(
        [[0.7, -0.3], [-0.4, 1.2], [3.0, -2.0]], dtype=torch.float64, requires_grad=True
    )
    size, truth = torch.tensor([4.0, 1.5, 90.0]), torch.tensor([3.0, 0.0, 333.0])

    def loss(raw):
        return count_losses(*numbers_of(raw, size), truth)

    assert torch.autograd.gradcheck(loss, raw)


@pytest.mark.parametrize("largest", [2.0, 12.0])
def test_quantiles_are_scipys_for_rare_and_frequent_counts(largest):
    mean, shape = some(4_001, 2, largest)
    levels = (0.1, 0.5, 0.9)
    wanted = np.stack([of_scipy(mean, shape).ppf(level) for level in levels])
    np.testing.assert_array_equal(count_quantiles(mean, shape, levels), wanted)
    reshaped = count_quantiles(mean[:6].reshape(2, 3), shape[:6].reshape(2, 3), levels)
    np.testing.assert_array_equal(reshaped.reshape(3, 6), wanted[:, :6])


def test_the_pinball_loss_of_many_quantiles_is_the_crps_of_the_distribution():
    # CRPS = Σ_k (P(Y ≤ k) - 1[y ≤ k])², over all counts.
    mean, shape, truth = np.array([3.3, 0.4]), np.array([0.6, 2.0]), np.array([5.0, 0.0])
    levels = (np.arange(4_000) + 0.5) / 4_000
    found = quantile_loss(truth, count_quantiles(mean, shape, levels), levels)
    counts = np.arange(2_000.0)[:, None]
    wanted = ((of_scipy(mean, shape).cdf(counts) - (truth <= counts)) ** 2).sum(0)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_the_mean_of_a_network_that_repeats_is_what_it_repeats():
    mean, _ = numbers_of(torch.tensor([[1.0, 0.0], [2.5, 0.0]]), torch.tensor([6.0, 6.0]))
    assert mean.tolist() == pytest.approx([6.0, 15.0], rel=2e-3)


@pytest.mark.parametrize("value", [-1.0, 2.5])
def test_what_is_no_count_is_refused_with_an_example(value):
    require_counts(np.array([0.0, 3.0, np.nan]), "the target")
    with pytest.raises(DataError, match=f"1 of 2 values of the target are none, such as {value:g}"):
        require_counts(np.array([3.0, value, np.nan]), "the target")
