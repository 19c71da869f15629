"""What a trained forecaster goes on from: any form of a series, but only of its own kind."""

import json

import numpy as np
import pytest
import torch
from small_series import series_config

import carousel
from carousel import bundle as bundles
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.files.series import read_series
from carousel.errors import DataError
from carousel.tasks.forecast.task import ForecastTask
from carousel.tasks.shared.digits import digits
from carousel.tasks.shared.task import Json, Notice, Table


def untrained(path, *more):
    begun = ForecastTask(series_config(path, *more), seed=0)
    torch.manual_seed(0)
    return begun.finish(begun.build_model())


def write(path, stamps, values=None, header="t,wave,size"):
    values = range(len(stamps)) if values is None else values
    rows = [f"{t},{v},{i % 3}" for i, (t, v) in enumerate(zip(stamps, values, strict=True))]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def stamps_of(start, step, count, unit="m"):
    first = np.datetime64(start, unit)
    return [str(first + i * np.timedelta64(step, unit)) for i in range(count)]


@pytest.fixture(scope="module")
def hourly(tmp_path_factory):
    path = tmp_path_factory.mktemp("hourly") / "series.csv"
    return untrained(write(path, stamps_of("2024-01-01T00:00", 60, 300)), "forecast.calendar=true")


@pytest.mark.parametrize(
    ("step", "name"), [(15, "15 minutes"), (120, "2 hours"), (24 * 60, "1 day")]
)
def test_another_step_of_time_is_refused(hourly, tmp_path, step, name):
    path = write(tmp_path / "x.csv", stamps_of("2024-02-01T00:00", step, 40))
    with pytest.raises(DataError, match=f"trained on steps of 1 hour, this series has .* {name}"):
        hourly.forecast(path)
    with pytest.raises(DataError, match="steps of 1 hour"):
        list(respond(hourly, Request(path)))
    with pytest.raises(DataError, match="steps of 1 hour"):
        hourly.example(hourly.read(path), 0)


def test_months_are_another_step_than_days(tmp_path):
    monthly = untrained(write(tmp_path / "m.csv", stamps_of("1990-01", 1, 300, "M")))
    days = write(tmp_path / "d.csv", stamps_of("1990-01-01", 1, 40, "D"))
    with pytest.raises(DataError, match=r"trained on steps of 1 month, .* has steps of 1 day"):
        monthly.forecast(days)
    firsts = write(tmp_path / "f.csv", [f"{s}-01" for s in stamps_of("1990-01", 1, 40, "M")])
    same = write(tmp_path / "s.csv", stamps_of("1990-01", 1, 40, "M"))
    np.testing.assert_array_equal(monthly.forecast(firsts), monthly.forecast(same))


def test_the_same_step_in_another_unit_is_the_same_series(hourly, tmp_path):
    stamps = stamps_of("2024-02-01T00:00", 60, 40)
    wanted = hourly.forecast(write(tmp_path / "x.csv", stamps))
    for other in ([s + ":00" for s in stamps], [s[:-3] for s in stamps]):
        np.testing.assert_array_equal(hourly.forecast(write(tmp_path / "x.csv", other)), wanted)


def test_a_daily_network_reads_days_with_a_time(tmp_path):
    days = stamps_of("2024-01-01", 1, 300, "D")
    daily = untrained(write(tmp_path / "d.csv", days), "forecast.calendar=true")
    wanted = daily.forecast(write(tmp_path / "x.csv", days[:40]))
    noon = write(tmp_path / "x.csv", [f"{day}T00:00" for day in days[:40]])
    np.testing.assert_array_equal(daily.forecast(noon), wanted)


def test_a_bundle_keeps_its_step_and_one_from_before_says_that_it_cannot_compare(hourly, tmp_path):
    bundles.save(hourly, tmp_path / "model")
    path = write(tmp_path / "x.csv", stamps_of("2024-02-01T00:00", 15, 40))
    with pytest.raises(DataError, match="steps of 1 hour"):
        carousel.load(tmp_path / "model").forecast(path)
    told = tmp_path / "model" / "model.json"
    bundle = json.loads(told.read_text())
    del bundle["step"]
    told.write_text(json.dumps(bundle))
    shown = list(respond(carousel.load(tmp_path / "model"), Request(path)))
    assert "does not know the step" in shown[0].text
    assert isinstance(shown[-1], Table)


def test_columns_are_taken_by_name(hourly, tmp_path):
    stamps = stamps_of("2024-02-01T00:00", 60, 40)
    path = write(tmp_path / "x.csv", stamps)
    wanted = hourly.forecast(path)
    cells = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(f"{t},{s},{w}" for t, w, s in cells))
    np.testing.assert_array_equal(hourly.forecast(path), wanted)
    notice, *_ = respond(hourly, Request(path))
    assert "another order than in training: taken by name" in notice.text
    path.write_text("\n".join(f"{t},{w}" for t, w, _ in cells))
    with pytest.raises(DataError, match="columns wave, size, as in training; size missing"):
        hourly.forecast(path)
    path.write_text("\n".join(f"{t},{w},{s},{'extra' * (t == 't') or 1}" for t, w, s in cells))
    with pytest.raises(DataError, match="extra not known"):
        hourly.forecast(path)


def test_paths_text_of_them_and_series_give_the_same_forecast(hourly, tmp_path):
    path = write(tmp_path / "x.csv", stamps_of("2024-02-01T00:00", 60, 40))
    wanted = hourly.forecast(read_series(path.read_text(), "x"))
    np.testing.assert_array_equal(hourly.forecast(path), wanted)
    np.testing.assert_array_equal(hourly.forecast(str(path)), wanted)


class Index:
    def __init__(self, kind):
        self.dtype = np.dtype(kind)


class PandasLike:
    """What is used of a data frame of pandas."""

    def __init__(self, text, kind):
        self.columns, self.index, self._text = ["wave", "size"], Index(kind), text

    def to_csv(self, *, index):
        assert index == (self.index.dtype.kind == "M")
        return self._text


class PolarsLike:
    def __init__(self, text):
        self._text = text

    def write_csv(self):
        return self._text


def test_data_frames_are_series(hourly, tmp_path):
    text = write(tmp_path / "x.csv", stamps_of("2024-02-01T00:00", 60, 40)).read_text()
    wanted = hourly.forecast(read_series(text, "x"))
    for frame in (PandasLike(text, "M8[ns]"), PandasLike(text, "i8"), PolarsLike(text)):
        np.testing.assert_array_equal(hourly.forecast(frame), wanted)


@pytest.mark.parametrize("given", [np.zeros((40, 2)), [1.0, 2.0], 7, None])
def test_what_is_no_series_is_refused_in_words(hourly, given):
    with pytest.raises(DataError, match=r"a forecast goes on from a Series .*; got \w+"):
        hourly.forecast(given)


def test_forecasts_of_large_numbers_show_the_digits_that_change(tmp_path):
    wave = [1e8 + np.sin(i / 3) + 0.01 * i for i in range(300)]
    path = write(tmp_path / "x.csv", stamps_of("2024-01-01", 1, 300, "D"), wave)
    trained = untrained(path, "forecast.distribution=quantile", "forecast.output=identity")
    (table,) = respond(trained, Request(path))
    cells = [row[1].split(" ")[0] for row in table.rows]
    low, middle, high = trained.forecast(path)[..., 0]
    assert len(set(cells)) == len(cells) == 5
    assert not any("e" in cell for cell in cells)
    np.testing.assert_allclose([float(cell) for cell in cells], middle, rtol=0, atol=0.01)
    assert (high > low).all()
    errors = np.abs(middle - wave[-1])
    assert errors.max() < 5  # a network that says little repeats the last value


def test_samples_of_large_numbers_show_the_digits_that_change(tmp_path):
    wave = [1e8 + np.sin(i / 3) for i in range(300)]
    path = write(tmp_path / "x.csv", stamps_of("2024-01-01", 1, 300, "D"), wave)
    begun = ForecastTask(series_config(path), seed=0)
    (sample,) = begun.samples(1)
    start = int(begun.windows["validation"].starts[0])
    np.testing.assert_allclose(sample.curve, wave[start - 20 : start + 5], rtol=0, atol=1e-3)
    (answer,) = begun.answers(begun.build_model(), 1)
    assert len(set(answer.middle)) == 5


def test_places_a_centimetre_apart_are_learnt_as_such(tmp_path):
    wave = [5_400_000 + 0.01 * ((i * 7) % 10) for i in range(300)]
    path = write(tmp_path / "x.csv", stamps_of("2024-01-01", 1, 300, "D"), wave)
    begun = ForecastTask(series_config(path), seed=0)
    column = np.array(wave[:210])
    scaled = begun.frame.scaled[:210, 0].numpy()
    np.testing.assert_allclose(scaled, (column - column.mean()) / column.std(), atol=1e-5)
    assert begun.baselines()["seasonal_naive"]["mae"] == pytest.approx(0, abs=1e-8)


def test_a_value_far_from_all_training_is_refused(hourly, tmp_path):
    values = [*range(39), 1e38]
    path = write(tmp_path / "x.csv", stamps_of("2024-02-01T00:00", 60, 40), values)
    with pytest.raises(DataError, match=r"feature 1 has the value 1e\+38, .* too far off"):
        hourly.forecast(path)


def test_predict_says_what_it_recognised(hourly, tmp_path):
    stamps = [f"{s}+01:00" for s in stamps_of("2024-02-01T00:00", 60, 40)]
    path = write(tmp_path / "x.csv", stamps)
    for as_json in (False, True):
        notice, shown = respond(hourly, Request(path, as_json=as_json))
        assert isinstance(notice, Notice)
        assert "moved to UTC" in notice.text
    assert isinstance(shown, Json)
    assert shown.content[0]["time"] == "2024-02-02T15:00"


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([1e8 + 1.25, 1e8 + 2.5], ["100000001.250", "100000002.500"]),
        ([3.0, 3.0], ["3.000", "3.000"]),
        ([1e20, 1.0001e20], ["1e+20", "1.0001e+20"]),
        ([np.nan, 2.0], ["nan", "2.000"]),
        ([], []),
    ],
)
def test_numbers_are_shown_with_the_digits_in_which_they_differ(numbers, wanted):
    assert [format(x, digits(numbers)) for x in numbers] == wanted
