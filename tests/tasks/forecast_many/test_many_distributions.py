"""Distributions of many series: counts, errors as intervals, and intervals that follow."""

import numpy as np
import pytest
import torch
from small_many import many_config, many_rows, write_many

import carousel
from carousel import tasks
from carousel.config.readers import refuse_idle
from carousel.data.many_series import ManySeries
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast_many.calibrating import factors, just_before
from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.scaling import Scale, scale_of
from carousel.tasks.forecast_many.windows import Origins
from carousel.tasks.shared.following import followed
from carousel.training import memory

NAN = np.nan


def counts(count=9, longest=70, size=4.0):
    """Rows of counts, of very different sizes."""
    chance = np.random.default_rng(3)
    rows = []
    for number, (name, day, value, *rest) in enumerate(many_rows(count, longest=longest)):
        mean = size * float(value) / 5 / 10.0 ** (number % 2)
        rows.append((name, day, int(chance.negative_binomial(3, 3 / (3 + mean))), *rest))
    return rows


def task_of(folder, *more, rows=None):
    return tasks.find("forecast_many")(many_config(write_many(folder, rows), *more), 0)


# ---- counts


def test_a_window_of_counts_is_divided_by_one_and_its_mean():
    config = many_config("x.csv", "forecast.distribution=negative-binomial")
    values = torch.tensor([[0.0, 3.0, 9.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    measured = torch.tensor([[True, True, False], [True, True, True]])
    scale = scale_of(values, measured, config)
    assert scale.level.tolist() == [[0.0], [0.0]]
    assert scale.spread.tolist() == [[2.5], [1.0]]


def test_forecasts_of_counts_are_counts_and_begin_at_the_season(tmp_path):
    task = task_of(tmp_path, "forecast.distribution=negative-binomial", rows=counts(size=90.0))
    trained = task.finish(task.build_model())
    series = task.series
    for number, answer in enumerate(trained.predict(series)):
        ends = np.array(answer.intervals["sold"])
        middle = np.array(answer.values["sold"])
        for part in (middle, ends):
            assert np.array_equal(part, np.round(part))
        assert (ends[:, 0] >= 0).all()
        assert (ends[:, 0] <= middle).all()
        assert (middle <= ends[:, 1]).all()
        last = series.values[series.ends[number] - 7 : series.ends[number], 0]
        # The median of so wide a distribution is a tenth or so below its mean.
        assert middle.sum() == pytest.approx(last[:4].sum(), rel=0.35, abs=6)
    assert trained.evaluate("validation")["coverage"] >= 0.78


def test_counts_are_learnt(tmp_path):
    rows = counts(18, longest=90)
    config = many_config(
        write_many(tmp_path, rows), "forecast.distribution=negative-binomial", "training.epochs=10"
    )
    before = tasks.find("forecast_many")(config, 0)
    naive = before.baselines()["seasonal_naive"]
    found = memory.fit(config, threads=1).model.evaluate()
    assert found["mae"] < naive["mae"]
    assert found["crps"] < naive["mae"]


@pytest.mark.parametrize("value", ["2.5", "-3"])
def test_a_series_that_is_no_count_is_refused_before_training_and_in_predictions(value, tmp_path):
    more = "forecast.distribution=negative-binomial"
    wrong = counts()
    wrong[20] = (*wrong[20][:2], value, *wrong[20][3:])
    with pytest.raises(DataError, match=rf"the target 'sold' are none, such as {value}"):
        task_of(tmp_path, more, rows=wrong)
    task = task_of(tmp_path, more, rows=counts())
    with pytest.raises(DataError, match="whole numbers from 0 on"):
        task.finish(task.build_model()).predict(write_many(tmp_path, wrong, "wrong.csv"))


@pytest.mark.parametrize("setting", ["many.scaling=mean", "many.transform=log"])
def test_counts_have_a_scale_of_their_own(setting):
    with pytest.raises(ConfigError, match=r"has no effect with forecast\.distribution"):
        refuse_idle(many_config("x.csv", "forecast.distribution=negative-binomial", setting))


def test_an_interval_of_counts_that_is_stretched_ends_at_counts():
    scale = Scale(torch.zeros(1, 1), torch.tensor([[4.0]]), "none")
    output = Output("negative-binomial", "mase")
    raw = torch.tensor([[[1.0, 0.0], [0.1, 0.0]]])
    plain = output.forecast(raw, scale)
    same = Output("negative-binomial", "mase", torch.ones(2)).forecast(raw, scale)
    assert torch.equal(plain, same)
    wide = Output("negative-binomial", "mase", torch.tensor([1.6, 30.0])).forecast(raw, scale)
    assert torch.equal(wide, wide.round())
    assert (wide[0] <= plain[0]).all()
    assert (wide[2] > plain[2]).all()
    assert wide[0, 0, 1] == 0


# ---- errors as intervals


@pytest.mark.parametrize("transform", ["none", "log"])
def test_conformal_intervals_hold_their_share_and_change_no_forecast(transform, tmp_path):
    more = (f"many.transform={transform}",)
    plain = task_of(tmp_path, *more)
    task = task_of(tmp_path, *more, "forecast.distribution=conformal")
    model = plain.build_model()
    trained = task.finish(model)
    for one, other in zip(
        plain.finish(model).predict(plain.series), trained.predict(task.series), strict=True
    ):
        assert one.values == other.values
        for value, (low, high) in zip(one.values["sold"], other.intervals["sold"], strict=True):
            assert low < value < high
    # Of n windows the ceil(0.8 (n + 1))-th error is the width: never fewer than 80 %.
    assert 0.8 <= trained.evaluate("validation")["coverage"] < 0.9


def test_errors_as_intervals_cannot_be_left_uncalibrated():
    with pytest.raises(ConfigError, match=r"forecast\.calibrate has no effect"):
        refuse_idle(
            many_config("x.csv", "forecast.distribution=conformal", "forecast.calibrate=false")
        )


# ---- intervals that follow


def test_widths_follow_the_misses_of_their_own_series():
    truth = np.array([[9.0, 9.0, NAN], [NAN] * 3, [0.0, 9.0, 1.2], [0.0, 0.0, 0.0], [5.0] * 3])
    one = np.ones_like(truth)
    found = factors(truth, np.stack((-one, 0 * one, one)), np.array([2, 2, 2, 2, 7]), 0.4)
    first = 0.4 * (1 - 0.2)
    second = first + 0.4 * (1 / 3 - 0.2)  # 1.2 lies within exp(0.32)
    assert np.log(found).tolist() == pytest.approx([0.0, first, first, second, 0.0])


def test_with_one_step_and_one_series_it_is_what_forecast_does():
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(41, 1))
    one = np.ones_like(truth)
    spans = np.stack((-0.4 * one, 0 * one, 0.9 * one))
    found = factors(truth, spans, np.zeros(41, int), 0.3)
    other = followed(truth[..., None], spans[..., None], np.arange(41), 0.3, 0.8)
    np.testing.assert_allclose(0.9 * found, other[2, :, 0, 0])


def test_the_share_of_misses_is_off_by_what_the_width_says():
    chance = np.random.default_rng(0)
    windows, series, rate = 40, 7, 0.5
    of = np.repeat(np.arange(series), windows + 1)
    size = np.linspace(0.2, 6, series)[of][:, None]
    truth = chance.normal(size=(len(of), 5)) * size
    truth[windows :: windows + 1] = NAN  # to see the width behind the last window
    one = np.ones_like(truth)
    wide = factors(truth, np.stack((-one, 0 * one, one)), of, rate)
    missed = (np.abs(truth) > wide[:, None]).reshape(series, -1).sum(1) / (5 * windows)
    last = np.log(wide[windows :: windows + 1])
    np.testing.assert_allclose(missed - 0.2, last / (rate * windows), atol=1e-12)
    assert np.abs(missed - 0.2).max() < 0.11
    assert ((np.abs(truth) > 1).reshape(series, -1).sum(1) / (5 * windows)).max() > 0.8


def test_no_interval_follows_what_comes_in_its_own_window_or_later(tmp_path):
    more = ("forecast.distribution=quantile", "forecast.follow=0.5", "forecast.test=0.4")
    task = task_of(tmp_path, *more)
    trained = task.finish(task.build_model())
    frame, parts = task.frame, task.parted
    windows = Origins.judging(parts, "test")
    before = Origins.judging(parts, "validation")
    first = trained._forecasts(frame, windows, before)
    changed = ManySeries(**{**vars(task.series), "values": task.series.values.copy()})
    last = windows.start[windows.series == 3].max()
    changed.values[last : last + 4, 0] += 1e6
    again = trained._forecasts(type(frame)(changed, task.scalers, task.config), windows, before)
    np.testing.assert_array_equal(first, again)
    # What came one window earlier is followed.
    changed.values[last - 4 : last, 0] += 1e6
    third = trained._forecasts(type(frame)(changed, task.scalers, task.config), windows, before)
    place = int(((windows.series == 3) & (windows.start == last)).nonzero())
    assert not np.array_equal(third[:, place], first[:, place])
    others = (windows.series != 3).numpy()
    np.testing.assert_array_equal(third[:, others], first[:, others])


def test_the_order_in_which_windows_are_given_changes_nothing(tmp_path):
    task = task_of(tmp_path, "forecast.distribution=gaussian", "forecast.follow=0.5")
    trained = task.finish(task.build_model())
    windows = Origins.judging(task.parted, "test")
    before = Origins.judging(task.parted, "validation")
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    first = trained._forecasts(task.frame, windows, before)
    again = trained._forecasts(task.frame, windows.take(order), before)
    np.testing.assert_allclose(first[:, order.numpy()], again, rtol=1e-5)


def test_forecasts_follow_windows_at_the_end_of_each_series():
    series = ManySeries.of("abc", [np.arange(100.0), np.arange(5.0), np.arange(40.0)])
    config = many_config("x.csv", "columns.static=", "columns.category=")
    found = just_before(series, config)
    assert np.bincount(found.series, minlength=3).tolist() == [8, 0, 3]
    assert found.start[found.series == 2].tolist() == [133, 137, 141]
    assert (found.stop - found.start == 4).all()


def test_a_saved_model_follows_as_before(tmp_path):
    rows = many_rows()
    task = task_of(tmp_path, "forecast.distribution=conformal", "forecast.follow=0.5", rows=rows)
    trained = task.finish(task.build_model())
    trained.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    path = write_many(tmp_path, rows, "again.csv")
    assert [a.to_json() for a in again.predict(path)] == [
        a.to_json() for a in trained.predict(path)
    ]
