"""Series: regular stamps, parts in order of time, windows that never share a target."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.config import Config, DataConfig, ForecastConfig
from carousel.data.files.series import read_series
from carousel.data.series import Windows, account, calendar, cut
from carousel.data.series_parts import SeriesParts
from carousel.errors import ConfigError, DataError


def load(name):
    short = ForecastConfig(context=12, horizon=6)
    return SeriesParts.read(Config(data=DataConfig(name=name), forecast=short))


@pytest.mark.parametrize(
    ("name", "folder", "rows", "columns", "filled"),
    [
        ("etth1", "ett", 17_420, 7, 0),
        ("bike", "bike-sharing", 17_544, 8, 8 * (17_544 - 17_379)),
        ("sunspots", "sunspots", 2_820, 1, 0),
        ("air-passengers", "air-passengers", 144, 1, 0),
        ("exchange-rate", "exchange-rate", 7_588, 8, 0),
        ("beijing-pm25", "beijing-pm25", 43_824, 11, 2_067),
    ],
)
def test_published_series_are_regular_and_whole(shared_data, name, folder, rows, columns, filled):
    shared_data(folder)
    series = load(name).series
    assert (len(series), len(series.columns), series.filled) == (rows, columns, filled)
    assert len(set(np.diff(series.stamps))) == 1
    assert np.isfinite(series.values).all()
    assert "registered" not in series.columns


def test_beijing_has_a_column_for_each_wind_and_gaps_where_nothing_was_measured(shared_data):
    shared_data("beijing-pm25")
    series = load("beijing-pm25").series
    winds = [place for place, name in enumerate(series.columns) if name.startswith("wind ")]
    assert (series.values[:, winds].sum(1) == 1).all()
    dust = series.truth[:, series.columns.index("pm2.5")]
    assert np.isnan(dust[:24]).all()  # the first day was not measured
    assert (str(series.stamps[25]), dust[25]) == ("2010-01-02T01", 148.0)


def test_exchange_rates_are_cut_as_in_the_paper(shared_data):
    shared_data("exchange-rate")
    rows = load("exchange-rate").rows
    assert [part.stop for part in rows.values()] == [4552, 6070, 7588]


def test_missing_rows_and_numbers_are_filled_and_counted():
    text = "t,a,b\n2020-01-01,,1\n2020-01-02,5,nan\n2020-01-05,7,3\n2020-01-06,inf,4\n"
    series = read_series(text, "x")
    assert [str(stamp) for stamp in series.stamps] == [f"2020-01-0{d}" for d in range(1, 7)]
    assert series.values.tolist() == [[5, 1], [5, 1], [5, 1], [5, 1], [7, 3], [7, 4]]
    assert series.filled == 3 + 4
    nan = np.nan
    measured = [[nan, 1], [5, nan], [nan, nan], [nan, nan], [7, 3], [nan, 4]]
    np.testing.assert_array_equal(series.truth, measured)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t,a\n2020-01-01,1\n", "at least 2 rows"),
        ("t\n2020-01-01\n2020-01-02\n", "a column of numbers"),
        ("t|a\n2020-01-01|1\n2020-01-02|1\n", r"it has 1 columns \(t\|a\)"),
        ("t,a\n2020-01-01,1\n2020-01-02\n", "line 3 has 1 cells, the header 2"),
        ("t,a\nmonday,1\ntuesday,2\n", "must hold time stamps"),
        ("t,a\n2020-01-01,1\n2020-01-02,red\n", "line 3, column 'a': must hold numbers, got 'red'"),
        ("t,a\n2020-01-02,1\n2020-01-01,2\n", "2020-01-01 stands before an earlier one"),
        ("t,a\n2020-01-01,1\n2020-01-01,2\n", "2020-01-01 stands twice"),
        (
            "t,a\n2020-01-01,1\n2020-01-03,2\n2020-01-06,2\n",
            "2020-01-06 is not a whole one of 2 days",
        ),
        ("t,a\n2020-01-01,1\n2020-01-02,2\n2022-01-01,2\n", "nearly all is missing"),
        ("t,a,b\n2020-01-01,1,\n2020-01-02,2,\n", "no number in the column 'b'"),
        ("2020-01-01,1\n2020-01-02,2\n", r"names the columns.*\(2020-01-01, 1\)"),
        ("1700000000,1,2\n1700000060,2,3\n", r"names the columns.*\(1700000000, 1, 2\)"),
    ],
)
def test_a_series_that_cannot_be_used_says_where_and_why(text, says):
    with pytest.raises(DataError, match=says):
        read_series(text, "x.csv")


def test_values_stay_as_exact_as_they_were_written():
    text = "t,a\n" + "".join(f"{1800 + i},{5400000 + 0.01 * i:.2f}\n" for i in range(200))
    series = read_series(text, "x")
    assert series.values[:, 0].tolist() == [float(f"{5400000 + 0.01 * i:.2f}") for i in range(200)]


@pytest.mark.parametrize(
    ("stamps", "wanted"),
    [
        (("2000-01-01", "2000-02-01", "2000-03-01", "2000-05-01"), ["01", "02", "03", "04", "05"]),
        (("2000-01-31", "2000-02-29", "2000-03-31"), ["01", "02", "03"]),
        (("2000-01-15T06:00", "2000-02-15T06:00", "2000-03-15T06:00"), ["01", "02", "03"]),
        (("2000-01-01", "2000-04-01", "2000-10-01"), ["01", "04", "07", "10"]),
        (("2000Q1", "2000Q2", "2000Q4"), ["01", "04", "07", "10"]),
        (("01.01.2000", "01.02.2000", "01.03.2000"), ["01", "02", "03"]),
    ],
)
def test_months_and_quarters_are_steps_and_said(stamps, wanted):
    series = read_series("t,a\n" + "".join(f"{t},{i}\n" for i, t in enumerate(stamps)), "x")
    assert series.stamps.dtype == "datetime64[M]"
    assert series.stamps.tolist() == np.array([f"2000-{m}" for m in wanted], "M8[M]").tolist()
    assert any("month" in note for note in series.notes)


def test_days_that_are_no_months_stay_days():
    series = read_series("t,a\n2000-01-01,1\n2000-01-29,2\n2000-02-26,3\n", "x")
    assert series.stamps.dtype == "datetime64[D]"
    assert series.notes == ()


def test_a_series_of_semicolons_and_decimal_commas_is_read_and_said():
    series = read_series("Tag;a;b\n01.02.2024;1,5;2\n02.02.2024;2,5;\n", "x")
    assert [str(stamp) for stamp in series.stamps] == ["2024-02-01", "2024-02-02"]
    np.testing.assert_array_equal(series.truth, [[1.5, 2], [2.5, np.nan]])
    assert [note.split()[0] for note in series.notes] == ["cells", "commas", "dates"]


def test_windows_without_a_measured_target_are_left_out():
    truth = np.full((30, 2), np.nan)
    truth[[12, 20], [0, 1]] = 1.0
    windows = Windows(range(10, 30), 5, 3, truth)
    assert windows.starts.tolist() == [10, 11, 12, 18, 19, 20]
    assert len(Windows(range(10, 30), 5, 3, np.ones((30, 2)))) == 18


def test_windows_apart_share_no_target():
    assert Windows(range(10, 30), 5, 6).apart == 3
    assert Windows(range(10, 16), 5, 6).apart == 1
    truth = np.full((40, 1), np.nan)
    truth[[10, 30]] = 1.0
    assert Windows(range(10, 40), 5, 3, truth).apart == 2


def test_names_and_paths_are_asked_for():
    with pytest.raises(ConfigError, match="got 'mnist'"):
        load("mnist")
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        load("series")


def test_the_calendar_has_what_the_stamps_tell_and_goes_on():
    hours = np.array(["2020-02-29T23", "2020-03-01T00"], "datetime64[h]")
    known = calendar(hours, more=1)
    assert known.shape == (3, 6)
    month, week, hour = (np.arctan2(known[:, i], known[:, i + 3]) % (2 * np.pi) for i in range(3))
    np.testing.assert_allclose(month / (2 * np.pi) * 12, [1, 2, 2], atol=1e-5)
    np.testing.assert_allclose((np.diff(week) / (2 * np.pi) * 7) % 7, [1, 0], atol=1e-5)
    np.testing.assert_allclose(hour / (2 * np.pi) * 24, [23, 0, 1], atol=1e-4)
    assert calendar(np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")).shape == (2, 4)
    assert calendar(np.array(["2020-01", "2020-02"], "datetime64[M]"), more=2).shape == (4, 2)


def test_the_calendar_of_a_trained_network_has_as_many_numbers_whatever_the_unit():
    days = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
    seconds = days.astype("datetime64[s]")
    np.testing.assert_array_equal(calendar(days, 1, turns=3), calendar(seconds, 1))
    np.testing.assert_array_equal(calendar(seconds, 1, turns=2), calendar(days, 1))


@given(st.integers(60, 300), st.integers(1, 20), st.integers(1, 6), st.integers(0, 5))
def test_no_value_is_a_target_in_two_parts(count, context, horizon, gap):
    config = ForecastConfig(context=context, horizon=horizon, gap=gap, validation=0.2, test=0.2)
    parts = cut(count, config)
    values = torch.arange(count).unsqueeze(1)
    targets = {}
    for part, rows in parts.items():
        windows = Windows(rows, context, horizon)
        before, after = windows.gather(values, torch.arange(len(windows)))
        assert (before[:, -1] + 1 == after[:, 0]).all()
        assert (before.diff(dim=1) == 1).all()
        targets[part] = set(after.flatten().tolist())
        assert targets[part] == set(rows)
    assert max(targets["train"]) + gap < min(targets["validation"])
    assert max(targets["validation"]) + gap < min(targets["test"])
    assert max(targets["test"]) == count - 1


def test_a_series_too_short_for_a_window_says_so():
    with pytest.raises(DataError, match=r"fewer than forecast\.horizon = 50"):
        cut(100, ForecastConfig(horizon=50))


def test_an_epoch_from_batch_k_on_is_the_rest_of_the_whole_one():
    windows = Windows(range(10, 60), 10, 5)
    whole, rest = list(windows.epoch(8, 1, 3)), list(windows.epoch(8, 1, 3, start=2))
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert sorted(torch.cat(whole).tolist()) == list(range(46))


def test_the_account_says_from_when_to_when():
    series = read_series("t,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n", "x")
    found = account(series, {"train": range(0, 2), "test": range(2, 3)})
    assert found["targets"]["train"] == {"rows": 2, "first": "2020-01-01", "last": "2020-01-02"}
