"""Forecasts of counts: their loss, quantiles and intervals, on the scale of the series."""

import numpy as np
import pytest
import torch
from scipy.stats import nbinom
from small_series import series_config

import carousel
from carousel import tasks
from carousel.config import refuse_idle
from carousel.errors import ConfigError, DataError
from carousel.runtime import load as load_runtime
from carousel.tasks.forecast.frame import forecasts
from carousel.training import memory

COUNTS = "forecast.distribution=negative-binomial"
QUANTILES = (0.1, 0.5, 0.9)


def write(folder, wrong="", rows=220, name="counts.csv"):
    """Two columns of counts, one rare and one frequent, with a season of 7."""
    chance = np.random.default_rng(5)
    lines = ["day,rare,frequent"]
    for t in range(rows):
        mean = 1 + 0.9 * np.sin(2 * np.pi * t / 7)
        rare, often = (chance.negative_binomial(4, 4 / (4 + size * mean)) for size in (0.7, 60))
        day = np.datetime64("2024-01-01") + t
        lines.append(f"{day},{wrong if wrong and t == 30 else rare},{often}")
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def task_of(path, *more):
    targets = "forecast.targets='frequent,rare'"
    return tasks.find("forecast")(series_config(path, COUNTS, targets, *more), 0)


def of_scipy(task, raw, level):
    """The distribution that a network's numbers mean, by their equations."""
    std, mean = (part[task.frame.targets].double() for part in (task.scaler.std, task.scaler.mean))
    size = 1 + mean
    value = (raw[..., 0].double() + level.double()) * std + mean
    middle = size * torch.nn.functional.softplus(5 * value / size) / 5
    shape = (torch.nn.functional.softplus(raw[..., 1].double()) + 1e-3) / size.sqrt()
    return nbinom((1 / shape).numpy(), (1 / (1 + shape * middle)).numpy())


@pytest.fixture
def path(tmp_path):
    return write(tmp_path)


@torch.no_grad()
def test_losses_and_quantiles_are_scipys_on_the_scale_of_the_series(path):
    task = task_of(path)
    network = task.build_model().eval()
    windows = task.windows["validation"]
    *inputs, level, _ = task.frame.batch(windows, torch.arange(len(windows)))
    raw = network(*inputs)
    wanted = of_scipy(task, raw, level)
    truth = torch.from_numpy(task._truth(windows))
    scaled = (truth - task.scaler.mean[task.frame.targets]) / task.scaler.std[task.frame.targets]
    found = task.output.losses(raw, level, scaled.float())
    np.testing.assert_allclose(found.numpy(), -wanted.logpmf(truth.numpy()), rtol=1e-4)
    told = task.output.told(forecasts(network, task.frame, windows, task.output))
    np.testing.assert_array_equal(told, np.stack([wanted.ppf(level) for level in QUANTILES]))


@pytest.mark.parametrize("follow", [0, 0.05])
def test_intervals_are_of_counts_and_hold_their_share_of_the_validation_part(follow, path):
    task = task_of(path, f"forecast.follow={follow}")
    trained = task.finish(task.build_model())
    report = trained.evaluate("validation")
    assert report["coverage"] >= 0.78
    for _, answer in trained.rolling(path, every=9):
        for name in ("rare", "frequent"):
            for middle, pair in zip(answer.values[name], answer.intervals[name], strict=True):
                low, high = pair
                assert 0 <= low <= middle <= high
                assert (low, middle, high) == (round(low), round(middle), round(high))


def test_counts_are_learnt_and_a_saved_model_says_the_same(path, tmp_path):
    settings = (COUNTS, "forecast.targets='frequent,rare'", "training.epochs=8")
    trained = memory.fit(series_config(path, *settings), threads=1).model
    report = trained.evaluate("test")
    naive = tasks.find("forecast")(series_config(path, *settings), 0).baselines()["last_value"]
    assert report["mae"] < naive["mae"]
    trained.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    np.testing.assert_array_equal(again.forecast(path, 9), trained.forecast(path, 9))


@pytest.mark.parametrize("wrong", ["2.5", "-1"])
def test_what_is_no_count_is_refused_in_training_and_in_forecasts(wrong, path, tmp_path):
    other = write(tmp_path, wrong, name="wrong.csv")
    with pytest.raises(DataError, match=f"the target frequent, rare are none, such as {wrong}"):
        task_of(other)
    task = task_of(path)
    with pytest.raises(DataError, match="whole numbers from 0 on"):
        task.finish(task.build_model()).forecast(other)


def test_what_has_no_quantiles_of_counts_says_so(path, tmp_path):
    task = task_of(path)
    trained = task.finish(task.build_model())
    trained.save(tmp_path / "model")
    with pytest.raises(ConfigError, match="has no quantiles of counts"):
        load_runtime(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"distribution = 'negative-binomial' has no description"):
        carousel.export(trained, tmp_path / "m.onnx")


def test_windows_by_their_own_size_are_of_no_counts():
    config = series_config("x.csv", COUNTS, "forecast.normalize=mean")
    with pytest.raises(ConfigError, match=r"forecast\.normalize has no effect"):
        refuse_idle(config)
