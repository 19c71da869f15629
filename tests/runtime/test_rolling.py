"""Forecasts of series that go on: those of the window that ends there, bit for bit."""

import numpy as np
import pytest
from saved_models import save_model

import carousel
from carousel import runtime
from carousel.data.coded import Coded
from carousel.data.regular import Series
from carousel.data.series import calendar
from carousel.errors import DataError
from carousel.runtime.calendar import waves

SAME = {"rtol": 2e-6, "atol": 1e-6}
DAY = [86_400 * 10**9, "ns"]
CALENDAR = {
    "days": (["forecast.calendar=true"], {"known": 4, "step": DAY}, "D", 1),
    "hours": (["forecast.calendar=true", "forecast.targets=", "forecast.independent=true",
               "forecast.linear=true", "forecast.distribution=quantile"],
              {"known": 6, "step": [3600 * 10**9, "ns"]}, "h", 1),
    "quarters": (["forecast.calendar=true", "model.cell=gru"],
                 {"known": 2, "step": [3, "M"]}, "M", 3),
    "none": ([], {"step": DAY}, "D", 1),
    "segments of hours": (["forecast.calendar=true", "forecast.targets=", "forecast.segment=4",
                           "forecast.independent=true", "forecast.normalize=mean"],
                          {"known": 6, "step": [3600 * 10**9, "ns"]}, "h", 1),
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """Save a forecaster of waves with settings of its own; both its readers."""

    def save(*settings, **facts):
        save_model(tmp_path, "forecast", *settings, **facts)
        return carousel.load(tmp_path / "model"), runtime.load(tmp_path / "model")

    return save


def rows(count, seed=0):
    return 2 + 0.5 * np.random.default_rng(seed).standard_normal((count, 2))


def stamps_of(unit, step, count=40):
    return np.datetime64("2001-03", unit) + np.arange(count) * step


def steps_of(x, stamps):
    """Steps whose first one has its time."""
    lead = np.full((len(x), 1), np.nan)
    lead[0] = stamps[0].astype("datetime64[s]").astype(float)
    return np.concatenate((lead, x), 1)[None]


@pytest.mark.parametrize("unit", ["M", "W", "D", "h", "m", "s"])
def test_the_calendar_is_that_of_training(unit):
    stamps = stamps_of(unit, 5)
    turns = {"M": 1, "W": 2, "D": 2}.get(unit, 3)
    found = waves(stamps.astype("datetime64[us]"), turns)
    np.testing.assert_array_equal(found, calendar(stamps))
    month = 2 * np.pi * (stamps.astype("datetime64[M]").astype(int) % 12) / 12
    np.testing.assert_allclose(found[:, 0], np.sin(month), atol=1e-7)
    np.testing.assert_allclose(found[:, turns], np.cos(month), atol=1e-7)


@pytest.mark.parametrize("name", CALENDAR)
def test_a_stream_is_told_the_forecast_of_its_last_window(saved, name):
    settings, facts, unit, step = CALENDAR[name]
    trained, model = saved(*settings, **facts)
    x, stamps = rows(40), stamps_of(unit, step)
    wanted = trained.forecast(Series(("wave", "size"), stamps, x))
    np.testing.assert_allclose(model.predict(x, stamps[-1]), wanted, **SAME)
    streams, others = runtime.ForecasterStreams(model, 3), rows(40, 1)
    given, more = steps_of(x, stamps), steps_of(others, stamps)
    for first, last in ((0, 1), (1, 18), (18, 19), (19, 40)):
        both = np.concatenate((given[:, first:last], more[:, first:last]))
        slots = np.array([2, 0])
        told = streams.step(slots, streams.read(slots, both)).reshape(2, last - first, -1)
    answer = told[0, -1]
    np.testing.assert_array_equal(answer[:-2].reshape(wanted.shape), model.predict(x, stamps[-1]))
    assert answer[-2] == stamps[-1].astype("datetime64[s]").astype(float)
    np.testing.assert_array_equal(
        told[1, 3, :-2].reshape(wanted.shape), model.predict(others[:23], stamps[22])
    )
    twice = np.concatenate((given, given))
    whole = streams.whole(twice, np.array([40, 33]))
    np.testing.assert_array_equal(twice, np.concatenate((given, given)))
    np.testing.assert_array_equal(whole[0], answer)
    np.testing.assert_array_equal(whole[1], told[0, 13])


def test_until_a_window_is_whole_it_is_said_how_many_steps_are_wanting(saved):
    _, model = saved(step=DAY)
    streams = runtime.ForecasterStreams(model)
    slots = np.array([7])
    told = streams.step(slots, streams.read(slots, steps_of(rows(22), stamps_of("D", 1))))
    np.testing.assert_array_equal(told[:, -1], np.maximum(0, 19 - np.arange(22)))
    assert np.isnan(told[:19, :-2]).all()
    assert np.isfinite(told[19:]).all()


def test_codes_of_categories_are_read_as_in_training(saved):
    trained, model = saved("model.hidden_size=9", columns=["wave", "city"],
                           levels={"city": ["x", "y", "z"]}, step=DAY,
                           scaler={"mean": [0.3, 0], "std": [0.5, 1]})  # fmt: skip
    x = rows(30)
    x[:, 1] = np.arange(30) % 5
    columns = ("wave", Coded("city", ["x", "y", "z"]))
    x[x[:, 1] > 3, 1] = 0
    wanted = trained.forecast(Series(columns, stamps_of("D", 1, 30), x))
    np.testing.assert_allclose(model.predict(x), wanted, **SAME)
    assert model.names == ("wave",)


def test_times_that_are_not_even_are_refused_and_nothing_is_remembered(saved):
    settings, facts, unit, step = CALENDAR["days"]
    _, model = saved(*settings, **facts)
    streams, slot = runtime.ForecasterStreams(model), np.array([0])
    given = steps_of(rows(3), stamps_of(unit, step))
    lost = given.copy()
    lost[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="the first step of a stream needs its time"):
        streams.read(slot, lost)
    streams.read(slot, given)
    later = given[:, :1].copy()
    later[0, 0, 0] += 5 * 86_400
    with pytest.raises(DataError, match="2001-03-04 was expected, got that of 2001-03-06"):
        streams.read(slot, later)
    later[0, 0, 0] -= 2 * 86_400
    streams.read(slot, later)
    with pytest.raises(DataError, match="reads the calendar"):
        model.predict(rows(30))


def test_what_was_not_measured_is_the_value_before(saved):
    _, model = saved(step=DAY)
    x = rows(25)
    full = x.copy()
    full[[10, 11], 1] = x[9, 1]
    x[[10, 11], 1] = np.nan
    streams = runtime.ForecasterStreams(model)
    given = steps_of(x, stamps_of("D", 1, 25))
    np.testing.assert_array_equal(
        streams.whole(given)[0, :-2].reshape(3, 5, 1), model.predict(full)
    )
    assert streams.filled == 2
    first = given[:, :1].copy()
    first[0, 0, 2] = np.nan
    streams.clear(np.array([0]))
    with pytest.raises(DataError, match="column 'size' of the first step was not measured"):
        streams.read(np.array([0]), first)


def test_a_time_that_is_not_known_is_refused_where_the_calendar_is_read(saved):
    settings, facts, unit, step = CALENDAR["days"]
    _, model = saved(*settings, **facts)
    x, times = np.stack([rows(20), rows(20, 1)]), stamps_of(unit, step, 2)
    assert np.isfinite(model.predict(x, times)).all()
    times[1] = np.datetime64("NaT")
    with pytest.raises(DataError, match=r"the time of window 1 is not known \(NaT\)"):
        model.predict(x, times)
    with pytest.raises(ValueError, match="got NaT"):
        waves(times, 2)
