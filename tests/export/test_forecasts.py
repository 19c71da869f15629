"""Forecasters with a calendar, or columns that are known beforehand, as files."""

import json

import numpy as np
import pytest
from c_programs import library, need, passes_on_cortex, uneven, written
from small_series import series_config, write_series

from carousel import tasks
from carousel.data.regular import Series
from carousel.data.series import calendar
from carousel.errors import ConfigError
from carousel.export.describing import subject_of
from carousel.export.exporting import export

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnxruntime

KNOWN = ("columns.time=day", "columns.target=wave", "columns.known=size", "forecast.targets=")
MODELS = {
    "calendar": ("forecast.calendar=true",),
    "calendar, line, interval": (
        "forecast.calendar=true", "forecast.linear=true", "forecast.distribution=quantile",
    ),
    "columns": KNOWN,
    "calendar and columns": ("forecast.calendar=true", "forecast.relative=false", *KNOWN),
    "errors as intervals": ("forecast.targets='size,wave'", "forecast.distribution=conformal"),
    "two targets": ("forecast.calendar=true", "forecast.targets='size,wave'", "model.cell=gru"),
}  # fmt: skip


def forecaster(folder, *more):
    """Untrained, with random weights and an interval that is wider at each step."""
    config = series_config(write_series(folder), "model.hidden_size=7", *more)
    task = tasks.find("forecast")(config, 0)
    trained = task.finish(task.build_model())
    uneven(trained.model)
    return trained


@pytest.mark.parametrize("name", MODELS)
def test_every_format_forecasts_what_the_model_does(name, tmp_path):
    trained = forecaster(tmp_path, *MODELS[name])
    for file in ("m.onnx", "m.pt2", "m.c"):
        assert export(trained, tmp_path / file).comparison.difference <= 1e-5


@pytest.mark.slow
def test_the_c_runs_on_a_microcontroller(tmp_path):
    trained = forecaster(tmp_path, *MODELS["calendar, line, interval"])
    assert "0 beyond" in passes_on_cortex(written(subject_of(trained), tmp_path))


@pytest.mark.parametrize("name", ["calendar", "calendar, line, interval", "two targets"])
def test_the_python_in_a_card_makes_the_calendar_that_the_model_reads(name, tmp_path):
    need("gcc")
    trained = forecaster(tmp_path, *MODELS[name])
    rows = np.random.default_rng(0).standard_normal((20, 2))
    stamps = np.datetime64("2024-02-20") + np.arange(25)
    series = Series(trained.columns, stamps[:20], rows)
    wanted = trained.forecast(series, 5)
    export(trained, tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    assert (card["context"], card["horizon"]) == (20, 5)
    given = {}
    exec("\n".join(card["calendar"]), given)  # as a caller does, who has NumPy alone
    waves = given["waves"](stamps, card["turns"])
    values = np.concatenate((np.pad(rows, ((0, 5), (0, 0))), waves), 1, dtype=np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {"values": values[None]})
    by_c = library(trained, tmp_path)
    in_c = by_c.run(by_c.state(), values, found[0].size)
    middle = len(found[0]) // 2
    np.testing.assert_allclose(found[0][middle], wanted[1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(in_c.reshape(found[0].shape), found[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unit", ["M", "D", "h"])
def test_the_calendar_of_a_card_takes_times_of_every_step(unit, tmp_path):
    stamps = np.datetime64("2024-02-20").astype(f"datetime64[{unit}]") + np.arange(40)
    wanted = calendar(stamps)
    given = {}
    trained = forecaster(tmp_path, "forecast.calendar=true")
    exec("\n".join(subject_of(trained).network.facts["calendar"]), given)
    found = given["waves"](stamps.astype("datetime64[us]"), wanted.shape[1] // 2)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_measured_columns_of_the_steps_to_come_are_not_read(tmp_path):
    trained = forecaster(tmp_path, *MODELS["calendar and columns"])
    subject = subject_of(trained)
    names = trained.columns
    (value,) = subject.network.inputs
    x = np.random.default_rng(0).standard_normal((1, *value.shape[1:])).astype(np.float32)

    def told(x):
        return subject.run({"values": x})["forecast"]

    for name, is_read in (("wave", False), ("size", True)):
        other = x.copy()
        other[:, 20:, names.index(name)] += 1.0
        assert np.array_equal(told(other), told(x)) != is_read
    other = x.copy()
    other[:, 20:, len(names) :] += 1.0
    assert not np.array_equal(told(other), told(x))


def test_a_window_of_another_length_is_refused_by_the_c(tmp_path):
    trained = forecaster(tmp_path, *MODELS["calendar"])
    found = library(trained, tmp_path)
    for steps in (20, 24, 26):
        assert found.run(found.state(), np.zeros((steps, 6), np.float32), 5) is None


@pytest.mark.parametrize("stream", [False, True])
def test_one_target_at_a_time_and_single_steps_are_refused_in_a_line(stream, tmp_path):
    more = () if stream else ("forecast.independent=true",)
    trained = forecaster(tmp_path, "forecast.calendar=true", *more)
    said = "Known looks at several steps" if stream else r"forecast\.independent has no description"
    with pytest.raises(ConfigError, match=said) as refused:
        export(trained, tmp_path / "m.onnx", stream=stream)
    assert "\n" not in str(refused.value)
