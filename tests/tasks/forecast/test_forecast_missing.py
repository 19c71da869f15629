"""What was not measured is never a truth: losses, metrics, baselines, intervals, pictures."""

import json
import math

import numpy as np
import pytest
import torch
from small_series import series_config, write_series

from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast.frame import forecasts
from carousel.tasks.forecast.scores import Yardstick, detail, measures
from carousel.tasks.forecast.task import ForecastTask
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.conformal import stretch
from carousel.training import train

NAN = np.nan


def with_gaps(folder, share=0.1, seed=3):
    """The small series with empty cells in its first column, and rows that are missing."""
    path = write_series(folder)
    chance = np.random.default_rng(seed)
    header, *rows = path.read_text().splitlines()
    gone = set(np.flatnonzero(chance.random(len(rows)) < share).tolist()) - {0}
    cells = [row.split(",") for row in rows]
    lines = [f"{d},{'' if i in gone else w},{s}" for i, (d, w, s) in enumerate(cells)]
    kept = [line for i, line in enumerate(lines) if i not in (300, 301, 560)]
    path.write_text("\n".join([header, *kept]) + "\n")
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return with_gaps(tmp_path_factory.mktemp("gaps"))


def task(path, *more):
    return ForecastTask(series_config(path, *more), seed=0)


def test_measures_count_what_was_measured_alone():
    chance = np.random.default_rng(0)
    truth, guess = chance.normal(size=(2, 40, 3, 2))
    inside = chance.random(truth.shape) < 0.7
    stick = Yardstick(np.array([2.0, 3.0]), np.array([0.5, 0.7]))
    low, high = guess - 1, guess + 1
    found = measures(np.where(inside, truth, NAN), guess, stick, (low, high))
    error = np.ma.masked_array(np.abs(truth - guess), ~inside)
    assert found["mae"] == pytest.approx(error.mean())
    assert found["rmse"] == pytest.approx(math.sqrt((error**2).mean()))
    assert found["mase"] == pytest.approx((error.mean((0, 1)) / [0.5, 0.7]).mean())
    assert found["mse_standardised"] == pytest.approx(((error / [2.0, 3.0]) ** 2).mean())
    assert found["coverage"] == pytest.approx((error <= 1).mean())
    parts = detail(np.where(inside, truth, NAN), guess, ("a", "b"))
    assert parts["mae_per_column"]["b"] == pytest.approx(error[..., 1].mean())
    assert parts["mae_per_step"] == pytest.approx(error.mean((0, 2)).tolist())


def test_a_column_without_a_measured_value_has_no_error():
    truth = np.array([[[1.0, NAN], [2.0, NAN]]])
    assert detail(truth, truth * 0, ("a", "b"))["mae_per_column"] == {"a": 1.5, "b": None}
    stick = Yardstick(np.ones(2), np.ones(2))
    assert measures(truth, np.zeros_like(truth), stick)["mase"] == 1.5


def test_the_naive_error_is_that_between_measured_values():
    column = np.array([1.0, 2.0, NAN, 7.0, 4.0, 5.0])
    stick = Yardstick.fit(column[:, None], season=2)
    assert stick.naive[0] == pytest.approx((5 + 2) / 2)  # 7 - 2 and 5 - 7
    assert stick.std[0] == pytest.approx(np.nanstd(column))


@pytest.mark.parametrize("column", [[0.1, 0.7, 0.4] * 9, [5.0] * 27, [0.1 + 0.2, 0.3, 0.3] * 9])
def test_mase_is_undefined_where_the_naive_forecast_is_without_error(column):
    train_part = np.array(column)[:, None]
    stick = Yardstick.fit(train_part, season=3)
    assert stick.without_mase(["a"]) == ["a"]
    scores = measures(train_part[None], train_part[None] + 1, stick)
    assert "mase" not in scores
    assert scores["mae"] == pytest.approx(1.0)


def test_each_step_is_regressed_from_the_windows_where_it_was_measured():
    chance = np.random.default_rng(1)
    x = chance.normal(size=(300, 6, 1)).cumsum(1)
    y = np.stack((2 * x[:, -1] - x[:, -2], x[:, -1] - x[:, -3]), 1)
    inside = chance.random(y.shape) < 0.6
    found = fit_linear(x, np.where(inside, y, NAN))
    for k in range(2):
        rows = inside[:, k, 0]
        alone = fit_linear(x[rows], y[rows, k : k + 1])
        np.testing.assert_allclose(found.weights[..., k], alone.weights[..., 0])
        np.testing.assert_allclose(found.offsets[..., k], alone.offsets[..., 0])
    never = fit_linear(x, np.full_like(y, NAN))
    np.testing.assert_array_equal(never.forecasts(x), np.repeat(x[:, -1:], 2, 1))


def test_intervals_are_stretched_by_what_was_measured():
    chance = np.random.default_rng(2)
    truth = chance.normal(size=(200, 3, 2))
    inside = chance.random(truth.shape) < 0.6
    inside[:, 2, 1] = False
    ones, zeros = np.ones_like(truth), np.zeros_like(truth)
    found = stretch(np.where(inside, truth, NAN), (-ones, zeros, ones), 0.8)
    for k, c in ((0, 0), (1, 1), (2, 0)):
        column = truth[inside[:, k, c], k, c].reshape(-1, 1, 1)
        one = np.ones_like(column)
        assert found[k, c] == stretch(column, (-one, 0 * one, one), 0.8)[0, 0]
    assert found[2, 1] == 1.0


def test_the_loss_does_not_depend_on_what_was_filled_in(path):
    for more in (
        (),
        ("forecast.distribution=gaussian",),
        ("forecast.distribution=quantile", "forecast.relative=false"),
    ):
        begun = task(path, *more)
        network = begun.build_model()
        index = torch.arange(len(begun.windows["train"]))[:64]
        x, before, after, level, truth = begun.frame.batch(begun.windows["train"], index)
        assert truth.isnan().any()
        step = begun.loss(network, (x, before, after, level, truth))
        step.objective.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters())
        raw = network(x, before, after)
        by_hand = [
            begun.output.losses(raw[i, k, c], level[i, 0, c], truth[i, k, c]).item()
            for i, k, c in (~truth.isnan()).nonzero().tolist()
        ]
        assert step.objective.item() == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_validation_baselines_and_targets_are_over_measured_values(path):
    begun = task(path)
    windows = begun.windows["validation"]
    network = begun.build_model()
    _, guess, _ = forecasts(network, begun.frame, windows, begun.output)
    rows = windows.starts.numpy()[:, None] + np.arange(5)
    truth, missing = begun.series.values[rows, 0], begun.series.missing[rows, 0]
    error = np.ma.masked_array(np.abs(guess[..., 0] - truth), missing)
    assert 0 < missing.mean() < 0.3
    assert begun.validate(network)["mae"] == pytest.approx(error.mean())
    assert all(math.isfinite(v) for found in begun.baselines().values() for v in found.values())
    train_targets, held = begun.subject.targets()
    assert torch.isfinite(train_targets).all()
    assert len(held) == np.isfinite(begun.series.truth[begun.parts["validation"], 0]).sum()
    assert torch.isfinite(begun.subject.wanted(next(begun.train_batches(0, 0)))).all()


def test_the_scaler_is_that_of_measured_values(path):
    begun = task(path)
    truth = begun.series.truth[: begun.parts["train"].stop]
    np.testing.assert_allclose(begun.scaler.mean, np.nanmean(truth, 0))
    np.testing.assert_allclose(begun.scaler.std, np.nanstd(truth, 0))


def test_samples_leave_out_what_was_not_measured(path):
    begun = task(path)
    found, said = begun.samples(40), begun.answers(begun.build_model(), 40)
    assert any(None in sample.curve for sample in found)
    assert all(math.isfinite(answer.wrong) for answer in said)
    json.dumps([sample.curve for sample in found], allow_nan=False)


def test_a_run_with_missing_values_says_so_and_its_result_is_json(path, tmp_path, capsys):
    config = series_config(path, "training.epochs=2", "forecast.distribution=quantile")
    run = train(config, run_dir=tmp_path / "run", threads=1)
    text = (tmp_path / "run" / "result.json").read_text()
    result = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert result["data"]["missing_values_filled"] > 40
    said = "each read as the row before, at the start as the first value there is, not judged"
    assert f"missing values: {said}" in capsys.readouterr().err
    begun = ForecastTask(config, 0)
    trained = run.load()
    windows = begun.windows["test"]
    low, guess, high = forecasts(trained.model, begun.frame, windows, trained.output)
    scores = measures(begun._truth(windows), guess, begun.yardstick, (low, high))
    for name, value in scores.items():
        assert result["test"][name] == pytest.approx(value, rel=1e-5)


def seasonal(folder):
    path = folder / "seasonal.csv"
    rows = [f"{1700 + i},{i % 10},{(i * 7) % 13 + 0.1 * (i % 3)}" for i in range(300)]
    path.write_text("year,wave,size\n" + "\n".join(rows) + "\n")
    return path


def test_a_run_on_a_seasonal_series_says_that_mase_is_undefined(tmp_path, capsys):
    path = seasonal(tmp_path)
    config = series_config(path, "training.epochs=1")
    run = train(config, run_dir=tmp_path / "run", threads=1)
    assert "MASE is undefined for wave" in capsys.readouterr().err
    assert "mase" not in {**run.result["test"], **run.result["validation"]}
    assert run.result["data"]["mase_undefined"] == ["wave"]
    assert "MASE is undefined" in run.result["data"]["warnings"][0]
    notice, *_ = run.load().present(run.load().evaluate())
    assert "MASE is undefined for wave" in notice.text
    both = series_config(path, "training.epochs=1", "forecast.targets='wave,size'")
    assert "mase" in ForecastTask(both, 0).validation_metrics
    with pytest.raises(ConfigError, match="monitor = 'mase': MASE is undefined for wave"):
        task(path, "training.monitor=mase")


def test_intervals_calibrated_on_few_windows_are_said(tmp_path, capsys):
    path = write_series(tmp_path, 120)
    few = ("forecast.distribution=quantile", "training.epochs=1")
    run = train(series_config(path, *few), run_dir=tmp_path / "run", threads=1)
    told = capsys.readouterr().err
    assert "the intervals of 80% are calibrated on 14 validation windows, of which 3" in told
    data = run.result["data"]
    assert data["windows"] == {"train": 60, "validation": 14, "test": 14}
    assert data["windows_apart"] == {"train": 12, "validation": 3, "test": 3}
    assert len(data["warnings"]) == 1
    assert task(path, "forecast.distribution=none").account()["warnings"] == []
    assert task(path, *few, "forecast.calibrate=false").account()["warnings"] == []
    long = tmp_path / "long"
    long.mkdir()
    assert task(write_series(long), *few).account()["warnings"] == []


@pytest.mark.parametrize(
    ("empty", "says"),
    [
        (range(0, 420), "the training part has no number in the column 'wave'"),
        (range(420, 510), "the validation part has no measured value"),
        (range(510, 600), "the test part has no measured value"),
    ],
)
def test_a_part_without_a_measured_target_is_refused(tmp_path, empty, says):
    path = write_series(tmp_path)
    header, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    rows = [f"{d},{'' if i in empty else w},{s}" for i, (d, w, s) in enumerate(cells)]
    path.write_text("\n".join([header, *rows]))
    with pytest.raises(DataError, match=says):
        task(path)
