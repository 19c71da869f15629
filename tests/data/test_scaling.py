"""The scaler of features: float64 until scaled, over what was measured, never beyond float32."""

import numpy as np
import pytest
import torch

from carousel.data.scaling import FeatureScaler
from carousel.errors import DataError


@pytest.mark.parametrize(
    "values",
    [
        5_400_000 + 0.01 * np.arange(200),  # places 1 cm apart
        1_700_000_000 + np.arange(200.0),  # seconds of a clock
        1_700_000_000_000 + np.arange(200.0),  # milliseconds of one
        1e8 + np.random.default_rng(0).normal(size=200),
        1e-13 * np.arange(200.0),  # picofarads
    ],
)
def test_changes_in_digits_that_float32_lacks_survive_scaling(values):
    column = torch.from_numpy(values).unsqueeze(1)
    scaler = FeatureScaler.fit(column)
    exact = values.astype(np.longdouble)
    wanted = (exact - exact.mean()) / exact.std()
    scaled = scaler(column)
    assert scaled.dtype == torch.float32
    np.testing.assert_allclose(scaled[:, 0], wanted.astype(float), atol=1e-5)
    np.testing.assert_allclose(scaler.inverse(scaled)[:, 0], values, atol=1e-6 * exact.std())
    again = FeatureScaler.restore(scaler.facts())
    assert torch.equal(again(column), scaled)


def test_a_constant_feature_becomes_zero_whatever_its_size():
    for value in (0.0, 0.1, 518.67, 1e-12, 1.7e9, -1e30):
        column = torch.full((1001, 1), value, dtype=torch.float64)
        assert FeatureScaler.fit(column)(column).abs().max() < 1e-6
        assert FeatureScaler.fit(column).std == 1.0


def test_what_was_filled_in_does_not_count():
    values = torch.tensor([[1.0, 7.0], [3.0, 0.0], [0.0, 9.0]], dtype=torch.float64)
    measured = torch.tensor([[True, True], [True, False], [False, True]])
    scaler = FeatureScaler.fit(values, measured)
    assert scaler.mean.tolist() == [2.0, 8.0]
    assert scaler.std.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [1e38, -1e20, torch.inf, torch.nan])
def test_a_value_too_far_to_compute_with_is_refused(value):
    scaler = FeatureScaler.fit(torch.tensor([[1.0, 5.0], [3.0, 6.0]]))
    with pytest.raises(DataError, match=r"feature 2 has the value .* 5.5 ± 0.5: too far off"):
        scaler(torch.tensor([[2.0, 5.0], [2.0, value]]))
    one = FeatureScaler.fit(torch.tensor([[1.0], [3.0]]))
    with pytest.raises(DataError, match=r"feature 2 has the value .* 2 ± 1: too far off"):
        one(torch.tensor([[2.0, value]]))
