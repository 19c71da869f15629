"""Metrics of a backtest against numbers worked by hand."""

import numpy as np
import pytest

from carousel.backtest.measured import scores_of, spread, summary
from carousel.backtest.picture import stroke
from carousel.backtest.windows import Forecast, joined, partial
from carousel.errors import RunError
from carousel.tasks.shared.origins import Found, Scale, Truth

NAN = float("nan")


def forecast():
    """Two windows of two steps of two series, of which one value was not measured."""
    truth = np.array([[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, NAN]]])
    ours = np.array([[[2.0, 10.0], [2.0, 24.0]], [[0.0, 33.0], [4.0, 99.0]]])
    found = {
        "network": Found(ours, ours - 2, ours + 1),
        "last_value": Found(np.full_like(ours, 4.0)),
    }
    times = np.datetime64("2001-01-01") + np.arange(4).reshape(2, 2)
    scale = Scale(np.array([2.0, 5.0]), np.array([4.0, 8.0]))
    return Forecast(Truth(times, truth), found, scale)


def test_every_metric_over_all_windows_is_that_of_its_definition():
    scores = summary(forecast(), ["a", "b"])["overall"]["network"]
    errors = [1, 0, 3, 0, 0, 4, 3]  # of a, then of b
    assert scores["mae"] == pytest.approx(np.mean(errors))
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert scores["mase"] == pytest.approx(((1 + 0 + 3 + 0) / 4 / 4 + (0 + 4 + 3) / 3 / 8) / 2)
    relative = [2 / 3, 0, 2, 0, 0, 8 / 44, 6 / 63]
    assert scores["smape"] == pytest.approx(np.mean(relative))
    # Within -2 and +1 of the forecast lie the errors y - f of -2 to 1: all but 3 of a, -4, -3.
    assert scores["coverage"] == pytest.approx(4 / 7)


def test_the_pinball_loss_is_that_of_three_quantiles():
    y = np.array([[[5.0]]])
    scale = Scale(np.ones(1), np.ones(1))
    above = scores_of(y, Found(y + 2, y + 1, y + 4), scale)["pinball"]
    # y below all quantiles: (1 - q) times the distance.
    assert above == pytest.approx((0.9 * 1 + 0.5 * 2 + 0.1 * 4) / 3)
    below = scores_of(y, Found(y - 2, y - 4, y - 1), scale)["pinball"]
    assert below == pytest.approx((0.1 * 4 + 0.5 * 2 + 0.9 * 1) / 3)
    assert "pinball" not in scores_of(y, Found(y), scale)


def test_metrics_of_a_window_a_step_and_a_series_are_of_these_values_alone():
    found = summary(forecast(), ["a", "b"])
    network = {key: found[key]["network"] for key in ("per_window", "per_step", "per_series")}
    assert [one["mae"] for one in network["per_window"]] == pytest.approx([5 / 4, 2])
    assert [one["mae"] for one in network["per_step"]] == pytest.approx([7 / 4, 4 / 3])
    assert network["per_series"]["a"]["mase"] == pytest.approx(4 / 4 / 4)
    assert network["per_series"]["b"]["mase"] == pytest.approx(7 / 3 / 8)


def test_the_network_beats_a_baseline_in_the_windows_in_which_its_metric_is_better():
    found = summary(forecast(), ["a", "b"])
    assert found["metric"] == "mase"
    ours, theirs = (found["per_window"][name] for name in ("network", "last_value"))
    assert [o["mase"] < t["mase"] for o, t in zip(ours, theirs, strict=True)].count(True) == (
        found["beats"]["last_value"]
    )
    assert found["beats"]["last_value"] == 2


def test_a_window_in_which_nothing_was_measured_counts_in_no_metric():
    one = forecast()
    one.truth.values[1] = NAN
    found = summary(one, ["a", "b"])
    assert found["per_window"]["network"][1] == {}
    assert found["overall"]["network"] == found["per_window"]["network"][0]
    assert found["spread"]["network"]["mae"]["least"] == 5 / 4
    assert found["beats"]["last_value"] == 1


def test_mae_ranks_where_mase_is_undefined():
    one = forecast()
    one.scale.naive[:] = 0
    found = summary(one, ["a", "b"])
    assert found["metric"] == "mae"
    assert "mase" not in found["overall"]["network"]


def test_spread_has_the_quartiles_of_windows():
    found = spread([{"mae": value} for value in (1.0, 2.0, 4.0, 8.0, 16.0)])["mae"]
    assert found == {
        "least": 1.0,
        "lower_quartile": 2.0,
        "median": 4.0,
        "upper_quartile": 8.0,
        "most": 16.0,
    }


def test_forecasts_are_read_back_as_they_were_written(tmp_path):
    one = forecast()
    one.save(tmp_path / "f.npz")
    again = Forecast.load(tmp_path / "f.npz")
    assert [*again.found] == ["network", "last_value"]
    assert np.array_equal(again.truth.times, one.truth.times)
    assert np.array_equal(again.truth.values, one.truth.values, equal_nan=True)
    assert np.array_equal(again.found["network"].low, one.found["network"].low)
    assert again.found["last_value"].low is None


def test_a_forecaster_that_some_windows_lack_is_left_out_and_named():
    one, other = forecast(), forecast()
    del other.found["last_value"]
    assert partial([one, other]) == ["last_value"]
    assert [*joined([one, other]).found] == ["network"]


def test_a_damaged_file_of_forecasts_is_a_run_error(tmp_path):
    (tmp_path / "f.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(RunError, match=r"f\.npz cannot be read"):
        Forecast.load(tmp_path / "f.npz")


def test_no_two_lines_of_the_picture_are_alike():
    assert len({stroke(place) for place in range(15)}) == 15  # more than there are baselines
