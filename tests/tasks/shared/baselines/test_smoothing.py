"""Exponential smoothing against its equations one by one, and the choice among its forms."""

import numpy as np
import pytest
from scipy.optimize import minimize

from carousel.tasks.shared.baselines.ets import chosen, ets, ways
from carousel.tasks.shared.baselines.smoothing import Way, smooth

FORMS = [
    Way(0.3),
    Way(0.3, beta=0.05),
    Way(0.6, beta=0.1, phi=0.9),
    Way(0.2, gamma=0.15),
    Way(0.45, beta=0.07, phi=0.98, gamma=0.3),
]


def walk(y, way, states, season):
    """The sum of squared errors from given states, and the states at the end, step by step."""
    level, slope, *rest = states
    seasons, total = list(rest), 0.0
    for t, value in enumerate(y):
        trend = level + way.phi * slope
        error = value - trend - (seasons[t % season] if way.gamma is not None else 0.0)
        total += error**2
        level = trend + way.alpha * error
        slope = way.phi * slope + (way.beta or 0.0) * error
        if way.gamma is not None:
            seasons[t % season] += way.gamma * error
    return total, level, slope, seasons


@pytest.mark.parametrize("way", FORMS)
@pytest.mark.parametrize("steps", [31, 32])
def test_states_before_a_history_are_those_of_least_squares(way, steps):
    chance, season = np.random.default_rng(steps), 4
    y = chance.normal(size=steps).cumsum() + np.tile(chance.normal(size=4), 8)[:steps] + 5
    free = [True, way.beta is not None] + [way.gamma is not None] * (season - 1) + [False]

    def full(some):
        states = np.zeros(2 + season)
        states[free] = some
        return states

    found = minimize(
        lambda some: walk(y, way, full(some), season)[0], np.zeros(sum(free)), tol=1e-10
    )
    total, level, slope, seasons = walk(y, way, full(found.x), season)
    fit = smooth(y[None], season, [way])
    assert fit.squares[0, 0] == pytest.approx(total, rel=1e-5)
    damped = np.cumsum(way.phi ** np.arange(1, 8))
    wanted = level + slope * damped
    if way.gamma is not None:
        wanted += [seasons[(steps + k) % season] for k in range(7)]
    np.testing.assert_allclose(fit.forecast(0, np.array([0]), 7)[0], wanted, rtol=1e-3, atol=1e-3)


def test_ways_and_histories_together_are_smoothed_as_each_alone():
    chance = np.random.default_rng(1)
    y = chance.normal(size=(3, 26)).cumsum(1)
    some = [Way(0.2, beta=0.1, gamma=0.1), Way(0.7, beta=0.01, phi=0.9, gamma=0.3)]
    both = smooth(y, 5, some)
    for i, way in enumerate(some):
        for j in range(3):
            alone = smooth(y[j : j + 1], 5, [way])
            assert both.squares[i, j] == pytest.approx(alone.squares[0, 0])
            np.testing.assert_allclose(
                both.forecast(i, np.array([j]), 6), alone.forecast(0, np.array([0]), 6), rtol=1e-6
            )


def test_more_states_than_steps_are_refused():
    with pytest.raises(ValueError, match="6 states cannot be told from 5 steps"):
        smooth(np.arange(5.0)[None], 6, [Way(0.5, gamma=0.1)])


def test_the_parts_of_a_history_are_found():
    chance = np.random.default_rng(0)
    noise = chance.normal(size=(30, 120))
    season = 6 * np.tile(chance.normal(size=6), 20)

    def shares(history):
        best = [chosen(one[None], 6)[0] for one in history]
        return np.mean([(w.beta is not None, w.gamma is not None, w.logarithm) for w in best], 0)

    assert (shares(noise) < 0.3).all()  # neither slope nor season
    assert shares(noise + season)[1] > 0.9
    assert shares(0.02 * noise.cumsum(1).cumsum(1) + 0.1 * noise)[0] > 0.9
    growing = np.exp(0.02 * np.arange(120) + 0.1 * season + 0.1 * noise)
    assert shares(growing)[2] > 0.9  # season and noise grow with the level


def test_the_choice_has_the_least_criterion():
    y = np.random.default_rng(3).gamma(4.0, size=22) + np.tile([0.0, 3.0, 1.0], 8)[:22]
    values = []
    for way in ways(3):
        history = np.log(y) if way.logarithm else y
        squares = smooth(history[None], 3, [way]).squares[0, 0]
        p, more = way.parameters(3), 2 * np.log(y).sum() if way.logarithm else 0.0
        values.append(22 * np.log(squares / 22) + 2 * p + 2 * p * (p + 1) / (21 - p) + more)
    assert chosen(y[None], 3) == [ways(3)[int(np.argmin(values))]]


def test_a_season_that_multiplies_goes_on_in_proportion():
    y = np.exp(0.03 * np.arange(60)) * np.tile([1.0, 2.0, 4.0], 20)
    np.testing.assert_allclose(ets(y, 3, 3) / np.exp(0.03 * np.arange(60, 63)), [1, 2, 4], rtol=0.1)
