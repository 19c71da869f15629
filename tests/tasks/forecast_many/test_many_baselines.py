"""Baselines of many series: each as it is by itself, on the same windows as the network."""

import numpy as np
import pytest
import torch
from small_many import many_config, many_rows, write_many

from carousel import tasks
from carousel.tasks.forecast_many import baselines
from carousel.tasks.forecast_many.windows import Origins
from carousel.tasks.shared.baselines.ets import ets
from carousel.tasks.shared.baselines.theta import theta

ALL = {"last_value", "drift", "seasonal_naive", "theta", "linear", "nlinear", "dlinear", "ets",
       "boosting", "ensemble"}  # fmt: skip


def task_of(path, *more):
    config = many_config(path, *more)
    return tasks.find(config.task)(config, 1)


def found_in(task, part="test"):
    return task.baseline_forecasts(Origins.judging(task.parted, part))


def test_every_method_has_metrics_and_seconds_and_the_ensemble_those_it_averages(tmp_path):
    values, notes = task_of(write_many(tmp_path)).judged_baselines()
    assert set(values) == ALL
    assert all({"mase", "smape", "mae", "seconds"} <= set(one) for one in values.values())
    assert len(notes) == 1
    assert notes[0].startswith("ensemble: the average of those best on the validation part: ")
    assert values["ensemble"]["seconds"] > min(one["seconds"] for one in values.values())


def test_methods_of_a_history_see_the_context_of_a_window_alone(tmp_path):
    task = task_of(write_many(tmp_path))
    found, windows = found_in(task), Origins.judging(task.parted, "test")
    for place in (0, 7, len(windows) - 1):
        start = int(windows.start[place])
        history = task.series.values[start - 14 : start, 0]
        assert np.allclose(found.forecasts["theta"][place], theta(history, 4, 7))
    exact = ets(task.frame.contexts(windows).numpy(), 4, 7)
    same = np.isclose(found.forecasts["ets"], exact).all(1)
    assert same.mean() > 0.5  # of others the best way was best for none of the examples


def test_a_zero_in_a_history_is_one(tmp_path):
    rows = [(*r[:2], max(0, round(float(r[2]) / 10 ** (int(r[0][1:]) % 4) - 5)), *r[3:])
            for r in many_rows()]  # fmt: skip
    task = task_of(write_many(tmp_path, rows))
    found, windows = found_in(task), Origins.judging(task.parted, "test")
    history = task.frame.contexts(windows).numpy()
    assert (history == 0).any()
    assert np.array_equal(history, np.round(history))
    assert np.allclose(found.forecasts["theta"], theta(history, 4, 7))
    assert abs(found.forecasts["theta"]).max() < 10


def test_the_ensemble_is_the_mean_of_those_with_the_least_error_of_validation(tmp_path):
    task = task_of(write_many(tmp_path))
    found, held = found_in(task), task.held
    again = task.baseline_forecasts(held)
    errors = {n: task._judge(held, f)["mase"] for n, f in again.forecasts.items() if n in ALL}
    del errors["ensemble"]
    assert found.combined == sorted(errors, key=errors.get)[:3]
    mean = sum(found.forecasts[name] for name in found.combined) / 3
    assert np.allclose(found.forecasts["ensemble"], mean)


def test_the_size_of_a_series_scales_what_is_forecast_of_it(tmp_path):
    rows = many_rows(6)
    larger = [(n, d, float(v) * (1000 if n == "s4" else 1), o, r) for n, d, v, o, r in rows]
    one = found_in(task_of(write_many(tmp_path, rows)))
    other = found_in(task_of(write_many(tmp_path, larger, "larger.csv")))
    place = one.windows.series == 4
    for name in ("linear", "dlinear", "boosting"):
        before, after = one.forecasts[name][place], other.forecasts[name][place]
        assert np.allclose(1000 * before, after, rtol=1e-3), name
        assert np.allclose(one.forecasts[name][~place], other.forecasts[name][~place], rtol=1e-3)


def test_of_more_windows_than_are_quick_slow_methods_forecast_some_which_is_said(
    tmp_path, monkeypatch
):
    task = task_of(write_many(tmp_path))
    whole = found_in(task)
    assert not whole.partial
    monkeypatch.setattr(baselines, "SLOW", 9)
    found = found_in(task)
    assert {"ets", "boosting"} <= set(found.partial) <= {"ets", "boosting", "ensemble"}
    windows = found.of("ets")
    assert len(windows) == 9 == len(found.forecasts["ets"])
    assert len(set(windows.series.tolist())) == 9
    assert f"judged on 9 of {len(whole.windows)} windows, evenly over the series" in found.notes[-1]
    values, _ = task.judged_baselines()
    assert set(values) == ALL


def test_what_was_not_measured_is_learnt_by_no_method(tmp_path):
    lost = [(*r[:2], "" if i % 6 == 0 else r[2], *r[3:]) for i, r in enumerate(many_rows())]
    values, _ = task_of(write_many(tmp_path, lost)).judged_baselines()
    assert set(values) == ALL
    assert all(np.isfinite(one["mase"]) for one in values.values())


@pytest.mark.parametrize("more", [("many.transform=log",), ("columns.known=offer",)])
def test_transforms_and_columns_known_beforehand_are_read(more, tmp_path):
    values, _ = task_of(write_many(tmp_path), *more).judged_baselines()
    assert set(values) == ALL


def test_windows_are_taken_evenly():
    assert baselines._evenly(3).tolist() == [0, 1, 2]
    assert baselines._evenly(101, 5).tolist() == [0, 25, 50, 75, 100]
    assert torch.equal(baselines._evenly(5, 5), torch.arange(5))
