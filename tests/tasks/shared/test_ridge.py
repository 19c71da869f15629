"""Ridge regression against its normal equations, at every size of numbers."""

import warnings

import numpy as np
import pytest

from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.ridge import Ridge


def solved(x, y):
    """Weights and offsets by the normal equations; the penalty is not on the offsets."""
    centred, aimed = x - x.mean(0), y - y.mean(0)
    weights = np.linalg.solve(centred.T @ centred + np.eye(x.shape[1]), centred.T @ aimed)
    return weights, y.mean(0) - x.mean(0) @ weights


@pytest.mark.parametrize("outputs", [(40, 2), (40, 1), (40,)])
def test_weights_and_offsets_solve_the_normal_equations(outputs):
    chance = np.random.default_rng(0)
    x, y = chance.normal(3, 7, (40, 5)), chance.normal(-1, 0.2, outputs)
    model = Ridge.fit(x, y)
    weights, offsets = solved(x, y)
    np.testing.assert_allclose(model.weights, weights.reshape(5, -1), rtol=1e-9)
    np.testing.assert_allclose(model.offsets, offsets, rtol=1e-9)
    np.testing.assert_allclose(model.predict(x), x @ weights + offsets, rtol=1e-9, strict=True)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1e18, 1e37])
def test_numbers_of_any_size_are_fitted_without_a_warning(size, kind):
    chance = np.random.default_rng(1)
    x = (chance.normal(size=(40, 3)) * size).astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Ridge.fit(np.repeat(x, 2, 1), 2 * x)  # features that say the same twice
        said = model.predict(np.repeat(x, 2, 1))
    if size > 1:
        np.testing.assert_allclose(said / size, 2 * x / size, rtol=1e-3, atol=1e-3)
    else:  # the penalty is far larger than what can be gained
        np.testing.assert_allclose(said / size, np.broadcast_to(2 * x.mean(0) / size, x.shape))


def test_a_forecast_from_one_step_adds_the_mean_change():
    before, after = np.array([[[1.0]], [[2.0]]]), np.array([[[2.0]], [[5.0]]])
    np.testing.assert_allclose(fit_linear(before, after).forecasts(before), [[[3.0]], [[4.0]]])
