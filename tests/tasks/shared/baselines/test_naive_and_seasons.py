"""Forecasts without a parameter, and seasons, against definitions worked out step by step."""

import numpy as np
import pytest

from carousel.tasks.shared.baselines.naive import drift, last_value, seasonal_naive
from carousel.tasks.shared.baselines.seasons import is_seasonal, repeated, shape_of
from carousel.tasks.shared.baselines.table import LOCAL, local_methods
from carousel.tasks.shared.baselines.theta import naive2, theta


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_many_histories_at_once_are_forecast_as_each_alone(name):
    chance = np.random.default_rng(3)
    histories = chance.gamma(2.0, size=(3, 2, 41)) + np.tile([0.0, 9.0, 4.0, 0.0, 0.0], 9)[:41]
    histories[1, 0] -= 7  # has negative values
    histories[2, 1] = 4.5  # is constant
    together = LOCAL[name](histories, 7, 5)
    assert together.shape == (3, 2, 7)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_allclose(together[i, j], LOCAL[name](histories[i, j], 7, 5), rtol=1e-9)


@pytest.mark.parametrize("name", sorted(LOCAL))
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_short_histories_have_finite_forecasts(name, steps):
    history = np.random.default_rng(steps).normal(size=(2, steps))
    if name in local_methods(steps, 4):
        assert np.isfinite(LOCAL[name](history, 9, 4)).all()
    else:
        with pytest.raises(ValueError, match="a season of 4 steps, and a history of"):
            LOCAL[name](history, 9, 4)


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_a_constant_history_stays_constant(name):
    found = LOCAL[name](np.full((2, 30), 3.25), 5, 6)
    np.testing.assert_allclose(found, 3.25, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("name", sorted(LOCAL))
def test_forecasts_follow_the_unit_of_a_history(name, size):
    history = np.random.default_rng(0).gamma(3.0, size=(3, 36)) + np.tile([5.0, 1.0, 9.0], 12)
    np.testing.assert_allclose(
        LOCAL[name](history * size, 4, 3) / size, LOCAL[name](history, 4, 3), rtol=1e-6
    )


def test_naive_forecasts_by_hand():
    history = np.array([2.0, 7.0, 1.0, 8.0, 5.0])
    assert last_value(history, 3).tolist() == [5.0, 5.0, 5.0]
    assert seasonal_naive(history, 4, 3).tolist() == [1.0, 8.0, 5.0, 1.0]
    assert drift(history, 2).tolist() == [5.75, 6.5]


def test_the_test_of_a_season_is_that_of_the_definition():
    chance = np.random.default_rng(5)
    verdicts = []
    for strength in (0.0, 0.3, 0.5, 2.0):
        for _ in range(10):
            y = chance.normal(size=53) + strength * np.tile(chance.normal(size=7), 8)[:53]
            centred = y - y.mean()
            r = [float(centred[:-k] @ centred[k:] / (centred @ centred)) for k in range(1, 8)]
            limit = 1.645 * np.sqrt((1 + 2 * sum(one**2 for one in r[:-1])) / 53)
            assert is_seasonal(y, 7) == (abs(r[-1]) > limit)
            verdicts.append(abs(r[-1]) > limit)
    assert 5 < sum(verdicts) < 35  # both occur


def test_no_season_is_found_in_fewer_than_three():
    wave = np.tile([1.0, 2.0, 6.0, 2.0, 9.0, 9.0, 2.0, 3.0, 3.0, 7.0, 1.0], 3)
    assert is_seasonal(wave, 11)
    assert not is_seasonal(wave[:-1], 11)
    assert not is_seasonal(wave, 1)


@pytest.mark.parametrize("ratio", [True, False])
@pytest.mark.parametrize("season", [4, 5])
def test_the_shape_of_a_season_is_that_of_the_definition(season, ratio):
    y = np.random.default_rng(season).gamma(3.0, size=33) + 1
    half, by_place = season // 2, [[] for _ in range(season)]
    for t in range(half, 33 - half):
        if season % 2:
            trend = y[t - half : t + half + 1].mean()
        else:
            inner, ends = y[t - half + 1 : t + half], (y[t - half] + y[t + half]) / 2
            trend = (inner.sum() + ends) / season
        by_place[t % season].append(y[t] / trend if ratio else y[t] - trend)
    shape = np.array([np.mean(some) for some in by_place])
    shape = shape / shape.mean() if ratio else shape - shape.mean()
    np.testing.assert_allclose(shape_of(y, season, ratio), shape, rtol=1e-10)


def test_the_shape_of_what_is_tiny_beside_what_was_before_is_its_own():
    y = np.concatenate((np.tile([1e9, 2e9, 3e9], 10), np.tile([1e-9, 2e-9, 3e-9], 10)))
    shape = shape_of(np.stack((y, y[::-1])), 3, ratio=True)
    # Around where it falls a value has what is large beside it.
    np.testing.assert_allclose(shape.sum(1), 3.0)
    assert (shape > 0).all()
    for history in (y, np.tile([1e9, 1e-9, 3e9, 1.0], 12)):
        for method in (theta, naive2):
            assert np.isfinite(method(history, 7, 3)).all()


def test_a_season_goes_on_where_it_was():
    assert repeated(np.array([1.0, 2.0, 3.0]), 4, 4).tolist() == [2.0, 3.0, 1.0, 2.0]
