"""Forecasts: losses by hand, scales, baselines, intervals, what a trained one says."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_series import series_config, write_series

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.files.series import read_series
from carousel.data.series_parts import SeriesParts
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast.frame import forecasts
from carousel.tasks.forecast.output import Output
from carousel.tasks.forecast.scores import Yardstick, measures
from carousel.tasks.forecast.task import ForecastTask
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.conformal import stretch
from carousel.tasks.shared.task import Json
from carousel.training import train


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    config = series_config(path, "forecast.distribution=quantile", "forecast.calendar=true")
    return train(config, run_dir=folder, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def task(path, *more):
    return ForecastTask(series_config(path, *more), seed=0)


# ---- losses


def test_losses_are_those_of_their_distributions():
    torch.manual_seed(4)
    raw, level = torch.randn(3, 5, 2, 3, dtype=torch.float64), torch.randn(3, 1, 2).double()
    truth = torch.randn(3, 5, 2).double()
    squared = Output(False, "none").losses(raw[..., :1], level, truth)
    torch.testing.assert_close(squared, (raw[..., 0] + level - truth) ** 2)
    absolute = Output(False, "none", absolute=True).losses(raw[..., :1], level, truth)
    torch.testing.assert_close(absolute, (raw[..., 0] + level - truth).abs())

    deviation = torch.nn.functional.softplus(raw[..., 1]) + 1e-3
    density = torch.distributions.Normal(raw[..., 0] + level, deviation).log_prob(truth)
    torch.testing.assert_close(Output(False, "gaussian").losses(raw, level, truth), -density)

    quantile = Output(False, "quantile")
    low, middle, high = quantile.forecast(raw, level)
    assert (low < middle).all()
    assert (middle < high).all()
    by_hand = sum(
        torch.where(truth >= q, a * (truth - q), (1 - a) * (q - truth))
        for a, q in ((0.1, low), (0.5, middle), (0.9, high))
    )
    torch.testing.assert_close(quantile.losses(raw, level, truth), by_hand / 3)

    bounded = truth.sigmoid()
    chances = torch.distributions.Bernoulli(logits=raw[..., 0])
    cross_entropy = -(bounded * chances.probs.log() + (1 - bounded) * (1 - chances.probs).log())
    torch.testing.assert_close(Output(True, "none").losses(raw, level, bounded), cross_entropy)


def test_the_gaussian_interval_holds_80_per_cent():
    low, middle, high = Output(False, "gaussian").forecast(torch.zeros(1, 1, 1, 2), torch.zeros(1))
    normal = torch.distributions.Normal(middle, torch.nn.functional.softplus(torch.zeros(1)) + 1e-3)
    torch.testing.assert_close(normal.cdf(high) - normal.cdf(low), torch.full((1, 1, 1), 0.8))


# ---- scores and baselines


def test_measures_of_two_columns_by_hand():
    stick = Yardstick.fit(np.array([[0.0, 5.0], [2.0, 5.0], [0.0, 5.0], [2.0, 5.0]]), season=1)
    assert stick.std.tolist() == [1.0, 1.0]
    assert stick.naive.tolist() == [2.0, 0.0]
    assert stick.without_mase(["a", "b"]) == ["b"]
    truth = np.array([[[1.0, 4.0]], [[0.0, 4.0]]])
    guess = np.array([[[2.0, 4.0]], [[0.0, 7.0]]])
    scores = measures(truth, guess, stick, (guess - 1, guess + 1))
    assert scores["mae"] == 1.0
    assert scores["rmse"] == pytest.approx(math.sqrt(10 / 4))
    assert scores["mase"] == pytest.approx(0.5 / 2)  # of the second column it is undefined
    assert scores["smape"] == pytest.approx((2 / 3 + 6 / 11) / 4)
    assert scores["coverage"] == 0.75


def test_the_linear_model_finds_a_linear_rule():
    chance = np.random.default_rng(0)
    x = chance.normal(size=(300, 6, 2)).cumsum(1)
    y = np.stack((2 * x[:, -1] - x[:, -2], x[:, -1]), 1)
    guess = fit_linear(x[:250], y[:250]).forecasts(x[250:])
    np.testing.assert_allclose(guess, y[250:], atol=0.1)
    one_step = fit_linear(x[:250], y[:250, :1]).forecasts(x[250:])
    assert one_step.shape == (50, 1, 2)


def test_stretched_intervals_hold_their_share():
    chance = np.random.default_rng(1)
    truth = chance.normal(size=(40_000, 3, 2)) * np.array([1.0, 5.0])
    middle = np.zeros_like(truth)
    wide = np.array([0.1, 1.0, 7.0])[:, None] + middle  # too narrow, about right, too wide
    factor = stretch(truth[:20_000], (-wide[:20_000], middle[:20_000], wide[:20_000]), 0.8)
    assert factor.shape == (3, 2)
    held = np.abs(truth[20_000:]) <= wide[20_000:] * factor
    np.testing.assert_allclose(held.mean(0), 0.8, atol=0.02)


def test_few_windows_stretch_to_the_farthest():
    truth = np.array([1.0, -3.0]).reshape(2, 1, 1)
    ones = np.ones_like(truth)
    assert stretch(truth, (-ones, 0 * ones, 2 * ones), 0.8) == 3.0


# ---- the task


def test_a_network_that_starts_at_the_ridge_regression_forecasts_what_it_does(path):
    begun = task(path, "forecast.linear=true", "forecast.ridge=true", "forecast.targets=")
    windows = begun.windows["test"]
    _, guess, _ = forecasts(begun.build_model(), begun.frame, windows, begun.output)
    found = measures(begun._truth(windows), guess, begun.yardstick)
    linear = begun.baselines()["linear"]
    assert linear.pop("seconds") >= 0
    for name, value in linear.items():
        assert found[name] == pytest.approx(value, rel=1e-4)


def test_ridge_needs_the_linear_map(path):
    with pytest.raises(ConfigError, match=r"needs forecast\.linear"):
        task(path, "forecast.ridge=true")


@pytest.mark.parametrize("distribution", ["quantile", "gaussian"])
def test_calibrated_intervals_hold_their_share_of_the_validation_part(path, distribution):
    asked = task(path, f"forecast.distribution={distribution}")
    network = asked.build_model()  # untrained: its intervals mean nothing
    raw, told = asked.output, asked.finish(network).output
    windows = asked.windows["validation"]
    truth = asked._truth(windows)
    for output, fits in ((raw, False), (told, True)):
        low, _, high = forecasts(network, asked.frame, windows, output)
        held = ((truth >= low) & (truth <= high)).mean()
        assert (abs(held - 0.8) < 0.05) == fits
    plain = task(path, f"forecast.distribution={distribution}", "forecast.calibrate=false")
    assert plain.finish(network).output.stretch is None


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_errors_as_intervals_change_no_forecast_and_no_loss(path, loss):
    plain = task(path, f"forecast.loss={loss}", "forecast.output=identity")
    asked = task(path, f"forecast.loss={loss}", "forecast.distribution=conformal")
    torch.manual_seed(0)
    network = plain.build_model().eval()
    torch.manual_seed(0)
    assert torch.equal(asked.build_model().head.weight, network.head.weight)
    (one, *_), (other, *_) = (t.train_batches(0, 0) for t in (plain, asked))
    losses = [
        float(t.loss(network, b).objective.detach()) for t, b in ((plain, one), (asked, other))
    ]
    assert losses[0] == losses[1]
    windows = asked.windows["validation"]
    output = asked.finish(network).output
    low, guess, high = forecasts(network, asked.frame, windows, output)
    np.testing.assert_array_equal(
        guess, forecasts(network, plain.frame, windows, plain.finish(network).output)[1]
    )
    # As wide on both sides and in every window as errors of that step and target were.
    errors = np.sort(np.abs(asked._truth(windows) - guess), axis=0)
    place = int(np.ceil(0.8 * (len(windows) + 1))) - 1
    np.testing.assert_allclose(high - guess, np.broadcast_to(errors[place], guess.shape), rtol=1e-3)
    np.testing.assert_allclose(guess - low, high - guess, rtol=1e-3, atol=1e-5)


def test_forecasts_come_back_on_the_scale_of_the_series(path):
    network_of = task(path)
    network = network_of.build_model()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    windows = network_of.windows["validation"]
    _, guess, _ = forecasts(network, network_of.frame, windows, network_of.output)
    values = torch.from_numpy(network_of.series.values[:, :1]).double()
    before, _ = windows.gather(values, torch.arange(len(windows)))
    # a network that says nothing forecasts the last value
    np.testing.assert_allclose(guess, before[:, -1:].expand(-1, 5, -1), atol=1e-4)


def test_scaling_sees_the_training_part_alone(tmp_path):
    path = write_series(tmp_path)
    first = task(path).scaler
    lines = path.read_text().splitlines()
    lines[-50:] = [line.rsplit(",", 2)[0] + ",1e6,9" for line in lines[-50:]]
    path.write_text("\n".join(lines))
    assert torch.equal(task(path).scaler.mean, first.mean)


def test_the_line_is_added_to_the_first_number_of_each_target(path):
    plain = task(path, "forecast.distribution=gaussian", "forecast.targets='wave,size'")
    lined = task(
        path,
        "forecast.distribution=gaussian",
        "forecast.targets='wave,size'",
        "forecast.linear=true",
    )
    torch.manual_seed(0)
    without = plain.build_model().eval()
    torch.manual_seed(0)
    network = lined.build_model().eval()
    batch = lined.frame.batch(lined.windows["train"], torch.arange(3))[:3]
    assert torch.equal(network(*batch), without(*batch))
    torch.nn.init.normal_(network.line)
    change = network(*batch) - without(*batch)
    for c in range(2):
        by_hand = batch[0][:, :, c] @ network.line[c]
        torch.testing.assert_close(change[..., c, 0], by_hand, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(change[..., 1], torch.zeros(3, 5, 2), atol=1e-6, rtol=0)


def test_independent_targets_depend_on_their_own_past_alone(path):
    network_of = task(
        path, "forecast.independent=true", "forecast.targets='size,wave'", "forecast.calendar=true"
    )
    network = network_of.build_model().eval()
    x, before, after, *_ = network_of.frame.batch(network_of.windows["train"], torch.arange(4))
    wanted = network(x, before, after)
    assert wanted.shape == (4, 5, 2, 1)
    changed = x.clone()
    changed[:, :, 0] += 1.0  # the column wave, the second target
    found = network(changed, before, after)
    torch.testing.assert_close(found[:, :, 0], wanted[:, :, 0])
    assert (found[:, :, 1] != wanted[:, :, 1]).all()
    both = x[:, :, [1, 1]]  # the same past in both columns: the same forecast
    same = network(both, before, after)
    torch.testing.assert_close(same[:, :, 0], same[:, :, 1])


def test_what_comes_is_never_read(path):
    network_of = task(path, "forecast.calendar=true")
    network = network_of.build_model().eval()
    index = torch.arange(3)
    x, before, after, _, _ = network_of.frame.batch(network_of.windows["train"], index)
    wanted = network(x, before, after)
    stop = int(network_of.windows["train"].starts[0])
    network_of.frame.scaled[stop:] += 100.0
    again, *_ = network_of.frame.batch(network_of.windows["train"], index)
    torch.testing.assert_close(network(again, before, after)[0], wanted[0])


def test_targets_in_the_unit_interval_get_a_sigmoid(tmp_path):
    (tmp_path / "x.csv").write_text(
        "t,p\n" + "".join(f"{2000 + i},{0.5 + 0.4 * math.sin(i)}\n" for i in range(200))
    )
    config = ("forecast.targets=p", "forecast.relative=true")
    bounded = task(tmp_path / "x.csv", *config)
    assert bounded.output.sigmoid
    assert not task(tmp_path / "x.csv", *config, "forecast.output=identity").output.sigmoid
    network = bounded.build_model()
    _, guess, _ = forecasts(network, bounded.frame, bounded.windows["test"], bounded.output)
    assert ((guess > 0) & (guess < 1)).all()
    with pytest.raises(DataError, match=r"needs targets in \[0, 1\]"):
        task(write_series(tmp_path), "forecast.output=sigmoid")


def test_the_run_forecasts_the_wave_better_than_the_naive(run):
    test, baseline = run.result["test"], run.result["baseline"]
    assert test["mse_standardised"] < baseline["seasonal_naive"]["mse_standardised"]
    assert test["mse_standardised"] < baseline["last_value"]["mse_standardised"]
    assert 0.5 < test["coverage"] <= 1.0
    assert run.result["data"]["targets"]["test"]["last"] == "2002-08-23"
    assert (run.path / "forecasts.png").stat().st_size > 1000


def test_a_loaded_model_goes_on_from_the_end_of_a_series(run, model, path):
    series = SeriesParts.read(model.config).series
    found = model.forecast(series)
    assert found.shape == (3, 5, 1)
    assert (found[0] < found[1]).all()
    np.testing.assert_array_equal(carousel.load(run.path).forecast(series), found)
    windows = ForecastTask(model.config, 0)
    start = len(series) - 5
    shorter = read_series("\n".join(path.read_text().splitlines()[: start + 1]), "x")
    _, guess, _ = forecasts(model.model, windows.frame, windows.windows["test"], windows.output)
    np.testing.assert_allclose(model.forecast(shorter)[1], guess[-1], rtol=1e-4)


def test_beyond_the_horizon_the_network_reads_its_own_forecasts(model):
    series = SeriesParts.read(model.config).series
    long = model.forecast(series, 12)
    assert long.shape == (3, 12, 1)
    np.testing.assert_array_equal(long[:, :5], model.forecast(series))
    assert np.isnan(long[[0, 2], 5:]).all()
    again = model.forecast(model._longer(series, long[1, :5]))
    np.testing.assert_allclose(long[1, 5:10], again[1], rtol=1e-5)


def test_the_command_answers_with_a_table_or_json(model, path):
    (table,) = respond(model, Request(path, {"length": 7}))
    assert table.columns == ("time", "wave")
    assert [row[0] for row in table.rows][:2] == ["2002-08-24", "2002-08-25"]
    assert " to " in table.rows[0][1]
    assert " to " not in table.rows[6][1]
    (answer,) = respond(model, Request(path, {"length": 7}, as_json=True))
    assert isinstance(answer, Json)
    low, middle, high = model.forecast(path, 7)[..., 0]
    for k, row in enumerate(answer.content):
        assert (row["time"], row["wave"]) == (table.rows[k][0], middle[k])
        assert row["interval"] == ({"wave": [low[k], high[k]]} if k < 5 else None)
        shown = [
            float(cell) for cell in table.rows[k][1].strip(")").replace(" (", " to ").split(" to ")
        ]
        assert shown == pytest.approx([middle[k], low[k], high[k]][: len(shown)], abs=1e-2)


def test_what_cannot_be_forecast_is_refused(model, path, tmp_path):
    (tmp_path / "x.csv").write_text("t,wave,size\n2020-01-01,1,1\n2020-01-02,1,1\n")
    with pytest.raises(DataError, match="has 2 rows, the network reads 20"):
        list(respond(model, Request(tmp_path / "x.csv")))
    (tmp_path / "x.csv").write_text("t,tide\n2020-01-01,1\n2020-01-02,1\n")
    with pytest.raises(DataError, match=r"columns wave, size, .*wave, size missing; tide"):
        list(respond(model, Request(tmp_path / "x.csv")))
    with pytest.raises(ConfigError, match="name the series"):
        list(respond(model, Request()))
    for setting, says in (
        ("forecast.targets=tide", "there is no column 'tide'"),
        ("forecast.season=30", "must lie within"),
        ("model.bidirectional=true", "has no effect in the task 'forecast'"),
        ("text.bptt=7", "has no effect in the task 'forecast'"),
        ("model.adaptive_softmax=9", "has no effect in the task 'forecast'"),
    ):
        with pytest.raises(ConfigError, match=says):
            task(path, setting)


def test_intervals_that_follow_are_the_same_rolled_and_at_the_end(path):
    settings = ("forecast.distribution=gaussian", "forecast.calibrate=false")
    asked = task(path, *settings, "forecast.follow=0.2")
    torch.manual_seed(2)
    trained = asked.finish(asked.build_model())  # untrained: its intervals mean nothing
    plain = task(path, *settings).finish(trained.model)
    series = asked.series
    short = replace(series, stamps=series.stamps[:300], values=series.values[:300])
    rolled, still = ([told for _, told in model.rolling(short)] for model in (trained, plain))
    assert [told.values for told in rolled] == [told.values for told in still]
    first, later = ([one[n].intervals["wave"] for one in (rolled, still)] for n in (0, 280))
    np.testing.assert_allclose(*first, rtol=1e-6)
    assert (np.diff(later) != 0).all()
    low, _, high = trained.forecast(short)[:, :, 0]
    np.testing.assert_allclose(later[0], np.stack((low, high), 1), rtol=1e-5)
    held = [model.evaluate("test")["coverage"] for model in (plain, trained)]
    assert abs(held[0] - 0.8) > 0.1
    assert abs(held[1] - 0.8) < 0.05
