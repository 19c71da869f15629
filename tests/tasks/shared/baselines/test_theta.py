"""Theta against its definition step by step, and against the published table of a competition."""

import csv
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from carousel.tasks.shared.baselines.naive import seasonal_naive
from carousel.tasks.shared.baselines.seasons import repeated, shape_of
from carousel.tasks.shared.baselines.theta import naive2, smoothed, theta


def squares(y, rate, level):
    total = 0.0
    for value in y:
        total += (value - level) ** 2
        level += rate * (value - level)
    return total, level


@pytest.mark.parametrize("seed", range(5))
def test_the_smoothing_is_that_of_least_squares(seed):
    chance = np.random.default_rng(seed)
    y = chance.normal(size=60) + 0.6 * chance.normal(size=60).cumsum() + 100
    ((level,), rates) = smoothed(y[None]), np.linspace(0.05, 0.95, 4)
    best = min(
        (
            minimize(
                lambda p: squares(y, p[0], p[1])[0],
                (rate, y[0]),
                bounds=((1e-4, 0.9999), (None, None)),
            )
            for rate in rates
        ),
        key=lambda found: found.fun,
    )
    assert level == pytest.approx(squares(y, *best.x)[1], rel=1e-5)


def by_hand(y, horizon):
    """Theta of a history without a season: a line, and the smoothing of what stands twice as far
    from it."""
    time = np.arange(len(y))
    slope, first = np.polyfit(time, y, 1)
    (level,) = smoothed((2 * y - (first + slope * time))[None])
    return [(first + slope * (len(y) + k) + level) / 2 for k in range(horizon)]


def test_theta_without_a_season_is_half_a_line_and_half_a_smoothing():
    y = np.random.default_rng(2).normal(size=47).cumsum() + 30
    np.testing.assert_allclose(theta(y, 6), by_hand(y, 6), rtol=1e-9)


@pytest.mark.parametrize("shift", [0.0, -40.0])  # the second has negative values: a sum
def test_theta_with_a_season_forecasts_what_is_left_without_it(shift):
    chance = np.random.default_rng(4)
    y = (20 + chance.normal(size=46)) * np.tile([0.5, 1.5, 1.0, 1.0], 12)[:46] + shift
    ratio = bool((y > 0).all())
    shape = shape_of(y, 4, ratio)
    season, coming = repeated(shape, 0, 46), repeated(shape, 46, 9)
    plain = by_hand(y / season if ratio else y - season, 9)
    wanted = plain * coming if ratio else plain + coming
    np.testing.assert_allclose(theta(y, 9, 4), wanted, rtol=1e-9)


def test_nothing_negative_comes_of_a_history_without_negative_values():
    falling = np.maximum(np.arange(30.0, 0.0, -1.0), 0.0)
    assert theta(falling, 40)[-1] == 0.0
    assert theta(falling - 5, 40)[-1] < 0.0


def _read(path):
    with lzma.open(path, "rt") as file:
        rows = csv.reader(file)
        next(rows)
        return {row[0]: np.array([float(v) for v in row[1:] if v]) for row in rows}


def test_the_hourly_table_of_the_m4_competition_is_recomputed(shared_data):
    # sMAPE, MASE and OWA of Makridakis, Spiliotis and Assimakopoulos (2020), 414 series of hours.
    shared_data("m4-hourly")
    folder = Path(os.environ["CAROUSEL_DATA"]) / "m4-hourly"
    before, after = (_read(folder / f"Hourly-{part}.csv.xz") for part in ("train", "test"))
    scores = {}
    for method in (naive2, seasonal_naive, theta):
        errors = []
        for steps in {len(y) for y in before.values()}:
            names = [name for name, y in before.items() if len(y) == steps]
            y, truth = (np.stack([part[n] for n in names]) for part in (before, after))
            guess = method(y, 48, 24)
            miss = np.abs(truth - guess)
            naive = np.abs(y[:, 24:] - y[:, :-24]).mean(1)
            symmetric = 200 * miss / (np.abs(truth) + np.abs(guess))
            errors += zip(symmetric.mean(1), miss.mean(1) / naive, strict=True)
        assert len(errors) == 414
        scores[method] = np.mean(errors, 0)
    owa = {method: (score / scores[naive2]).mean() for method, score in scores.items()}
    np.testing.assert_allclose(scores[naive2], (18.383, 2.395), atol=0.0006)
    np.testing.assert_allclose(scores[seasonal_naive], (13.912, 1.193), atol=0.0006)
    np.testing.assert_allclose(scores[theta], (18.138, 2.455), atol=0.0006)
    np.testing.assert_allclose((owa[seasonal_naive], owa[theta]), (0.628, 1.006), atol=0.0006)
