"""Series: regular stamps, parts in order of time, windows that never share a target."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.config import DataConfig, ForecastConfig
from carousel.data.series import Windows, account, calendar, cut, load, read_series
from carousel.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("name", "folder", "rows", "columns", "filled"),
    [
        ("etth1", "ett", 17_420, 7, 0),
        ("bike", "bike-sharing", 17_544, 8, 8 * (17_544 - 17_379)),
        ("sunspots", "sunspots", 2_820, 1, 0),
        ("air-passengers", "air-passengers", 144, 1, 0),
    ],
)
def test_published_series_are_regular_and_whole(shared_data, name, folder, rows, columns, filled):
    shared_data(folder)
    series = load(DataConfig(name=name))
    assert (len(series), len(series.columns), series.filled) == (rows, columns, filled)
    assert len(set(np.diff(series.stamps))) == 1
    assert np.isfinite(series.values).all()
    assert "registered" not in series.columns


def test_missing_rows_and_numbers_are_filled_and_counted():
    text = "t,a,b\n2020-01-01,,1\n2020-01-02,5,nan\n2020-01-05,7,3\n2020-01-06,inf,4\n"
    series = read_series(text, "x")
    assert [str(stamp) for stamp in series.stamps] == [f"2020-01-0{d}" for d in range(1, 7)]
    assert series.values.tolist() == [[5, 1], [5, 1], [5, 1], [5, 1], [7, 3], [7, 4]]
    assert series.filled == 3 + 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t,a\n2020-01-01,1\n", "at least 2 rows"),
        ("t\n2020-01-01\n2020-01-02\n", "a column of numbers"),
        ("t,a\n2020-01-01,1\n2020-01-02\n", "row 3 has 1 cells, the header 2"),
        ("t,a\nmonday,1\ntuesday,2\n", "must hold time stamps"),
        ("t,a\n2020-01-01,1\n2020-01-02,red\n", "must hold numbers, got 'red'"),
        ("t,a\n2020-01-02,1\n2020-01-01,2\n", "2020-01-01 stands before an earlier one"),
        ("t,a\n2020-01-01,1\n2020-01-01,2\n", "2020-01-01 stands twice"),
        ("t,a\n2020-01-01,1\n2020-01-03,2\n2020-01-06,2\n", "2020-01-06 is not a whole one"),
        ("t,a\n2020-01-01,1\n2020-01-02,2\n2022-01-01,2\n", "nearly all is missing"),
        ("t,a,b\n2020-01-01,1,\n2020-01-02,2,\n", "no number in the column 'b'"),
    ],
)
def test_a_series_that_cannot_be_used_says_where_and_why(text, says):
    with pytest.raises(DataError, match=says):
        read_series(text, "x.csv")


def test_names_and_paths_are_asked_for():
    with pytest.raises(ConfigError, match="got 'mnist'"):
        load(DataConfig(name="mnist"))
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        load(DataConfig(name="series"))


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


@given(st.integers(60, 300), st.integers(1, 20), st.integers(1, 6), st.integers(0, 5))
def test_no_value_is_a_target_in_two_parts(count, context, horizon, gap):
    config = ForecastConfig(context=context, horizon=horizon, gap=gap, validation=0.2, test=0.2)
    parts = cut(count, "series", config)
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
        cut(100, "series", ForecastConfig(horizon=50))


def test_an_epoch_from_batch_k_on_is_the_rest_of_the_whole_one():
    windows = Windows(range(10, 60), 10, 5)
    whole, rest = list(windows.epoch(8, 1, 3)), list(windows.epoch(8, 1, 3, start=2))
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert sorted(torch.cat(whole).tolist()) == list(range(46))


def test_the_account_says_from_when_to_when():
    series = read_series("t,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n", "x")
    found = account(series, {"train": range(0, 2), "test": range(2, 3)})
    assert found["targets"]["train"] == {"rows": 2, "first": "2020-01-01", "last": "2020-01-02"}
