"""Backtests from end to end: origins, trainings, leaks, resuming, and what is refused."""

import hashlib
import json
import multiprocessing
import signal

import numpy as np
import pytest
from small import small_config
from small_backtest import (
    SHORT,
    backtest_and_die,
    changed_after,
    forecasts_in,
    small_backtest,
)
from small_series import series_config, write_series

import carousel
from carousel import training
from carousel.backtest import backtest
from carousel.backtest import run as backtest_run
from carousel.backtest.judged import windows_in
from carousel.errors import ConfigError, DataError, RunError
from carousel.run.backtest_results import read_backtest
from carousel.run.reading import events
from carousel.runs.store import Store

ROWS = 300


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp("data"), ROWS)


@pytest.fixture(scope="module")
def every(series, tmp_path_factory):
    """Three windows of 5 steps, 7 apart, with a training before each."""
    folder = tmp_path_factory.mktemp("runs") / "every"
    return small_backtest(series, folder, step=7, refit="every")


@pytest.fixture(scope="module")
def once(series, tmp_path_factory):
    return small_backtest(series, tmp_path_factory.mktemp("runs") / "once", step=7)


def weights_of(run):
    return hashlib.sha256((run / "model/weights.safetensors").read_bytes()).hexdigest()


def test_windows_begin_a_step_apart_and_the_last_ends_with_the_data(once, series):
    table = [line.split(",") for line in series.read_text().splitlines()[1:]]
    assert once.result["plan"]["origins"] == [19, 12, 5]
    truth = windows_in(once.path, once.result).truth
    for n, first in enumerate((ROWS - 19, ROWS - 12, ROWS - 5)):
        rows = table[first : first + 5]
        assert [str(time) for time in truth.times[n]] == [row[0] for row in rows]
        assert truth.values[n, :, 0].tolist() == [float(row[1]) for row in rows]
        window = once.result["windows"][n]
        assert (window["first"], window["last"]) == (rows[0][0], rows[-1][0])


def test_one_training_is_that_of_the_same_settings_by_train(once, series, tmp_path):
    config = series_config(series, *SHORT, "forecast.origin=19", "forecast.judged=19")
    run = training.train(config, seed=3, threads=1, quiet=True, run_dir=tmp_path / "run")
    assert weights_of(run.path) == weights_of(once.path / "run-1")
    assert json.loads((once.path / "run-1/result.json").read_text())["test"] == run.result["test"]


def test_every_training_is_an_ordinary_run_judged_from_its_origin_on(every, series):
    store = Store(every.path)
    assert store.ids() == ["run-1", "run-2", "run-3"]
    days = [line.split(",")[0] for line in series.read_text().splitlines()[1:]]
    for number, origin in enumerate((19, 12, 5), 1):
        run = store.run(f"run-{number}")
        targets = run.result["data"]["targets"]
        assert targets["test"]["first"] == days[ROWS - origin]
        assert targets["test"]["rows"] == 5
        assert targets["validation"]["last"] == days[ROWS - origin - 1]


def test_a_training_every_second_window_forecasts_two(series, tmp_path):
    found = small_backtest(series, tmp_path / "b", refit=2)
    assert [one["windows"] for one in found.result["trainings"]] == [[1, 2], [3]]
    assert len(forecasts_in(found)["network"]) == 3


def test_baselines_that_are_left_out_of_a_backtest_are_said(series, tmp_path, monkeypatch):
    monkeypatch.setattr("carousel.tasks.forecast.baselines.too_large", lambda *parts: True)
    found = small_backtest(series, tmp_path / "b", windows=2)
    assert "boosting" not in found.result["overall"]
    assert any(note.startswith("boosting: more than 3,0") for note in found.result["notes"])
    again = backtest(found.path / "run-1", windows=1, threads=1, quiet=True)
    assert any(note.startswith("boosting: more than 3,0") for note in again.result["notes"])


@pytest.mark.slow
def test_what_comes_after_an_origin_changes_no_forecast_of_its_window(every, series, tmp_path):
    later = changed_after(series, tmp_path / "later", ROWS - 5)  # the last origin
    other = small_backtest(later, tmp_path / "b", step=7, refit="every")
    before, after = forecasts_in(every), forecasts_in(other)
    assert before.keys() == after.keys()
    for name in before:
        assert np.array_equal(before[name], after[name]), name
    assert every.result["overall"] != other.result["overall"]


def test_what_comes_after_the_first_origin_changes_no_training_and_no_scale(once, series, tmp_path):
    later = changed_after(series, tmp_path / "later", ROWS - 19)
    other = small_backtest(later, tmp_path / "b", step=7)
    assert weights_of(once.path / "run-1") == weights_of(other.path / "run-1")
    before, after = (windows_in(one.path, one.result) for one in (once, other))
    assert np.array_equal(before.scale.naive, after.scale.naive)
    for name in before.found:
        first = [one.found[name].forecast[0] for one in (before, after)]
        assert np.array_equal(*first), name


@pytest.mark.slow
def test_intervals_are_calibrated_before_the_origin(series, tmp_path):
    later = changed_after(series, tmp_path / "later", ROWS - 5)
    found = [
        small_backtest(path, tmp_path / f"b{n}", "forecast.distribution=gaussian", windows=1)
        for n, path in enumerate((series, later))
    ]
    one, other = (windows_in(each.path, each.result).found["network"] for each in found)
    assert np.array_equal(one.low, other.low)
    assert np.array_equal(one.high, other.high)
    assert {"coverage", "pinball"} <= found[0].result["overall"]["network"].keys()


def test_forecasts_and_intervals_are_those_of_the_series_that_ends_before_the_origin(
    series, tmp_path
):
    settings = ("forecast.distribution=gaussian", "forecast.follow=0.2")
    found = small_backtest(series, tmp_path / "b", *settings, windows=2)
    model = carousel.load(found.path / "run-1")
    network = windows_in(found.path, found.result).found["network"]
    lines = series.read_text().splitlines()
    for n, origin in enumerate((10, 5)):
        before = tmp_path / f"before-{origin}.csv"
        before.write_text("\n".join(lines[:-origin]) + "\n")
        low, middle, high = model.forecast(before)
        np.testing.assert_allclose(network.forecast[n], middle, rtol=1e-5)
        np.testing.assert_allclose(network.low[n], low, rtol=1e-5)
        np.testing.assert_allclose(network.high[n], high, rtol=1e-5)


def test_baselines_are_those_of_their_definition(once, series):
    wave = [float(line.split(",")[1]) for line in series.read_text().splitlines()[1:]]
    found = forecasts_in(once)
    for n, first in enumerate((ROWS - 19, ROWS - 12, ROWS - 5)):
        assert (found["last_value"][n] == wave[first - 1]).all()
        assert found["seasonal_naive"][n, :, 0].tolist() == wave[first - 10 : first - 5]


@pytest.mark.slow
def test_a_network_that_was_trained_beats_the_naive_forecasts_of_a_seasonal_series(tmp_path):
    series = write_series(tmp_path)
    line = ("forecast.linear=true", "forecast.ridge=true", "training.epochs=4")
    found = small_backtest(series, tmp_path / "b", *line, windows=8)
    overall = found.result["overall"]
    for name in ("last_value", "seasonal_naive"):
        assert overall["network"]["mase"] < overall[name]["mase"]
        assert found.result["beats"][name] > 4


def test_a_trained_model_forecasts_as_it_did_in_the_backtest_that_trained_it(once):
    of_run = backtest(once.path / "run-1", windows=3, step=7, threads=1)
    assert of_run.path == once.path / "run-1" / "backtest"
    for name, values in forecasts_in(once).items():
        assert np.array_equal(values, forecasts_in(of_run)[name])
    assert of_run.result["overall"] == once.result["overall"]
    uses = [one["by"] for one in events(once.path / "run-1/events.sqlite", "test_used")]
    assert uses[-1] == "backtest"


def test_a_trained_model_is_refused_origins_within_what_it_has_seen(once):
    with pytest.raises(DataError, match=r"all but the last 19 steps.*ask for at most 2"):
        backtest(once.path / "run-1", windows=3, step=8)
    for named in ({"refit": "every"}, {"seed": 1}, {"overrides": ["training.epochs=1"]}):
        with pytest.raises(ConfigError, match="a trained model forecasts as it is"):
            backtest(once.path / "run-1", windows=1, **named)


@pytest.mark.slow
def test_a_backtest_that_was_interrupted_goes_on_and_repeats_no_training(
    every, series, tmp_path, monkeypatch
):
    real, begun = backtest_run.train_in, []

    def interrupted(path, *rest, **how):
        begun.append(path.name)
        if begun == ["run-1", "run-2"]:
            raise training.Interrupted(path)
        return real(path, *rest, **how)

    monkeypatch.setattr(backtest_run, "train_in", interrupted)
    with pytest.raises(training.Interrupted) as stop:
        small_backtest(series, tmp_path / "b", step=7, refit="every")
    assert stop.value.run == tmp_path / "b"
    assert not read_backtest(tmp_path / "b")["finished"]
    found = small_backtest(series, tmp_path / "b", step=7, refit="every")
    assert begun == ["run-1", "run-2", "run-2", "run-3"]
    assert found.result["overall"] == every.result["overall"]
    small_backtest(series, tmp_path / "b", step=7, refit="every")  # has ended: begins nothing
    assert len(begun) == 4


@pytest.mark.slow
def test_a_backtest_that_was_killed_in_a_training_ends_as_it_would_have(once, series, tmp_path):
    # Not a fork of this process, whose threads of OpenMP it would lack.
    process = multiprocessing.get_context("forkserver").Process(
        target=backtest_and_die, args=(series, tmp_path / "b", 9), kwargs={"step": 7}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "b/run-1/config.toml").is_file()
    assert not (tmp_path / "b/run-1/result.json").is_file()
    found = small_backtest(series, tmp_path / "b", step=7)
    assert weights_of(found.path / "run-1") == weights_of(once.path / "run-1")
    assert found.result["overall"] == once.result["overall"]


def test_a_folder_with_another_backtest_or_something_else_is_refused(once, series, tmp_path):
    with pytest.raises(RunError, match="another plan"):
        small_backtest(series, once.path, step=6)
    with pytest.raises(RunError, match="another settings"):
        small_backtest(series, once.path, "model.hidden_size=8", step=7)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="holds no backtest"):
        small_backtest(series, tmp_path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"windows": 0}, "windows must be at least 1"),
        ({"step": 0}, "step must be at least 1"),
        ({"refit": "often"}, "refit must be once, every, or the number"),
        ({"refit": 0}, "refit must be once, every, or the number"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(series, tmp_path, how, said):
    with pytest.raises(ConfigError, match=said):
        small_backtest(series, tmp_path / "b", **how)
    assert not (tmp_path / "b").exists()


def test_too_little_before_the_first_origin_is_said_before_anything_is_written(series, tmp_path):
    with pytest.raises(DataError, match="the first of 60 windows begins 300 steps before"):
        small_backtest(series, tmp_path / "b", windows=60)
    assert not (tmp_path / "b").exists()


def test_a_task_that_makes_no_forecasts_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match="of the tasks 'forecast' and 'forecast_many', and this is 'classify'"
    ):
        backtest(small_config(), run_dir=tmp_path / "b")


def test_an_origin_beside_folds_or_a_file_that_judges_is_refused(series, tmp_path):
    with pytest.raises(ConfigError, match=r"and so does split\.folds"):
        small_backtest(series, tmp_path / "b", "split.folds=3")
    other = changed_after(series, tmp_path / "later", 0)
    with pytest.raises(ConfigError, match=r"and so does data\.test"):
        small_backtest(series, tmp_path / "b", f"data.test='{other}'")


def test_values_that_are_missing_are_in_no_metric_and_counted(series, tmp_path):
    lines = series.read_text().splitlines()
    lines[-2] = lines[-2].split(",")[0] + ",," + lines[-2].split(",")[2]
    path = tmp_path / "gap.csv"
    path.write_text("\n".join(lines) + "\n")
    found = small_backtest(path, tmp_path / "b", windows=2)
    assert [one["measured"] for one in found.result["windows"]] == [5, 4]
    assert found.forecasts()["truth"].null_count() == 1
