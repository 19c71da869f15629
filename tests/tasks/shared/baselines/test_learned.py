"""Models of windows: linear maps in closed form, trees, and averages."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from carousel.tasks.shared.baselines.boosting import Boosting, Past, too_large
from carousel.tasks.shared.baselines.ensemble import average, best_of
from carousel.tasks.shared.baselines.pooled import _Sums, dlinear, fit_pooled, nlinear
from carousel.tasks.shared.quantiles import quantile_loss


def windows(series, context, horizon):
    both = np.lib.stride_tricks.sliding_window_view(series, context + horizon, axis=0)
    both = both.swapaxes(1, 2)
    return both[:, :context].copy(), both[:, context:].copy()


@pytest.fixture
def parts():
    chance = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(400)[:, None] / np.array([7.0, 14.0]))
    series = wave * [1.0, 50.0] + [0.0, 300.0] + chance.normal(size=(400, 2)) * [0.1, 5.0]
    return [windows(series[i:j], 15, 4) for i, j in ((0, 240), (225, 320), (305, 400))]


@pytest.mark.parametrize("features", [nlinear, dlinear])
def test_a_pooled_map_is_the_ridge_regression_of_all_columns(features, parts):
    (before, after), held, (contexts, _) = parts
    after[3, 1, 0] = np.nan  # that window does not count for that column
    model = fit_pooled(features, (before, after), held)
    std, mean = before.std((0, 1)), before.mean((0, 1))
    x, y = [], []
    for c in range(2):
        rows = ~np.isnan(after[:, :, c]).any(1)
        these, level = features((before[rows, :, c] - mean[c]) / std[c])
        x.append(these)
        y.append((after[rows, :, c] - mean[c]) / std[c] - level)
    x, y = np.concatenate(x), np.concatenate(y)
    centred = x - x.mean(0)
    penalty = model.penalty * np.square(centred).sum() / x.shape[1]
    wanted = Ridge(alpha=penalty).fit(x, y)
    for c in range(2):
        these, level = features((contexts[:, :, c] - mean[c]) / std[c])
        guess = (wanted.predict(these) + level) * std[c] + mean[c]
        np.testing.assert_allclose(model.forecasts(contexts)[:, :, c], guess, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("features", [nlinear, dlinear])
def test_the_penalty_is_chosen_by_the_validation_windows(features, parts):
    train, held, _ = parts
    chosen = fit_pooled(features, train, held)
    std, mean = train[0].std((0, 1)), train[0].mean((0, 1))
    scaled = [(part - mean) / std for part in train]
    errors = {}
    for penalty in (1e-7, 1e-5, 1e-3, 1e-2, 1e-1):
        other = type(chosen)(
            features, *_Sums.of(features, *scaled).solve(penalty), mean, std, penalty
        )
        errors[penalty] = (np.abs(other.forecasts(held[0]) - held[1]) / std).mean()
    assert chosen.penalty == min(errors, key=errors.get)


def test_the_average_of_dlinear_is_over_25_steps():
    window = np.random.default_rng(2).normal(size=(1, 40))
    both, level = dlinear(window)
    average, left = both[0, :40], both[0, 40:]
    assert level == 0
    np.testing.assert_allclose(average[20], window[0, 8:33].mean())
    first = (13 * window[0, 0] + window[0, 1:13].sum()) / 25  # the first stands in for those before
    np.testing.assert_allclose(average[0], first)
    np.testing.assert_allclose(average + left, window[0])


def test_no_window_measured_throughout_has_no_pooled_map(parts):
    (before, after), held, _ = parts
    after[:, 2] = np.nan
    assert fit_pooled(nlinear, (before, after), held) is None


def past(contexts, seed=0):
    steps = np.arange(4)[None, :, None] + np.zeros((len(contexts), 1, 1))
    return Past(contexts, steps, np.zeros((len(contexts), 0)))


def test_boosting_beats_the_last_value_and_keeps_units(parts):
    (before, after), (held, held_after), (contexts, truth) = parts
    after[5] = np.nan  # windows without a number are not drawn
    found = []
    for size in (1.0, 1e6):
        std = before.std((0, 1)) * size
        model = Boosting(7, std).fit(
            past(before * size), after * size, past(held * size), held_after * size
        )
        found.append(model.forecasts(past(contexts * size)) / size)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    last = np.abs(contexts[:, -1:] - truth).mean((0, 1))
    assert (np.abs(found[0] - truth).mean((0, 1)) < 0.6 * last).all()
    assert found[0].shape == truth.shape


def test_boosting_reads_what_is_known_beforehand():
    chance = np.random.default_rng(1)
    contexts = chance.normal(size=(400, 3, 1))
    known = chance.normal(size=(400, 2, 1))
    after = contexts[:, -1:] + 3 * known
    parts = [
        Past(contexts[i:j], known[i:j], np.zeros((j - i, 0))) for i, j in ((0, 300), (300, 400))
    ]
    model = Boosting(1, np.ones(1)).fit(parts[0], after[:300], parts[1], after[300:])
    assert np.abs(model.forecasts(parts[1]) - after[300:]).mean() < 1.0


def test_many_rows_are_too_many_for_boosting():
    wide = Past(np.zeros((10, 1, 1000)), np.zeros((10, 300, 1)), np.zeros((10, 0)))
    assert not too_large(wide)
    assert too_large(wide, wide)


def test_an_ensemble_is_the_mean_of_the_best():
    assert best_of({"a": 3.0, "b": 1.0, "c": np.inf, "d": 2.0, "e": 5.0}) == ["b", "d", "a"]
    forecasts = {name: np.full((2, 3), value) for name, value in zip("abd", (1, 2, 6), strict=True)}
    assert (average(forecasts, ["b", "d"]) == 4.0).all()


def test_the_loss_of_quantiles_is_that_of_the_definition():
    chance = np.random.default_rng(4)
    truth, found = chance.normal(size=(5, 3)), np.sort(chance.normal(size=(3, 5, 3)), 0)
    truth[2, 1] = np.nan
    loss = quantile_loss(truth, found, (0.1, 0.5, 0.9))
    assert np.isnan(loss[2, 1])
    for place in np.argwhere(~np.isnan(truth)):
        y, total = truth[tuple(place)], 0.0
        for q, f in zip((0.1, 0.5, 0.9), found[:, *place], strict=True):
            total += q * (y - f) if y > f else (1 - q) * (f - y)
        assert loss[tuple(place)] == pytest.approx(2 * total / 3)


def test_many_quantiles_of_a_normal_distribution_have_its_crps():
    from scipy.stats import norm

    levels = (np.arange(2000) + 0.5) / 2000
    for y in (-1.3, 0.0, 0.7):
        closed = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
        found = quantile_loss(np.array(y), norm.ppf(levels), levels)
        assert float(found) == pytest.approx(closed, rel=2e-3)
