"""Forecasters of segments, and of windows by their own size: trained, saved, described, refused."""

import math

import numpy as np
import pytest
import torch
from small_series import series_config, write_series

import carousel
from carousel.coach.checks import check
from carousel.data.series_parts import SeriesParts
from carousel.errors import ConfigError
from carousel.export.exporting import export
from carousel.tasks.forecast.frame import forecasts
from carousel.tasks.forecast.scores import measures
from carousel.tasks.forecast.task import ForecastTask
from carousel.training import train

SEGMENTS = ("forecast.segment=4", "forecast.independent=true", "forecast.targets=")


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    path = tmp_path_factory.mktemp("shares") / "x.csv"
    rows = (f"{2000 + i},{0.5 + 0.4 * math.sin(i)}\n" for i in range(200))
    path.write_text("t,share\n" + "".join(rows))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp("series"))


def task(path, *more):
    return ForecastTask(series_config(path, *more), seed=0)


@pytest.mark.parametrize("more", [(), ("forecast.normalize=last",), ("forecast.normalize=mean",)])
def test_segments_that_start_at_the_ridge_regression_forecast_what_it_does(path, more):
    begun = task(path, "forecast.linear=true", "forecast.ridge=true", *SEGMENTS, *more)
    windows = begun.windows["test"]
    _, guess, _ = forecasts(begun.build_model(), begun.frame, windows, begun.output)
    found = measures(begun._truth(windows), guess, begun.yardstick)
    wanted = begun.baselines()["linear"]
    assert wanted.pop("seconds") >= 0
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-4)


def test_a_forecast_by_its_own_size_grows_with_its_window(path):
    made = task(path, "forecast.normalize=mean", "forecast.relative=false", *SEGMENTS)
    network = made.build_model().eval()
    x, before, after, *_ = made.frame.batch(made.windows["train"], torch.arange(3))
    found, larger = network(x, before, after), network(7 * x - 2, before, after)
    torch.testing.assert_close(larger, 7 * found - 2, rtol=1e-3, atol=1e-3)


def test_independent_segments_tell_targets_apart_by_their_channel_alone(path):
    made = task(path, "forecast.calendar=true", *SEGMENTS)
    network = made.build_model().eval()
    x, before, after, *_ = made.frame.batch(made.windows["train"], torch.arange(4))
    same = x[:, :, [1, 1]]
    found = network(same, before, after)
    assert (found[:, :, 0] != found[:, :, 1]).any()
    torch.nn.init.zeros_(network.segments.channel)
    found = network(same, before, after)
    torch.testing.assert_close(found[:, :, 0], found[:, :, 1])


def test_a_trained_forecaster_of_segments_says_the_same_when_loaded_and_without_torch(
    path, tmp_path
):
    config = series_config(
        path, "forecast.distribution=quantile", "forecast.normalize=last", *SEGMENTS
    )
    run = train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
    series = SeriesParts.read(config).series
    wanted = run.load().forecast(series)
    np.testing.assert_array_equal(carousel.load(tmp_path / "run").forecast(series), wanted)
    without = carousel.runtime.load(tmp_path / "run").predict(series.values)
    np.testing.assert_allclose(without, wanted, rtol=1e-5, atol=1e-5)
    naive = run.result["baseline"]["last_value"]["mse_standardised"]
    assert run.result["test"]["mse_standardised"] < naive


def test_the_recurrence_has_a_step_for_each_segment(path):
    made = task(path, *SEGMENTS)
    network, steps = made.build_model(), []
    network.recurrent.register_forward_hook(lambda layer, given, result: steps.append(given[0]))
    network(*made.frame.batch(made.windows["train"], torch.arange(3))[:3])
    assert [tuple(x.shape[:2]) for x in steps] == [(3 * 2, 20 // 4), (3 * 2 * 2, 1)]
    assert "recurrent layer on" in made.describe(network)


def test_the_coach_reads_batches_of_segments(path):
    made = task(path, "forecast.normalize=last", *SEGMENTS)
    torch.manual_seed(1)
    only = ("causality", "gradient-check", "padding-invariance")
    outcomes = check(made, made.build_model(), seconds=60, only=only)
    assert [(o.code, o.state) for o in outcomes] == [(o.code, "clean") for o in outcomes]
    assert {o.code for o in outcomes} == set(only)


@pytest.mark.parametrize("suffix", ["onnx", "c", "pt2"])
@pytest.mark.parametrize("more", [("forecast.segment=4",), ("forecast.normalize=mean",)])
def test_files_refuse_what_they_do_not_describe(path, tmp_path, suffix, more):
    made = task(path, *more)
    trained = made.finish(made.build_model())
    with pytest.raises(ConfigError, match=more[0].partition("=")[0].replace(".", r"\.")):
        export(trained, tmp_path / f"m.{suffix}")


def test_what_segments_and_sizes_do_not_fit_is_refused(path, shares):
    with pytest.raises(ConfigError, match=r"context = 20 must be a multiple of forecast\.segment"):
        task(path, "forecast.segment=6")
    for setting in ("forecast.normalize=last", "forecast.loss=absolute"):
        with pytest.raises(ConfigError, match=r"needs forecast\.output = 'identity'"):
            task(shares, "forecast.targets=share", setting)
