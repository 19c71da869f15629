"""A forecaster of many series: a long table in, a frame out."""

import pickle

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from small_many import many_rows

from carousel.estimators import ManySeriesForecaster

QUICK = {"epochs": 2, "hidden_size": 8, "random_state": 0, "horizon": 4}
COLUMNS = ["shop", "day", "sold", "offer", "region"]


def table(count=8, seed=0):
    return pl.DataFrame(
        [(n, d, float(v), o, r) for n, d, v, o, r in many_rows(count, seed)], COLUMNS, orient="row"
    )


@pytest.fixture(scope="module")
def fitted():
    return ManySeriesForecaster(target="sold", **QUICK).fit(table().drop("offer"))


def test_roles_are_found_and_the_steps_after_each_series_are_a_frame(fitted):
    assert fitted.columns_ == {"id": "shop", "time": "day", "target": "sold", "known": ""}
    found = fitted.predict()
    assert found.columns == ["shop", "day", "sold"]
    assert len(found) == 8 * 4
    ends = table().group_by("shop").agg(pl.col("day").max())
    first = found.group_by("shop").agg(pl.col("day").min()).join(ends, on="shop")
    assert (first["day"] - first["day_right"]).dt.total_days().to_list() == [1] * 8
    assert list(fitted.series_) == [f"s{n}" for n in range(8)]


def test_what_was_fitted_goes_on_as_the_same_table_does(fitted):
    assert fitted.predict().equals(fitted.predict(table()))
    other = fitted.predict(table().sample(fraction=1.0, shuffle=True, seed=1)).sort("shop", "day")
    assert other["sold"].to_list() == pytest.approx(fitted.predict().sort("shop", "day")["sold"])


def test_intervals_of_what_was_fitted_follow_what_came_as_those_of_the_same_table():
    follows = {**QUICK, "settings": {"forecast.follow": 0.5}}
    model = ManySeriesForecaster(target="sold", **follows).fit(table())
    assert model.predict_interval().equals(model.predict_interval(table()))


def test_a_series_without_a_number_is_warned_of_and_ends_without_one_are_not_judged(fitted):
    none = table().with_columns(sold=pl.when(pl.col("shop") != "s3").then("sold"))
    with pytest.warns(UserWarning, match=r"without a number to forecast: 1 series \(s3\)"):
        found = fitted.predict(none)
    assert found["shop"].n_unique() == 7
    with pytest.warns(UserWarning, match=r"1 series \(s3\)"):
        assert len(fitted.model_.predict(none)) == 7
    place, count = pl.int_range(pl.len()).over("shop"), pl.len().over("shop")
    late = table().with_columns(sold=pl.when(place < count - 6).then("sold"))
    with pytest.raises(ValueError, match="no window of the test part, 8 of 4 steps"):
        fitted.score(late)


def test_series_that_were_not_fitted_are_forecast(fitted):
    new = table(3, seed=5).with_columns(shop=pl.format("new-{}", "shop"))
    assert fitted.predict(new)["shop"].unique(maintain_order=True).to_list() == [
        "new-s0", "new-s1", "new-s2",
    ]  # fmt: skip


def test_intervals_hold_the_forecast_and_are_refused_without_a_distribution(fitted):
    ends, middle = fitted.predict_interval(), fitted.predict()
    assert ends.columns == ["shop", "day", "low", "high"]
    assert (ends["low"] <= middle["sold"]).all()
    assert (middle["sold"] <= ends["high"]).all()
    alone = ManySeriesForecaster(target="sold", distribution="none", **QUICK).fit(table())
    with pytest.raises(ValueError, match="intervals need distribution = 'quantile'"):
        alone.predict_interval()


def test_the_score_is_minus_the_mean_over_series_of_mase(fitted):
    X, each = table(), []
    head = X.filter(pl.int_range(pl.len()).over("shop") < pl.len().over("shop") - 4)
    guess = fitted.predict(head)
    season = fitted.model_.config.forecast.season
    for name in X["shop"].unique():
        y = X.filter(pl.col("shop") == name)["sold"].to_numpy()
        f = guess.filter(pl.col("shop") == name)["sold"].to_numpy()
        naive = np.abs(y[season:-4] - y[: -4 - season]).mean()
        each.append(np.abs(y[-4:] - f).mean() / naive)
    assert fitted.score(X) == pytest.approx(-np.mean(each))


def test_a_frame_of_pandas_gives_frames_of_pandas(fitted):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(
        {name: table()[name].to_list() for name in ("shop", "day", "sold", "region")}
    )
    model = clone(fitted).fit(X)
    found = model.predict()
    assert isinstance(found, pandas.DataFrame)
    assert found["sold"].tolist() == pytest.approx(fitted.predict()["sold"].to_list())


def test_columns_known_beforehand_must_go_on_and_are_read():
    X = table()
    tail = X.filter(pl.int_range(pl.len()).over("shop") >= pl.len().over("shop") - 4)
    coming = tail.with_columns(pl.col("day").dt.offset_by("4d"), sold=pl.lit(None, pl.Float64))
    known = pl.concat([X, coming])
    model = ManySeriesForecaster(target="sold", id="shop", time="day", **QUICK).fit(known)
    assert model.columns_["known"] == "offer"
    more = known.with_columns(
        offer=pl.when(pl.col("sold").is_null()).then(1 - pl.col("offer")).otherwise("offer")
    )
    assert not np.allclose(model.predict()["sold"], model.predict(more)["sold"])
    with pytest.raises(ValueError, match="must end with rows for the 4 steps to come"):
        model.predict(X)


def test_a_pickle_forecasts_the_same_and_a_clone_has_the_same_parameters(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict().equals(fitted.predict())
    assert clone(fitted).get_params() == fitted.get_params()


def test_steps_that_are_counted_go_on():
    X = table().with_columns(step=pl.int_range(pl.len()).over("shop") + 1)
    model = ManySeriesForecaster(id="shop", time="step", target="sold", **QUICK)
    found = model.fit(X.select("shop", "step", "sold")).predict()
    assert found.filter(pl.col("shop") == "s0")["step"].to_list() == [71, 72, 73, 74]


def test_what_is_no_long_table_is_refused_in_words(fitted):
    with pytest.raises(ValueError, match="X must be a long table"):
        ManySeriesForecaster().fit(np.zeros((10, 2)))
    with pytest.raises(ValueError, match="no column 'sold'"):
        fitted.predict(table().drop("sold"))
    with pytest.raises(ValueError, match="none of the 8 series has"):
        ManySeriesForecaster(target="sold", horizon=100, random_state=0).fit(table())
