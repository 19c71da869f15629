"""Baselines of forecasts: on the network's windows, timed, chosen on validation, without a leak."""

import math
from dataclasses import replace

import numpy as np
import pytest
from small_series import series_config, write_series

from carousel.tasks.forecast.baselines import Baselines
from carousel.tasks.forecast.scores import Yardstick, intervals, measures
from carousel.tasks.forecast.task import ForecastTask

NAMES = {
    "last_value",
    "drift",
    "seasonal_naive",
    "theta",
    "ets",
    "linear",
    "nlinear",
    "dlinear",
    "boosting",
    "ensemble",
}


def task(folder, *more):
    return ForecastTask(series_config(write_series(folder, 400), *more), seed=0)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return task(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def found(begun):
    return Baselines(begun._windowed, begun.yardstick)


def test_every_baseline_has_every_metric_and_its_seconds(begun, found):
    scores = found.scores()
    assert set(scores) == NAMES
    for values in scores.values():
        assert {"mae", "mase", "smape", "mse_standardised", "seconds"} <= values.keys()
        assert all(math.isfinite(value) and value >= 0 for value in values.values())
    assert begun.headline == "mase"


def test_the_ensemble_is_of_the_three_best_on_validation(begun, found):
    truth = begun._truth(begun.windows["validation"])
    errors = {
        name: measures(truth, guess, begun.yardstick)["mase"]
        for name, guess in found._found["validation"].items()
        if name != "ensemble"
    }
    assert found.combined == sorted(errors, key=errors.get)[:3]
    mean = np.mean([found._found["test"][name] for name in found.combined], 0)
    np.testing.assert_allclose(found._found["test"]["ensemble"], mean)
    assert found.seconds["ensemble"] >= sum(found.seconds[name] for name in found.combined)
    assert found.notes[-1].startswith("ensemble: the average of those best on the validation part")


def test_forecasts_do_not_know_what_comes_after_their_window(begun, found):
    windows = begun.windows["test"]
    middle = len(windows) // 2
    start = int(windows.starts[middle])
    values = begun.series.values.copy()
    values[start:] = 1000.0
    series = type(begun.series)(begun.series.columns, begun.series.stamps, values)
    changed = ForecastTask(begun.config, 0, replace(begun.parted, series=series))
    other = Baselines(changed._windowed, changed.yardstick)
    for name in NAMES:
        for number in (0, middle):
            np.testing.assert_allclose(
                other._found["test"][name][number], found._found["test"][name][number], rtol=1e-9
            )


def test_histories_end_where_their_window_begins(begun):
    data = begun._windowed
    histories, starts = data.histories("test"), begun.windows["test"].starts.tolist()
    assert data.past == min(240, int(begun.windows["validation"].starts[0]))
    for number in (0, 7, len(starts) - 1):
        wanted = data.values[starts[number] - data.past : starts[number]]
        assert (histories[number] == wanted.T).all()
    assert (data.examples()[-1] == data.values[: starts[0]][-data.past - 60 : -60].T).all()


def test_what_would_take_minutes_is_left_out_and_said(begun, monkeypatch):
    monkeypatch.setattr("carousel.tasks.shared.baselines.boosting._MOST", 10)
    scores, notes = begun.judged_baselines()
    assert set(scores) == NAMES - {"boosting"}
    assert notes[0] == "boosting: more than 3,000,000 values to forecast would take minutes"


def test_a_monitor_that_was_chosen_is_the_headline(tmp_path):
    assert task(tmp_path, "training.monitor=mae").headline == "mae"


def test_intervals_of_mase_lie_around_it():
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(900, 3, 2)) * [1.0, 20.0]
    truth[10:20, :, 1] = np.nan
    guess = np.zeros_like(truth)
    stick = Yardstick(np.ones(2), np.array([2.0, 10.0]))
    low, high = intervals(truth, guess, stick)["interval"]["mase"]
    assert low < measures(truth, guess, stick)["mase"] < high
    lone = Yardstick(np.ones(2), np.array([2.0, 0.0]))  # undefined for the second
    low, high = intervals(truth, guess, lone)["interval"]["mase"]
    assert low < measures(truth, guess, lone)["mase"] < high
    none = Yardstick(np.ones(2), np.zeros(2))
    assert "mase" not in intervals(truth, guess, none)["interval"]


def test_scores_of_an_interval_by_hand():
    stick = Yardstick(np.array([1.0]), np.array([4.0]))
    truth, guess = np.array([[[3.0], [np.nan]]]), np.array([[[2.0], [0.0]]])
    found = measures(truth, guess, stick, (guess - 1, guess + 3))
    assert found["crps"] == pytest.approx(2 / 3 * (0.1 * 2 + 0.5 * 1 + 0.1 * 2))
    assert found["scaled_quantile_loss"] == pytest.approx(found["crps"] / 4)
