"""Backtests of many series: an origin is a place before the end of each of them."""

import numpy as np
import polars as pl
import pytest
from small_many import many_config, many_rows, write_many

from carousel import train
from carousel.backtest import backtest, measured
from carousel.backtest.judged import windows_in
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast_many import baselines

SHORT = ("training.epochs=1", "coach.enabled=false", "forecast.distribution=quantile")
HORIZON, WINDOWS = 4, 3


def rows(short=5):
    """Twelve series of 58 to 70 days, the last of which has `short`."""
    kept = [row for row in many_rows() if row[0] != "s11"]
    return [*kept, *[row for row in many_rows() if row[0] == "s11"][:short]]


def small(folder, table=None, *more, **how):
    folder.mkdir(exist_ok=True)
    path = write_many(folder, rows() if table is None else table)
    given = {"windows": WINDOWS, "threads": 1, "quiet": True, "run_dir": folder / "backtest"}
    return backtest(many_config(path, *SHORT, *more), **{**given, **how})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return small(tmp_path_factory.mktemp("many") / "data")


def test_windows_lie_at_the_end_of_each_series_whenever_that_is(found):
    table, data = found.forecasts(), pl.DataFrame(rows(), ["s", "day", "y", "o", "r"], orient="row")
    assert set(table["step"]) == {1, 2, 3, 4}
    for name in ("s0", "s1", "s4"):
        of = data.filter(pl.col("s") == name).tail(HORIZON * WINDOWS)
        seen = table.filter(pl.col("series") == name).sort("window", "step")
        assert seen["time"].to_list() == [str(day) for day in of["day"]]
        assert np.allclose(seen["truth"].to_numpy(), of["y"].cast(float).to_numpy())
    ends = table.filter(pl.col("window") == WINDOWS).group_by("series").agg(pl.col("time").max())
    assert ends["time"].n_unique() > 3


def test_every_metric_is_there_by_window_step_and_series_beside_the_baselines(found):
    result = found.result
    assert result["metric"] == "mase"
    assert {"seasonal_naive", "theta", "ets", "dlinear", "boosting", "ensemble"} < {
        *result["overall"]
    }
    assert {"mase", "smape", "mae", "coverage", "pinball"} <= set(result["overall"]["network"])
    assert len(result["per_step"]["network"]) == HORIZON
    assert len(result["per_series"]["network"]) == 12
    assert result["spread"]["network"]["mase"]["least"] > 0


def test_mase_is_the_mean_over_series_of_errors_over_those_of_the_naive_forecast(found):
    data = pl.DataFrame(rows(), ["s", "day", "y", "o", "r"], orient="row")
    table, each = found.forecasts(), []
    for name, some in table.group_by("series"):
        y = data.filter(pl.col("s") == name[0])["y"].cast(float).to_numpy()
        held = HORIZON * max(1, round(0.15 * (len(y) - 12) / HORIZON))
        before = y[: len(y) - 12 - held]
        naive = np.abs(before[7:] - before[:-7]).mean()
        each.append((some["forecast"] - some["truth"]).abs().mean() / naive)
    assert len(each) == 11
    assert found.result["overall"]["network"]["mase"] == pytest.approx(np.mean(each))


def test_a_series_that_is_too_short_for_a_window_is_in_none_and_said(found):
    assert set(found.forecasts()["series"]) == {f"s{n}" for n in range(11)}
    assert "without a forecast there: 1 series" in " ".join(found.result["notes"])
    assert found.result["per_series"]["network"]["s11"] == {}


def test_what_comes_after_the_first_origin_changes_no_forecast_of_its_window(found, tmp_path):
    table, count = [], {}
    for row in rows():
        count[row[0]] = count.get(row[0], 0) + 1
    seen = dict.fromkeys(count, 0)
    for name, day, value, *rest in rows():
        seen[name] += 1
        late = count[name] - seen[name] < HORIZON * WINDOWS
        table.append((name, day, f"{float(value) * (-3 if late else 1):.5f}", *rest))
    other = small(tmp_path / "other", table)
    one, two = (windows_in(run.path, run.result).found for run in (found, other))
    for name in ("network", "theta", "linear", "boosting"):
        before, after = one[name].forecast[0], two[name].forecast[0]
        kept = ~np.isnan(before)
        assert np.array_equal(before[kept], after[kept]), name
        assert np.array_equal(kept, ~np.isnan(after))
    assert not np.allclose(one["theta"].forecast[1, :, 0], two["theta"].forecast[1, :, 0])


def test_a_trained_model_forecasts_what_evaluate_judges_and_is_refused_what_it_has_seen(tmp_path):
    config = many_config(write_many(tmp_path, rows()), *SHORT)
    run = train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
    fits = 2  # every series holds two horizons and more out
    mine = backtest(tmp_path / "run", windows=fits)
    judged = run.result["test"]
    windows = windows_in(mine.path, mine.result)
    assert windows.truth.values.shape == (fits, HORIZON, 12)
    assert np.isfinite(mine.result["overall"]["network"]["mae"])
    each = mine.result["overall"]["network"]
    assert each["mae"] == pytest.approx(judged["mae"], rel=0.2)
    with pytest.raises(DataError, match="was trained and validated on all but the last"):
        backtest(tmp_path / "run", windows=30)


def test_of_many_series_the_hardest_are_listed_which_is_said(found, monkeypatch):
    monkeypatch.setattr(measured, "MOST_SERIES", 5)
    windows = windows_in(found.path, found.result)
    few = measured.summary(windows, found.result["series"])["per_series"]
    hardest = sorted(
        (one["mase"] for one in found.result["per_series"]["network"].values() if one),
        reverse=True,
    )
    assert [one["mase"] for one in few["network"].values()] == pytest.approx(hardest[:5])
    assert [*few["theta"]] == [*few["network"]]


def test_slow_baselines_of_very_many_windows_are_left_out_which_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "SLOW", 20)
    result = small(tmp_path / "data").result
    assert "ets" not in result["overall"]
    assert "theta" in result["overall"]
    assert "left out, as 33 windows would take minutes" in " ".join(result["notes"])


def test_intervals_that_follow_know_nothing_of_a_window_that_has_not_ended(tmp_path):
    more = ("forecast.follow=0.5",)
    apart = small(tmp_path / "a", None, *more, windows=2)
    close = small(tmp_path / "b", None, *more, windows=3, step=2)  # origins 8, 6, 4
    ends = []
    for found, number in ((apart, 0), (close, 0), (apart, 1), (close, 2)):
        ends.append(windows_in(found.path, found.result).found["network"].high[number])
    assert np.allclose(ends[0], ends[1], equal_nan=True)  # both follow what validated
    assert not np.allclose(ends[2], ends[3], equal_nan=True)  # one follows the window before


def test_each_training_of_refit_every_ends_before_its_window(tmp_path):
    found = small(tmp_path / "data", refit="every", windows=2)
    assert [one["windows"] for one in found.result["trainings"]] == [[1], [2]]
    assert len(found.forecasts().filter(pl.col("window") == 2)) == 11 * HORIZON


def test_an_origin_beside_folds_and_one_before_all_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of the 12 series has 6 rows before the origin"):
        small(tmp_path / "data", windows=17)
    path = write_many(tmp_path)
    with pytest.raises(ConfigError, match=r"forecast.origin cuts the series, and so does"):
        backtest(many_config(path, *SHORT, "split.folds=3"), windows=2, run_dir=tmp_path / "b")


def test_tables_and_a_file_of_forecasts_are_there_for_steps_that_are_counted(carousel, tmp_path):
    steps, table = {}, []
    for name, _, value, *_ in rows():
        steps[name] = steps.get(name, 0) + 1
        table.append(f"{name},{steps[name]},{value}")
    (tmp_path / "count.csv").write_text("id,step,y\n" + "\n".join(table) + "\n")
    (tmp_path / "count.toml").write_text(
        'task = "forecast_many"\n[data]\npath = "count.csv"\n[columns]\nid = "id"\ntime = "step"\n'
        'target = "y"\n[forecast]\ncontext = 14\nhorizon = 4\nseason = 7\n[model]\n'
        "hidden_size = 8\n[training]\nepochs = 1\n"
    )
    code, out, err = carousel(
        "backtest", "count.toml", "--windows", "2", "--threads", "1", "--out", "all.csv"
    )
    assert code == 0, err
    assert "seasonal naive" in out
    written = pl.read_csv("all.csv")
    last = written.filter((pl.col("series") == "s0") & (pl.col("window") == 2))
    assert last["time"].to_list() == [67, 68, 69, 70]
