"""The steps after a series: what is said, how it is scored, forms of series, intervals."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from carousel.estimators import Forecaster

QUICK = {
    "horizon": 3, "context": 8, "hidden_size": 8, "epochs": 5, "batch_size": 16,
    "learning_rate": 0.02, "random_state": 0,
}  # fmt: skip


def series(count=120, features=1, seed=0):
    t = np.arange(count)
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, features))
    return np.stack([np.sin(t / 4 + k) for k in range(features)], 1) + noise


def forecaster(**more):
    return Forecaster(**{**QUICK, **more})


@pytest.fixture(scope="module")
def fitted():
    return forecaster().fit(series(features=2))


def test_what_follows_is_what_the_trained_model_says_of_the_last_steps(fitted):
    X = series(features=2)
    np.testing.assert_array_equal(fitted.predict(), fitted.predict(X))
    np.testing.assert_array_equal(fitted.predict(X[-8:]), fitted.predict())
    assert fitted.predict().shape == (3, 2)
    longer = fitted.predict(steps=7)
    assert longer.shape == (7, 2)
    np.testing.assert_array_equal(longer[:3], fitted.predict())


def test_intervals_of_what_was_fitted_follow_what_came_as_those_of_the_same_series():
    X = series(features=2)
    X[70:76, 0] = np.nan
    model = forecaster(
        distribution="quantile", settings={"forecast.follow": 0.3, "forecast.calibrate": False}
    ).fit(X)
    for end, other in zip(model.predict_interval(), model.predict_interval(X), strict=True):
        np.testing.assert_array_equal(end, other)
    low, high = model.predict_interval()
    alone = model.predict_interval(X[-8:])
    assert not np.allclose(high - low, alone[1] - alone[0], rtol=1e-3)


def test_one_column_comes_back_as_one():
    X = series()[:, 0]
    model = forecaster().fit(X)
    assert model.predict().shape == (3,)
    assert model.n_features_in_ == 1
    np.testing.assert_array_equal(forecaster().fit(X[:, None]).predict()[:, 0], model.predict())


def test_the_score_is_that_of_forecasts_from_every_step(fitted):
    X = series(30, features=2, seed=4)
    errors = [
        np.abs(fitted.predict(X[start - 8 : start]) - X[start : start + 3])
        for start in range(8, 28)
    ]
    assert fitted.score(X) == pytest.approx(-np.mean(errors), rel=1e-4)
    with pytest.raises(ValueError, match="11 are needed to judge"):
        fitted.score(X[:10])


def test_data_frames_keep_names_and_time_and_are_read_by_them():
    X = series(features=2)
    stamps = pd.date_range("2026-01-01", periods=len(X), freq="h")
    frame = pd.DataFrame(X, columns=["load", "wind"], index=stamps)
    model = forecaster(calendar=True).fit(frame)
    assert model.feature_names_in_.tolist() == ["load", "wind"]
    assert model.predict().shape == (3, 2)
    swapped = frame[["wind", "load"]]
    np.testing.assert_array_equal(model.predict(swapped), model.predict(frame))
    other = pl.DataFrame({"time": stamps.to_numpy(), "load": X[:, 0], "wind": X[:, 1]})
    np.testing.assert_allclose(forecaster(calendar=True).fit(other).predict(), model.predict())
    with pytest.raises(ValueError, match="steps of"):
        model.predict(frame.iloc[::2])
    plain = forecaster().fit(pd.DataFrame(X, columns=["load", "wind"]))
    np.testing.assert_array_equal(plain.predict(), forecaster().fit(X).predict())


def test_a_target_alone_is_forecast_from_all_columns():
    frame = pd.DataFrame(series(features=2), columns=["load", "wind"])
    model = forecaster(settings={"forecast.targets": "load"}).fit(frame)
    assert model.predict().shape == (3, 1)


def test_numbers_that_are_missing_are_read_as_the_step_before():
    X = series()[:, 0]
    X[[20, 50]] = np.nan
    assert np.isfinite(forecaster().fit(X).predict()).all()


def test_intervals_hold_the_forecast_and_are_refused_where_there_are_none(fitted):
    model = forecaster(distribution="gaussian").fit(series(features=2))
    low, high = model.predict_interval(steps=5)
    assert (low[:3] <= model.predict()).all()
    assert (model.predict() <= high[:3]).all()
    assert np.isnan(low[3:]).all()
    with pytest.raises(ValueError, match="intervals need distribution"):
        fitted.predict_interval()


@pytest.mark.parametrize(
    ("X", "change", "says"),
    [
        (series(13), {}, "13 steps; .* 14 are needed"),
        (series(), {"validation": 1.0}, "validation must be a share"),
        (series(), {"season": 9}, "must lie within forecast.context"),
        (np.full((50, 1), np.inf), {}, "infinity"),
        (np.ones((5, 5, 5)), {}, r"\(5, 5, 5\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(X, change, says):
    with pytest.raises(ValueError, match=says):
        forecaster(**change).fit(X)


def test_what_does_not_go_on_from_the_series_is_refused(fitted):
    with pytest.raises(ValueError, match="X has 1 features, but Forecaster is expecting 2"):
        fitted.predict(series())
    with pytest.raises(ValueError, match="has 5 rows, the network reads 8"):
        fitted.predict(series(5, features=2))
    with pytest.raises(ValueError, match="steps must be at least 1"):
        fitted.predict(steps=0)


def test_all_of_a_series_is_trained_on_without_a_validation_share():
    model = forecaster(validation=0).fit(series(40))
    assert model.epochs_ == model.best_epoch_ == QUICK["epochs"]


def test_pickle_clone_seeds_and_splits_in_time(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(), fitted.predict())
    np.testing.assert_array_equal(clone(fitted).fit(series(features=2)).predict(), fitted.predict())
    scores = cross_val_score(forecaster(), series(), cv=TimeSeriesSplit(3))
    assert (scores < 0).all()
